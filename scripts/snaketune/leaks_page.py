"""The page of the leak check: what each figure means, and examples."""

from snaketune.html import page

BODY = """\
<h1>{{ title }}: leaks between training and evaluation</h1>
<p>Each evaluation is compared with each training of the study, record by record. A model that was
trained on what it is asked is measured by its memory: exact should be 0.</p>
<div class="wide"><table>
<thead><tr><th scope="col">evaluation</th><th scope="col">training</th><th scope="col">records</th>
<th scope="col">exact</th><th scope="col">near</th><th scope="col">same label</th>
<th scope="col">shared field</th></tr></thead>
<tbody>
{% for pair in pairs %}
<tr><td>{{ pair.evaluation }} / {{ pair.split }}</td><td>{{ pair.training }} / train</td>
<td>{{ pair.n }}</td>
{% if pair.same_file %}
<td colspan="4">these are the training records</td>
{% else %}
<td>{{ pair.exact }}</td><td>{{ pair.near }}</td><td>{{ pair.same_label }}</td>
<td>{{ pair.shared_field }}</td>
{% endif %}
</tr>
{% endfor %}
</tbody>
</table></div>
<p>All figures count evaluation records. Exact: a training record has the same text in all fields,
but for case, white space and punctuation. Near: none has, but one shares at least
{{ '%g' % (threshold * 100) }} % of the words with it, counted over the words of both (Jaccard
similarity; pairs of neighbouring characters in Chinese; a number is a word and stays as it is).
Same label: of the exact and near ones, those whose most similar training record has their label
too. Shared field: the longest field, such as the premise, is also a field of a training record; in
data with several questions on one text that is usual, and harmless only if the label does not
follow from the text alone.</p>
{% for pair in pairs if pair.examples %}
<h2>{{ pair.evaluation }} / {{ pair.split }} in training {{ pair.training }}: the
{{ pair.examples | length }} most similar</h2>
{% for example in pair.examples %}
<p class="note">{{ '%.0f' % (example.similarity * 100) }} %{{ ', exact' if example.exact }},
{{ 'same label' if example.same_label else 'another label' }}<br>
{{ example.evaluation_id }} (evaluation): {{ example.evaluation_text }}<br>
{{ example.training_id }} (training): {{ example.training_text }}</p>
{% endfor %}
{% endfor %}
"""


def as_html(title: str, report: dict) -> str:
    """A page of what `check_leaks` found, for people."""
    return page(BODY, title=title, **report)
