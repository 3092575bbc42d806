"""One of two labels out of a reply that reasons first and concludes then, as 相同 or 不相同."""

import re
from collections.abc import Callable, Mapping
from itertools import pairwise

SYNONYMS = {
    **dict.fromkeys(("不一致", "不同", "不一样", "不同义", "不等价", "有差异", "有区别"), "不相同"),
    **dict.fromkeys(("一致", "一样", "同义", "等价", "无差异", "无区别", "没有区别"), "相同"),
}
"""Other words for the labels of the yesorno study."""

HEADING = (
    r"^[ \t]*(?:#{1,6}[ \t]*)?(?:\*\*|__|【)?(?:[\d一二三四五六七八九十]+[.、．)）][ \t]*)?"
    r"(?:最终|综合|判断)?结论(?:\*\*|__|】)?[ \t]*#*[ \t]*\r?$"
)
MARKER = re.compile(
    rf"结论[*_”’」】\s]*(?:[：:]|应为|应是|为|是)|【(?:最终)?结论】|{HEADING}", re.MULTILINE
)
"""What opens the conclusion: 结论： and the like, or 结论 as a heading."""
WEAK_MARKER = re.compile(
    r"(?:^|(?<=[，,；;。.！!\s]))(?:因此|所以|综上(?:所述)?|总之|由此可见|可见|故|最终)"
    r"|(?:答案|判断|判定)[*_\s]*(?:[：:]|为|是)"
)
"""What opens the conclusion of a reply that nowhere says 结论."""
SENTENCE = re.compile(r"[^。！？!?；;\n]+[。！？!?；;\n]?")
BARE = 20
"""Characters that a reply without any marker may have to be a verdict by itself."""

ABOUT = r"(?:(?:这|语义|意思|意图|含义|意义|核心|表达|问题|两者|二者|两句话?|它们)(?:上|是|都)?)*"
DENIAL = re.compile(
    r"(?:并非|并不是|不是|不(?:能|可|应当?|宜|会)(?:能|说|算|认为|视为|判为|判断为|判定为)?"
    r"|不(?:属于|算|构成|具有|具备|存在|认为|再|够)?|(?:难以|很难)(?:说|算|认为|视为)?"
    r"|算不上|谈不上|称不上|没有|没|非|未|无)"
    rf"{ABOUT}(?:是|为|说成)?(?:完全|十分|太|大|很|尽|全|怎么|那么|真正|什么|任何|本质|根本)?{ABOUT}$"
)
"""What stands before a label and turns it round; a second one before it turns it back."""
OPEN = re.compile(
    r"(?:是否|能否|可否|或许|(?<!不)可能|未必|不一定|看似|看起来|好像)(?:是|会|完全|不)?"
    rf"{ABOUT}$"
)
"""What stands before a label that is asked about, or only seems so."""
UNSURE = re.compile(r"(?:无法|难以|不能|没法|不好)(?:判断|确定|判定|得出|说清)(?!为)")
UNKNOWN_DENIAL = re.compile(r"[不没无非未难勿莫否][^，,。；;：:]*$")
"""A denial in the clause before a label that none of the forms above explains."""
NO_VERDICT = re.compile(
    r"(?:点|之处|的?(?:地方|方面|说法|表述|表达|措辞|方式|角度|形式|问法)|意(?![图思义]))"
)
"""What follows a word that names no verdict: 相同点, 不同之处, 不同说法, 不同意."""
EITHER = re.compile(r"[”’\"'」】）)*\s]*(?:或者?|还是|[/、|])[“‘\"'「【（(*\s]*")
LEAD = re.compile(
    r"[\s“”‘’\"'「」【】（）()*_<>#：:]*"
    r"(?:(?:这|上述|以上)?(?:两|二)(?:个|者|句话?|个?句子)(?:的)?)?(?:在金融场景下)?"
    r"(?:语义|意思|意图|含义)*(?:应(?:该|当)?)?(?:是|为)?[\s“‘\"'「【*]*"
)
"""What may stand before a verdict that still opens the conclusion."""

Reader = Callable[[str], str | None]


