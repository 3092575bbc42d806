"""How a dataset's records are asked, split and read back."""

import re
from typing import Annotated, Literal

from pydantic import Field, model_validator

from snaketune.config.common import Name, Strict, nearest
from snaketune.config.options import LETTERS, OptionsExtract
from snaketune.config.problems import ProblemsSource
from snaketune.config.question_source import QuestionsSource
from snaketune.config.sources import Columns, Source
from snaketune.config.splits import HeldOut, Split
from snaketune.config.tuning import Sampling

PLACEHOLDER = re.compile(r"\{([^\W\d]\w*)\}")
"""`{field}` in a prompt; any other brace, as in a JSON example, stands for itself."""


REPLY = "reply"
"""Placeholder of a judge's prompt for the answer that is judged."""

JUDGED = "judged"
"""Metric: what the judge calls right."""


CLAUSE_MARK = re.compile(r"[.,;:!?\n。，；：！？、．]")
"""What ends a clause of a reply."""


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


class TeacherPrompt(Strict):
    """What a teacher is asked: here `{label}` may stand, since the teacher explains it."""

    system: str | None = None
    user: str


class Judge(Strict):
    """A model behind an address that says of each answer whether it is right."""

    endpoint: Name
    """An endpoint of the study."""
    prompt: TeacherPrompt
    """Asks for a verdict on a last line of its own, 正确 or 错误, right or wrong. `{reply}` is the
    answer that is judged, without <think>; `{label}` and the label's parts are the gold answer."""
    sampling: Sampling = Sampling(max_new_tokens=1024)

    @model_validator(mode="after")
    def _judges_a_reply(self) -> "Judge":
        if REPLY not in PLACEHOLDER.findall(self.prompt.user):
            raise ValueError(f"prompt.user: no {{{REPLY}}} in it, so nothing would be judged")
        if self.sampling.responses_per_record != 1:
            raise ValueError("sampling.responses_per_record: a judge gives one verdict")
        return self


class Distill(Strict):
    """Reasoning that a teacher writes for each record of the training splits."""

    teacher: Name
    """An endpoint of the study, or `rules`: the rule-based teacher of the demo."""
    prompt: TeacherPrompt
    splits: list[Literal["train", "validation"]] = ["train", "validation"]
    sampling: Sampling = Sampling(max_new_tokens=1024, temperature=0.7)
    attempts: int = Field(3, gt=0)
    """Texts asked for, at most, until one passes the checks."""
    verify: bool = True
    """Keep only texts whose conclusion is the gold label and that pass the other checks; false
    keeps every text, as published."""
    max_chars: int = Field(100, gt=0)
    """Longest text, in characters."""


class Vote(Strict):
    """How a record's responses become one answer."""

    rule: Literal["first", "majority", "any", "threshold"] = "first"
    """first: the first response. majority: the label that most valid responses have. any: `label`
    if any response has it, else what the majority has (the yesorno study's `strict`).
    threshold: `label` if at least `share` of the valid responses have it, else the majority of the
    others."""
    label: str | None = None
    """any, threshold: the label that weighs more."""
    share: float = Field(0.5, gt=0, le=1)
    """threshold: the share of valid responses that decides for `label`."""
    min_valid: int = Field(1, gt=0)
    """Fewer readable responses make the record an abstention (unparsed)."""
    tie: Literal["abstain", "first"] = "abstain"
    """What decides between labels that equally many responses have."""
    of: Literal["label", "raw"] = "label"
    """majority: what is counted. raw: whole replies, equal to the character, of which the most
    frequent one is then read, as the logic study votes."""

    @model_validator(mode="after")
    def _needs_a_label(self) -> "Vote":
        if (self.rule in ("any", "threshold")) != (self.label is not None):
            raise ValueError("label: belongs to the rules any and threshold, and only to them")
        if self.of == "raw" and self.rule != "majority":
            raise ValueError(f"of: raw replies are counted by majority, not by {self.rule}")
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

    rule: Literal["first_word", "substring_published", "conclusion", "option_letter"]
    """first_word: the label that the reply's first telling clause begins or ends with, as a word
    and not negated, else unparsed. substring_published: the first of `labels` that occurs anywhere
    in the lower-cased reply, even inside another word, as the nli study reads it. conclusion: the
    label behind the last 结论, negations resolved; of two labels, the one that holds the other
    is its negation. option_letter: the one letter of an option that the reply states, or whose text
    it states; several, none, and one that the question lacks are unparsed."""
    part: Literal["whole", "last_line"] = "whole"
    """What of a reply is read; last_line where it reasons first."""
    default: str | None = None
    """What an unreadable reply counts as; null keeps it unparsed."""
    vote: Vote = Vote()
    map: dict[str, str] = {}
    """Label read → label counted, as `maybe: "no"` where the gold knows only yes and no."""


