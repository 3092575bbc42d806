"""The page of a bank's duplicates: what was merged, what was kept apart and why, what conflicts."""

from snaketune.html import page

BODY = """\
<h1>{{ title }}</h1>
<div class="wide"><table>
<thead><tr><th scope="col">questions</th><th scope="col">number</th></tr></thead>
<tbody>
{% for name, number in figures %}
<tr><td>{{ name }}</td><td>{{ '{:,}'.format(number) }}</td></tr>
{% endfor %}
</tbody>
</table></div>
<p>Questions are one if stem and options are the same but for case, width, punctuation, order and
synonyms, and type and picture too. What else differs must be words that one site always writes
where another has others, or the options, answers and explanations must be equal. Numbers are never
levelled. Different questions with like stems stay in one split.</p>
<p class="note">Groups of like questions in more than one split: {{ leakage.groups }}. Equal
questions in more than one split: {{ leakage.prompts }}. Both must be 0.</p>
{% for kind, title, examples in sections if examples %}
<h2>{{ title }}: {{ examples | length }} examples</h2>
{% for example in examples %}
<p class="note">{% if example.reason %}{{ reasons[example.reason] }}<br>{% endif %}
{% for question in example.questions %}
{{ question.id }}: {{ question.stem }}{% if question.media %} [{{ question.media }}]{% endif %}

({{ question.options | join(' / ') }}) → {{ question.answer | join(' + ') }}<br>
{% endfor %}
</p>
{% endfor %}
{% endfor %}
"""
REASONS = {
    "picture": "another picture",
    "type": "another type of question",
    "numbers": "other numbers",
    "options": "other options",
    "wording": "other words",
}
SECTIONS = {"merged": "Merged", "apart": "Kept apart", "conflicts": "Several answers"}


def as_html(title: str, quality: dict, examples: dict) -> str:
    """A page for people.

    Args:
        title: of the page.
        quality: the dataset's quality.json.
        examples: of each kind, as `deduplicate` wrote them.
    """
    figures = [
        ("read", quality["in"]),
        ("kept", quality["kept"]),
        ("dropped, there already", quality["dropped"]["duplicate"]),
        ("dropped, since answers contradict", quality["dropped"]["conflict"]),
        ("with several answers", quality["conflicting_answers"]),
        *((f"alike, kept apart: {REASONS[key]}", n) for key, n in quality["kept_apart"].items()),
    ]
    sections = [(kind, name, examples.get(kind, [])) for kind, name in SECTIONS.items()]
    return page(
        BODY,
        title=title,
        figures=figures,
        reasons=REASONS,
        sections=sections,
        leakage=quality["leakage"],
    )
