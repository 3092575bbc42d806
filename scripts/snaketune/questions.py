"""A question of a driving-test bank, in one form for every site and file that it comes from."""

from typing import Literal

from pydantic import Field, model_validator

from snaketune.config.common import Strict

JUDGE_OPTIONS = ("正确", "错误")
"""The options of a question that asks whether a statement is right."""


class Question(Strict):
    """One question. Options are texts and the answer is told by texts: sites shuffle letters."""

    id: str
    """`{source}-{source_id}`, unique over all sources."""
    stem: str = Field(min_length=1)
    options: list[str] = Field(min_length=2)
    """In the order of the source, without letters; none empty, none twice."""
    answer: list[str] = Field(min_length=1)
    """The right options, in the order of `options`."""
    type: Literal["judge", "single", "multi"]
    media: str | None = None
    """What names the picture or film that belongs to the stem, such as its address; no file."""
    explanation: str = ""
    """Plain text, without HTML."""
    source: str
    """Name of the site, or of the file."""
    source_id: str
    """The question's id there."""
    fetched: str | None = None
    """When its page was fetched, in ISO 8601 (UTC); null for one that was not crawled."""
    robots: Literal["allowed", "no robots.txt"] | None = None
    """What the site's robots.txt said of its page; null for one that was not crawled."""

    @model_validator(mode="after")
    def _answer_is_among_the_options(self) -> "Question":
        if len(set(self.options)) < len(self.options) or not all(self.options):
            raise ValueError("options: one is empty, or two are alike")
        unknown = [text for text in self.answer if text not in self.options]
        if unknown:
            raise ValueError(f"answer: '{unknown[0]}' is none of the options")
        if self.type == "judge" and set(self.options) != set(JUDGE_OPTIONS):
            raise ValueError(f"options: a judge question has {' and '.join(JUDGE_OPTIONS)}")
        if self.type != "multi" and len(self.answer) != 1:
            raise ValueError(f"answer: a question of type {self.type} has one right option")
        return self
