"""The way from one adapter to another as a picture: accuracy over the weight of the second."""

from typing import Any

import altair as alt

from snaketune.config.common import Name, Strict
from snaketune.errors import UserError
from snaketune.figures import COLOURS, SHAPES, _svg

DASHES = [[1, 0], [6, 3], [2, 2], [8, 2, 2, 2], [10, 4]]
WIDTH, HEIGHT = 560, 380
APART = 0.008
"""Distance in weight between marks that would hide each other."""


class Point(Strict):
    """A model of the grid."""

    method: str
    weight: float
    model: Name


class GridSettings(Strict):
    """What draw_grid.py is told about the grid that it draws."""

    title: str
    grid: Name
    start: Name
    """Adapter that is alone at 0."""
    end: Name
    """Adapter that is alone at 1."""
    points: list[Point]
    metrics: dict[Name, str]
    """Dataset → the metric that is drawn."""


def grid_values(rows: list[dict[str, Any]], settings: GridSettings) -> list[dict[str, Any]]:
    """The table's rows of the grid's models, in percent, one for each method that has the model.

    Raises:
        UserError: the table has no accuracy of any model of the grid.
    """
    values = []
    for row in rows:
        if settings.metrics.get(row["dataset"]) != row["metric"] or row["accuracy"] is None:
            continue
        for point in settings.points:
            if point.model == row["model"]:
                shares = ("accuracy", "ci_low", "ci_high", "majority_class")
                values.append(
                    {
                        "series": f"{row['dataset']} / {row['split']} (n = {row['n']:,})",
                        "method": point.method,
                        "weight": point.weight,
                        "model": row["model"],
                        **{key: _percent(row[key]) for key in shares},
                    }
                )
    if not values:
        raise UserError(
            f"grids.{settings.grid}: the table has no accuracy of its models. Name the grid in "
            "evaluations.models, or leave models out, so that they are asked."
        )
    return values


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 4)


def grid_svg(rows: list[dict[str, Any]], settings: GridSettings) -> str:
    """Accuracy in percent over the weight of the second adapter, from the rows of the table.

    A colour is a dataset and split, a line style and shape a method; both ends, where an adapter
    is alone, are drawn once. Bars are 95 % Wilson intervals, thin dashed lines majority baselines.
    """
    values = grid_values(rows, settings)
    series = list(dict.fromkeys(value["series"] for value in values))
    methods = list(dict.fromkeys(value["method"] for value in values))
    _spread(values, series, methods)
    accuracies = alt.Y("accuracy:Q", title="accuracy in percent", scale=_accuracies(values))
    colours = alt.Scale(domain=series, range=COLOURS[: len(series)])
    colour = alt.Color("series:N", scale=colours, sort=series, title=None)
    dash, shape = _styles(methods)
    lines = _chart(values).encode(x=_weight_axis(settings, values), y=accuracies, color=colour)
    alone = [value for value in _once(values) if value["weight"] in (0, 1)]
    between = [value for value in values if value["weight"] not in (0, 1)]
    layers = [
        _baselines(values).encode(color=colour),
        lines.mark_line(strokeWidth=1.75).encode(strokeDash=dash),
        _chart([*alone, *between])
        .mark_rule(strokeWidth=1.5, opacity=0.5)
        .encode(x="x:Q", y="ci_low:Q", y2="ci_high:Q", color=colour),
        _chart(between)
        .mark_point(filled=True, size=60, opacity=1)
        .encode(x="x:Q", y="accuracy:Q", color=colour, shape=shape, detail="model:N"),
        _chart(alone)
        .mark_point(filled=True, size=75, opacity=1, shape="circle")
        .encode(x="x:Q", y="accuracy:Q", color=colour, detail="model:N"),
    ]
    chart = alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)
    return _svg(chart, settings.title, _subtitle(settings, methods))


def _chart(values: list[dict[str, Any]]) -> alt.Chart:
    return alt.Chart(alt.InlineData(values=values))


def _once(values: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The first value of each model and series; the ends are the same model for all methods."""
    return list({(v["series"], v["model"]): v for v in reversed(values)}.values())[::-1]


def _styles(methods: list[str]) -> tuple[alt.StrokeDash, alt.Shape]:
    """Line style and shape of each method, in one legend where there are several."""
    many = len(methods) > 1
    shapes = SHAPES[1:] if many else SHAPES  # the circle then stands for an adapter alone
    shared = {"sort": methods, "title": None, "legend": alt.Legend() if many else None}
    return (
        alt.StrokeDash("method:N", scale=_ordinal(methods, DASHES), **shared),
        alt.Shape("method:N", scale=_ordinal(methods, shapes), **shared),
    )


def _ordinal(names: list[str], marks: list) -> alt.Scale:
    return alt.Scale(domain=names, range=marks[: len(names)])


def _subtitle(settings: GridSettings, methods: list[str]) -> list[str]:
    way = f"Weighted sums of the adapters {settings.start} and {settings.end}"
    how = "Bars: 95 % Wilson intervals; thin dashed lines: majority baselines"
    if len(methods) == 1:
        return [f"{way}, by {methods[0]}", how]
    return [way, f"{how}; circles: one adapter alone"]


def _spread(values: list[dict[str, Any]], series: list[str], methods: list[str]) -> None:
    """Give each value a place `x` beside its weight, so that no bar covers another."""
    for value in values:
        lane = series.index(value["series"]) - (len(series) - 1) / 2
        if value["weight"] not in (0, 1):
            middle = (len(methods) - 1) / 2
            lane += (methods.index(value["method"]) - middle) * len(series)
        value["x"] = value["weight"] + APART * lane


def _weight_axis(settings: GridSettings, values: list[dict[str, Any]]) -> alt.X:
    """Weights of the second adapter; at 0 and 1 it says whose end that is."""
    ticks = sorted({0.0, 1.0, *(value["weight"] for value in values)})
    ends = "datum.value == {0} ? ['{0}', {1} + ' alone'] : "
    label = ends.format(0, _quoted(settings.start)) + ends.format(1, _quoted(settings.end))
    return alt.X(
        "x:Q",
        title=f"weight of {settings.end}; {settings.start} has the rest",
        scale=alt.Scale(domain=[-0.05, 1.05], nice=False),
        axis=alt.Axis(values=ticks, labelExpr=f"{label} format(datum.value, '~g')", grid=False),
    )


def _quoted(name: str) -> str:
    """A name as a string of a Vega expression; names have no quotes and no backslashes."""
    return f"'{name}'"


def _accuracies(values: list[dict[str, Any]]) -> alt.Scale:
    """From just below the lowest mark to just above the highest, in steps of five."""
    keys = ("accuracy", "ci_low", "ci_high", "majority_class")
    marks = [value[key] for value in values for key in keys if value[key] is not None]
    low, high = 5 * (min(marks) // 5), -5 * (-max(marks) // 5)
    return alt.Scale(domain=[max(0, low), min(100, high)], nice=False)


def _baselines(values: list[dict[str, Any]]) -> alt.Chart:
    """A thin line a series that has a majority class."""
    known = {v["series"]: v["majority_class"] for v in values if v["majority_class"] is not None}
    lines = [{"series": series, "majority_class": share} for series, share in known.items()]
    return (
        _chart(lines)
        .mark_rule(strokeDash=[3, 3], strokeWidth=1)
        .encode(y=alt.Y("majority_class:Q", scale=_accuracies(values)))
    )
