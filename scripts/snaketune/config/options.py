"""How replies to questions with options are read."""

from typing import Literal

from pydantic import Field, model_validator

from snaketune.config.common import Strict

LETTERS = "letters"
"""Part of a label that holds the letters, where a label has parts."""


class OptionsExtract(Strict):
    """Read which of a question's own options a reply picks, by their letters or by their texts.

    The gold answer is the letters of the right options, as AC: the record's label, or the label's
    part `letters`. The first option of a record is its A, whatever another record's A is.
    """

    kind: Literal["options"]
    choices: str | list[str] = Field("choices", min_length=1)
    """The field with the texts of the options as a JSON list; or a list of fields, each the text
    of one option, of which the last may be empty."""

    def choice_fields(self) -> list[str]:
        """Names of the fields that hold options."""
        return [self.choices] if isinstance(self.choices, str) else self.choices

    def metric_names(self) -> list[str]:
        """What a reply is measured by, in the order of the tables."""
        return ["exact", "partial"]

    @model_validator(mode="after")
    def _several(self) -> "OptionsExtract":
        if isinstance(self.choices, list) and len(set(self.choices)) != len(self.choices):
            raise ValueError("choices: a field is named twice")
        return self
