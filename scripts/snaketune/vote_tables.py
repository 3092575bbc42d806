"""What each further vote is worth, as a table for programs and a page for people."""

import csv
from collections.abc import Iterator
from pathlib import Path

from snaketune.config.common import Name, Strict
from snaketune.files import whole
from snaketune.html import page
from snaketune.tables import percent
from snaketune.voted import Voted, gain_in_points, place, reading_name, votes_taken

COLUMNS = (
    *("study", "dataset", "split", "model", "metric", "reading", "n", "votes", "accuracy"),
    *("gain", "gain_low", "gain_high", "error_alone", "agreement", "pairwise_agreement"),
    "best_on_validation",
)
"""Shares, not percent. `votes`: over how many of the responses; `error_alone`: of the response
with this number by itself; `agreement` and `pairwise_agreement`: of all responses;
`best_on_validation`: whether this reading is the model's most accurate one on the validation
split, empty where that was not asked."""


class VoteTableSettings(Strict):
    """What tabulate_votes.py is told about the study whose votes it tabulates."""

    study: Name
    title: str
    models: list[Name]
    """In the order of the table."""


def vote_rows(scores: list[dict], settings: VoteTableSettings) -> list[dict]:
    """Rows of `COLUMNS`: one a dataset, split, reading, model and number of votes."""
    groups = list(votes_taken(scores, settings.models))
    best = best_readings(groups)
    return [row for group in groups for one in group for row in _rows(one, settings.study, best)]


def best_readings(groups: list[list[Voted]]) -> dict[tuple[str, str], str]:
    """For each dataset and model, the metric of the reading that is the most accurate on the
    validation split; of equally accurate ones the first."""
    best: dict[tuple[str, str], Voted] = {}
    for one in (one for group in groups for one in group if one.score["split"] == "validation"):
        key = one.score["dataset"], one.score["model"]
        if key not in best or one.line["accuracy"] > best[key].line["accuracy"]:
            best[key] = one
    return {key: one.line["metric"] for key, one in best.items()}


def _rows(one: Voted, study: str, best: dict[tuple[str, str], str]) -> Iterator[dict]:
    score, line = one
    votes = line["votes"]
    chosen = best.get((score["dataset"], score["model"]))
    for number, point in enumerate(votes["curve"], start=1):
        yield {
            "study": study,
            **{key: score[key] for key in ("dataset", "split", "model")},
            "metric": line["metric"],
            "reading": reading_name(line),
            "n": line["n"],
            "votes": number,
            **point,
            "error_alone": votes["errors_alone"][number - 1],
            **{key: votes[key] for key in ("agreement", "pairwise_agreement")},
            "best_on_validation": None if chosen is None else chosen == line["metric"],
        }


def write_csv(path: Path, rows: list[dict]) -> None:
    """The table for programs."""
    with whole(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in rows:
            rounded = {k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()}
            writer.writerow(rounded)


BODY = """\
<h1>{{ title }}: what votes are worth</h1>
<p>All numbers of a line are of the same responses. Accuracy over so many votes: the mean over all
choices of that many. Gain: that accuracy less the one of a single response, with the normal 95 %
interval of the paired differences over the records. Wrong alone: how many records the response with
this number gets wrong by itself. All agree: records with two valid votes or more whose valid votes
are the same; pairs agree: the mean share of two valid votes that are.</p>
{% if chosen %}
<h2>Rules compared on validation, reported on test</h2>
<div class="wide"><table>
<thead><tr><th scope="col">dataset</th><th scope="col">model</th>
<th scope="col">best on validation</th><th scope="col">there %</th>
<th scope="col">on test %</th><th scope="col">its gain on test, points</th></tr></thead><tbody>
{% for row in chosen %}
<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% endif %}
{% for title, rows in tables %}
<h2>{{ title }}</h2>
<div class="wide"><table>
<thead><tr><th scope="col">model</th><th scope="col">reading: vote</th><th scope="col">votes</th>
<th scope="col">accuracy %</th><th scope="col">gain, points</th><th scope="col">wrong alone %</th>
<th scope="col">all agree %</th><th scope="col">pairs agree %</th></tr></thead><tbody>
{% for row in rows %}
<tr class="{{ 'first' if row[0] }}">{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% endfor %}
"""


def as_html(scores: list[dict], settings: VoteTableSettings) -> str:
    """The table for people, a part for each dataset and split."""
    groups = list(votes_taken(scores, settings.models))
    tables = []
    for group in groups:
        dataset, split = place(group[0])
        title = f"{dataset} / {split} (n = {group[0].line['n']:,})"
        tables.append((title, [cells for one in group for cells in _cells(one)]))
    return page(BODY, title=settings.title, tables=tables, chosen=_chosen(groups))


def _cells(one: Voted) -> Iterator[list[str]]:
    """The lines of a reading; its name stands in the first."""
    votes = one.line["votes"]
    for number, point in enumerate(votes["curve"], start=1):
        first = number == 1
        yield [
            one.score["model"] if first else "",
            reading_name(one.line) if first else "",
            str(number),
            percent(point["accuracy"]),
            "–" if first else gain_in_points(point),
            percent(votes["errors_alone"][number - 1]),
            percent(votes["agreement"]) if first else "",
            percent(votes["pairwise_agreement"]) if first else "",
        ]


def _chosen(groups: list[list[Voted]]) -> list[list[str]]:
    """A line for each dataset and model that was asked validation and test."""
    of = {
        (*place(one), one.score["model"], one.line["metric"]): one
        for group in groups
        for one in group
    }
    lines = []
    for (dataset, model), metric in best_readings(groups).items():
        tested = of.get((dataset, "test", model, metric))
        if tested:
            there = of[dataset, "validation", model, metric].line
            accuracies = percent(there["accuracy"]), percent(tested.line["accuracy"])
            gained = gain_in_points(tested.line["votes"]["curve"][-1])
            lines.append([dataset, model, reading_name(there), *accuracies, gained])
    return lines
