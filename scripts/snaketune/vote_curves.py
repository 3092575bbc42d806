"""Accuracy over the number of votes as a picture, from the same responses throughout."""

from typing import Any

import altair as alt

from snaketune.config.common import Name, Strict
from snaketune.errors import UserError
from snaketune.figures import COLOURS, SOFT, _cycled, _svg
from snaketune.grids import DASHES
from snaketune.voted import Voted, reading_name, votes_taken

WIDTH, HEIGHT = 420, 260
SUBTITLE = (
    "Accuracy in percent of the vote over so many of the same responses:",
    "the mean over all choices of that many. An even number can tie.",
    "Dashed grey line: majority class",
)


class VoteFigureSettings(Strict):
    """What draw_votes.py is told about the study whose votes it draws."""

    title: str
    models: list[Name]
    """In the order of the legend."""


def curve_values(group: list[Voted]) -> list[dict[str, Any]]:
    """The points of a panel: a model's accuracy, in percent, for each number of votes."""
    return [
        {
            "model": score["model"],
            "reading": reading_name(line),
            "votes": votes,
            "accuracy": round(100 * point["accuracy"], 4),
        }
        for score, line in group
        for votes, point in enumerate(line["votes"]["curve"], start=1)
    ]


def votes_svg(scores: list[dict], settings: VoteFigureSettings) -> str:
    """Accuracy over the number of votes, a panel a dataset and split.

    A colour is a model, a line style a reading.

    Args:
        scores: contents of score files.
        settings: title and order of the models.

    Raises:
        UserError: no reading in them votes.
    """
    groups = list(votes_taken(scores, settings.models))
    if not groups:
        raise UserError(
            "No score has a reading that votes. Ask each record more than once "
            "(sampling.responses_per_record) and give a reading a vote.rule other than first."
        )
    points = [curve_values(group) for group in groups]
    seen = {value["model"] for values in points for value in values}
    models = [model for model in settings.models if model in seen]
    readings = list(dict.fromkeys(value["reading"] for values in points for value in values))
    panels = [
        _panel(group, values, models, readings)
        for group, values in zip(groups, points, strict=True)
    ]
    chart = alt.concat(*panels, columns=2, spacing=32)
    return _svg(chart, settings.title, list(SUBTITLE))


def _panel(
    group: list[Voted], values: list[dict[str, Any]], models: list[str], readings: list[str]
) -> alt.LayerChart:
    score, line = group[0]
    majority = 100 * line["majority_class"]
    scale = _around([majority, *(value["accuracy"] for value in values)])
    y = alt.Y("accuracy:Q", title="accuracy in percent", scale=scale)
    counts = sorted({value["votes"] for value in values})
    lines = alt.Chart(alt.InlineData(values=values)).encode(
        x=alt.X("votes:Q", title="votes", axis=alt.Axis(values=counts, format="d", grid=False)),
        y=y,
        color=alt.Color(
            "model:N",
            title=None,
            sort=models,
            scale=alt.Scale(domain=models, range=_cycled(COLOURS, len(models))),
        ),
    )
    dash = alt.StrokeDash(
        "reading:N",
        title=None,
        sort=readings,
        scale=alt.Scale(domain=readings, range=_cycled(DASHES, len(readings))),
        legend=alt.Legend(direction="vertical", symbolType="stroke", symbolSize=900),
    )
    baseline = alt.Chart(alt.InlineData(values=[{"majority_class": majority}]))
    return alt.layer(
        baseline.mark_rule(strokeDash=[3, 3], color=SOFT).encode(
            y=alt.Y("majority_class:Q", scale=scale)
        ),
        lines.mark_line(strokeWidth=1.75).encode(strokeDash=dash),
        lines.mark_point(filled=True, size=45, opacity=1).encode(detail="reading:N"),
    ).properties(
        width=WIDTH,
        height=HEIGHT,
        title=alt.Title(
            f"{score['dataset']} / {score['split']}   (n = {line['n']:,})",
            anchor="start",
            fontSize=13,
        ),
    )


def _around(numbers: list[float]) -> alt.Scale:
    """From just below the lowest to just above the highest, in steps of five."""
    low, high = 5 * (min(numbers) // 5), -5 * (-max(numbers) // 5)
    return alt.Scale(domain=[max(0, low), min(100, max(high, low + 5))], nice=False)
