"""Whether two texts that are nearly equal say the same.

Similarity alone cannot tell: 雨天 and 雪天, 左 and 右 make other questions of one text. So what
differs is looked at: particles may; words that a bank itself tells apart never may; words that one
site has where another has other words may, if that is so in several questions. Anything else may
only where options, answers and explanations are equal.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from difflib import SequenceMatcher
from functools import lru_cache

Swap = tuple[str, str]
"""Two different parts that stand in one place of two texts, the smaller first."""

PARTICLES = frozenset("的了地得该请将把会时后在中而就则也")
TELLING = frozenset("不未无非没勿否禁")
"""Characters that make another question of a text wherever they come or go."""
OPPOSITES = tuple(
    frozenset(word)
    for word in "左右 前后 上下 内外里 进出入 先后 大小 多少 高低 快慢 长短 远近 早晚夜昼 虚实 "
    "红黄绿蓝白黑棕 开关闭 加减 同反 正错误 全半 雨雪雾风冰 一二三四五六七八九十两 干湿 客货 "
    "单双 新旧 轻重 东西南北".split()
)
"""Characters of which one in place of another makes another question."""
OFTEN = 2
"""How many pairs of questions must swap two words before these count as one."""
MOST_PARTS = 6
"""Differing parts of two texts; more make other texts."""


def swaps(one: str, other: str) -> list[Swap]:
    """The parts in which two texts differ, in order; an empty part is one that is left out."""
    start = 0
    shorter = min(len(one), len(other))
    while start < shorter and one[start] == other[start]:
        start += 1
    end = 0
    while end < shorter - start and one[-1 - end] == other[-1 - end]:
        end += 1
    return list(_parts(one[start : len(one) - end], other[start : len(other) - end]))


@lru_cache(maxsize=100_000)
def _parts(a: str, b: str) -> tuple[Swap, ...]:
    if not a or not b or max(len(a), len(b)) <= 2:
        return (_ordered(a, b),) if a or b else ()
    found = SequenceMatcher(None, a, b, autojunk=False).get_opcodes()
    return tuple(_ordered(a[i:j], b[k:n]) for tag, i, j, k, n in found if tag != "equal")


def _ordered(one: str, other: str) -> Swap:
    return (one, other) if one <= other else (other, one)


@lru_cache(maxsize=100_000)
def tells_apart(swap: Swap) -> bool:
    """Whether a swap makes another question wherever it stands."""
    one, other = map(set, swap)
    if Counter(c for c in swap[0] if c in TELLING) != Counter(c for c in swap[1] if c in TELLING):
        return True
    changed = [(one & kind, other & kind) for kind in OPPOSITES]
    return any(a and b and a != b for a, b in changed)


class Wording:
    """What a bank teaches about words: which it tells apart, and which its sites swap.

    Two questions of one site that differ in a swap alone are two questions there, so its words
    differ in meaning. A swap of words that no site tells apart is a matter of wording, if it is
    seen often enough between sites in questions that agree in all else, and if neither word is
    mostly swapped for others: what may be replaced by anything is what a question is about.
    """

    def __init__(self) -> None:
        self._within: set[Swap] = set()
        self._between: dict[Swap, set[int]] = defaultdict(set)
        self._means_same: frozenset[Swap] = frozenset()

    def tell_apart(self, found: Iterable[Swap]) -> None:
        """Note the swaps between two questions of one site."""
        self._within.update(found)

    def note(self, found: Iterable[Swap], place: int) -> None:
        """Note the swaps between a question (at `place`) and its likest one on another site."""
        for swap in found:
            self._between[swap].add(place)

    def learn(self) -> None:
        """Decide which words are swapped often enough."""
        times: Counter[str] = Counter()
        for swap, places in self._between.items():
            times.update(dict.fromkeys(swap, len(places)))
        self._means_same = frozenset(
            swap
            for swap, places in self._between.items()
            if len(places) >= OFTEN
            and all(2 * len(places) >= times[word] for word in swap if word)
            and swap not in self._within
            and not tells_apart(swap)
        )

    @staticmethod
    def harmless(found: Iterable[Swap]) -> bool:
        """Whether nothing but particles comes and goes."""
        return all(c in PARTICLES for swap in found for part in swap for c in part)

    def same(self, found: list[Swap], explained: bool) -> bool:
        """Whether texts with these swaps say the same.

        Args:
            found: in which parts they differ.
            explained: whether their explanations are equal.
        """
        if len(found) > MOST_PARTS:
            return False
        for swap in found:
            if self.harmless((swap,)) or swap in self._means_same:
                continue
            if tells_apart(swap) or swap in self._within or not explained:
                return False
        return True