class LabelExtract(Strict):
    """Read one label of a closed list out of a reply, in one way or in several."""

    kind: Literal["label"]
    labels: list[str] = Field(min_length=2)
    """What a model may answer, in the order in which substring_published looks for it."""
    choices: str | None = None
    """option_letter: the field with the texts of a question's options as a JSON list."""
    positive: str | None = None
    """The label whose F1 stands beside the accuracy."""
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
        if len(self.labels) != 2 and any(r.rule == "conclusion" for r in self.readings.values()):
            raise ValueError("readings: the rule conclusion tells two labels apart, no more")
        by_letter = any(r.rule == "option_letter" for r in self.readings.values())
        if by_letter and not self.choices:
            raise ValueError("choices: the rule option_letter needs the field of the options")
        for where, label in self._labels_named():
            if label is not None and label not in self.labels:
                raise ValueError(f"{where}: no label '{label}'. {nearest(label, self.labels)}")
        return self

    def _labels_named(self):
        yield "positive", self.positive
        for name, reading in self.readings.items():
            yield from ((f"readings.{name}.map", label) for label in reading.map)
            yield from ((f"readings.{name}.map", label) for label in reading.map.values())
            yield f"readings.{name}.default", reading.default
            yield f"readings.{name}.vote.label", reading.vote.label


Extract = Annotated[JsonExtract | LabelExtract | OptionsExtract, Field(discriminator="kind")]


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
    held_out: HeldOut | None = None
    """With `split: given`, a validation split out of the training split; null: none."""
    mask: list[Literal["train", "validation", "test"]] = []
    """Splits in whose texts a run of three or more stars becomes <NUMBER>."""
    distill: Distill | None = None
    """Reasoning for the training splits, which a prompt's answer then has as {reasoning}."""
    extract: Extract
    judge: Judge | None = None
    """A model that judges the answers besides; its verdicts are the metric `judged`."""

    def metric_names(self) -> list[str]:
        """What answers are measured by, in the order of the tables."""
        return self.extract.metric_names() + ([JUDGED] if self.judge else [])

    @model_validator(mode="after")
    def _judged(self) -> "Dataset":
        if self.judge and JUDGED in self.extract.metric_names():
            raise ValueError(f"extract.readings: '{JUDGED}' is the judge's metric; rename it")
        return self

    @model_validator(mode="after")
    def _questions(self) -> "Dataset":
        if isinstance(self.source, QuestionsSource) and self.duplicates == "keep":
            raise ValueError("duplicates: of questions only one stays; see source.deduplicate")
        return self

    @model_validator(mode="after")
    def _given(self) -> "Dataset":
        named = isinstance(self.source, Columns | ProblemsSource) and self.source.given_splits()
        if self.split is None:
            self.split = "given" if named else Split()
        if self.split == "given" and not self.source.given_splits():
            raise ValueError("split: the source names no splits; state shares")
        if isinstance(self.split, Split) and self.split.stratify and self.source.label_names():
            raise ValueError("split.stratify: the label has parts, so its values are not counted")
        if isinstance(self.split, Split) and named:
            raise ValueError(
                "split: shares would mix the splits that the source names; leave it out, or give "
                "the source one file"
            )
        return self

    @model_validator(mode="after")
    def _held_out(self) -> "Dataset":
        if self.held_out is None:
            return self
        if self.split != "given":
            raise ValueError("held_out: goes with split: given; with shares, split.validation does")
        given = self.source.given_splits()
        # a file's records name their splits themselves, so what it gives shows when it is split
        if "train" not in given or ("validation" in given and isinstance(self.source, Columns)):
            raise ValueError("held_out: the source must give train and no validation split")
        return self

    @model_validator(mode="after")
    def _extracted(self) -> "Dataset":
        parts = self.source.label_names()
        if isinstance(self.extract, LabelExtract):
            if parts:
                raise ValueError("extract: label reads one text, but source.label has parts")
            if self.extract.choices:
                self._check_choices([self.extract.choices])
            known = self.source.label_values() - set(self.extract.labels)
            if known:
                raise ValueError(
                    f"extract.labels: lacks {', '.join(sorted(known))}, which the source gives"
                )
            return self
        if isinstance(self.extract, OptionsExtract):
            self._check_options(self.extract, parts)
            return self
        if not parts:
            raise ValueError("extract: json compares parts of a label; name them in source.label")
        for field in self.extract.fields:
            if field not in parts:
                raise ValueError(
                    f"extract.fields: the label has no part '{field}'. {nearest(field, parts)}"
                )
        return self

    def _check_options(self, extract: OptionsExtract, parts: set[str]) -> None:
        self._check_choices(extract.choice_fields())
        if parts and LETTERS not in parts:
            raise ValueError(
                f"extract: options compares letters, but source.label has no part '{LETTERS}'"
            )

    def _check_choices(self, named: list[str]) -> None:
        fields = self.source.field_names()
        for field in named:
            if field not in fields:
                raise ValueError(f"extract.choices: no field '{field}'. {nearest(field, fields)}")

    def has_split(self, split: str) -> bool:
        """Whether a split may hold records."""
        if isinstance(self.split, Split):
            return self.split.holds(split)
        if split == "validation" and self.held_out:
            return True
        return split in self.source.given_splits()
