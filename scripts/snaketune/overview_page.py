"""The page of a study: its data flow, cross-evaluation, confusions, speed and memory."""

from snaketune.files import read_json
from snaketune.html import page
from snaketune.overview import (
    ASKED_HEAD,
    MOST_MODELS,
    TRAINED_HEAD,
    OverviewSettings,
    answered,
    confusions,
    crossed,
    flow,
    trained,
)
from snaketune.tables import read_table

BODY = """\
<style>
:root { --heat: #2f81c7; }
h3 { font-size: .95rem; margin: 1rem 0 .25rem; color: var(--soft); }
.flow { display: flex; gap: 1.5rem; align-items: center; overflow-x: auto; padding: .25rem 0; }
.column { display: grid; gap: .5rem; position: relative; flex: none; }
.column + .column::before { content: "→"; position: absolute; left: -1.3rem; top: 50%;
  transform: translateY(-50%); color: var(--soft); }
.step { border: 1px solid var(--line); border-radius: .4rem; padding: .35rem .6rem;
  font-size: .8rem; max-width: 15rem; background: var(--band); }
.step b { display: block; font-size: 1.05rem; font-variant-numeric: tabular-nums; }
.step small { display: block; color: var(--soft); }
.heats { display: flex; flex-wrap: wrap; gap: 1rem 2rem; }
table.heat { width: auto; }
table.heat caption { text-align: left; white-space: nowrap; font-size: .8rem; padding: .2rem 0;
  color: var(--soft); }
table.heat th, table.heat td { text-align: right; padding: .25rem .6rem; }
table.heat th:first-child { text-align: left; }
table.heat tbody th { font-weight: normal; }
table.heat td { background: color-mix(in srgb, var(--heat) calc(var(--share) * 55%), transparent); }
</style>
{% macro heat(one) %}
<div class="wide"><table class="heat"><caption>{{ one.title }}</caption>
<thead><tr><th></th>
{% for name in one.head %}<th scope="col">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for name, cells in one.rows %}
<tr><th scope="row">{{ name }}</th>{% for text, share in cells %}
<td style="--share: {{ '%.3f' % (share or 0) }}">{{ text }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% endmacro %}
{% macro plain(head, rows) %}
<div class="wide"><table>
<thead><tr>{% for name in head %}<th scope="col">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in rows %}
<tr>{% for cell in row %}<td>{{ cell }}</td>{% endfor %}</tr>
{% endfor %}
</tbody></table></div>
{% endmacro %}
<h1>{{ title }}</h1>
{% if note %}<p class="note">{{ note }}</p>
{% endif %}
<h2>Where the records went</h2>
{% for name, columns in flows.items() %}
<h3>{{ name }}</h3>
<div class="flow">
{% for column in columns %}
<div class="column">
{% for step in column %}
<div class="step">{{ step.title }}<b>{{ '{:,}'.format(step.count) }}</b>
{% for line in step.notes %}<small>{{ line }}</small>{% endfor %}</div>
{% endfor %}
</div>
{% endfor %}
</div>
{% endfor %}
{% if crossed %}
<h2>Every model on every dataset</h2>
{{ heat(crossed) }}
<p>The stronger the colour, the more of the records are right. Intervals stand in the accuracy
table; a dash
where a model was not asked.</p>
{% endif %}
{% if confusions %}
<h2>Which label for which</h2>
<div class="heats">
{% for one in confusions %}{{ heat(one) }}{% endfor %}
</div>
<p>Rows are gold labels, columns what was answered; numbers count records, and the colour is their
share of the row. Of a dataset with more models the first {{ most_models }} are shown.</p>
{% endif %}
{% if trained %}
<h2>Training: speed and memory</h2>
{{ plain(trained_head, trained) }}
<p>Tokens count all that a step reads, prompts too. MFU: share of the card's peak arithmetic; a dash
where there is no card, or its peak is not known.</p>
{% endif %}
<h2>Answering: speed and memory</h2>
{{ plain(asked_head, asked) }}
<p>Generated: responses of the last run of the job; the others were in the journal already. Speed is
that of the generated ones, without the loading. Models that answer in one process share its peak
memory.</p>
"""


def as_html(settings: OverviewSettings) -> str:
    """The page, from the files of the study's folder."""
    folder = settings.folder
    scores = [
        read_json(folder / f"scores/{model}/{one.dataset}/{one.split}.json")
        for one in settings.scored
        for model in one.models
    ]
    return page(
        BODY,
        title=settings.title,
        note=settings.note,
        flows={name: flow(folder, name, source) for name, source in settings.datasets.items()},
        crossed=crossed(read_table(folder / "accuracy.csv"), settings.headlines),
        confusions=confusions(scores, settings.headlines),
        most_models=MOST_MODELS,
        trained_head=TRAINED_HEAD,
        trained=trained(folder, settings.adapters),
        asked_head=ASKED_HEAD,
        asked=[answered(folder, model, one) for one in settings.asked for model in one.models],
    )
