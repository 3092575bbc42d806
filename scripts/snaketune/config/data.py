"""How a dataset's records are asked, split and read back."""

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from snaketune.config.common import Name, Strict, nearest
from snaketune.config.sources import Columns, Source

PLACEHOLDER = re.compile(r"\{([^\W\d]\w*)\}")
"""`{field}` in a prompt; any other brace, as in a JSON example, stands for itself."""


CLAUSE_MARK = re.compile(r"[.,;:!?\n。，；：！？、．]")
"""What ends a clause of a reply."""


class Split(Strict):
    """Shares of the groups that go to each split; records of one group stay together."""

    train: float = Field(0.7, ge=0, le=1)
    validation: float = Field(0.1, ge=0, le=1)
    test: float = Field(0.2, ge=0, le=1)
    seed: int = 0

    @model_validator(mode="after")
    def _sum(self) -> "Split":
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-9:
            raise ValueError(f"train + validation + test must be 1, not {total:g}")
        return self


class Prompt(Strict):
    """How a record becomes chat messages; `{name}` is a field, `{label}` the gold label.

    A structured label is written as one line of JSON.
    """

    system: str | None = None
    user: str
    answer: str = "{label}"

    @model_validator(mode="after")
    def _asks(self) -> "Prompt":
        if not PLACEHOLDER.search(self.user):
            raise ValueError("user: no {field} in it, so every record would be asked the same")
        for part in ("system", "user"):
            if "label" in PLACEHOLDER.findall(getattr(self, part) or ""):
                raise ValueError(f"{part}: {{label}} would give the answer away")
        return self


class JsonExtract(Strict):
    """Read the first JSON object of a reply and compare it with the gold object, field by field."""

    kind: Literal["json"]
    fields: list[str] = Field(min_length=1)
    normalise: dict[str, Literal["place_name"]] = {}
    """Fields that are compared a second time in a canonical form (place_name: 北京市 = 北京)."""

    def metric_names(self) -> list[str]:
        """What a reply is measured by, in the order of the tables."""
        names = ["valid_json", *(f"field_match:{field}" for field in self.fields), "exact_match"]
        if self.normalise:
            names += [f"field_match_normalised:{field}" for field in self.normalise]
            names.append("exact_match_normalised")
        return names

    @model_validator(mode="after")
    def _normalised_fields(self) -> "JsonExtract":
        for field in self.normalise:
            if field not in self.fields:
                raise ValueError(
                    f"normalise: '{field}' is not among the fields. {nearest(field, self.fields)}"
                )
        return self


class Reading(Strict):
    """One way to read a label out of a reply; each is a metric of its own."""

    rule: Literal["first_word", "substring_published"]
    """first_word: the label that the reply's first telling clause begins or ends with, as a word
    and not negated, else unparsed. substring_published: the first of `labels` that occurs anywhere
    in the lower-cased reply, even inside another word, as the nli study reads it."""
    map: dict[str, str] = {}
    """Label read → label counted, as `maybe: "no"` where the gold knows only yes and no."""


class LabelExtract(Strict):
    """Read one label of a closed list out of a reply, in one way or in several."""

    kind: Literal["label"]
    labels: list[str] = Field(min_length=2)
    """What a model may answer, in the order in which substring_published looks for it."""
    readings: dict[Name, Reading] = Field({"accuracy": Reading(rule="first_word")}, min_length=1)
    """Metric → reading; the first is the one that figures and the terminal show."""

    def metric_names(self) -> list[str]:
        """What a reply is measured by, in the order of the tables."""
        return list(self.readings)

    @model_validator(mode="after")
    def _readable(self) -> "LabelExtract":
        for label in self.labels:
            if CLAUSE_MARK.search(label) or not label.strip():
                raise ValueError(f"labels: '{label}' is blank or holds a mark that ends a clause")
        if len({label.casefold() for label in self.labels}) < len(self.labels):
            raise ValueError("labels: two are alike but for upper and lower case")
        for taken in {"unparsed", "error"} & set(self.labels):
            raise ValueError(f"labels: '{taken}' is the name of an outcome; use another word")
        if "valid_json" in self.readings:
            raise ValueError("readings: 'valid_json' is a metric of replies in JSON; rename it")
        return self

    @model_validator(mode="after")
    def _mapped_labels(self) -> "LabelExtract":
        for name, reading in self.readings.items():
            for label in (*reading.map, *reading.map.values()):
                if label not in self.labels:
                    raise ValueError(
                        f"readings.{name}.map: no label '{label}'. {nearest(label, self.labels)}"
                    )
        return self


Extract = Annotated[JsonExtract | LabelExtract, Field(discriminator="kind")]


class Dataset(Strict):
    """Named records with the prompt that asks them, their splits and how replies are read."""

    source: Source
    prompt: Name
    duplicates: Literal["drop", "keep"] = "drop"
    """drop: of records with equal fields and label the first stays. keep: all stay, counted, as a
    benchmark whose size is part of its name wants it."""
    split: Split | Literal["given"] | None = None
    """Shares, or `given`: each record stays in the split that its source names. null: `given` where
    a table or a hub names splits, else 0.7, 0.1, 0.2."""
    extract: Extract

    @model_validator(mode="after")
    def _given(self) -> "Dataset":
        named = isinstance(self.source, Columns) and self.source.given_splits()
        if self.split is None:
            self.split = "given" if named else Split()
        if self.split == "given" and not self.source.given_splits():
            raise ValueError("split: the source names no splits; state shares")
        if isinstance(self.split, Split) and named:
            raise ValueError(
                "split: shares would mix the splits that the source names; leave it out, or give "
                "the source one file"
            )
        return self

    @model_validator(mode="after")
    def _extracted(self) -> "Dataset":
        parts = self.source.label_names()
        if isinstance(self.extract, LabelExtract):
            if parts:
                raise ValueError("extract: label reads one text, but source.label has parts")
            known = self.source.label_values() - set(self.extract.labels)
            if known:
                raise ValueError(
                    f"extract.labels: lacks {', '.join(sorted(known))}, which the source gives"
                )
            return self
        if not parts:
            raise ValueError("extract: json compares parts of a label; name them in source.label")
        for field in self.extract.fields:
            if field not in parts:
                raise ValueError(
                    f"extract.fields: the label has no part '{field}'. {nearest(field, parts)}"
                )
        return self

    def has_split(self, split: str) -> bool:
        """Whether a split may hold records."""
        if isinstance(self.split, Split):
            return getattr(self.split, split) > 0
        return split in self.source.given_splits()
