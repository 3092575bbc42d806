"""The accuracy table as Markdown and as an HTML page that needs nothing besides itself."""

import re
from typing import Any

from snaketune.html import page
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

BODY = """\
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
"""


def heading(settings: TableSettings) -> list[str]:
    """Names of the columns that people see."""
    return [*HEAD, *(name.format(baseline=settings.baseline) for name in TAIL)]


def legend(settings: TableSettings) -> str:
    """How to read the table."""
    return LEGEND.format(baseline=settings.baseline, clearly=CLEARLY)


def as_html(settings: TableSettings, sections: list[dict[str, Any]]) -> str:
    """A self-contained page, readable in light and in dark; all text in it is escaped."""
    return page(
        BODY,
        **settings.model_dump(),
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
