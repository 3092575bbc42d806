"""Which of a question's options a reply states: by letter, else by the text of the option.

The options of a question have the letters A, B, C … in their order.
"""

import re
import unicodedata
from collections.abc import Sequence

LETTERS = "ABCDEFGHIJ"
"""Letters of options; no question has more."""

GROUP = rf"[{LETTERS}](?:(?:\s*[,、/&+]\s*| |\s*(?:和|与|及|或|and|or)\s*)?[{LETTERS}])*"
"""One letter or several, as `B`, `ABD`, `A、B`, `A B` and `A和B`."""
NO_WORD = r"(?![A-Za-z0-9])(?!['’-][A-Za-z])"
"""Behind a letter that is no part of a word."""
MARKED = re.compile(
    r"(?:答案|答(?!案)|选择|选|结论|answer|option|choose|choice)"
    r"(?:只能|应该|应当|应为|应|就|是|为|的|选项|选择|选|is|:|=|\s)*"
    rf"[\s\"'([{{<「【《]*(?<![A-Za-z])({GROUP}){NO_WORD}"
)
"""A letter behind a word that says that it is the answer."""
DENIED = re.compile(
    r"(?:不|非|没有?|勿|别|未|莫|排除|错误|wrong|not|(?:is|are|was|ca|do|does|should|would)nt)"
    r"(?:可能|可|一定|能|会|要|该|应该?|是|为|正确)*(?:选项|选择?)?(?:\s*option)?"
    r"[\s(\[【]*$"
)
"""What before a letter, or before its word, takes it back."""
QUOTES = re.compile(r"[*`_\"“”‘’'「」『』《》<>\\$]")
OPENERS = re.compile(r"^[\s(\[{【]+")
ALONE = re.compile(rf"(?<![A-Za-z0-9])({GROUP}){NO_WORD}(?! +[a-z])")
"""A letter that stands alone; before a small letter it is a word, as in `A dog`."""
LEAD_IN = re.compile(
    r"^(?:(?:所以|因此|故|正确|最终)?(?:的)?(?:答案|选项|结论|回答)(?:应该|应当|应)?(?:是|为)?"
    r"|(?:the )?(?:correct )?answer(?: is)?|选择?)[:\s]*"
)
"""What may stand before an option's text that is the whole answer."""
ENDS = " \t\n.。;,、:!?()[]{}【】"


def read_letter(text: str, options: Sequence[str]) -> str | None:
    """The one letter that a reply states, see `read_letters`; None for none and for several."""
    letters = read_letters(text, options)
    return letters[0] if letters and len(letters) == 1 else None


def read_letters(text: str, options: Sequence[str]) -> tuple[str, ...] | None:
    """The letters that a reply states, in the order of the alphabet; () where it states none.

    The first of these that finds something decides. Quotes, emphasis and full-width forms make no
    difference.

    1. The reply is one letter, also a small one, or an option's text of more than one character;
       答案是 and the like may stand before it.
    2. The reply begins with a letter and that option's own text, as `B. 14`.
    3. Letters behind a word such as 答案, 选 or `answer`: 答案是B, 草莓选C; denied ones (不选B) are
       passed over. Two that differ, as in 选A…选B, contradict each other.
    4. Letters that stand alone, wherever they do: `B`, `(B)`, `B。`, `ABD`, `A、B`; denied ones are
       passed over, and two that differ contradict each other.
    5. The text of an option: the whole reply, or a text inside it, the longest first, but not a
       single Chinese character. Of options with equal texts all are stated.

    Args:
        text: the reply.
        options: texts of the question's options, without letters.

    Returns:
        None where the reply contradicts itself or states a letter that the question lacks.
    """
    plain, texts = _plain(text).strip(), [_plain(option).strip() for option in options]
    known = LETTERS[: len(texts)]
    whole = LEAD_IN.sub("", plain.strip(ENDS)).strip(ENDS)
    if len(whole) == 1 and whole.upper() in known and whole not in texts:
        return (whole.upper(),)
    same = _equal_to(whole, texts)
    if same and len(whole) > 1:
        return same
    start = OPENERS.sub("", plain)
    for letter, option in zip(known, texts, strict=True):
        if option and re.match(rf"{letter}[\s.:,、)\]}}】]+{re.escape(option)}", start):
            return _without_rest(letter, option, start, known)
    stated = _stated(MARKED, plain) or _stated(ALONE, plain)
    if not stated:
        return same or _texts_inside(plain, texts)
    first = stated[0]
    return tuple(sorted(first)) if stated == [first] * len(stated) and first <= set(known) else None


def last_line(text: str) -> str:
    """The last line of a reply that has more than white space and marks in it."""
    lines = [line for line in text.splitlines() if _plain(line).strip(ENDS)]
    return lines[-1] if lines else ""


def _plain(text: str) -> str:
    return QUOTES.sub("", unicodedata.normalize("NFKC", text))


def _without_rest(letter: str, option: str, start: str, known: str) -> tuple[str, ...] | None:
    """A letter with its own text; options that are listed one after the other state nothing."""
    rest = start[start.index(option) + len(option) :]
    others = set(re.findall(rf"(?:^|[\s;,。])([{known}])[.:、)]", rest))
    return (letter,) if others <= {letter} else None


def _stated(pattern: re.Pattern, plain: str) -> list[set[str]]:
    """The letters of each place that a pattern finds and nothing before it denies."""
    return [
        set(found.group(1)) & set(LETTERS)
        for found in pattern.finditer(plain)
        if not DENIED.search(plain[: found.start()])
    ]


def _equal_to(whole: str, texts: list[str]) -> tuple[str, ...]:
    """The letters of the options whose text is this; several where those are equal."""
    return tuple(
        letter for letter, text in zip(LETTERS, texts, strict=False) if text.strip(ENDS) == whole
    )


def _texts_inside(plain: str, texts: list[str]) -> tuple[str, ...]:
    """The letters of the options whose text is in the reply and not denied."""
    found, rest = [], plain
    parts = {text for text in texts if len(text) > 1 or (text.isascii() and text.isalnum())}
    for text in sorted(parts, key=lambda text: (-len(text), text)):
        place = re.search(_as_word(text), rest)
        if place:
            if not DENIED.search(rest[: place.start()]):
                found.append(text)
            rest = re.sub(_as_word(text), "\0", rest)
    return tuple(LETTERS[place] for place, text in enumerate(texts) if text in found)


def _as_word(text: str) -> str:
    """A pattern for a text that is no part of a longer number or word."""
    before = r"(?<![A-Za-z0-9.])" if re.match("[A-Za-z0-9]", text) else ""
    after = r"(?![A-Za-z0-9]|\.\d)" if re.search("[A-Za-z0-9]$", text) else ""
    return before + re.escape(text) + after
