"""Pictures of accuracies and losses, as SVG, drawn without a network or a browser."""

import csv
from itertools import groupby
from pathlib import Path
from typing import Any
from unicodedata import east_asian_width

import altair as alt
import vl_convert

from snaketune.errors import UserError
from snaketune.tables import are_readings, percent

# Okabe and Ito (2008): told apart by colour-blind eyes; the shapes tell them apart in grey print.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "stroke"]
INK, SOFT, LINE, GRID = "#1b1f24", "#57606a", "#d0d7de", "#e8ecf0"
FONT = "system-ui, 'Noto Sans CJK SC', 'Noto Sans SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"

LOGARITHMIC_FROM = 20
"""Times that the highest loss is of the lowest, from which on the scale is logarithmic."""

PLOT_WIDTH = 440
MARK_HEIGHT = 16
"""Pixels that a point with its interval takes."""


def accuracy_svg(rows: list[dict[str, Any]], title: str) -> str:
    """Accuracies of a study in percent, a panel a dataset and split, from the rows of its table.

    Each is a point with its interval; thin grey lines are majority baselines, black ticks
    published numbers. The accuracy stands in figures at the right edge. Where answers are JSON,
    which has many metrics, a line of a panel is a metric and the models differ in colour; where
    they are labels, a line is a model, of which there may be many, and the readings differ.
    """
    panels = [(key, list(group)) for key, group in groupby(rows, key=_place)]
    lines = {
        key: "model" if are_readings({row["metric"] for row in group}) else "metric"
        for key, group in panels
    }
    charts = [
        _accuracy_panel(
            " / ".join(key),
            group,
            lines[key],
            _values([row for row in rows if lines[_place(row)] == lines[key]], _other(lines[key])),
        )
        for key, group in panels
    ]
    resolve = "shared" if len(set(lines.values())) == 1 else "independent"
    chart = alt.vconcat(*charts, spacing=24).resolve_scale(
        color=resolve, shape=resolve, yOffset="independent"
    )
    subtitle = "Accuracy in percent with 95 % Wilson interval; grey line: majority baseline"
    if any(row["published"] is not None for row in rows):
        subtitle += "; black tick: published"
    return _svg(chart, title, subtitle)


def _place(row: dict[str, Any]) -> tuple[str, str]:
    return row["dataset"], row["split"]


def _other(line: str) -> str:
    return "metric" if line == "model" else "model"


def _values(rows: list[dict[str, Any]], key: str) -> list[str]:
    return list(dict.fromkeys(row[key] for row in rows))


def _accuracy_panel(
    name: str, rows: list[dict[str, Any]], line: str, marks: list[str]
) -> alt.LayerChart:
    """One panel: a line for each value of `line`, in it a mark for each value of the other key.

    `marks` are all values that get a colour in the figure, so that each keeps its own.
    """
    mark = _other(line)
    shares = ("accuracy", "ci_low", "ci_high", "majority_class", "published")
    values = [
        {
            "metric": row["metric"],
            "model": row["model"],
            "shown": percent(row["accuracy"]),
            **{key: None if row[key] is None else 100 * row[key] for key in shares},
        }
        for row in rows
    ]
    present = [one for one in marks if any(row[mark] == one for row in rows)]
    lines = _values(rows, line)
    scale = alt.Scale(domain=marks, range=_cycled(COLOURS, len(marks)))
    shapes = alt.Scale(domain=marks, range=_cycled(SHAPES, len(marks)))
    base = alt.Chart(alt.InlineData(values=values)).encode(
        y=alt.Y(f"{line}:N", sort=lines, title=None, axis=alt.Axis(grid=False)),
        yOffset=alt.YOffset(f"{mark}:N", sort=present, scale=alt.Scale(domain=present)),
        color=alt.Color(f"{mark}:N", scale=scale, sort=marks, title=None),
    )
    axis = alt.X("accuracy:Q", title=None, scale=alt.Scale(domain=[0, 100]))
    majorities = list({value[line]: value for value in values}.values())
    everywhere = alt.Chart(alt.InlineData(values=majorities)).encode(
        y=alt.Y(f"{line}:N", sort=lines, title=None)
    )
    layers = [
        everywhere.mark_tick(thickness=1.5, color=SOFT, size=len(present) * MARK_HEIGHT).encode(
            x="majority_class:Q"
        ),
        base.mark_rule(strokeWidth=2).encode(x="ci_low:Q", x2="ci_high:Q"),
        base.mark_point(filled=True, size=60, opacity=1).encode(
            x=axis, shape=alt.Shape(f"{mark}:N", scale=shapes, sort=marks, title=None)
        ),
        base.mark_tick(thickness=2, size=MARK_HEIGHT - 2).encode(
            x="published:Q", color=alt.value("#000000")
        ),
        base.mark_text(align="left", fontSize=11).encode(
            x=alt.value(PLOT_WIDTH + 8), text="shown:N"
        ),
    ]
    n = max(row["n"] for row in rows)
    return alt.layer(*layers).properties(
        width=PLOT_WIDTH,
        height=len(lines) * (len(present) * MARK_HEIGHT + 8),
        title=alt.Title(f"{name}   (n = {n})", anchor="start", fontSize=13),
    )


