"""The accuracy table as Markdown and as an HTML page that needs nothing besides itself."""

import re
from typing import Any

import jinja2

from snaketune.tables import CLEARLY, TableSettings

HEAD = ("metric", "model", "accuracy %, 95 % interval", "n", "correct", "unparsed", "errors")
NUMBERS = ("n", "correct", "unparsed", "errors", "majority", "published", "p")
TAIL = ("majority %", "published %", "p vs {baseline}")

LEGEND = (
    "Accuracy is the share of the n records with a gold answer that the model gets right, with its "
    "Wilson 95 % interval. Replies without a readable answer (unparsed) and records that failed "
    "(errors) count as wrong. Majority: what answering always with the most frequent gold value "
    "would reach. p: exact McNemar test against {baseline} on the same records. "
    "▲ marks a model that is better than {baseline} with p < {clearly:g}."
)

PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{ title }}</title>
<style>
:root { --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --band: #f3f5f7; --mark: #0b6b2e;
  --paper: #fff; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --soft: #9aa5b1; --line: #3a434d; --band: #1d242c; --mark: #5fd38a;
    --paper: #12171d; } }
body { margin: 1rem auto; max-width: 76rem; padding: 0 1rem; color: var(--ink);
  background: var(--paper); line-height: 1.5; font-family: system-ui, "Noto Sans CJK SC",
  "Noto Sans SC", "PingFang SC", "Microsoft YaHei", sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.25; }
h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
p { color: var(--soft); max-width: 60rem; }
.note { color: var(--ink); border-left: .25rem solid var(--line); padding-left: .75rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .8rem;
  font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .35rem; text-align: right; white-space: nowrap; }
thead th { white-space: normal; vertical-align: bottom; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; }
thead th { border-bottom: 2px solid var(--line); color: var(--soft); font-weight: 600; }
tbody tr.first td { border-top: 1px solid var(--line); }
tbody tr:hover { background: var(--band); }
tr.beats td:nth-child(3) { color: var(--mark); font-weight: 600; }
</style>
</head>
<body>
<h1>{{ title }}</h1>
<p>Run “{{ run }}”, scale “{{ scale }}”.</p>
{% if note %}<p class="note">{{ note }}</p>
{% endif %}
{% for section in sections %}
<h2>{{ section.dataset }} / {{ section.split }}</h2>
<div class="wide"><table>
<thead><tr>{% for name in head %}<th scope="col">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in section.rows %}
<tr class="{{ 'first ' if loop.changed(row.metric) }}{{ 'beats' if row.beats }}">
<td>{{ row.metric }}</td><td>{{ row.model }}</td>
<td>{{ '▲ ' if row.beats }}{{ row.accuracy }}</td><td>{{ row.n }}</td><td>{{ row.correct }}</td>
<td>{{ row.unparsed }}</td><td>{{ row.errors }}</td><td>{{ row.majority }}</td>
<td>{{ row.published }}</td><td>{{ row.p }}</td></tr>
{% endfor %}
</tbody>
</table></div>
{% endfor %}
<p>{{ legend }}</p>
</body>
</html>
"""


def heading(settings: TableSettings) -> list[str]:
    """Names of the columns that people see."""
    return [*HEAD, *(name.format(baseline=settings.baseline) for name in TAIL)]


def legend(settings: TableSettings) -> str:
    """How to read the table."""
    return LEGEND.format(baseline=settings.baseline, clearly=CLEARLY)


def as_html(settings: TableSettings, sections: list[dict[str, Any]]) -> str:
    """A self-contained page, readable in light and in dark; all text in it is escaped."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(PAGE).render(
        settings.model_dump(),
        head=heading(settings),
        legend=legend(settings),
        sections=sections,
    )


def as_markdown(settings: TableSettings, sections: list[dict[str, Any]]) -> str:
    """The table as Markdown, a section a dataset and split."""
    lines = [f"# {_plain(settings.title)}", ""]
    lines += [f"Run “{_plain(settings.run)}”, scale “{_plain(settings.scale)}”.", ""]
    if settings.note:
        lines += [f"> {_plain(settings.note)}", ""]
    head = heading(settings)
    for section in sections:
        lines += [f"## {_plain(section['dataset'])} / {_plain(section['split'])}", ""]
        lines += [_line(head), _line([":--", ":--", *["--:"] * (len(head) - 2)])]
        lines += [_line(_cells(row)) for row in section["rows"]]
        lines.append("")
    lines += [_plain(legend(settings)), ""]
    return "\n".join(lines)


def _cells(row: dict[str, Any]) -> list[str]:
    names = [_plain(row["metric"]), _plain(row["model"])]
    accuracy = f"{'▲ ' if row['beats'] else ''}{row['accuracy']}"
    return [*names, accuracy, *(str(row[key]) for key in NUMBERS)]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    r"""Text that Markdown shows as it is: its signs escaped, on one line.

    An underscore inside a word is no sign.
    """
    return re.sub(r"([\\`*<>|#\[\]]|(?<!\w)_|_(?!\w))", r"\\\1", " ".join(text.split()))
