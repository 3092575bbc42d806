"""A study's answers for tests of the pages, and a headless Chromium that opens a page."""

import json
import shutil
import subprocess
from pathlib import Path

from snaketune.browsing import BrowseSettings
from snaketune.files import write_jsonl

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
HOSTILE = '<script>document.title="owned"</script><img src=x onerror="document.title=1">'
LABELS = ("不相同", "相同")


def write_study(folder: Path, records: int) -> BrowseSettings:
    """A study of pairs with three votes: tuned errs in every tenth record, base cannot be read but
    in every fifth, where it is right; record 7 is hostile, and base failed on record 9."""
    asked = [_record(number) for number in range(records)]
    write_jsonl(folder / "data/pairs/test.jsonl", asked)
    for model in ("base", "tuned"):
        rows = [_answered(model, number, record) for number, record in enumerate(asked)]
        write_jsonl(folder / f"predictions/{model}/pairs/test.jsonl", (row[0] for row in rows))
        write_jsonl(folder / f"answers/{model}/pairs/test.jsonl", (row[1] for row in rows))
    vote = {"rule": "majority", "min_valid": 2}
    readings = {"vote": {"rule": "conclusion", "vote": vote}, "one": {"rule": "conclusion"}}
    extract = {"kind": "label", "labels": LABELS, "readings": readings}
    return BrowseSettings.model_validate(
        {
            "title": "花呗 <pairs>",
            "note": "A demonstration.",
            "folder": folder,
            "extracts": {"pairs": extract},
            "asked": [{"dataset": "pairs", "split": "test", "models": ["base", "tuned"]}],
        }
    )


def _record(number: int) -> dict:
    text = HOSTILE if number == 7 else f"第{number}期怎么还？"
    fields = {"sentence1": text, "sentence2": "怎么提前还？"}
    return {"id": f"r{number}", "fields": fields, "label": LABELS[number % 2], "group": text}


def _answered(model: str, number: int, record: dict) -> tuple[dict, dict]:
    """The line of the predictions, and the row of the answers."""
    prompt = [
        {"role": "system", "content": "你是客服。"},
        {"role": "user", "content": "\n".join(record["fields"].values())},
    ]
    known = {"id": record["id"]}
    if model == "base" and number == 9:
        why = "no answer after 3 tries"
        row = known | {"label": record["label"], "error": why, "text": None, "read": []}
        return known | {"prompt": prompt, "responses": [], "error": why}, row
    said = _said(model, number)
    texts = [f"结论：{said}" if said else f"不知道 {HOSTILE}"] * 3
    replies = [{"text": text, "reasoning": f"想一想 {HOSTILE}"} for text in texts]
    read = [{"vote": said, "one": said}] * 3
    row = known | {"label": record["label"], "error": None, "text": texts[0], "read": read}
    return known | {"prompt": prompt, "responses": replies, "error": None}, row | {"same": [0] * 3}


def _said(model: str, number: int) -> str | None:
    right, wrong = LABELS[number % 2], LABELS[1 - number % 2]
    if model == "tuned":
        return wrong if number % 10 == 0 else right
    return right if number % 5 == 0 else None


def in_chromium(page: Path, steps: str, folder: Path) -> dict:
    """What JavaScript finds on a page; it ends by giving an object to `done`.

    Args:
        page: that is opened; it says `data-ready` when it stands.
        steps: run then, with `set(id, value)` to choose in a list and `text(selector)`.
        folder: for the browser's own files.
    """
    script = f"""<script>
    const done = (found) => {{
      const json = JSON.stringify({{ title: document.title, ...found }});
      const shown = document.createElement("pre");
      shown.textContent = json;
      document.body.replaceChildren(shown);
      document.head.replaceChildren();
    }};
    const set = (id, value) => {{
      const list = document.getElementById(id);
      list.value = value;
      list.dispatchEvent(new Event("change"));
    }};
    const text = (selector) => document.querySelector(selector)?.innerText;
    const wait = () => document.documentElement.dataset.ready ? (() => {{ {steps} }})()
      : setTimeout(wait, 20);
    wait();
    </script>"""
    opened = folder / "opened.html"
    opened.write_text(page.read_text(encoding="utf-8") + script, encoding="utf-8")
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={folder / 'profile'}"]
    command += ["--virtual-time-budget=60000", "--dump-dom", opened.as_uri()]
    run = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300, check=True)
    start, end = run.stdout.index("<pre>") + 5, run.stdout.index("</pre>")
    escaped = run.stdout[start:end]
    for sign, name in (("<", "&lt;"), (">", "&gt;"), ("&", "&amp;")):
        escaped = escaped.replace(name, sign)
    return json.loads(escaped)