def read_losses(path: Path) -> list[dict[str, Any]]:
    """Points (step, kind, loss) of a loss.csv; cells of its loss and eval_loss may be empty."""
    points: list[dict[str, Any]] = []
    with Path(path).open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if not {"step", "loss", "eval_loss"} <= set(reader.fieldnames or ()):
            raise UserError(f"{path}: the columns step, loss and eval_loss are expected.")
        for row in reader:
            for column, kind in (("loss", "training"), ("eval_loss", "validation")):
                if row[column]:
                    point = {"step": int(row["step"]), "kind": kind, "loss": float(row[column])}
                    points.append(point)
    return points


def loss_svg(losses: dict[str, Path], title: str) -> str:
    """Training and validation loss over the steps, a panel an adapter, all to one scale of loss."""
    curves = {name: read_losses(path) for name, path in losses.items()}
    scale = _loss_scale([point["loss"] for points in curves.values() for point in points])
    panels = [_loss_panel(name, points, scale) for name, points in curves.items()]
    chart = alt.concat(*panels, columns=2, spacing=32)
    subtitle = "Mean loss on the answers' tokens while each adapter is trained"
    if scale.type == "log":
        subtitle += "; logarithmic"
    return _svg(chart, title, subtitle)


def _loss_scale(losses: list[float]) -> alt.Scale:
    """From 0, or logarithmic where the first steps would press all others to the ground."""
    low, high = min(losses, default=1.0), max(losses, default=1.0)
    if low > 0 and high / low > LOGARITHMIC_FROM:
        return alt.Scale(type="log", domain=[0.8 * low, 1.2 * high], nice=False)
    return alt.Scale(type="linear", domain=[0, 1.05 * high])


def _loss_axis(scale: alt.Scale) -> alt.Axis:
    """Of a logarithmic scale, lines at 1, 3 and their tenfolds alone."""
    if scale.type == "linear":
        return alt.Axis()
    low, high = scale.domain
    steps = [float(f"{digit}e{power}") for power in range(-9, 5) for digit in (1, 3)]
    return alt.Axis(values=[step for step in steps if low <= step <= high], format="~g")


def _loss_panel(name: str, points: list[dict[str, Any]], scale: alt.Scale) -> alt.LayerChart:
    kinds = alt.Scale(domain=["training", "validation"], range=COLOURS[:2])
    base = alt.Chart(alt.InlineData(values=points)).encode(
        x=alt.X("step:Q", title="optimizer step", axis=alt.Axis(tickMinStep=1, grid=False)),
        y=alt.Y("loss:Q", title="loss (nats a token)", scale=scale, axis=_loss_axis(scale)),
        color=alt.Color("kind:N", scale=kinds, title=None),
    )
    validation = base.transform_filter("datum.kind == 'validation'")
    return alt.layer(
        base.mark_line(strokeWidth=1.5),
        validation.mark_point(filled=True, size=40, opacity=1),
    ).properties(width=320, height=200, title=alt.Title(name, anchor="start", fontSize=13))


def _cycled(items: list[str], count: int) -> list[str]:
    return [items[i % len(items)] for i in range(count)]


def _svg(chart: alt.TopLevelMixin, title: str, subtitle: str) -> str:
    """The chart on white, so that it can be read on a dark page too."""
    text = alt.Title(title, subtitle=subtitle, anchor="start", offset=16)
    # a reader's font may be wider than the one that the width of the picture was measured by
    columns = sum(2 if east_asian_width(sign) in "WF" else 1 for sign in title)
    padding = {"left": 16, "top": 16, "bottom": 16, "right": 16 + 1.5 * columns}
    styled = (
        chart.properties(title=text, background="white", padding=padding)
        .configure(font=FONT)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=INK,
            titleColor=SOFT,
            gridColor=GRID,
            domainColor=LINE,
            labelLimit=0,
            labelFlush=False,
            tickColor=LINE,
            titleFontWeight="normal",
        )
        .configure_legend(
            labelColor=INK, orient="top", labelLimit=0, symbolOpacity=1, columnPadding=28
        )
        .configure_title(color=INK, subtitleColor=SOFT, fontSize=15, subtitleFontSize=12)
    )
    return vl_convert.vegalite_to_svg(styled.to_json(), vl_version=_vega_lite())


def _vega_lite() -> str:
    """`6.4` from altair's `v6.4.1`: the Vega-Lite that it writes for."""
    return ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
