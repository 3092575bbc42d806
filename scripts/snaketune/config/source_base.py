"""What every source of records is to the rest of the config."""

from typing import Literal

from snaketune.config.common import Strict

SplitName = Literal["train", "validation", "test"]


class RecordSource(Strict):
    """What the rest of the config asks of a source."""

    def field_names(self) -> set[str]:
        """Names of the fields that every record has."""
        raise NotImplementedError

    def answer_names(self) -> set[str]:
        """Names of fields that tell the answer: a prompt may have them in its answer alone."""
        return set()

    def label_names(self) -> set[str]:
        """Names of the parts of a label; none for a plain text."""
        return set()

    def label_values(self) -> set[str]:
        """Labels that the source is known to give."""
        return set()

    def given_splits(self) -> set[str]:
        """Splits that the source itself names."""
        return set()
