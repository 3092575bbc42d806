"""The answers page: what stands in it, and what a person finds in it with a browser."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from browsed import CHROMIUM, HOSTILE, in_chromium, write_study

from snaketune.browser_page import as_html, embedded
from snaketune.browsing import BrowseSettings, browsed, shown
from snaketune.errors import UserError
from snaketune.files import read_jsonl, write_jsonl

ROOT = Path(__file__).resolve().parents[1]
SCRIPT, STYLE = (ROOT / f"resources/browser/answers.{kind}" for kind in ("js", "css"))


def page(folder: Path, records: int) -> str:
    settings = write_study(folder, records)
    return as_html(settings.title, settings.note, browsed(settings), SCRIPT, STYLE)


def test_every_record_has_what_each_model_answered(tmp_path):
    (dataset,) = browsed(write_study(tmp_path, 20))
    assert (dataset["name"], dataset["metrics"]) == ("pairs / test", ["vote", "one"])
    assert (dataset["every"], len(dataset["records"])) == (1, 20)
    states = {m: [r["models"][m]["states"] for r in dataset["records"]] for m in ("base", "tuned")}
    assert states["tuned"] == ["ww", *["rr"] * 9] * 2
    assert states["base"][:10] == ["rr", *["uu"] * 4, "rr", *["uu"] * 3, "ee"]
    record = dataset["records"][0]
    assert record["prompt"] == [["system", "你是客服。"], ["user", "第0期怎么还？\n怎么提前还？"]]
    assert (record["gold"], record["models"]["tuned"]["answers"]) == ("不相同", ["相同"] * 2)
    replies = record["models"]["tuned"]["replies"]
    assert len(replies) == 3
    assert replies[0] == {
        "text": "结论：相同",
        "reasoning": f"想一想 {HOSTILE}",
        "read": ["相同", "相同"],
    }
    failed = dataset["records"][9]["models"]["base"]
    assert (failed["error"], failed["replies"]) == ("no answer after 3 tries", [])


def test_records_without_gold_and_failed_responses_are_shown(tmp_path):
    settings = write_study(tmp_path, 3)
    for kind in ("predictions", "answers"):
        path = tmp_path / kind / "tuned/pairs/test.jsonl"
        rows = list(read_jsonl(path))
        if kind == "predictions":
            rows[1]["responses"][1] = None
        else:
            rows[1]["read"][1] = rows[1]["same"][1] = None
            rows[2]["label"] = None
        write_jsonl(path, rows)
    one, two = browsed(settings)[0]["records"][1:]
    assert one["models"]["tuned"]["replies"][1] is None
    assert one["models"]["tuned"]["states"] == "rr"
    assert two["models"]["tuned"]["states"] == "--"


def test_of_a_question_the_letters_alone_stand_in_the_line(tmp_path):
    label = {"letters": "AC", "explanation": "x"}
    records = [{"id": str(i), "label": label if i else None} for i in range(2)]
    write_jsonl(tmp_path / "data/bank/test.jsonl", records)
    settings = BrowseSettings(
        title="",
        folder=tmp_path,
        extracts={"bank": {"kind": "options", "choices": "options"}},
        asked=[{"dataset": "bank", "split": "test", "models": []}],
    )
    (dataset,) = browsed(settings)
    assert [(r.get("brief"), r["gold"]) for r in dataset["records"]] == [
        (None, None),
        ("AC", "letters: AC, explanation: x"),
    ]


def test_what_is_too_large_for_a_browser_is_thinned_evenly(tmp_path):
    settings = write_study(tmp_path, 90)
    size = sum(path.stat().st_size for path in tmp_path.glob("predictions/*/*/*.jsonl"))
    (dataset,) = browsed(settings, most_bytes=size // 3 + 1)
    assert dataset["every"] == 3
    assert [record["id"] for record in dataset["records"]] == [f"r{i}" for i in range(0, 90, 3)]


def test_answers_of_another_run_are_refused(tmp_path):
    settings = write_study(tmp_path, 3)
    path = tmp_path / "answers/tuned/pairs/test.jsonl"
    write_jsonl(path, list(read_jsonl(path))[:2])
    with pytest.raises(UserError, match="lacks record 'r2'"):
        browsed(settings)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("相同", "相同"),
        ({"answer": {"city": "三亚"}, "valid": True}, "city: 三亚"),
        ({"answer": None, "valid": False}, None),
        ({"letters": "AC", "explanation": "x"}, "letters: AC, explanation: x"),
        (7, "7"),
    ],
)
def test_answers_are_shown_as_people_read_them(value, text):
    assert shown(value) == text


def test_nothing_that_a_record_says_becomes_a_part_of_the_page(tmp_path):
    text = page(tmp_path, 10)
    assert HOSTILE not in text and "<img" not in text
    assert "<title>花呗 &lt;pairs&gt;</title>" in text
    embedded_json = re.search(r'id="data">(.*?)</script>', text)[1]
    prompts = [r["prompt"][1][1] for r in json.loads(embedded_json)["datasets"][0]["records"]]
    assert HOSTILE in prompts[7]
    assert embedded("</script><!--") == '"\\u003c/script>\\u003c!--"'


def test_the_page_asks_no_network(tmp_path):
    text = page(tmp_path, 3)
    outside = re.sub(r'<script type="application/json".*?</script>', "", text)
    assert not re.findall(
        r"""(?:src|href)\s*=\s*["']?(?:https?:)?//|url\(["']?http|@import""", outside
    )


