"""What the published numbers of a study can say, given on how many records they were measured."""

from collections import defaultdict
from itertools import combinations

from snaketune.config.study import Published
from snaketune.significance import least_p, unpaired_p, wilson
from snaketune.tables import Block, p_value, percent

LEVEL = 0.05
"""Above this p a difference is called noise; it is the level of the intervals, too."""

TITLE = "What the published numbers say: {dataset}, {metric}, n = {n}"
TEXT = (
    "Intervals: Wilson, 95 %. p: two-sided z test of the two shares, as if they were measured on "
    "different records; the answers themselves, which would allow an exact McNemar test of the "
    "pairs, are not published. The smallest p that such a test could reach follows from the "
    "distance in records. Noise: p of 0.05 or more."
)
KINDS = (
    "Outside the noise",
    "Inside the noise unless paired answers say otherwise",
    "Inside the noise of n = {n}",
)


def claims(published: list[Published]) -> list[Block]:
    """For each dataset, metric and n: the published numbers, and a sentence on every two.

    The first block says how to read all.
    """
    groups: dict[tuple[str, str, int], list[Published]] = defaultdict(list)
    for number in published:
        if number.n:
            groups[number.dataset, number.metric, number.n].append(number)
    blocks = [_block(*key, numbers) for key, numbers in groups.items()]
    return [*blocks[:1], *(block._replace(text="") for block in blocks[1:])]


def _block(dataset: str, metric: str, n: int, numbers: list[Published]) -> Block:
    ordered = sorted(numbers, key=lambda number: -number.value)
    said = [_sentence(one, other, n) for one, other in combinations(ordered, 2)]
    return Block(
        TITLE.format(dataset=dataset, metric=metric, n=f"{n:,}"),
        TEXT,
        ["model", "n", "published %, 95 % interval"],
        [[number.model, f"{n:,}", _with_interval(number.value, n)] for number in numbers],
        [text for _, text in sorted(said, key=lambda pair: pair[0])],
    )


def _with_interval(share: float, n: int) -> str:
    low, high = wilson(share * n, n)
    return f"{percent(share)} [{percent(low)}, {percent(high)}]"


def _sentence(one: Published, other: Published, n: int) -> tuple[int, str]:
    """The kind of a difference (a place in KINDS) and what is to be said of it."""
    apart = round((one.value - other.value) * n)
    p, least = unpaired_p(one.value, other.value, n), least_p(apart)
    kind = 0 if p < LEVEL else 1 if least < LEVEL else 2
    paired = ("", f"; paired, p could be {_as_low_as(least)}",
              f"; even paired, p could not fall below {p_value(least)}")[kind]  # fmt: skip
    return kind, (
        f"{KINDS[kind].format(n=f'{n:,}')}: {one.model} {percent(one.value)} and {other.model} "
        f"{percent(other.value)} are {apart:,} record{'' if apart == 1 else 's'} apart "
        f"(p {_is(p)}{paired if least < 1 else ''})."
    )


def _as_low_as(p: float) -> str:
    text = p_value(p)
    return f"as low as {text}" if text[0] != "<" else f"below {text[2:]}"


def _is(p: float) -> str:
    text = p_value(p)
    return text if text[0] == "<" else f"= {text}"
