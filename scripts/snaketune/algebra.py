"""Changes of adapters as low-rank factors: summed, cut to a rank, compared; numpy is enough."""

import math

import numpy as np

from snaketune.adapters import Factors
from snaketune.errors import UserError

Change = dict[str, Factors]
"""Module → what an adapter adds to its weights."""


def rank_of(change: Change) -> int:
    """Rank of an adapter, the same for all its modules."""
    return next(iter(change.values())).a.shape[0]


def exact_sum(changes: dict[str, Change], weights: dict[str, float]) -> Change:
    """The weighted sum of the adapters' changes, in factors: its rank is the sum of the ranks."""
    modules = dict.fromkeys(module for change in changes.values() for module in change)
    made = {}
    for module in modules:
        have = [
            (np.float32(weights[name]), change[module])
            for name, change in changes.items()
            if module in change
        ]
        made[module] = Factors(
            np.vstack([weight * factors.a for weight, factors in have]),
            np.hstack([factors.b for _, factors in have]),
        )
    return made


def nearest(change: Change, rank: int) -> Change:
    """The nearest change of this rank, module by module (Eckart and Young 1936).

    Its singular values are those of the small triangles of both factors' QR decompositions, so
    that no product is decomposed. A module of lower rank is filled up with zeros.
    """
    made = {}
    for module, (a, b) in change.items():
        left, b_triangle = np.linalg.qr(b)
        right, a_triangle = np.linalg.qr(a.T)
        u, sizes, v = np.linalg.svd(b_triangle @ a_triangle.T)
        missing = max(0, rank - len(sizes))
        made[module] = Factors(
            np.pad(v[: min(rank, len(sizes))] @ right.T, ((0, missing), (0, 0))),
            np.pad((left @ u[:, : len(sizes)] * sizes)[:, :rank], ((0, 0), (0, missing))),
        )
    return made


def compare(exact: Change, found: Change) -> dict[str, float | None]:
    """How far a change is from the exact one, over all values of all modules.

    Returns:
        relative_distance (Frobenius norm of the difference over that of the exact change),
        max_difference (largest of one value) and cosine; where the exact change is nothing, the
        first and the last are null.
    """
    if exact.keys() != found.keys():
        raise UserError(f"{len(found)} modules are changed, {len(exact)} were expected to be.")
    apart = inner = ours = theirs = largest = 0.0
    for module, (a, b) in exact.items():
        right, made = b @ a, found[module].b @ found[module].a
        inner += np.sum(right * made, dtype=np.float64)
        ours += np.sum(right**2, dtype=np.float64)
        theirs += np.sum(made**2, dtype=np.float64)
        made -= right
        apart += np.sum(made**2, dtype=np.float64)
        largest = max(largest, float(np.abs(made).max()))
    return {
        "relative_distance": math.sqrt(apart / ours) if ours else None,
        "max_difference": largest,
        "cosine": float(inner / math.sqrt(ours * theirs)) if ours and theirs else None,
    }
