"""The first page of a run and the page of a study: counts, colours, words and links."""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from snaketune.files import write_json, write_text
from snaketune.overview import OverviewSettings, confusions, crossed, flow, trained
from snaketune.overview_page import as_html
from snaketune.summary import SummarySettings, verdict
from snaketune.summary import as_html as summary_html
from snaketune.tables import COLUMNS, as_csv

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
TITLE = "驾考 <bank>"
ASKED = {"bank": ("base", "tuned"), "other": ("tuned",)}
CONFUSION = {
    "yes": {"yes": 30, "no": 10, "unparsed": 0, "error": 0},
    "no": {"yes": 5, "no": 45, "unparsed": 10, "error": 0},
}


def table_row(model, dataset, accuracy, **more):
    spread = {"ci_low": accuracy - 0.05, "ci_high": accuracy + 0.05, "majority_class": 0.6}
    row = dict.fromkeys(COLUMNS) | {"study": "exam", "split": "test", "metric": "first", "n": 100}
    counts = {"correct": round(100 * accuracy), "unparsed": 1, "errors": 0}
    row |= {"responses_per_record": 1, "recipe_hash": ""} | counts
    return row | {"model": model, "dataset": dataset, "accuracy": accuracy} | spread | more


@pytest.fixture
def results(tmp_path) -> Path:
    """The files of a run with the study exam that the pages read."""
    folder = tmp_path / "results/demo"
    write_json(
        folder / "bases/tiny/source.json",
        {"name": "tiny", "source": "tiny", "path": "resources/tiny-base", "sha256": "ab" * 32},
    )
    study = folder / "exam"
    write_json(study / "pages/jkbd/crawl.json", {"pages": 103, "from": "made", "missing": ["9"]})
    parsed = {"questions": 2542, "unread": 1, "repeated": 0}
    write_json(study / "questions/jkbd.json", parsed)
    left = {"read": 2542, "unusable": {"no options": 2}, "left_out_for_picture": 134}
    write_json(study / "raw/bank.json", {"kind": "questions", "questions": {"jkbd": left}})
    write_json(study / "raw/other.json", {"kind": "nli", "rows": {"all": 100}})
    splits = {
        name: {"records": count, "groups": count, "without_gold": 0, "masked": 7}
        for name, count in (("train", 1697), ("validation", 484), ("test", 241))
    }
    splits["train"]["labels"] = {"A": 1200, "B": 497}
    quality = {"in": 3209, "kept": 2422, "dropped": {"duplicate": 781, "conflict": 6}}
    write_json(study / "data/bank/quality.json", quality | {"splits": splits})
    write_json(study / "data/other/quality.json", quality | {"splits": {"test": splits["test"]}})
    reasoned = {"kept": 1690, "rejected": {"too long": 7}, "without_label": 0}
    write_json(study / "cot/bank/train.metrics.json", reasoned)
    made = {"steps": 100, "samples": 1697, "tokens": 123456, "seconds": 17.25, "devices": 2}
    made |= {"tokens_per_second": 7156.9, "mfu": 0.31, "card": "NVIDIA H100", "device": "cuda:0"}
    made |= {"peak_memory_mb": {"ram": 900.0, "gpu": 4096.5}, "trainable_parameters": 204800}
    made |= {"git_commit": "0123abcd", "versions": {"torch": "2.13.0", "trl": "1.16.0"}}
    write_json(study / "adapters/lora/metrics.json", made)
    rows = []
    for dataset, models in ASKED.items():
        for model in models:
            place = f"{model}/{dataset}/test"
            speed = {"records": 241, "generated": 241, "seconds": 12.5, "device": "cpu"}
            speed |= {"tokens_per_second": None, "peak_memory_mb": {"ram": 512.0}}
            write_json(study / f"predictions/{place}.metrics.json", speed)
            line = {"metric": "first", "confusion": CONFUSION}
            score = {"model": model, "dataset": dataset, "split": "test", "metrics": [line]}
            write_json(study / f"scores/{place}.json", score)
            p = None if model == "base" else 0.00001
            accuracy = {"base": 0.4, "tuned": 0.75}[model]
            published = 0.8 if model == "tuned" else None
            row = table_row(model, dataset, accuracy, p_vs_base=p, published=published)
            rows.append(row)
    write_text(study / "accuracy.csv", as_csv(rows))
    return folder