@pytest.mark.slow
def test_the_script_writes_the_page(tmp_path):
    settings = write_study(tmp_path, 3)
    command = [sys.executable, str(ROOT / "scripts/browse_answers.py")]
    command += ["--settings", settings.model_dump_json(), "--out", str(tmp_path / "answers.html")]
    subprocess.run([*command, "--script", str(SCRIPT), "--style", str(STYLE)], check=True)
    assert "第2期怎么还？" in (tmp_path / "answers.html").read_text(encoding="utf-8")


STEPS = """
const found = { first: text("#said"), lines: document.querySelectorAll("tbody tr").length };
found.hostile = document.querySelectorAll("tbody tr")[7].innerText;
set("state", "w");
found.wrong = text("#said");
set("model", "base"); set("state", "u");
found.unparsed = text("#said");
set("state", ""); set("other", "tuned"); set("differ", "loss");
found.loss = text("#said");
set("differ", "gain");
found.gain = text("#said");
set("differ", ""); set("other", ""); set("model", "tuned");
const search = document.querySelector("input[type=search]");
search.value = "第4321期";
search.dispatchEvent(new Event("input", { bubbles: true }));
setTimeout(() => {
  found.searched = text("#said");
  document.querySelector("tbody tr button").click();
  found.opened = text(".details");
  document.querySelector("tbody tr button").click();
  found.closed = document.querySelector(".details") === null;
  search.value = "owned";
  search.dispatchEvent(new Event("input", { bubbles: true }));
  setTimeout(() => {
    document.querySelector("tbody tr button").click();
    found.escaped = text(".details");
    found.images = document.querySelectorAll("img").length;
    done(found);
  }, 1000);
}, 1000);
"""


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_person_filters_searches_and_opens_ten_thousand_records(tmp_path):
    (tmp_path / "answers.html").write_text(page(tmp_path, 10_000), encoding="utf-8")
    found = in_chromium(tmp_path / "answers.html", STEPS, tmp_path)
    assert found["title"] == "花呗 <pairs>"
    assert found["first"].startswith("10,000 of 10,000 records; tuned is right in 9,000")
    assert found["lines"] == 25
    assert HOSTILE in found["hostile"]
    assert found["wrong"].startswith("1,000 of 10,000 records; tuned is right in 0")
    assert found["unparsed"].startswith("7,999 of 10,000 records")
    # tuned is right where base is not: but for every tenth, and of the others every fifth
    assert found["loss"].startswith("8,000 of 10,000 records; base is right in 0")
    assert found["gain"].startswith("1,000 of 10,000 records; base is right in 1,000")
    assert found["searched"].startswith("1 of 10,000 records")
    for words in (
        "你是客服。",
        "第4321期怎么还？",
        "gold answer",
        "想一想",
        "vote 3, read as: 相同",
    ):
        assert words in found["opened"], words
    assert found["closed"]
    assert found["escaped"].count(HOSTILE) >= 4
    assert found["images"] == 0
