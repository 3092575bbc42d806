"""The accuracy table: its rows and their order, its three forms, and what the terminal shows."""

import csv
import html.parser
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from snaketune.claims import claims
from snaketune.combined import combined
from snaketune.comparisons import as_csv as comparisons_csv
from snaketune.comparisons import matrices
from snaketune.config.study import Published
from snaketune.errors import UserError
from snaketune.files import write_json, write_text
from snaketune.pages import as_html, as_markdown
from snaketune.showing import aligned, summary, width
from snaketune.tables import (
    COLUMNS,
    Block,
    TableSettings,
    as_csv,
    gather,
    headline,
    p_value,
    read_table,
    sections,
)

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
METRICS = ("valid_json", "field_match:city", "exact_match", "exact_match_normalised")


def _settings(**over):
    return TableSettings.model_validate(
        {
            "study": "weather",
            "title": "Weather <天气> | *x*",
            "models": ["base", "tuned", "tuned_qlora"],
            "baseline": "base",
            "scale": "demo",
            "run": "demo",
            "note": "Says nothing about the papers' models & numbers.",
            **over,
        }
    )


def _score(
    folder: Path, model: str, dataset="weather", correct=90, p=1e-9, n=100, mean=None
) -> Path:
    line = {
        "n": n,
        "correct": correct,
        "unparsed": 3,
        "errors": 1,
        "accuracy": correct / n if n else None,
        "ci_low": 0.8254439,
        "ci_high": 0.9447,
        "mean": mean,
        "sd": None if mean is None else 0.0123,
        "f1": None,
        "majority_class": 1 / 3,
        "p_vs_base": None if model == "base" else p,
    }
    made = {
        "study": "weather",
        "model": model,
        "dataset": dataset,
        "split": "test",
        "responses_per_record": 1,
        "recipe_hash": "" if model == "base" else "0123456789ab",
        "without_gold": 0,
        "metrics": [{"metric": metric, **line} for metric in METRICS],
    }
    path = folder / model / dataset / "test.json"
    write_json(path, made)
    return path


@pytest.fixture
def scores(tmp_path):
    return [
        _score(tmp_path, "tuned_qlora", correct=19, p=0.002),
        _score(tmp_path, "tuned"),
        _score(tmp_path, "base", correct=20),
        _score(tmp_path, "base", "handwritten", n=0, correct=0),
        _score(tmp_path, "tuned", "handwritten", p=0.02),
    ]


def test_rows_come_by_dataset_metric_and_model(scores):
    rows = gather(_settings(), scores)
    assert [(r["dataset"], r["metric"], r["model"]) for r in rows] == [
        *((("weather", m, model)) for m in METRICS for model in ("base", "tuned", "tuned_qlora")),
        *((("handwritten", m, model)) for m in METRICS for model in ("base", "tuned")),
    ]


def test_csv_is_read_back_as_it_was(scores, tmp_path):
    rows = gather(_settings(), scores)
    write_text(tmp_path / "a.csv", as_csv(rows))
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        raw = list(csv.DictReader(file))
    assert tuple(raw[0]) == COLUMNS
    assert raw[0]["majority_class"] == "0.333333"
    assert raw[0]["p_vs_base"] == raw[0]["published"] == raw[0]["recipe_hash"] == ""
    assert raw[1]["p_vs_base"] == "1e-09"  # not rounded to nothing
    back = read_table(tmp_path / "a.csv")
    assert [r["accuracy"] for r in back] == [r["accuracy"] for r in rows]
    assert [r["n"] for r in back] == [r["n"] for r in rows]


def test_published_numbers_stand_beside_their_metric(scores, caplog):
    numbers = [
        {"model": "tuned", "dataset": "weather", "metric": "valid_json", "value": 0.75},
        {"model": "tuned", "dataset": "weather", "metric": "f1", "value": 0.5},
    ]
    rows = gather(_settings(published=numbers), scores)
    found = {(r["model"], r["dataset"], r["metric"]): r["published"] for r in rows}
    assert found.pop(("tuned", "weather", "valid_json")) == 0.75
    assert set(found.values()) == {None}
    assert "nothing was measured to set beside tuned on weather, f1" in caplog.text


