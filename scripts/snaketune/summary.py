"""The first page of a run: the headline of every study, what was run, and where the rest is."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from snaketune.config.common import Name, Strict
from snaketune.files import read_json
from snaketune.html import page
from snaketune.tables import CLEARLY, p_value, percent, read_table, with_interval

MOST_MODELS = 8
"""Lines of a study's dataset in the headline table."""


class SummarisedStudy(Strict):
    """A study on the first page."""

    study: Name
    title: str
    baseline: Name
    models: list[Name]
    """Those of the headline table: no points of sweeps and grids."""
    headlines: dict[Name, str]
    """The metric of each dataset that stands for all."""
    seeds: dict[str, list[int]]
    """What was drawn by which seeds."""
    adapters: list[Name] = []
    pages: list[str]
    """Pages and figures, relative to the run's folder."""


class SummarySettings(Strict):
    """What summarise.py is told of the run."""

    run: str
    scale: str
    note: str = ""
    studies: list[SummarisedStudy]
    bases: list[Name]


BODY = """\
<style>
td.left, th.left { text-align: left; white-space: normal; }
td.left { min-width: 14rem; }
@media (max-width: 60rem) {
  th, td { padding: .2rem .25rem; }
  td.left { min-width: 9rem; }
  td:first-child { white-space: normal; } }
tbody tr.study td { border-top: 1px solid var(--line); }
ul.places { columns: 16rem; padding-left: 1.2rem; margin: .25rem 0; }
.alone a { color: inherit; text-decoration: none; pointer-events: none; }
.alone .only-file, .only-alone { display: none; }
.alone .only-alone { display: block; }
a { color: var(--link); }
:root { --link: #0a58a8; }
@media (prefers-color-scheme: dark) { :root { --link: #79b8ff; } }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; font-size: .85rem; }
dt { color: var(--soft); }
dd { margin: 0; overflow-wrap: anywhere; }
</style>
<h1>{{ title }}</h1>
{% if note %}<p class="note">{{ note }}</p>
{% endif %}
<h2>What came out</h2>
<div class="wide"><table>
<thead><tr><th scope="col">study, dataset</th><th scope="col">model</th><th scope="col">n</th>
{% if published %}<th scope="col">published %</th>
{% endif %}
<th scope="col">measured %, 95 % interval</th>
<th scope="col">untuned %</th><th scope="col">majority %</th><th scope="col">p vs untuned</th>
<th scope="col" class="left">in words</th></tr></thead>
<tbody>
{% for study in studies %}
{% for row in study.rows %}
<tr class="{{ 'study' if loop.first }}"><td>{{ study.study if loop.first }}{{ ': ' if loop.first }}
{{ row.dataset }}, {{ row.metric }}</td><td>{{ row.model }}</td><td>{{ row.n }}</td>
{% if published %}<td>{{ row.published }}</td>
{% endif %}
<td>{{ row.measured }}</td><td>{{ row.baseline }}</td>
<td>{{ row.majority }}</td><td>{{ row.p }}</td><td class="left">{{ row.verdict }}</td></tr>
{% endfor %}
{% endfor %}
</tbody></table></div>
<p>Each study's main metric on the split that it asks. Untuned: the study's baseline model on the
same records. Majority: what answering always with the most frequent gold value would reach. p:
exact McNemar test against the baseline, better or worse below {{ clearly }}.
{% if published %}
Published numbers were measured on other records, often with another base; where the study's text
has them in another metric than the main one, that is named, and compared.</p>
{% else %}
The published numbers stand beside the measured ones in a run at the scale that they belong to.</p>
{% endif %}
<p class="note only-alone">The pages and figures of each study stand in this report under the
study's name. The answers, record by record, do not, for their size: open answers.html in the
study's folder.</p>
{% for study in studies %}
<h2>{{ study.title }}</h2>
<ul class="places">
{% for name, path in study.places %}
<li><a href="{{ path }}">{{ name }}</a></li>
{% endfor %}
</ul>
{% endfor %}
<h2>What was run</h2>
<dl>
{% for name, text in facts %}
<dt>{{ name }}</dt><dd>{{ text }}</dd>
{% endfor %}
</dl>
<script>
if (!/^(file|https?):$/.test(location.protocol)) document.documentElement.className = "alone";
</script>
"""

NAMES = {
    "overview": "overview: data flow, confusions, speed",
    "answers": "answers, record by record",
    "accuracy": "accuracy table",
    "quality": "leaks between training and evaluation",
    "votes": "votes",
    "spending": "money",
    "mmlu": "general ability (MMLU)",
    "figures/accuracy": "figure: accuracies",
    "figures/loss": "figure: losses",
    "figures/votes": "figure: votes",
}
"""What a link to a page is called; others by their file's name."""


def as_html(settings: SummarySettings, results: Path, now: datetime) -> str:
    """The page, from the files of the run's folder."""
    rows = {
        study.study: headline_rows(study, results / study.study / "accuracy.csv")
        for study in settings.studies
    }
    return page(
        BODY,
        title=f"Snaketune: run “{settings.run}”",
        note=settings.note,
        clearly=f"{CLEARLY:g}",
        published=any(row["published"] != "–" for made in rows.values() for row in made),
        studies=[
            {
                "study": study.study,
                "title": study.title,
                "rows": rows[study.study],
                "places": [(_name(study.study, path), path) for path in study.pages],
            }
            for study in settings.studies
        ],
        facts=facts(settings, results, now),
    )


