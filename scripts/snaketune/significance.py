"""Intervals and tests for shares of records: Wilson, McNemar, two proportions."""

from collections import Counter
from collections.abc import Sequence

from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint, proportions_ztest


def wilson(correct: float, n: int) -> tuple[float | None, float | None]:
    """95 % interval of a share (Wilson 1927), as shares of 1; (None, None) for no records."""
    if n == 0:
        return None, None
    low, high = proportion_confint(correct, n, alpha=0.05, method="wilson")
    return float(low), float(high)


def exact_p(ours: Sequence[bool], theirs: Sequence[bool]) -> float:
    """Two-sided exact McNemar test (McNemar 1947) of two models on the same records, in order.

    The probability, if both were equally good, of a split of the records that only one of them
    gets right at least as uneven as the one seen; 1 where there is no such record.
    """
    pairs = Counter(zip(ours, theirs, strict=True))
    return _mcnemar(pairs[True, False], pairs[False, True], pairs[True, True], pairs[False, False])


def _mcnemar(only_ours: int, only_theirs: int, both: int = 0, neither: int = 0) -> float:
    return float(mcnemar([[both, only_ours], [only_theirs, neither]], exact=True).pvalue)


def least_p(apart: int) -> float:
    """The smallest p that the exact McNemar test can give two models so many records apart.

    It gives that where one of them gets right all that the other does, and those records besides.
    """
    return _mcnemar(apart, 0)


def unpaired_p(one: float, other: float, n: int) -> float:
    """Two-sided z test, pooled, of two shares of n records each, as if they were other records.

    What is left where only the shares are known; 1 where they are equal.
    """
    if one == other:
        return 1.0
    return float(proportions_ztest([one * n, other * n], [n, n])[1])
