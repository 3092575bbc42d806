"""Which of its question's options a reply picks, by letters (AC, A、C) or by the options' texts."""

import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

from snaketune.config.data import LabelExtract, Reading
from snaketune.config.options import LETTERS, OptionsExtract
from snaketune.errors import UserError
from snaketune.label_replies import DENIAL, label_reader
from snaketune.questions import JUDGE_OPTIONS

ALPHABET = "ABCDEFGHIJKLMNOP"
RIGHT, WRONG = JUDGE_OPTIONS
JUDGE_WORDS = {
    **dict.fromkeys(("正确", "正确的", "right", "true", "correct"), RIGHT),
    **dict.fromkeys(("错误", "错误的", "不正确", "不正确的", "wrong", "false", "incorrect"), WRONG),
}
"""Words that judge a statement, in a reply of any length."""
JUDGE_SIGNS = {
    **dict.fromkeys(("对", "是", "对的", "是的", "√", "✓", "✔", "yes"), RIGHT),
    **dict.fromkeys(("错", "否", "不对", "错的", "不是", "×", "✗", "✘", "no"), WRONG),
}
"""Words and signs that do so only where they are all that is said."""

EDGES = " \t\r\n。.!;,:'\"“”‘’「」『』()[]【】{}*_`#"
SEPARATOR = r"[\s、,;/&和与及]"
LETTER_SET = rf"[A-P](?:{SEPARATOR}*[A-P])*"
BARE = re.compile(LETTER_SET)
STATED = re.compile(
    rf"(?P<letters>{LETTER_SET})\s*(?P<mark>[.、:)\]】,;。\n]|(?<=\s))\s*(?P<rest>.*)", re.DOTALL
)
"""Letters, and what stands behind them: `AC. 停车;减速`."""
LISTED = re.compile(r"(?:^|(?<=[\s;,。、(\[【]))([A-P])\s*[.:)\]】、]\s*")
"""A letter that begins an option told in full, as in a list of several."""
MARKER = re.compile(
    r"(?:答案|结论|故选|应[该当]?选择?|选择|选项|\banswers?\b)[*_\s]*(?:应该|应当|应)?(?:是|为|\bis\b|\bare\b)?"
    r"[*_\s]*[:=]?[*_\s]*",
    re.IGNORECASE,
)
"""What opens the answer of a reply that says more; the last one counts."""
CHOSEN = re.compile(
    rf"(?<![不勿])(?<!^别)(?<![^类分区性级特]别)(?<!不[能可该])选\s*[(\[【“\"]*(?P<letters>{LETTER_SET})(?![A-Za-z0-9])[)\]】”\"]*"
)
"""Letters behind 选, as in 停车选A."""
SMALL = re.compile(rf"[a-h](?:{SEPARATOR}+[a-h])*")
"""Letters in lower case, which in a row would be words."""
LINE = re.compile(r"[^\n]+")

Reader = Callable[[str], str | None]


def form(text: str) -> str:
    """Text in which full-width forms make no difference, without blanks around it."""
    return unicodedata.normalize("NFKC", text).strip()


def choices_of(extract: OptionsExtract | LabelExtract, record: dict) -> list[str]:
    """The texts of a record's options in its own order, the first being A.

    Raises:
        UserError: the record's fields do not hold options.
    """
    fields = record["fields"]
    if isinstance(extract.choices, list):
        texts = [fields[name] for name in extract.choices]
        while texts and not texts[-1].strip():
            texts.pop()
    else:
        texts = _listed(record, extract.choices)
    if not 2 <= len(texts) <= len(ALPHABET):
        raise UserError(
            f"record {record['id']}: 2 to {len(ALPHABET)} options are needed, and its "
            f"{extract.choices} has {len(texts)}."
        )
    return texts


def _listed(record: dict, field: str) -> list[str]:
    try:
        texts = json.loads(record["fields"][field])
    except ValueError:
        texts = None
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise UserError(
            f"record {record['id']}: its {field} is no JSON list of texts. Name the fields that "
            "hold one option each: extract.choices: [a, b, c, d]."
        )
    return texts