def conclusion_reader(
    negative: str, positive: str, synonyms: Mapping[str, str] | None = None
) -> Reader:
    """A function from a reply's text to the label that it concludes, None where it concludes none.

    The conclusion is the sentence behind the last 结论： (or heading 结论), or else behind the last
    因此, 所以, 综上 and the like; a reply without either counts only if it is one short sentence.
    In it a label at the beginning decides, otherwise the last one. 不, 并非, 不完全 and so on
    before a label turn it round, twice turn it back; a denial of another form concludes nothing.
    Nor does "A or B", nor whether, nor a reply that breaks off at 结论：.

    Args:
        negative, positive: the two labels.
        synonyms: other word → label; None takes `SYNONYMS` where the labels are 不相同 and 相同.
    """
    if synonyms is None:
        known = {negative, positive}
        synonyms = {word: label for word, label in SYNONYMS.items() if label in known}
    words = {**synonyms, negative: negative, positive: positive}
    pattern = re.compile("|".join(map(_word, sorted(words, key=len, reverse=True))), re.I)
    label_of = {word.casefold(): label for word, label in words.items()}
    opposite = {negative: positive, positive: negative}

    def read(text: str) -> str | None:
        sentence = _concluding_sentence(text)
        if sentence is None or UNSURE.search(sentence):
            return None
        found: list[tuple[int, int, str]] = []
        for match in pattern.finditer(sentence):
            before, behind = sentence[: match.start()], sentence[match.end() :]
            if NO_VERDICT.match(behind) or OPEN.search(before):
                continue
            label = label_of[match.group().casefold()]
            denials, rest = _denials(before)
            if UNKNOWN_DENIAL.search(rest[found[-1][1] if found else 0 :]):
                return None
            if denials % 2:
                label = opposite[label]
            found.append((match.start(), match.end(), label))
        return _decided(sentence, found)

    return read


def anywhere_published_reader(negative: str, positive: str) -> Reader:
    """The yesorno study's own reading: a label found anywhere in the reply, else the negative.

    Kept with its mistakes: the reasoning's words count like the conclusion's, 不完全相同 is the
    positive label, 一致 is none, and a reply that says nothing is the negative label.
    """

    def read(text: str) -> str:
        if negative in text:
            return negative
        return positive if positive in text else negative

    return read


def has_marker(text: str) -> bool:
    """Whether a reply says 结论： (also 结论是, 结论为)."""
    return MARKER.search(text) is not None


def reasoning_of(text: str) -> str:
    """What stands before the last 结论：, or the whole text."""
    marks = list(MARKER.finditer(text))
    return text[: marks[-1].start()] if marks else text


def _concluding_sentence(text: str) -> str | None:
    for marker in (MARKER, WEAK_MARKER):
        marks = list(marker.finditer(text))
        if marks:
            sentence = SENTENCE.search(text[marks[-1].end() :].lstrip(" \t\r\n，,*_"))
            return sentence.group() if sentence else None
    sentences = [found.group() for found in SENTENCE.finditer(text) if found.group().strip()]
    bare = len(sentences) == 1 and len(text.strip()) <= BARE and "推理" not in text
    return sentences[0] if bare else None


def _decided(sentence: str, found: list[tuple[int, int, str]]) -> str | None:
    if not found or sentence.rstrip().endswith(("？", "?")):
        return None
    for (_, end, one), (start, _, other) in pairwise(found):
        if one != other and EITHER.fullmatch(sentence[end:start]):
            return None
    start, _, label = found[0]
    return label if LEAD.fullmatch(sentence[:start]) else found[-1][2]


def _denials(before: str) -> tuple[int, str]:
    """How many denials stand in a row at the end of a text, and the text before them."""
    count = 0
    while match := DENIAL.search(before):
        before = before[: match.start()]
        count += 1
    return count, before


def _word(word: str) -> str:
    """A pattern for a label; one in Latin letters is a whole word."""
    edges = [r"(?<![a-z])" if word[0].isascii() else "", r"(?![a-z])" if word[-1].isascii() else ""]
    return re.escape(word).join(edges)
