"""The accuracy table as Markdown and as an HTML page that needs nothing besides itself."""

import re
from collections.abc import Iterable
from typing import Any

from snaketune.html import page
from snaketune.tables import CLEARLY, Block, TableSettings

HEAD = {
    "metric": "metric",
    "model": "model",
    "accuracy": "accuracy %, 95 % interval",
    "f1": "F1 %",
    "spread": "mean ± sd %",
    "n": "n",
    "correct": "correct",
    "unparsed": "unparsed",
    "errors": "errors",
    "majority": "majority %",
    "published": "published %",
    "p": "p vs {baseline}",
}
"""Key of a cell → name of its column."""

LEGEND = (
    "Accuracy is the share of the n records with a gold answer that the model gets right, with its "
    "Wilson 95 % interval. Replies without a readable answer (unparsed) and records that failed "
    "(errors) count as wrong; a reading may count unparsed ones as a label by default. Majority: "
    "what answering always with the most frequent gold value would reach. p: exact McNemar test "
    "against {baseline} on the same records. "
    "▲ marks a model that is better than {baseline} with p < {clearly:g}."
)
OPTIONAL_LEGENDS = {
    "f1": (
        " F1: harmonic mean of precision and recall of the dataset's positive label; records "
        "without an answer are not predicted to have it."
    ),
    "spread": (
        " Accuracy is that of the vote over the responses to each record, which is the first of "
        "them unless the reading says otherwise. Mean ± sd: mean and sample standard deviation of "
        "the accuracies of each response index by itself."
    ),
    "published": "",
}
"""Keys of columns that are left out where no row has a number, and how to read them."""

BLOCKS = """\
{% for block in blocks %}
<h2>{{ block.title }}</h2>
{% if block.text %}<p>{{ block.text }}</p>
{% endif %}
<div class="wide"><table>
<thead><tr>{% for name in block.head %}<th scope="col">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in block.rows %}
<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table></div>
{% if block['items'] %}
<ul>
{% for item in block['items'] %}
<li>{{ item }}</li>
{% endfor %}
</ul>
{% endif %}
{% endfor %}
"""
"""Tables with a heading, a paragraph and a list, in the body of a page."""

BODY = """\
<h1>{{ title }}</h1>
<p>Run “{{ run }}”, scale “{{ scale }}”.</p>
{% if note %}<p class="note">{{ note }}</p>
{% endif %}
{% for section in sections %}
<h2>{{ section.dataset }} / {{ section.split }}</h2>
<div class="wide"><table>
<thead><tr>{% for name in head.values() %}<th scope="col">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in section.rows %}
<tr class="{{ 'first ' if loop.changed(row.metric) }}{{ 'beats' if row.beats }}">
{% for key in head %}
<td>{{ '▲ ' if key == 'accuracy' and row.beats }}{{ row[key] }}</td>
{% endfor %}
</tr>
{% endfor %}
</tbody>
</table></div>
{% for remark in section.remarks %}
<p>{{ remark }}</p>
{% endfor %}
{% endfor %}
<p>{{ legend }}</p>
"""


def heading(settings: TableSettings, sections: list[dict[str, Any]]) -> dict[str, str]:
    """Names of the columns that people see, by the key of their cells."""
    absent = set(OPTIONAL_LEGENDS) - _present(sections)
    return {
        key: name.format(baseline=settings.baseline)
        for key, name in HEAD.items()
        if key not in absent
    }


def legend(settings: TableSettings, sections: list[dict[str, Any]]) -> str:
    """How to read the table."""
    present = _present(sections)
    text = LEGEND.format(baseline=settings.baseline, clearly=CLEARLY)
    return text + "".join(said for key, said in OPTIONAL_LEGENDS.items() if key in present)


def _present(sections: list[dict[str, Any]]) -> set[str]:
    """The columns that some tables lack and these have."""
    rows = [row for section in sections for row in section["rows"]]
    return {key for key in OPTIONAL_LEGENDS if any(row[key] != "–" for row in rows)}


def as_html(
    settings: TableSettings, sections: list[dict[str, Any]], blocks: Iterable[Block] = ()
) -> str:
    """A self-contained page, readable in light and in dark; all text in it is escaped."""
    return page(
        BODY + BLOCKS,
        **settings.model_dump(),
        head=heading(settings, sections),
        legend=legend(settings, sections),
        sections=sections,
        blocks=[block._asdict() for block in blocks],
    )


def as_markdown(
    settings: TableSettings, sections: list[dict[str, Any]], blocks: Iterable[Block] = ()
) -> str:
    """The table as Markdown, a section a dataset and split, and the blocks below it."""
    lines = [f"# {_plain(settings.title)}", ""]
    lines += [f"Run “{_plain(settings.run)}”, scale “{_plain(settings.scale)}”.", ""]
    if settings.note:
        lines += [f"> {_plain(settings.note)}", ""]
    head = heading(settings, sections)
    for section in sections:
        lines += [f"## {_plain(section['dataset'])} / {_plain(section['split'])}", ""]
        lines += _table(list(head.values()), [_cells(row, head) for row in section["rows"]])
        lines += [line for remark in section["remarks"] for line in (_plain(remark), "")]
    lines += [_plain(legend(settings, sections)), ""]
    lines += _blocks(blocks)
    return "\n".join(lines)


def blocks_as_markdown(title: str, note: str, blocks: Iterable[Block]) -> str:
    """A text of a heading, a note and blocks."""
    lines = [f"# {_plain(title)}", "", *([f"> {_plain(note)}", ""] if note else [])]
    return "\n".join(lines + _blocks(blocks))


def _blocks(blocks: Iterable[Block]) -> list[str]:
    lines: list[str] = []
    for block in blocks:
        lines += [f"## {_plain(block.title)}", ""]
        lines += [_plain(block.text), ""] if block.text else []
        lines += _table(block.head, block.rows)
        lines += [*(f"- {_plain(item)}" for item in block.items), *([""] if block.items else [])]
    return lines


def _cells(row: dict[str, Any], head: Iterable[str]) -> list[str]:
    shown = {**row, "accuracy": f"{'▲ ' if row['beats'] else ''}{row['accuracy']}"}
    return [str(shown[key]) for key in head]


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    """Lines of a table with two columns of names and the others of numbers."""
    marks = [":--", ":--", *["--:"] * (len(head) - 2)]
    named = [[*map(_plain, row[:2]), *row[2:]] for row in rows]
    return [_line(head), _line(marks), *map(_line, named), ""]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    r"""Text that Markdown shows as it is: its signs escaped, on one line.

    An underscore inside a word is no sign.
    """
    return re.sub(r"([\\`*<>|#\[\]]|(?<!\w)_|_(?!\w))", r"\\\1", " ".join(text.split()))