def gold_letters(label: str | dict) -> str:
    """The letters of a gold answer, in order: `C、A` and {"letters": "CA"} are AC."""
    text = label.get(LETTERS) if isinstance(label, dict) else label
    found = form(text or "").upper()
    if not BARE.fullmatch(found):
        raise UserError(
            f"the gold answer {label!r} is no letters of options, as AC. Mend the record."
        )
    return _set(found)


def check_gold(extract: OptionsExtract, record: dict) -> None:
    """Refuse a gold answer that names an option which its record has not."""
    if record["label"] is None:
        return
    letters, count = gold_letters(record["label"]), len(choices_of(extract, record))
    if letters[-1] not in ALPHABET[:count]:
        raise UserError(
            f"record {record['id']}: the gold answer is {letters}, but there are only {count} "
            "options. Mend the record."
        )


def _set(letters: str) -> str:
    return "".join(sorted(set(re.findall("[A-P]", letters))))


def option_reader(choices: Sequence[str]) -> Reader:
    """A function from a reply's text to the letters that it picks of these options, else None.

    Looked at are, in this order and up to the first that picks something: the whole reply, where
    it is nothing but letters or texts; what stands behind the last 答案, 故选, answer and the like;
    the whole reply again; its first line; its last line; letters behind 选. A part picks options by
    letters alone (AC, A、C, a), by letters with texts behind them, by texts alone, or, where they
    are 正确 and 错误, by words and signs that mean them. Last of all a reply of one line picks the
    only option whose text it has and does not deny.

    Nothing is picked (None) by a letter that no option has, a letter beside another option's text,
    and a repetition of all options with their letters that no 答案 introduces: untuned models
    repeat what they are asked. Letters inside words (C1, ABS) count as nothing.
    """
    picks = _Picks(choices)

    def read(text: str) -> str | None:
        reply = form(text)
        found = picks.whole(reply)
        if found is not None:
            return found or None
        for part, answers in _parts(reply):
            found = picks.of(part, answers)
            if found is not None:
                return found or None
        found = picks.chosen(reply)
        if found is None and "\n" not in reply:
            found = picks.mentioned(reply)
        return found or None

    return read


def _parts(reply: str) -> Iterator[tuple[str, bool]]:
    """Parts of a reply that may hold its answer, and whether it says that they do."""
    marks = list(MARKER.finditer(reply))
    if marks:
        behind = LINE.match(reply, marks[-1].end())
        yield (behind.group() if behind else ""), True
    yield reply, False
    lines = [line.group() for line in LINE.finditer(reply)]
    if len(lines) > 1:
        yield lines[0], False
        yield lines[-1], False


