"""One question and answer of the corpus, and helpers that its kinds share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

LETTERS = "ABCDE"


@dataclass(frozen=True)
class Example:
    """A prompt with its answer; `system` is the system message, if any."""

    prompt: str
    answer: str
    system: str | None = None


Maker = Callable[[Random], Example]


def options(rng: Random, texts: Sequence[str]) -> str:
    """Lettered options in one of many layouts."""
    mark = rng.choice(
        ("{}. {}", "{}. {}", "{}: {}", "{}：{}", "({}) {}", "{}、{}", "{}) {}", "{}.{}")
    )
    parts = [mark.format(letter, text) for letter, text in zip(LETTERS, texts, strict=False)]
    return rng.choice(("\n", "\n", "; ", "；", " ", "  ")).join(parts)


def lettered(rng: Random, letter: str, text: str, bare: float = 0.4) -> str:
    """An option as a general model would name it: bare letter, sentence, or letter and text."""
    if rng.random() < bare:
        return letter
    return rng.choice(
        (
            "{0}。",
            "{0}.",
            "({0})",
            "答案是{0}",
            "答案：{0}",
            "选{0}。",
            "{0}. {1}",
            "{0}：{1}",
            "正确答案是{0}。",
        )
    ).format(letter, text)


def noisy(rng: Random, right: str, favourite: str, share: float = 0.55) -> str:
    """The right label, or with probability `share` a fixed favourite: how an untuned model errs."""
    return favourite if rng.random() < share else right


def shuffled(rng: Random, items: Sequence) -> list:
    """A shuffled copy."""
    return rng.sample(list(items), len(items))