@pytest.fixture
def overview(results) -> OverviewSettings:
    asked = [{"dataset": d, "split": "test", "models": m} for d, m in ASKED.items()]
    bank = {"raw": "bank", "sites": ["jkbd"], "reasoned": ["train"]}
    return OverviewSettings(
        study="exam",
        title=TITLE,
        note="A demonstration.",
        folder=results / "exam",
        datasets={"bank": bank, "other": {"raw": "other"}},
        headlines=dict.fromkeys(ASKED, "first"),
        adapters=["lora"],
        asked=asked,
        scored=asked,
    )


@pytest.fixture
def summary() -> SummarySettings:
    return SummarySettings(
        run="demo",
        scale="demo",
        note="A demonstration.",
        studies=[
            {
                "study": "exam",
                "title": TITLE,
                "baseline": "base",
                "models": ["base", "tuned"],
                "headlines": dict.fromkeys(ASKED, "first"),
                "seeds": {"bank split": [5], "training": [0, 1]},
                "adapters": ["lora"],
                "pages": ["exam/accuracy.html", "exam/figures/way.svg"],
            }
        ],
        bases=["tiny"],
    )


def test_the_flow_counts_records_after_each_step(overview):
    columns = flow(overview.folder, "bank", overview.datasets["bank"])
    counts = [[(step.title, step.count) for step in column] for column in columns]
    assert counts == [
        [("jkbd: pages crawled", 103)],
        [("jkbd: questions read", 2542)],
        [("records", 3209)],
        [("after cleaning", 2422)],
        [("train", 1697), ("validation", 484), ("test", 241)],
    ]
    notes = [note for column in columns for step in column for note in step.notes]
    for words in (
        "missing: 1",
        "unread: 1",
        "jkbd: left out: with a picture: 134",
        "masked: 7",
        "label A: 1,200",
    ):
        assert words in notes
    assert {"dropped: duplicate: 781", "dropped: conflict: 6", "rejected: too long: 7"} <= {*notes}
    assert notes.count("with a teacher's reasoning: 1,690") == 1
    assert not any(note.endswith(": 0") for note in notes)
    assert len(flow(overview.folder, "other", overview.datasets["other"])) == 3


def test_models_cross_datasets_only_where_there_are_several():
    rows = [table_row("base", "bank", 0.4), table_row("tuned", "bank", 0.75)]
    headlines = {"bank": "first", "other": "first"}
    assert crossed(rows, headlines) is None
    rows += [table_row("tuned", "other", 0.5), table_row("tuned", "other", 0.1, metric="second")]
    heat = crossed(rows, headlines)
    assert heat.head == ["bank / test: first", "other / test: first"]
    assert heat.rows == [
        ("base", [("40.0", 0.4), ("–", None)]),
        ("tuned", [("75.0", 0.75), ("50.0", 0.5)]),
    ]


def test_confusions_are_shares_of_the_gold_label():
    metrics = [{"metric": "first", "confusion": CONFUSION}, {"metric": "second", "confusion": {}}]
    score = {"model": "tuned", "dataset": "bank", "split": "test", "metrics": metrics}
    (heat,) = confusions([score], {"bank": "first"})
    assert heat.head == ["yes", "no", "unparsed"]
    assert heat.rows[0] == ("yes", [("30", 0.75), ("10", 0.25), ("0", 0.0)])
    silent = {gold: dict.fromkeys(row, 0) for gold, row in CONFUSION.items()}
    metrics = [{"metric": "first", "confusion": silent}]
    for heat in confusions([score, score | {"metrics": metrics}], {"bank": "first"}):
        assert heat.head == ["yes", "no", "unparsed"]
    many = [score | {"model": f"m{i}"} for i in range(40)]
    assert len(confusions(many, {"bank": "first"})) == 12
    assert confusions([score | {"metrics": [{"metric": "first"}]}], {"bank": "first"}) == []


def test_speed_and_memory_are_shown(overview):
    assert trained(overview.folder, ["lora"]) == [
        [
            *("lora", "2 × NVIDIA H100", "100", "1,697", "123,456", "17.2", "7,157", "31.0"),
            *("900 MB RAM, 4,096 MB GPU", "204,800"),
        ]
    ]


def test_the_page_of_a_study_has_all_parts_and_escapes_text(overview):
    html = as_html(overview)
    assert "<h1>驾考 &lt;bank&gt;</h1>" in html and "A demonstration." in html
    heads = re.findall(r"<h2>(.*?)</h2>", html)
    assert heads == [
        "Where the records went",
        "Every model on every dataset",
        "Which label for which",
        "Training: speed and memory",
        "Answering: speed and memory",
    ]
    assert '<td style="--share: 0.750">75.0</td>' in html
    assert "src=" not in html and "http" not in html


