"""One label of a closed list out of a reply, by the rule of a reading."""

import re
import unicodedata
from collections.abc import Callable, Sequence

from snaketune.conclusions import conclusion_reader
from snaketune.config.data import Reading
from snaketune.errors import UserError
from snaketune.option_letters import last_line, read_letter

CLAUSE = re.compile(r"([^.,;:!?\n。、]*)([.,;:!?\n。、]|$)")
"""A clause and its mark; full-width ，；：！？ are brought to their narrow form before."""

LETTER = r"[^\W_\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff]"
"""A letter or digit of a script that parts its words; Chinese ones stand beside any label."""
BEFORE = rf"(?<!{LETTER})(?<!{LETTER}[-'’])"
AFTER = rf"(?!{LETTER}|[-'’]{LETTER})"
LONE_LETTER = r"(?!\s+(?!(?:is|was|or|and)\b)[a-z])"
"""Behind a label of one letter: `a dog` and `b follows` name no option, `b is right` does."""
NO_ONE = r"(?!\s+(?:one|matter|doubt|question|longer)\b)"
"""Behind the label no: what makes of it another word."""

LEAD_IN = re.compile(
    r"(?:[a-z]+\s+){0,4}answer\s*(?:is|was|would be|should be|=)?"
    r"|[^\W\d]{0,6}?(?:答案|回答|结论)(?:应该|应当|应)?(?:是|为)?"
)
"""What may stand before a label that still begins its clause."""

DENIAL = re.compile(
    r"\b(?:not|no|cannot|never|neither|nor|unable|whether)\b|n['’]t\b"
    r"|不(?!过|仅|但|错)|没|无(?!论|疑)|非(?!常)|未(?!来)|否(?!则)"
)
"""What takes back, or leaves open, a label that ends its clause."""

WORDS = re.compile(r"[^\W_](?:.*[^\W_])?", re.DOTALL)
"""A text without the quotes, brackets and signs around it."""


def label_reader(reading: Reading, labels: list[str]) -> Callable[..., str | None]:
    """A function from a reply's text to the label that it gives, None where it gives none.

    Its second argument, the texts of the question's options, is for option_letter alone. A
    reading's default is no business of this function: what could not be read stays None.

    first_word: the reply is parted into clauses at punctuation and line breaks; the first clause
    that begins or ends with a label, quotes, brackets and signs aside, decides. It says nothing
    (None) if it holds two different labels, or denies the label that it ends with. Labels are
    whole words whatever their case: `no one` and `know` are not `no`, and a longer label goes
    before a shorter one inside it (不相同 is not 相同). A question counts only if it begins with
    the label. Known limit: a label that begins a clause counts whatever follows, so `No reason is
    given` is a no. A label with a mark that parts clauses in it, as a full stop, is never found.

    substring_published: the first of `labels` that occurs in the lower-cased reply, even inside
    another word, as the nli and yesorno studies' texts read replies.

    conclusion: what the reply concludes, see `conclusion_reader`. Of the two labels the negative is
    the one that holds the other in it (不相同, 相同), or else the first.

    option_letter: the letter of the option that the reply states, see `read_letter`.

    Raises:
        UserError: the rule conclusion with other than two labels.
    """
    find = RULES[reading.rule](labels)

    def read(text: str, options: Sequence[str] = ()) -> str | None:
        part = last_line(text) if reading.part == "last_line" else text
        found = find(part, options) if reading.rule == "option_letter" else find(part)
        return None if found is None else reading.map.get(found, found)

    return read


def _substring(labels: list[str]) -> Callable[[str], str | None]:
    lowered = [(label, label.lower()) for label in labels]

    def find(text: str) -> str | None:
        reply = text.lower()
        return next((label for label, part in lowered if part in reply), None)

    return find


def _conclusion(labels: list[str]) -> Callable[[str], str | None]:
    if len(labels) != 2:
        raise UserError(
            f"readings: the rule conclusion tells two labels apart, and extract.labels has "
            f"{len(labels)} ({', '.join(labels)}). Name two, or read by another rule."
        )
    return conclusion_reader(*negative_first(*labels))


def negative_first(first: str, second: str) -> tuple[str, str]:
    """Two labels, the negation first: the one that holds the other, else the one stated first."""
    return (second, first) if first in second else (first, second)


def _first_word(labels: list[str]) -> Callable[[str], str | None]:
    by_form = {_form(label): label for label in labels}
    longest_first = sorted(by_form, key=len, reverse=True)
    pattern = re.compile("|".join(map(_word, longest_first)))

    def find(text: str) -> str | None:
        for clause, mark in CLAUSE.findall(_form(text)):
            found = list(pattern.finditer(clause))
            if not found:
                continue
            begins = _begins(clause[: found[0].start()])
            ends = mark != "?" and not WORDS.search(clause, found[-1].end())
            if begins or ends:
                named = {" ".join(word.group().split()) for word in found}
                before = "" if begins else pattern.sub(" ", clause[: found[-1].start()])
                clear = len(named) == 1 and not DENIAL.search(before)
                return by_form[named.pop()] if clear else None
        return None

    return find


def _option_letter(labels: list[str]) -> Callable[[str, Sequence[str]], str | None]:
    def find(text: str, options: Sequence[str]) -> str | None:
        letter = read_letter(text, options)
        return letter if letter in labels else None

    return find


RULES = {
    "first_word": _first_word,
    "substring_published": _substring,
    "conclusion": _conclusion,
    "option_letter": _option_letter,
}


def _form(text: str) -> str:
    """Text in which case and full-width forms make no difference."""
    return unicodedata.normalize("NFKC", text).casefold()


def _word(form: str) -> str:
    """A pattern for a label that is a whole word, also at ends where Chinese stands beside it."""
    words = r"\s+".join(map(re.escape, form.split()))
    before = BEFORE if re.match(LETTER, form[0]) else ""
    after = AFTER if re.match(LETTER, form[-1]) else ""
    alone = LONE_LETTER if re.fullmatch("[a-z]", form) else ""
    other = NO_ONE if form == "no" else ""
    return f"{before}{words}{after}{alone}{other}"


def _begins(before: str) -> bool:
    """Whether a label still begins its clause behind this text."""
    words = WORDS.search(before)
    return words is None or LEAD_IN.fullmatch(words.group()) is not None
