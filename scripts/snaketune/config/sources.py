"""Where a dataset's records come from: seeded generators, files, a hub."""

import codecs
import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, NonNegativeInt, model_validator

from snaketune.config.common import Strict
from snaketune.config.problems import ProblemsSource, PuzzlesSource
from snaketune.config.question_source import QuestionsSource
from snaketune.config.source_base import RecordSource, SplitName


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


class WeatherSource(RecordSource):
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


RELATIONS = ("entailment", "neutral", "contradiction")


class NliSource(RecordSource):
    """Seeded generator of English premises and hypotheses in the manner of the nli study."""

    kind: Literal["nli"]
    records: int = Field(3000, gt=0)
    """How many records are drawn."""
    shares: dict[Literal["entailment", "neutral", "contradiction"], float] = Field(
        {"entailment": 1, "neutral": 1, "contradiction": 1}, min_length=1
    )
    """How often each relation is drawn, in proportion."""
    labels: dict[Literal["entailment", "neutral", "contradiction"], str]
    """Relation → gold label; two relations may have one label, as in RTE's view."""
    seed: int = 0

    @model_validator(mode="after")
    def _labelled(self) -> "NliSource":
        for relation, share in self.shares.items():
            if share < 0:
                raise ValueError(f"shares.{relation}: {share:g} is below 0")
            if relation not in self.labels:
                raise ValueError(f"labels: no label for '{relation}', which is drawn")
        if not sum(self.shares.values()):
            raise ValueError("shares: all are 0, so nothing can be drawn")
        # in an order of ours, so that another order in the file draws no other records
        self.shares = {name: self.shares[name] for name in RELATIONS if name in self.shares}
        self.labels = {name: self.labels[name] for name in RELATIONS if name in self.labels}
        return self

    def field_names(self) -> set[str]:
        return {"premise", "hypothesis"}

    def label_values(self) -> set[str]:
        return set(self.labels.values())


class PairsSource(RecordSource):
    """Seeded generator of pairs of Chinese customer questions, in the manner of yesorno."""

    kind: Literal["pairs"]
    records: int = Field(3000, gt=0)
    """How many pairs are drawn."""
    same: float = Field(0.31, ge=0, le=1)
    """Share of pairs that mean the same."""
    masked: float = Field(0.1, ge=0, le=1)
    """Share of pairs in which a number is blotted out with stars."""
    labels: dict[Literal["same", "different"], str]
    """Relation → gold label."""
    seed: int = 0

    @model_validator(mode="after")
    def _both_labels(self) -> "PairsSource":
        for relation in ("same", "different"):
            if relation not in self.labels:
                raise ValueError(f"labels: no label for '{relation}'")
        return self

    def field_names(self) -> set[str]:
        return {"sentence1", "sentence2"}

    def label_values(self) -> set[str]:
        return set(self.labels.values())


class FileSource(RecordSource):
    """Records of a JSON-lines file in the project's own form (id, fields, label, group, split)."""

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

    def given_splits(self) -> set[str]:
        return {"train", "validation", "test"}


def _by_name(names: dict[str, str] | list[str]) -> dict[str, str]:
    """`[a, b]` is short for `{a: a, b: b}`."""
    return {name: name for name in names} if isinstance(names, list) else names


def _as_text(labels: object) -> object:
    """Values of a label column as text: 0 and "0" are one."""
    if not isinstance(labels, dict):
        return labels
    texts = {}
    for key, value in labels.items():
        key = "" if key is None else key if isinstance(key, bool) else str(key)
        if key in texts:
            raise ValueError(f"the value '{key}' stands there twice")
        texts[key] = value if isinstance(value, bool) or value is None else str(value)
    return texts


def _known_encoding(name: str) -> str:
    try:
        codecs.lookup(name)
    except LookupError:
        raise ValueError(f"no encoding '{name}'; utf-8, gb18030 or utf-16 are some") from None
    return name


class Columns(RecordSource):
    """How columns become the parts of a record; rows of files and of hubs share it."""

    fields: Annotated[dict[str, str] | list[str], Field(min_length=1), AfterValidator(_by_name)]
    """Field → column; a list where both bear the same names."""
    label: str | None = None
    """Column of the gold label; null: there is none."""
    labels: Annotated[dict[str, str | None], BeforeValidator(_as_text)] = {}
    """Value of that column → label, null for no gold answer; empty takes the values as they are."""
    record_id: str | None = None
    """Column with a unique name of each row; null derives one from the content."""
    group: str | None = None
    """Column whose equal values are not parted by a split; null: equal fields are one group."""
    expect: dict[SplitName | Literal["all"], NonNegativeInt] = {}
    """Rows that each split, or all together, must have; another number stops the run."""

    @model_validator(mode="after")
    def _labels_need_a_column(self) -> "Columns":
        if self.labels and self.label is None:
            raise ValueError("labels: maps the values of a column, so name it as label")
        for split in self.expect:
            if split != "all" and split not in self.given_splits():
                raise ValueError(f"expect.{split}: the source gives no such split")
        return self

    def field_names(self) -> set[str]:
        return set(self.fields)

    def answer_names(self) -> set[str]:
        return {name for name, column in self.fields.items() if column == self.label}

    def label_values(self) -> set[str]:
        return {label for label in self.labels.values() if label is not None}


class TableSource(Columns):
    """Rows of TSV, CSV, JSON or JSON-lines files."""

    kind: Literal["table"]
    path: str | dict[SplitName, str]
    """One file, or one for each split that the files already are."""
    format: Literal["tsv", "csv", "json", "jsonl"] | None = None
    """null takes the file's suffix. json: a list of objects; jsonl: one object a line."""
    columns: list[str] = []
    """Names of the columns of a TSV or CSV that has no line of names."""
    encoding: Annotated[str, AfterValidator(_known_encoding)] = "utf-8"
    """As Python names it, such as gb18030; a byte-order mark is skipped."""
    quoting: Literal["none", "double"] | None = None
    """TSV and CSV. none: a quote is a character like others; double: "…" encloses a cell, and ""
    in it is a quote. null: none in TSV, double in CSV."""

    @model_validator(mode="after")
    def _a_file_for_each(self) -> "TableSource":
        files = list(self.paths().values())
        if len(set(files)) < len(files):
            raise ValueError("path: one file for two splits; give each its own")
        return self

    def paths(self) -> dict[str, str]:
        """Split → file; "all" for the one file of a source without splits."""
        return {"all": self.path} if isinstance(self.path, str) else dict(self.path)

    def given_splits(self) -> set[str]:
        return set() if isinstance(self.path, str) else set(self.path)


class HubSource(Columns):
    """Rows of a dataset on the Hugging Face hub."""

    kind: Literal["hub"]
    id: str
    """Owner and name of the dataset."""
    config: str | None = None
    """The dataset's configuration (subset), where it has several."""
    revision: str | None = None
    """Commit; null takes the newest and records which one that was."""
    splits: dict[SplitName, str] = Field(min_length=1)
    """Our split → the hub's, or a part of it as the datasets library writes it: train[1000:]."""

    def given_splits(self) -> set[str]:
        return set(self.splits)


Source = Annotated[
    WeatherSource
    | NliSource
    | PairsSource
    | PuzzlesSource
    | ProblemsSource
    | FileSource
    | TableSource
    | HubSource
    | QuestionsSource,
    Field(discriminator="kind"),
]
