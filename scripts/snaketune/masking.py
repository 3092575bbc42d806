"""Numbers that a dataset's owner blotted out with stars, brought to one mark."""

import re

MARK = "<NUMBER>"

STARS = re.compile(r"[*＊]{3,}")
"""A run of three or more stars, narrow or full-width; one or two may be a bullet or an emphasis."""


def mask_text(text: str) -> tuple[str, int]:
    """Replace each run of stars by one `<NUMBER>`; returns the text and how many were replaced.

    The yesorno study replaces `***` wherever it stands, so that twelve stars become four marks; a
    run is one number.
    """
    return STARS.subn(MARK, text)


def mask_record(record: dict) -> tuple[dict, int]:
    """A record with masked fields, and how many marks they got; id, label and group stay.

    Fields that are no text are left alone. Masking twice changes nothing.
    """
    fields, marks = {}, 0
    for name, value in record["fields"].items():
        if isinstance(value, str):
            value, replaced = mask_text(value)
            marks += replaced
        fields[name] = value
    return {**record, "fields": fields}, marks
