"""Pictures of accuracies and losses, as SVG, drawn without a network or a browser."""

import csv
from itertools import groupby
from pathlib import Path
from typing import Any

import altair as alt
import vl_convert

from snaketune.errors import UserError
from snaketune.tables import percent

# Okabe and Ito (2008): told apart by colour-blind eyes; the shapes tell them apart in grey print.
COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
SHAPES = ["circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "stroke"]
INK, SOFT, LINE, GRID = "#1b1f24", "#57606a", "#d0d7de", "#e8ecf0"
FONT = "system-ui, 'Noto Sans CJK SC', 'Noto Sans SC', 'PingFang SC', 'Microsoft YaHei', sans-serif"

PLOT_WIDTH = 440
MODEL_HEIGHT = 16
"""Pixels a model takes within a metric."""


def accuracy_svg(rows: list[dict[str, Any]], title: str) -> str:
    """Accuracies of a study in percent, a panel a dataset and split, from the rows of its table.

    Each is a point with its interval; thin grey lines are majority baselines, black ticks
    published numbers. The accuracy stands in figures at the right edge.
    """
    models = list(dict.fromkeys(row["model"] for row in rows))
    panels = [
        _accuracy_panel(f"{dataset} / {split}", list(group), models)
        for (dataset, split), group in groupby(rows, key=lambda r: (r["dataset"], r["split"]))
    ]
    subtitle = "Accuracy in percent with 95 % Wilson interval; grey line: majority baseline"
    if any(row["published"] is not None for row in rows):
        subtitle += "; black tick: published"
    return _svg(alt.vconcat(*panels, spacing=24), title, subtitle)


def _accuracy_panel(name: str, rows: list[dict[str, Any]], models: list[str]) -> alt.LayerChart:
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
    present = [model for model in models if any(row["model"] == model for row in rows)]
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    scale = alt.Scale(domain=models, range=_cycled(COLOURS, len(models)))
    shapes = alt.Scale(domain=models, range=_cycled(SHAPES, len(models)))
    base = alt.Chart(alt.InlineData(values=values)).encode(
        y=alt.Y("metric:N", sort=metrics, title=None, axis=alt.Axis(grid=False)),
        yOffset=alt.YOffset("model:N", sort=present, scale=alt.Scale(domain=present)),
        color=alt.Color("model:N", scale=scale, sort=models, title=None),
    )
    axis = alt.X("accuracy:Q", title=None, scale=alt.Scale(domain=[0, 100]))
    majorities = list({value["metric"]: value for value in values}.values())
    everywhere = alt.Chart(alt.InlineData(values=majorities)).encode(
        y=alt.Y("metric:N", sort=metrics, title=None)
    )
    layers = [
        everywhere.mark_tick(thickness=1.5, color=SOFT, size=len(present) * MODEL_HEIGHT).encode(
            x="majority_class:Q"
        ),
        base.mark_rule(strokeWidth=2).encode(x="ci_low:Q", x2="ci_high:Q"),
        base.mark_point(filled=True, size=60, opacity=1).encode(
            x=axis, shape=alt.Shape("model:N", scale=shapes, sort=models, title=None)
        ),
        base.mark_tick(thickness=2, size=MODEL_HEIGHT - 2).encode(
            x="published:Q", color=alt.value("#000000")
        ),
        base.mark_text(align="left", fontSize=11).encode(
            x=alt.value(PLOT_WIDTH + 8), text="shown:N"
        ),
    ]
    n = max(row["n"] for row in rows)
    return alt.layer(*layers).properties(
        width=PLOT_WIDTH,
        height=len(metrics) * (len(present) * MODEL_HEIGHT + 8),
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
    highest = max((point["loss"] for points in curves.values() for point in points), default=1.0)
    scale = alt.Scale(domain=[0, 1.05 * highest])
    panels = [_loss_panel(name, points, scale) for name, points in curves.items()]
    chart = alt.concat(*panels, columns=2, spacing=32)
    return _svg(chart, title, "Mean loss on the answers' tokens while each adapter is trained")


def _loss_panel(name: str, points: list[dict[str, Any]], scale: alt.Scale) -> alt.LayerChart:
    kinds = alt.Scale(domain=["training", "validation"], range=COLOURS[:2])
    base = alt.Chart(alt.InlineData(values=points)).encode(
        x=alt.X("step:Q", title="optimizer step", axis=alt.Axis(tickMinStep=1, grid=False)),
        y=alt.Y("loss:Q", title="loss (nats a token)", scale=scale),
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
    styled = (
        chart.properties(title=text, background="white", padding=16)
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
        .configure_legend(labelColor=INK, orient="top", labelLimit=0, symbolOpacity=1)
        .configure_title(color=INK, subtitleColor=SOFT, fontSize=15, subtitleFontSize=12)
    )
    return vl_convert.vegalite_to_svg(styled.to_json(), vl_version=_vega_lite())


def _vega_lite() -> str:
    """`6.4` from altair's `v6.4.1`: the Vega-Lite that it writes for."""
    return ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
