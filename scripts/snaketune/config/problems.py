"""Problems with several questions each, and how the lettered options of a question are written."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, model_validator

from snaketune.config.source_base import RecordSource, SplitName

MOST_OPTIONS = 5
KINDS = ("table", "row", "chain", "membership", "numbers")


class ListedOptions(RecordSource):
    """A source of questions with lettered options.

    Their records have the fields `problem`, `question`, `options` (the options as the prompt shows
    them) and `choices` (their texts as a JSON list); the label is a letter, A for the first.
    """

    option: str = "{letter}: {text}"
    """How an option is written."""
    between: str = "; "
    """What stands between two options."""

    @model_validator(mode="after")
    def _shows_the_text(self) -> "ListedOptions":
        for part in ("{letter}", "{text}"):
            if part not in self.option:
                raise ValueError(f"option: lacks {part}, so the options could not be told apart")
        return self

    def listed(self, texts: list[str]) -> str:
        """The options of a question as a prompt shows them."""
        lines = (
            self.option.replace("{letter}", letter).replace("{text}", text)
            for letter, text in zip("ABCDEFGHIJ", texts, strict=False)
        )
        return self.between.join(lines)

    def field_names(self) -> set[str]:
        return {"problem", "question", "options", "choices"}


class ProblemsSource(ListedOptions):
    """Problems of a competition: JSON lines `{"id", "problem", "questions": [{"question",
    "options": […], "answer"}]}`, without `answer` where it is not told. A record is one question,
    its id is the problem's and the question's number; questions about equal problem texts are one
    group."""

    kind: Literal["problems"]
    path: str | dict[SplitName, str]
    """One file, or one for each split that the files already are."""
    obtain: str | None = None
    """How a person comes by the files. With it a file that is not there stops the job that reads
    it, with these words, and not the whole plan."""
    tidy: bool = True
    """Take out what Markdown left (**), and bring the heading of a question (选择题 1:) to one
    form; false leaves the texts as they are. Both are counted."""
    expect: dict[Literal["problems", "questions"], NonNegativeInt] = {}
    """Problems and questions that there must be, over all files; other numbers stop the run."""

    def paths(self) -> dict[str, str]:
        """Split → file; "all" for the one file of a source without splits."""
        return {"all": self.path} if isinstance(self.path, str) else dict(self.path)

    def given_splits(self) -> set[str]:
        return set() if isinstance(self.path, str) else set(self.path)

    def label_values(self) -> set[str]:
        return set("ABCDEFGHIJ"[:MOST_OPTIONS])


class PuzzlesSource(ListedOptions):
    """Seeded generator of Chinese puzzles with several questions each, solved by a solver.

    Records have the field `reasoning` besides: the fact or step that decides, then the answer.
    """

    kind: Literal["puzzles"]
    problems: int = Field(500, gt=0)
    """How many problems are drawn."""
    questions: tuple[Annotated[int, Field(gt=0)], Annotated[int, Field(gt=0)]] = (2, 4)
    """Fewest and most questions about a problem."""
    choices: tuple[Annotated[int, Field(gt=1)], Annotated[int, Field(le=MOST_OPTIONS)]] = (2, 5)
    """Fewest and most options of a question; one that asks for yes or no has two."""
    kinds: list[Literal["table", "row", "chain", "membership", "numbers"]] = Field(
        list(KINDS), min_length=1
    )
    """Kinds of problem, drawn uniformly. table: who has what. row: who stands where. chain: what
    follows from rules, twice applied. membership: is it there. numbers: largest, smallest, sum."""
    gold: bool = True
    """false keeps the answers back, as a competition does."""
    seed: int = 0

    @model_validator(mode="after")
    def _ranges(self) -> "PuzzlesSource":
        for name in ("questions", "choices"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name}: {low} is more than {high}")
        self.kinds = [kind for kind in KINDS if kind in self.kinds]
        return self

    def answer_names(self) -> set[str]:
        return {"reasoning"}

    def label_values(self) -> set[str]:
        return set("ABCDEFGHIJ"[: self.choices[1]])