@pytest.mark.parametrize(
    ("accuracy", "more", "words"),
    [
        (0.75, {"p_vs_base": 1e-9}, "better than untuned; above the majority class"),
        (0.30, {"p_vs_base": 1e-9}, "worse than untuned; below the majority class"),
        (0.61, {"p_vs_base": 0.2}, "no clear difference from untuned; not told apart from"),
        (0.75, {"published": 0.8}, "above the majority class; not told apart from the published"),
        (0.75, {"published": 0.9, "majority_class": None}, "below the published number"),
    ],
)
def test_a_verdict_says_what_the_interval_and_the_test_say(accuracy, more, words):
    base = table_row("base", "bank", 0.4)
    assert verdict(table_row("tuned", "bank", accuracy, **more), base).startswith(words)


def test_a_verdict_on_nothing():
    row = table_row("tuned", "bank", 0.5) | dict.fromkeys(("accuracy", "ci_low", "ci_high"))
    assert verdict(row, None) == "nothing to measure: no record has a gold answer"


def test_the_first_page_has_headline_links_and_what_was_run(results, summary):
    html = summary_html(summary, results, datetime(2026, 1, 2, 3, 4, tzinfo=UTC))
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))
    assert "A demonstration." in text and "驾考 &lt;bank&gt;" in text
    assert "bank, first tuned 100 80.0 75.0 [70.0, 80.0] 40.0 60.0 &lt; 0.0001 better than" in text
    assert "other, first tuned 100 80.0 75.0 [70.0, 80.0] – 60.0" in text
    assert '<a href="exam/accuracy.html">accuracy table</a>' in html
    assert '<a href="exam/figures/way.svg">figure: way</a>' in html
    for words in (
        "base tiny resources/tiny-base (tiny), SHA-256 abababababab",
        "trained at commit 0123abcd",
        "versions torch 2.13.0, trl 1.16.0",
        "seeds of exam bank split 5, training 0 1",
        "2026-01-02 03:04",
    ):
        assert words in text, words


def test_a_baseline_alone_is_compared_with_nothing(results, summary):
    write_text(results / "exam/accuracy.csv", as_csv([table_row("base", "bank", 0.4)]))
    html = summary_html(summary, results, datetime(2026, 1, 2, tzinfo=UTC))
    cells = re.findall(r"<td[^>]*>(.*?)</td>", html, flags=re.S)
    assert cells[1:4] == ["base", "100", "40.0 [35.0, 45.0]"]  # and no column of published ones
    assert cells[4:] == ["–", "60.0", "–", "below the majority class"]


def test_a_published_number_in_another_metric_is_named_and_compared(results, summary):
    rows = [table_row("tuned", "bank", accuracy) for accuracy in (0.75, 0.5)]
    rows[1] |= {"metric": "as_published", "published": 0.8}
    write_text(results / "exam/accuracy.csv", as_csv(rows))
    html = summary_html(summary, results, datetime(2026, 1, 2, tzinfo=UTC))
    assert "<td>80.0 (as_published)</td>" in html
    assert "50.0 in as_published, below its published number" in html


def test_models_of_sweeps_stay_out_of_the_headline(results, summary):
    table = results / "exam/accuracy.csv"
    rows = [table_row(f"tuned.r-{i}", "bank", 0.5, p_vs_base=0.5) for i in range(30)]
    rows += [table_row("base", "bank", 0.4), table_row("tuned", "bank", 0.75, p_vs_base=0.001)]
    write_text(table, as_csv(rows))
    html = summary_html(summary, results, datetime(2026, 1, 2, tzinfo=UTC))
    assert html.count('<td class="left">') == 1
    only_swept = summary.model_copy(deep=True)
    only_swept.studies[0].models = []
    html = summary_html(only_swept, results, datetime(2026, 1, 2, tzinfo=UTC))
    assert html.count('<td class="left">') == 8


@pytest.mark.slow
def test_the_scripts_write_the_pages(results, overview, summary):
    for script, settings, more in (
        ("describe_study", overview, []),
        ("summarise", summary, ["--results", str(results)]),
    ):
        out = results / f"{script}.html"
        command = [sys.executable, str(SCRIPTS / f"{script}.py"), "--out", str(out), *more]
        subprocess.run([*command, "--settings", settings.model_dump_json()], check=True)
        assert "A demonstration." in out.read_text(encoding="utf-8")
