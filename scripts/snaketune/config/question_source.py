"""Questions of a driving-test bank as a source of records."""

from typing import Literal

from pydantic import model_validator

from snaketune.config.common import Name
from snaketune.config.deduplicating import Deduplication
from snaketune.config.source_base import RecordSource


class QuestionsSource(RecordSource):
    """Questions of a driving-test bank: of sites that were crawled, and of files."""

    kind: Literal["questions"]
    sites: list[Name] = []
    """Sites of the study, in the order in which the first to have a question gives its words."""
    path: str | list[str] = []
    """Files of a bank: JSON, `{"questions": [{type, title, a, b, c, d, answer, …}]}`."""
    media: Literal["keep", "drop", "only"] = "keep"
    """Questions with a picture or film, which a model of texts cannot see. only: no others, for a
    dataset, and so rows of the table, of their own."""
    option: str = "{letter}. {text}"
    """How an option stands in the fields `options` and in the label's part `answer`."""
    between: str = "\n"
    """What stands between options."""
    deduplicate: Deduplication = Deduplication()

    @model_validator(mode="after")
    def _named_once(self) -> "QuestionsSource":
        if not self.sites and not self.paths():
            raise ValueError(
                "sites, path: both are empty. Give the path of a bank that you have, or name sites "
                "of the study, whose sites.{name} then has the url and accepts the terms"
            )
        for names in (self.sites, self.paths()):
            if len(set(names)) < len(names):
                raise ValueError("sites, path: one is named twice")
        for part in ("{letter}", "{text}"):
            if part not in self.option:
                raise ValueError(f"option: lacks {part}")
        return self

    def paths(self) -> list[str]:
        """The files."""
        return [self.path] if isinstance(self.path, str) else self.path

    def field_names(self) -> set[str]:
        return {"question", "options", "choices", "type"}

    def label_names(self) -> set[str]:
        return {"letters", "answer", "explanation"}
