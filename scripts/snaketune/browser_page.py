"""The page on which a person reads a study's answers; it needs no network and no other file.

Its table is DataTables, which the package itables ships for use offline. Bundle and data stand in
the page as JSON, in which no `<` is left: nothing that a record says can become a part of the page.
"""

import json
from importlib import resources
from pathlib import Path
from typing import Any

from markupsafe import Markup

from snaketune.browsing import STATES
from snaketune.html import page

BODY = """\
<style>
{{ bundle_style }}
{{ style }}
</style>
<h1>{{ title }}: the answers</h1>
{% if note %}<p class="note">{{ note }}</p>
{% endif %}
<form id="filters" onsubmit="return false">
<label>dataset <select id="dataset"></select></label>
<label>model <select id="model"></select></label>
<label>reading <select id="metric"></select></label>
<label>answer <select id="state"><option value="">any</option></select></label>
<label>beside <select id="other"><option value="">no other model</option></select></label>
<label>the two <select id="differ" disabled>
<option value="">agree or not</option>
<option value="answers">answer differently</option>
<option value="gain">right, the other not</option>
<option value="loss">not right, the other is</option>
</select></label>
</form>
<p id="said" role="status"></p>
<table id="answers" class="display"></table>
<p>A click on a line, or Enter on its arrow, opens the record: the prompt as the model saw it, the
gold answer, and every reply with its reasoning and what was read from it. The search looks for
all its words in prompts, gold answers and replies.</p>
<noscript><p class="note">This page needs JavaScript.</p></noscript>
<script type="application/json" id="bundle">{{ bundle }}</script>
<script type="application/json" id="data">{{ data }}</script>
<script>
{{ script }}
</script>
"""


def as_html(title: str, note: str, datasets: list[dict], script: Path, style: Path) -> str:
    """The page.

    Args:
        title: of the study.
        note: a sentence for readers of the numbers; may be empty.
        datasets: as `snaketune.browsing.browsed` gives them.
        script: the page's own JavaScript.
        style: the page's own CSS.
    """
    shipped = resources.files("itables") / "html"
    return page(
        BODY,
        title=title,
        note=note,
        bundle_style=Markup((shipped / "dt_bundle.css").read_text(encoding="utf-8")),
        style=Markup(style.read_text(encoding="utf-8")),
        bundle=embedded((shipped / "dt_bundle.js").read_text(encoding="utf-8")),
        data=embedded({"datasets": datasets, "states": STATES}),
        script=Markup(script.read_text(encoding="utf-8")),
    )


def embedded(value: Any) -> Markup:
    """JSON that may stand in a script element, whatever text is in it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return Markup(text.replace("<", "\\u003c"))