def test_only_a_model_clearly_better_than_the_baseline_is_marked(scores):
    rows = gather(_settings(), scores)
    first, second = sections(rows, "base")
    assert {r["model"] for r in first["rows"] if r["beats"]} == {"tuned"}
    assert not any(r["beats"] for r in second["rows"])
    tuned = next(r for r in first["rows"] if r["model"] == "tuned")
    assert tuned["accuracy"] == "90.0 [82.5, 94.5]"
    assert second["rows"][0]["accuracy"] == "–"


class _Page(html.parser.HTMLParser):
    """Collects tags, attributes and text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


def test_page_needs_nothing_besides_itself_and_escapes_its_text(scores):
    settings = _settings()
    page = as_html(settings, sections(gather(settings, scores), "base"))
    seen = _Page(page)
    assert {"link", "script", "img", "iframe"}.isdisjoint(seen.tags)
    assert {"src", "href"}.isdisjoint(name for name, _ in seen.attributes)
    assert not re.search(r"https?:|url\(|@import", page)
    assert "prefers-color-scheme: dark" in page
    assert "<天气>" not in page
    for words in ("Weather <天气> | *x*", settings.note, "scale “demo”", "▲ 90.0 [82.5, 94.5]"):
        assert words in seen.text
    assert seen.tags.count("table") == 2
    assert seen.tags.count("tr") == 2 + 4 * 3 + 4 * 2
    assert not as_html(_settings(note=""), []).count('class="note"')


def test_markdown_keeps_its_columns_and_escapes_its_text(scores):
    settings = _settings()
    text = as_markdown(settings, sections(gather(settings, scores), "base"))
    assert text.startswith("# Weather \\<天气\\> \\| \\*x\\*\n")
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(lines) == 2 * 2 + 4 * 3 + 4 * 2
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {10}
    assert "| valid_json | tuned | ▲ 90.0 [82.5, 94.5] | 100 | 90 | 3 | 1 | 33.3 |" in text


def test_mean_and_spread_have_a_column_only_where_there_are_several_responses(tmp_path, scores):
    several = sections(gather(_settings(), [_score(tmp_path / "k", "tuned", mean=0.877)]), "base")
    one = sections(gather(_settings(), scores), "base")
    for text in (as_markdown(_settings(), several), as_html(_settings(), several)):
        assert "mean ± sd %" in text
        assert "87.7 ± 1.2" in text
        assert "sample standard deviation" in text
    for text in (as_markdown(_settings(), one), as_html(_settings(), one)):
        assert "±" not in text


def _comparison(model, other, difference, p, dataset="rte", metric="accuracy", n=200):
    return {
        "study": "nli",
        "dataset": dataset,
        "split": "test",
        "metric": metric,
        "model": model,
        "other": other,
        "n": n,
        "model_accuracy": 0.5 + difference,
        "other_accuracy": 0.5,
        "only_model": 3,
        "only_other": 1,
        "difference": difference,
        "p": p,
    }


def test_more_than_two_models_make_a_matrix_of_the_first_metric():
    pairs = [("b", "a", 0.1, 1e-9), ("c", "a", 0.2, 0.02), ("c", "b", 0.1, 0.0099)]
    rows = [_comparison(*pair) for pair in pairs]
    rows += [_comparison(*pair, metric="as_published") for pair in pairs]
    rows += [_comparison("b", "a", 0.1, 0.5, dataset="two")]
    rows += [_comparison(*pair, dataset="mnli", n=9815) for pair in pairs]
    first, second = matrices(rows)
    assert first.title == "rte / test: models compared by accuracy, n = 200"
    assert first.head == ["", "model", "1", "2", "3"]
    assert first.rows == [
        ["1", "a", "50.0", "< 0.0001 •", "0.02"],
        ["2", "b", "+10.0", "60.0", "0.0099 •"],
        ["3", "c", "+20.0", "+10.0", "60.0"],
    ]
    assert "p < 0.01" in first.text and not second.text
    assert second.title.endswith("n = 9,815")
    assert matrices([]) == []


def test_combined_models_are_told_in_the_order_of_the_study():
    facts = {"weights": {"rte": 0.5, "mnli": 0.25}, "rank": 16, "recipe_hash": "0"}
    facts |= {"relative_distance": 3e-8, "cosine": 1.0}
    found = [
        {**facts, "model": "c", "method": "svd", "relative_distance": None, "cosine": None},
        {**facts, "model": "b", "method": "linear", "relative_distance": 0.61543, "cosine": 0.79},
        {**facts, "model": "a", "method": "cat"},
    ]
    (block,) = combined(found, ["base", "a", "b", "c"])
    assert block.rows == [
        ["a", "cat", "rte 0.5, mnli 0.25", "16", "< 0.00001", "1.0000"],
        ["b", "linear", "rte 0.5, mnli 0.25", "16", "0.615", "0.7900"],
        ["c", "svd", "rte 0.5, mnli 0.25", "16", "–", "–"],
    ]
    assert "cross terms" in block.text
    assert combined([], ["base"]) == []


def _published(dataset, n, **values):
    made = {"dataset": dataset, "metric": "as_published", "n": n}
    return [Published.model_validate({**made, "model": m, "value": v}) for m, v in values.items()]


def test_published_numbers_say_which_differences_are_noise():
    rte = _published("rte", 277, base=0.799, rte=0.855, mnli=0.845, merge=0.855)
    mnli = _published("mnli", 9815, base=0.643, rte=0.782, mnli=0.861, merge=0.836)
    first, second = claims([*rte, *mnli, *_published("rte", None, other=0.9)])
    assert first.title == "What the published numbers say: rte, as_published, n = 277"
    # Quirk N4; 64.3 begins at 63.35, which it rounds up.
    assert [row[2] for row in first.rows] == [
        "79.9 [74.8, 84.2]", "85.5 [80.9, 89.2]", "84.5 [79.8, 88.3]", "85.5 [80.9, 89.2]",
    ]  # fmt: skip
    assert [row[2] for row in second.rows] == [
        "64.3 [63.3, 65.2]", "78.2 [77.4, 79.0]", "86.1 [85.4, 86.8]", "83.6 [82.9, 84.3]",
    ]  # fmt: skip
    assert first.items == [
        "Inside the noise unless paired answers say otherwise: rte 85.5 and base 79.9 are 16 "
        "records apart (p = 0.081; paired, p could be below 0.0001).",
        "Inside the noise unless paired answers say otherwise: merge 85.5 and base 79.9 are 16 "
        "records apart (p = 0.081; paired, p could be below 0.0001).",
        "Inside the noise unless paired answers say otherwise: mnli 84.5 and base 79.9 are 13 "
        "records apart (p = 0.16; paired, p could be as low as 0.00024).",
        "Inside the noise of n = 277: rte 85.5 and merge 85.5 are 0 records apart (p = 1).",
        "Inside the noise of n = 277: rte 85.5 and mnli 84.5 are 3 records apart (p = 0.74; even "
        "paired, p could not fall below 0.25).",
        "Inside the noise of n = 277: merge 85.5 and mnli 84.5 are 3 records apart (p = 0.74; "
        "even paired, p could not fall below 0.25).",
    ]
    assert len(second.items) == 6
    assert all(text.startswith("Outside the noise: ") for text in second.items)
    assert "mnli 86.1 and merge 83.6 are 245 records apart (p < 0.0001)." in second.items[0]


def test_blocks_stand_below_the_table_in_both_forms():
    blocks = [Block("One <b>", "Read *so*.", ["model", "n", "p"], [["a_b", "7", "< 0.1"]], ["x|y"])]
    text = as_markdown(_settings(), [], [*blocks, Block("Two", "", ["model", "n"], [], [])])
    assert text.endswith(
        "## One \\<b\\>\n\nRead \\*so\\*.\n\n| model | n | p |\n| :-- | :-- | --: |\n"
        "| a_b | 7 | < 0.1 |\n\n- x\\|y\n\n## Two\n\n| model | n |\n| :-- | :-- |\n"
    )
    seen = _Page(as_html(_settings(), [], blocks))
    assert (seen.tags.count("table"), seen.tags.count("li"), seen.tags.count("b")) == (1, 1, 0)
    assert all(words in seen.text for words in ("One <b>", "Read *so*.", "< 0.1", "x|y"))


def test_a_terminal_shows_few_metrics_and_few_models(tmp_path):
    assert headline(["valid_json", "field_match:x", "exact_match", "field_match_normalised:x"]) == [
        "valid_json", "field_match:x", "exact_match",
    ]  # fmt: skip
    assert headline(["accuracy", "maybe_is_no"]) == ["accuracy"]
    models = [f"model_{i}" for i in range(30)]
    paths = [_score(tmp_path, model) for model in models]
    settings = _settings(models=models, baseline="model_0")
    write_text(tmp_path / "run/weather/accuracy.csv", as_csv(gather(settings, paths)))
    lines = summary(tmp_path / "run").splitlines()
    assert lines[-3].split()[0] == "model_10"
    assert lines[-2].strip() == "and 19 more models, see the table"


@pytest.mark.parametrize(
    ("p", "text"),
    [(None, "–"), (1.0, "1"), (0.0214, "0.021"), (0.00012, "0.00012"), (0, "< 0.0001")],
)
def test_p_values(p, text):
    assert p_value(p) == text


def test_scores_of_another_study_are_refused(scores, tmp_path):
    with pytest.raises(UserError, match="weather/base, which is no model of study 'other'"):
        gather(_settings(study="other"), [_score(tmp_path, "base")])


def test_a_table_of_another_kind_is_refused(tmp_path):
    write_text(tmp_path / "a.csv", "a,b\n1,2\n")
    with pytest.raises(UserError, match="not that of an accuracy table"):
        read_table(tmp_path / "a.csv")
    row = dict.fromkeys(COLUMNS, "x")
    write_text(tmp_path / "b.csv", f"{','.join(COLUMNS)}\n{','.join(row.values())}\n")
    with pytest.raises(UserError, match=r"b\.csv, line 2: could not convert"):
        read_table(tmp_path / "b.csv")


def test_terminal_columns_stay_aligned_with_wide_characters():
    assert width("天气a：") == 7
    lines = aligned([["天气", "n"], ["weather", "10"]])
    assert lines == ["天气      n", "weather  10"]


def test_scripts_from_scores_to_the_terminal(scores, tmp_path):
    folder = tmp_path / "demo" / "weather"
    command = [sys.executable, str(SCRIPTS / "tabulate_scores.py"), "--settings"]
    command += [_settings().model_dump_json(), "--scores", *map(str, scores)]
    write_text(tmp_path / "comparisons.csv", comparisons_csv([]))
    command += ["--comparisons", str(tmp_path / "comparisons.csv")]
    for kind, name in (("csv", "csv"), ("markdown", "md"), ("html", "html")):
        command += [f"--{kind}", str(folder / f"accuracy.{name}")]
    subprocess.run(command, check=True)
    write_text(folder / "figures" / "accuracy.svg", "<svg/>")
    for name in ("report.html", "index.html", "weather/answers.html"):
        write_text(tmp_path / "demo" / name, "<html></html>")
    shown = subprocess.run(
        [sys.executable, str(SCRIPTS / "show_results.py"), "--results", str(tmp_path / "demo")],
        check=True,
        capture_output=True,
        encoding="utf-8",
    ).stdout
    lines = [line.split() for line in shown.splitlines()]
    assert lines[0] == ["weather"]
    assert lines[1] == ["weather", "/", "test", "n", *METRICS[:3]]
    assert lines[3] == ["tuned", "100", *(["90.0", "%", "[82.5,", "94.5]"] * 3)]
    assert lines[6] == ["base", "0", "–", "–", "–"]
    pages = ("weather/accuracy.html", "weather/answers.html", "index.html", "report.html")
    for name in (*pages, "weather/figures/accuracy.svg"):
        assert str(tmp_path / "demo" / name) in shown
    assert summary(tmp_path / "demo") == shown.rstrip("\n")


def test_a_run_without_results_says_so(tmp_path):
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "show_results.py"), "--results", str(tmp_path)],
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 1
    assert "Run snakemake first" in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_say_what_is_wrong(tmp_path, scores):
    settings = json.dumps({**json.loads(_settings().model_dump_json()), "titel": "x"})
    command = [sys.executable, str(SCRIPTS / "tabulate_scores.py"), "--settings", settings]
    command += [
        "--scores",
        str(scores[0]),
        "--comparisons",
        "x",
        "--csv",
        "a",
        "--markdown",
        "b",
        "--html",
        "c",
    ]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", cwd=tmp_path)
    assert done.returncode == 1
    assert "did you mean 'title'?" in done.stderr
    assert not list(tmp_path.glob("[abc]"))
