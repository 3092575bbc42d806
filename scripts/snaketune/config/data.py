"""Where a dataset's records come from, how they are asked, split and read back."""

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from snaketune.config.common import Name, Strict, nearest

PLACEHOLDER = re.compile(r"\{([^\W\d]\w*)\}")
"""`{field}` in a prompt; any other brace, as in a JSON example, stands for itself."""


class SentenceTemplate(Strict):
    """One form of weather sentence; `{city}`, `{month}` and `{day}` are needed, `{year}` not."""

    text: str
    """Python format string over city (str), year, month, day (int), as in `{month:02d}`."""
    date: Literal["%Y-%m-%d", "%m-%d"] = "%m-%d"
    """strftime form of the date in the gold answer."""

    @model_validator(mode="after")
    def _names(self) -> "SentenceTemplate":
        try:
            self.text.format(city="城", year=2000, month=1, day=1)
        except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
            raise ValueError(
                f"template '{self.text}' cannot be filled ({type(error).__name__} {error}); "
                "it may use {city}, {year}, {month}, {day}"
            ) from None
        for name in ("city", "month", "day"):
            if not re.search(rf"\{{{name}[}}:]", self.text):
                raise ValueError(f"template '{self.text}' lacks {{{name}}}")
        if self.date.startswith("%Y") and not re.search(r"\{year[}:]", self.text):
            raise ValueError(f"template '{self.text}' lacks {{year}}, which its date form needs")
        return self


class WeatherSource(Strict):
    """Seeded generator of the weather study: templates × cities × dates, labels by construction."""

    kind: Literal["weather"]
    cities: str
    """City list: `code name` lines, or CSV with or without a header; UTF-8 or GBK."""
    records: int = Field(3000, gt=0)
    """How many records are drawn, before exact duplicates are dropped."""
    templates: list[SentenceTemplate] = Field(min_length=1)
    """Forms of sentence, drawn uniformly."""
    years: tuple[int, int] = (1998, 2025)
    """First and last year, both included."""
    last_day: Literal[28, "calendar"] = 28
    """Days 1–28 as published, or every day that the month has."""
    default_year: int | None = None
    """Year written into the gold date of sentences that state none; null leaves month and day."""
    negatives: int = Field(0, ge=0)
    """How many of the records name neither a city nor a date (gold: both null)."""
    seed: int = 0

    def field_names(self) -> set[str]:
        return {"sentence"}

    def label_names(self) -> set[str]:
        return {"city", "date"}

    @model_validator(mode="after")
    def _ranges(self) -> "WeatherSource":
        if self.years[0] > self.years[1]:
            raise ValueError(f"years: {self.years[0]} lies after {self.years[1]}")
        if not all(1 <= y <= 9999 for y in (*self.years, self.default_year or 1)):
            raise ValueError("years, default_year: a year lies between 1 and 9999")
        if self.negatives > self.records:
            raise ValueError(f"negatives: {self.negatives} of only {self.records} records")
        return self


class FileSource(Strict):
    """Records of a JSON-lines file in the project's own form (id, fields, label, group)."""

    kind: Literal["file"]
    path: str
    fields: list[str] = Field(min_length=1)
    """Names of the fields that every record has."""
    label: list[str] = []
    """Names of the parts of a structured label; empty for a label that is a plain string."""

    def field_names(self) -> set[str]:
        return set(self.fields)

    def label_names(self) -> set[str]:
        return set(self.label)


Source = Annotated[WeatherSource | FileSource, Field(discriminator="kind")]


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


class Dataset(Strict):
    """Named records with the prompt that asks them, their splits and how replies are read."""

    source: Source
    prompt: Name
    split: Split = Split()
    extract: JsonExtract

    @model_validator(mode="after")
    def _extracted_fields(self) -> "Dataset":
        parts = self.source.label_names()
        if not parts:
            raise ValueError("extract: json compares parts of a label; name them in source.label")
        for field in self.extract.fields:
            if field not in parts:
                raise ValueError(
                    f"extract.fields: the label has no part '{field}'. {nearest(field, parts)}"
                )
        return self