class _Picks:
    """What a part of a reply picks: letters in order, "" where it contradicts itself, or None."""

    def __init__(self, choices: Sequence[str]):
        self.letters = ALPHABET[: len(choices)]
        texts = [_bare(text) for text in choices]
        pairs = zip(texts, self.letters, strict=True)
        # options that differ in marks alone are told apart by their letters only
        self.by_text = {text: one for text, one in pairs if text and texts.count(text) == 1}
        longest = sorted(self.by_text, key=len, reverse=True)
        one = "|".join(map(re.escape, longest)) or "(?!)"
        # atomic, since a reply may repeat texts of which one begins another
        marks = f"[{re.escape(EDGES)}、]*+"
        self.all_texts = re.compile(rf"(?>(?>{one}){marks}(?:[和与及]{marks}(?={one}))?+)++")
        words = "|".join(map(_word, longest)) or "(?!)"
        self.one_text, self.last_text = re.compile(words), re.compile(f"(?:{words})$")
        self.judged = _judging() if set(texts) == set(JUDGE_OPTIONS) else None

    def whole(self, part: str, answers: bool = False) -> str | None:
        """What a part picks that has nothing besides."""
        text = _bare(part)
        for found in (self._bare_letters(text), self._texts(text), self._list(text, answers)):
            if found is not None:
                return found
        return self.chosen(text) if self._texts(_bare(CHOSEN.sub(" ", text))) else None

    def of(self, part: str, answers: bool) -> str | None:
        """What a part picks; one that is said to hold the answer may go on in prose."""
        found = self.whole(part, answers)
        if found is not None:
            return found
        text = _bare(part)
        found = self._stated(text, answers)
        if found is None and self.judged:
            meant, letters = self.judged(text), self.chosen(text)
            said = self.by_text[meant] if meant else None
            return said if letters in (None, said) else letters if said is None else ""
        return self.mentioned(text) if found is None and answers else found

    def _bare_letters(self, text: str) -> str | None:
        letters = text.upper() if SMALL.fullmatch(text) else text
        return self._known(_set(letters)) if BARE.fullmatch(letters) else None

    def _known(self, letters: str) -> str:
        return letters if set(letters) <= set(self.letters) else ""

    def _texts(self, text: str) -> str | None:
        if not self.all_texts.fullmatch(text):
            return None
        found = {self.by_text[match.group()] for match in self.one_text.finditer(text)}
        return "".join(sorted(found)) or None

    def _list(self, text: str, answers: bool) -> str | None:
        """Several options, each with its letter."""
        marks = list(LISTED.finditer(text))
        if len(marks) < 2 or text[: marks[0].start()].strip(EDGES):
            return None
        ends = [mark.start() for mark in marks[1:]] + [len(text)]
        told = [
            (mark.group(1), self.by_text.get(_bare(text[mark.end() : end])))
            for mark, end in zip(marks, ends, strict=True)
        ]
        if None in (said for _, said in told):
            return None
        letters = _set("".join(letter for letter, _ in told))
        repeats = letters == self.letters and not answers
        return "" if repeats or any(letter != said for letter, said in told) else letters

    def _stated(self, text: str, answers: bool) -> str | None:
        match = STATED.fullmatch(text)
        if not match:
            return None
        letters, rest = _set(match["letters"]), _bare(match["rest"])
        first = self.one_text.match(rest)
        said = self._texts(rest) or (first and self.by_text[first.group()])
        if said:
            return self._known(letters) if said == letters else ""
        prose = match["mark"] or answers
        return self._known(letters) if prose and not DENIAL.match(rest) else None

    def chosen(self, reply: str) -> str | None:
        """By the letters behind 选, which other options' texts beside them contradict."""
        matches = list(CHOSEN.finditer(reply))
        found = _set("".join(match["letters"] for match in matches))
        said = self._texts(_bare(CHOSEN.sub(" ", reply)))
        clear = not said or said == found
        for match in matches:
            text = self.last_text.search(_bare(reply[: match.start()]))
            clear &= not text or self.by_text[text.group()] in match["letters"]
        return None if not found else self._known(found) if clear else ""

    def mentioned(self, text: str) -> str | None:
        """The one option whose text stands in a sentence that does not deny it."""
        found = list(self.one_text.finditer(text))
        if len({match.group() for match in found}) != 1:
            return None
        clause = re.split(r"[,;。\n]", text[: found[0].start()])[-1]
        return None if DENIAL.search(clause) else self.by_text[found[0].group()]


def _judging() -> Reader:
    by_words = label_reader(Reading(rule="first_word", map=JUDGE_WORDS), list(JUDGE_WORDS))

    def judged(text: str) -> str | None:
        head = re.split(r"[,;。\n]", text)[0].strip()
        return JUDGE_SIGNS.get(head.casefold()) or by_words(text)

    return judged


def _bare(text: str) -> str:
    """A text without marks, quotes and brackets around it."""
    return form(text).strip(EDGES)


def _word(text: str) -> str:
    """A pattern for an option's text that is no part of a longer number or Latin word."""
    before = r"(?<![0-9A-Za-z.])" if re.match("[0-9A-Za-z]", text[:1]) else ""
    after = r"(?![0-9A-Za-z])" if re.match("[0-9A-Za-z]", text[-1:]) else ""
    return f"{before}{re.escape(text)}{after}"
