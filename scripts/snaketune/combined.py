"""How far each sum of adapters in a study is from the exact sum."""

from collections.abc import Iterable

from snaketune.tables import Block

TITLE = "Combined adapters"
TEXT = (
    "Each model adds weighted adapters to one base. Distance: how far its change of the base's "
    "weights is from the exact weighted sum of the adapters' changes, as a share of that sum's "
    "norm; cosine: that of the angle between the two; a dash stands where the sum is nothing. cat "
    "is the exact sum, so its distance is 0 but for rounding. linear adds the A and the B matrices "
    "apart, whose product holds cross terms of one adapter's B with another's A. svd cuts the sum "
    "to one rank; ties and dare_linear drop a part of the values."
)
HEAD = ["model", "method", "weights", "rank", "distance", "cosine"]


def combined(found: Iterable[dict], models: list[str]) -> list[Block]:
    """A table of the combined models, in the study's order; none where there is no such model.

    Args:
        found: contents of the models' combination.json.
        models: of the study, in order.
    """
    made = sorted(found, key=lambda one: models.index(one["model"]))
    return [Block(TITLE, TEXT, HEAD, [_row(one) for one in made], [])] if made else []


def _row(one: dict) -> list[str]:
    weights = ", ".join(f"{name} {weight:g}" for name, weight in one["weights"].items())
    cosine = one["cosine"]
    return [
        one["model"],
        one["method"],
        weights,
        str(one["rank"]),
        _distance(one["relative_distance"]),
        "–" if cosine is None else f"{cosine:.4f}",
    ]


def _distance(share: float | None) -> str:
    if share is None:
        return "–"
    return "< 0.00001" if share < 1e-5 else f"{share:.3g}"
