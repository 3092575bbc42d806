"""Questions in the form in which they are compared.

Case, width, punctuation, white space and synonyms are levelled. Numbers never are: 100 and 200
stay two numbers, 1.5 and 15 too.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from snaketune.questions import Question

NUMBER = re.compile(
    r"\d+(?:[.:/]\d+)*|[零〇一二三四五六七八九十百千两半]+(?=[个年月日天次分米公里条倍小])"
)
IN_NUMBER = re.compile(r"(?<=\d)[.:/](?=\d)")
MARK = re.compile(r"[^\w%+×÷=<>℃°]|_")
PICTURE_NAME = re.compile(r"[^/\\?#]+?(?=(?:\.\w{1,5})?(?:[?#].*)?$)")


class Levelling:
    """A function from a text to its form, given pairs of words that mean the same.

    A longer word goes before a shorter one, and words that pairs connect all become one word.
    """

    def __init__(self, synonyms: Iterable[tuple[str, str]] = ()):
        plain = [(_plain(one), _plain(other)) for one, other in synonyms]
        leader: dict[str, str] = {}
        for pair in plain:
            roots = sorted({_root(leader, word) for word in pair})
            for root in roots[1:]:
                leader[root] = roots[0]
        self._becomes = {word: _root(leader, word) for pair in plain for word in pair}
        longest = sorted(self._becomes, key=lambda word: (-len(word), word))
        self._words = re.compile("|".join(map(re.escape, longest)) or "(?!)")

    def __call__(self, text: str) -> str:
        return self._words.sub(lambda found: self._becomes[found[0]], _plain(text))


def _root(leader: dict[str, str], word: str) -> str:
    while leader.get(word, word) != word:
        word = leader[word]
    return word


def _plain(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).casefold()
    kept = IN_NUMBER.sub(lambda found: {".": "·", ":": "ː", "/": "∕"}[found[0]], text)
    # two numbers that only marks part stay two
    kept = re.sub(r"(?<=\d)[\W_]+(?=\d)", lambda found: "|" if _parts(found[0]) else found[0], kept)
    return "".join(
        character for character in kept if character in "·ː∕|" or not MARK.match(character)
    )


def _parts(between: str) -> bool:
    return not any(character in "·ː∕" for character in between)


def picture(media: str | None) -> str | None:
    """What tells one picture from another: the file's name, without address and ending."""
    if not media:
        return None
    found = PICTURE_NAME.search(media.strip())
    return found[0].casefold() if found else media.casefold()


@dataclass(frozen=True)
class Form:
    """A question as it is compared."""

    stem: str
    options: tuple[str, ...]
    answer: frozenset[str]
    """Forms of the right options."""
    type: str
    picture: str | None
    explanation: str

    @classmethod
    def of(cls, question: Question, level: Levelling) -> "Form":
        """The form of a question."""
        forms = {text: level(text) for text in question.options}
        return cls(
            stem=level(question.stem),
            options=tuple(sorted(forms.values())),
            answer=frozenset(forms[text] for text in question.answer),
            type=question.type,
            picture=picture(question.media),
            explanation=level(question.explanation),
        )

    @cached_property
    def exact(self) -> tuple:
        """Equal for questions that are the same but for their answers."""
        return self.stem, self.options, self.type, self.picture

    @cached_property
    def frame(self) -> tuple:
        """Equal for all questions that could be the same: type, picture, numbers."""
        numbers = sorted(number for text in self.options for number in NUMBER.findall(text))
        return (
            self.type,
            self.picture,
            tuple(sorted(NUMBER.findall(self.stem))),
            tuple(numbers),
            len(self.options),
        )


def pieces(text: str) -> frozenset[str]:
    """Pairs of neighbouring characters; a shorter text is its own piece."""
    return frozenset(map("".join, pairwise(text))) or frozenset((text,))


def similarity(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard index of two sets."""
    shared = len(one & other)
    return shared / (len(one) + len(other) - shared)