def _name(study: str, path: str) -> str:
    inner = path.removeprefix(f"{study}/").rpartition(".")[0]
    if inner.endswith("/duplicates"):
        return f"duplicates and conflicts: {inner.split('/')[-2]}"
    return NAMES.get(inner) or inner.replace("figures/", "figure: ").replace("_", " ")


def headline_rows(study: SummarisedStudy, table: Path) -> list[dict[str, Any]]:
    """Lines of the headline table: a line a dataset and tuned model, in the headline metric."""
    everything = read_table(table)
    rows = [row for row in everything if study.headlines.get(row["dataset"]) == row["metric"]]
    stated = {_place(row): row for row in reversed(everything) if row["published"] is not None}
    base = {(row["dataset"], row["split"]): row for row in rows if row["model"] == study.baseline}
    made = []
    for place in dict.fromkeys((row["dataset"], row["split"]) for row in rows):
        here = [row for row in rows if (row["dataset"], row["split"]) == place]
        tuned = [row for row in here if row["model"] in study.models] or here
        others = [row for row in tuned if row["model"] != study.baseline] or tuned
        made += [
            _headline(row, base.get(place), stated.get(_place(row))) for row in others[:MOST_MODELS]
        ]
    return made


def _place(row: dict) -> tuple[str, str, str]:
    return row["dataset"], row["split"], row["model"]


def _headline(row: dict, base: dict | None, stated: dict | None) -> dict[str, Any]:
    """A line; `stated` is the model's first row with a published number, in whatever metric."""
    if row["published"] is not None:
        stated = row
    elsewhere = stated is not None and stated is not row
    return {
        "dataset": row["dataset"] if row["split"] == "test" else f"{row['dataset']}/{row['split']}",
        "metric": row["metric"],
        "model": row["model"],
        "n": f"{row['n']:,}",
        "published": percent(stated and stated["published"])
        + (f" ({stated['metric']})" if elsewhere else ""),
        "measured": with_interval(row),
        "baseline": percent(base["accuracy"] if base and base is not row else None),
        "majority": percent(row["majority_class"]),
        "p": p_value(row["p_vs_base"]),
        "verdict": verdict(row, base, stated if elsewhere else None),
    }


def verdict(row: dict, base: dict | None, stated: dict | None = None) -> str:
    """What a line of the headline table says, in words; of another metric that has a published
    number, `stated` is the row."""
    if row["accuracy"] is None:
        return "nothing to measure: no record has a gold answer"
    parts = [_against_base(row, base)]
    majority, published = row["majority_class"], row["published"]
    if majority is not None:
        parts.append(f"{_lies(majority, row)} the majority class")
    if published is not None:
        parts.append(f"{_lies(published, row)} the published number")
    if stated is not None and stated["accuracy"] is not None:
        lies = _lies(stated["published"], stated)
        parts.append(
            f"{percent(stated['accuracy'])} in {stated['metric']}, {lies} its published number"
        )
    return "; ".join(filter(None, parts))


def _against_base(row: dict, base: dict | None) -> str:
    p = row["p_vs_base"]
    if base is None or p is None or row["model"] == base["model"]:
        return ""
    if p >= CLEARLY:
        return "no clear difference from untuned"
    return "better than untuned" if row["accuracy"] > base["accuracy"] else "worse than untuned"


def _lies(value: float, row: dict) -> str:
    """How the measured interval lies to a number."""
    if row["ci_low"] > value:
        return "above"
    return "below" if row["ci_high"] < value else "not told apart from"


def facts(settings: SummarySettings, results: Path, now: datetime) -> list[tuple[str, str]]:
    """What was run, as names and texts."""
    metrics = [
        read_json(results / one.study / f"adapters/{adapter}/metrics.json")
        for one in settings.studies
        for adapter in one.adapters
    ]
    commits = dict.fromkeys(made.get("git_commit") or "unknown" for made in metrics)
    versions = {json.dumps(made.get("versions", {}), sort_keys=True): made for made in metrics}
    found = [("run", settings.run), ("scale", settings.scale)]
    found += [(f"base {n}", _base(results / f"bases/{n}/source.json")) for n in settings.bases]
    found += [("trained at commit", ", ".join(commits))] if commits else []
    found += [
        ("versions", _pairs(made["versions"])) for made in versions.values() if made.get("versions")
    ]
    found += [(f"seeds of {one.study}", _seeds(one.seeds)) for one in settings.studies]
    found += [("this page was written", now.strftime("%Y-%m-%d %H:%M %Z").strip())]
    return found


def _base(path: Path) -> str:
    source = read_json(path)
    name = source.get("id") or source["path"]
    revision = f", revision {source['revision']}" if source.get("revision") else ""
    sha256 = f", SHA-256 {source['sha256'][:12]}" if source.get("sha256") else ""
    return f"{name} ({source['source']}){revision}{sha256}"


def _seeds(seeds: dict[str, list[int]]) -> str:
    return ", ".join(f"{what} {' '.join(map(str, drawn))}" for what, drawn in seeds.items())


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items()) or "none"
