"""What a study asked of models behind addresses and paid, from the ledger."""

import csv
from collections import Counter
from pathlib import Path

from snaketune.chat.ledger import UNFINISHED, requests
from snaketune.config.common import Name, Strict
from snaketune.files import whole
from snaketune.html import page

COLUMNS = (
    *("study", "purpose", "dataset", "endpoint", "model", "served_models"),
    *("requests", "failed", "failures", "unfinished", "prompt_tokens", "completion_tokens"),
    *("estimated", "cost", "unbilled_at_most", "currency"),
)
"""`failures`: how many a status; `estimated`: requests whose tokens the server did not count."""


class Settings(Strict):
    """What tabulate_spending.py gets of the config."""

    study: Name
    title: str


def tabulate(ledger: Path, study: str) -> list[dict]:
    """Rows of `COLUMNS`: one a purpose, dataset, endpoint, model asked for and currency.

    Args:
        ledger: folder of the ledgers.
        study: whose requests are counted.
    """
    groups: dict[tuple, Counter] = {}
    for line in requests(ledger):
        if line.get("study") == study:
            parts = ("purpose", "dataset", "endpoint", "model", "currency")
            key = tuple(line.get(part) or "" for part in parts)
            _add(groups.setdefault(key, Counter()), line)
    return [_row(study, *key, groups[key]) for key in sorted(groups)]


def _add(sums: Counter, line: dict) -> None:
    sums["requests"] += 1
    status = line["status"]
    if status == UNFINISHED:
        sums["unfinished"] += 1
    elif status != "ok":
        sums["status", status] += 1
    for key in ("prompt_tokens", "completion_tokens"):
        sums[key] += line.get(key) or 0
    sums["estimated"] += line.get("estimated", False)
    if line.get("cost") is not None:
        sums["cost"] += line["cost"]
    else:
        sums["unbilled_at_most"] += line.get("at_most") or 0
    if line.get("served_model"):
        sums["served", line["served_model"]] += 1


def _row(
    study: str, purpose: str, dataset: str, endpoint: str, model: str, currency: str, sums: Counter
) -> dict:
    failures = {key[1]: count for key, count in sorted(_named(sums, "status"))}
    served = [key[1] for key, _ in sorted(_named(sums, "served"))]
    counts = ("requests", "unfinished", "prompt_tokens", "completion_tokens", "estimated")
    money = ("cost", "unbilled_at_most")
    return {
        "study": study,
        **{"purpose": purpose, "dataset": dataset, "endpoint": endpoint, "model": model},
        "served_models": ", ".join(served),
        "failed": sum(failures.values()),
        "failures": ", ".join(f"{status}: {count}" for status, count in failures.items()),
        **{key: sums[key] for key in counts},
        **{key: round(sums[key], 6) if currency else None for key in money},
        "currency": currency,
    }


def _named(sums: Counter, kind: str) -> list[tuple[tuple, int]]:
    return [
        (key, count) for key, count in sums.items() if isinstance(key, tuple) and key[0] == kind
    ]


def totals(rows: list[dict]) -> dict[str, tuple[float, float]]:
    """By currency: money billed, and money at most that no bill came for."""
    found: dict[str, tuple[float, float]] = {}
    for row in rows:
        if row["currency"]:
            billed, unbilled = found.get(row["currency"], (0.0, 0.0))
            found[row["currency"]] = billed + row["cost"], unbilled + row["unbilled_at_most"]
    return found


def write_csv(path: Path, rows: list[dict]) -> None:
    """The table for programs."""
    with whole(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


BODY = """\
<h1>{{ title }}: requests and money</h1>
{% if not rows %}
<p class="note">No request to a model behind an address is on the books of this study.</p>
{% else %}
<p class="note">
{% for currency, (billed, unbilled) in totals.items() %}
{{ '%.4f' % billed }} {{ currency }} billed{% if unbilled %}, and at most
{{ '%.4f' % unbilled }} {{ currency }} for requests without a bill{% endif %}.
{% else %}
No price is stated in the config, so no money is counted.
{% endfor %}
</p>
<div class="wide"><table>
<thead><tr><th scope="col">purpose</th><th scope="col">dataset</th><th scope="col">endpoint</th>
<th scope="col">model</th><th scope="col">answered as</th><th scope="col">requests</th>
<th scope="col">failed</th><th scope="col">unfinished</th><th scope="col">tokens in</th>
<th scope="col">tokens out</th><th scope="col">billed</th>
<th scope="col">unbilled, at most</th></tr></thead><tbody>
{% for row in rows %}
<tr><td>{{ row.purpose }}</td><td>{{ row.dataset }}</td><td>{{ row.endpoint }}</td>
<td>{{ row.model }}</td><td>{{ row.served_models }}</td><td>{{ row.requests }}</td>
<td>{{ row.failed }}{% if row.failures %} ({{ row.failures }}){% endif %}</td>
<td>{{ row.unfinished }}</td><td>{{ row.prompt_tokens }}</td><td>{{ row.completion_tokens }}</td>
<td>{{ money(row.cost, row.currency) }}</td>
<td>{{ money(row.unbilled_at_most, row.currency) }}</td></tr>
{% endfor %}
</tbody></table></div>
<p>All requests of this study's jobs, over all runs on this machine, failed ones and those of killed
runs too; not only those whose replies are in the tables. Failed requests are counted by HTTP status
or by what happened to them. Unfinished: the process ended before the answer came. Tokens are the
server's count{% if estimated %}, but for {{ estimated }} requests
without one, whose tokens are an upper bound{% endif %}. Unbilled: what lost and unfinished requests
cost at most; a server may have charged for them. Other studies' requests are not in it.</p>
{% endif %}
"""


def as_html(title: str, rows: list[dict]) -> str:
    """The table for people."""
    return page(
        BODY,
        title=title,
        rows=rows,
        totals=totals(rows),
        money=_money,
        estimated=sum(row["estimated"] for row in rows),
    )


def _money(amount: float | None, currency: str) -> str:
    return f"{amount:.4f} {currency}" if currency else "–"
