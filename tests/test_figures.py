"""Figures: what is drawn is what the table and the loss files say, on white and by itself."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from snaketune.errors import UserError
from snaketune.figures import accuracy_svg, loss_svg, read_losses
from snaketune.files import write_text
from snaketune.tables import COLUMNS, as_csv

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
TITLE = "Weather & date (天气信息抽取)"
SHARES = {"base": 0.2, "tuned": 0.9}


def _rows(published=None):
    rows = []
    for dataset, n in (("weather", 100), ("empty", 0)):
        for metric in ("valid_json", "exact_match"):
            for model, share in SHARES.items():
                row = dict.fromkeys(COLUMNS, "")
                row |= {"study": "weather", "model": model, "dataset": dataset, "split": "test"}
                row |= {"metric": metric, "n": n, "published": published, "p_vs_base": None}
                row |= {"accuracy": share, "ci_low": share - 0.1, "ci_high": share + 0.05}
                row |= dict.fromkeys(("mean", "sd", "seeds_mean", "seeds_sd", "f1"))
                row["majority_class"] = None if metric == "valid_json" else 0.375
                if not n:
                    row |= dict.fromkeys(("accuracy", "ci_low", "ci_high", "majority_class"))
                rows.append(row)
    return rows


def _marks(svg: str, *words: str) -> list[str]:
    """Descriptions of the marks that have all of these words."""
    labels = [node.get("aria-label") or "" for node in ET.fromstring(svg).iter()]
    return [label for label in labels if all(word in label for word in words)]


def _text(svg: str) -> list[str]:
    return [node.text for node in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def _stands_alone(svg: str) -> bool:
    links = re.findall(r'(?:href|src)="|url\((?!#)|@import|<image', svg)
    background = ET.fromstring(svg).find("{http://www.w3.org/2000/svg}rect")
    return not links and background is not None and background.get("fill") == "white"


def test_accuracies_are_drawn_once_each_with_interval_and_baseline():
    svg = accuracy_svg(_rows(), TITLE)
    assert _stands_alone(svg)
    assert {TITLE, "weather / test (n = 100)", "empty / test (n = 0)"} <= {
        re.sub(r"\s+", " ", text) for text in _text(svg)
    }
    for model, share in SHARES.items():
        for metric in ("valid_json", "exact_match"):
            where = (f"metric: {metric}", f"model: {model}")
            assert len(_marks(svg, *where, f"accuracy: {100 * share:g};")) == 1
            low, high = (f"{100 * x:.10g}" for x in (share - 0.1, share + 0.05))
            assert len(_marks(svg, *where, f"ci_low: {low}", f"ci_high: {high}")) == 1
        assert _text(svg).count(f"{100 * share:.1f}") == 2
    assert len(_marks(svg, "majority_class: 37.5")) == 1
    assert not _marks(svg, "published:")
    assert not any("published" in text for text in _text(svg))


def test_published_numbers_are_drawn_where_there_are_any():
    svg = accuracy_svg(_rows(published=0.75), TITLE)
    assert len(_marks(svg, "published: 75")) == 8
    assert any("black tick: published" in text for text in _text(svg))


def test_a_model_keeps_its_colour_where_another_is_missing():
    rows = [{**r, "dataset": d} for d in ("one", "two") for r in _rows() if r["n"]]
    rows = [r for r in rows if (r["dataset"], r["model"]) != ("two", "base")]
    svg = ET.fromstring(accuracy_svg(rows, TITLE))
    points = [n for n in svg.iter() if n.get("aria-roledescription") == "point"]
    fills = [n.get("fill") for n in points if "model: tuned" in n.get("aria-label")]
    assert fills == ["#D55E00"] * 4


def _readings(models, dataset="rte", names=("accuracy", "as_published")):
    row = {**_rows(published=None)[0], "dataset": dataset, "majority_class": 0.5}
    return [
        {**row, "metric": name, "model": model, "published": 0.8 if i else None}
        for i, name in enumerate(names)
        for model in models
    ]


def test_of_labels_a_line_is_a_model_and_the_readings_differ_in_colour():
    models = [f"model_{i}" for i in range(12)]
    svg = accuracy_svg(_readings(models), TITLE)
    assert set(models) | {"accuracy", "as_published"} <= set(_text(svg))
    points = [n for n in ET.fromstring(svg).iter() if n.get("aria-roledescription") == "point"]
    assert len(points) == 24
    fills = {n.get("aria-label").split("metric: ")[1]: n.get("fill") for n in points}
    assert fills == {"accuracy": "#0072B2", "as_published": "#D55E00"}
    assert len(_marks(svg, "published: 80")) == 12


def test_a_line_is_as_high_as_its_own_readings():
    one = accuracy_svg(_readings(["base"], names=["accuracy"]), TITLE)
    both = accuracy_svg(
        _readings(["base"], names=["accuracy"]) + _readings(["base"], "mnli", "abcdefg"), TITLE
    )
    places = [
        node.get("transform")
        for svg in (one, both)
        for node in ET.fromstring(svg).iter()
        if node.get("aria-roledescription") == "point"
    ]
    assert places[0] == places[1]


def test_json_and_labels_in_one_figure_have_legends_of_their_own():
    svg = accuracy_svg([*_rows(), *_readings(["tuned"])], TITLE)
    assert {"base", "tuned", "accuracy", "as_published"} <= set(_text(svg))
    points = [n for n in ET.fromstring(svg).iter() if n.get("aria-roledescription") == "point"]
    fills = {n.get("aria-label").split("; ", 1)[1]: n.get("fill") for n in points}
    assert fills["metric: exact_match; model: tuned"] == "#D55E00"
    assert fills["model: tuned; metric: accuracy"] == "#0072B2"
    assert len(points) == 4 + 2


def _loss_file(path: Path, losses) -> Path:
    lines = ["step,epoch,loss,eval_loss,learning_rate,grad_norm"]
    lines += [f"{step},0.1,{loss},{held},0.001,1" for step, loss, held in losses]
    write_text(path, "\n".join(lines) + "\n")
    return path


def test_losses_are_drawn_a_panel_an_adapter_to_one_scale(tmp_path):
    files = {
        "lora": _loss_file(tmp_path / "a.csv", [(10, 2.5, ""), (20, 0.5, ""), (20, "", 0.75)]),
        "qlora": _loss_file(tmp_path / "b.csv", [(10, 0.25, "")]),
    }
    svg = loss_svg(files, TITLE)
    assert _stands_alone(svg)
    assert {TITLE, "lora", "qlora", "training", "validation"} <= set(_text(svg))
    assert _text(svg).count("2.5") == 2
    assert len(_marks(svg, "optimizer step: 20", "0.75", "kind: validation")) >= 1


def test_losses_far_apart_are_drawn_on_a_logarithmic_scale(tmp_path):
    svg = loss_svg({"a": _loss_file(tmp_path / "a.csv", [(1, 6.5, ""), (9, 0.02, "")])}, TITLE)
    assert any(text.endswith("; logarithmic") for text in _text(svg))
    assert {"0.03", "0.1", "0.3", "1", "3"} <= set(_text(svg))
    svg = loss_svg({"a": _loss_file(tmp_path / "b.csv", [(1, 6.5, ""), (9, 0, "")])}, TITLE)
    assert not any("logarithmic" in text for text in _text(svg))


def test_losses_are_read_with_their_gaps(tmp_path):
    path = _loss_file(tmp_path / "a.csv", [(10, 2.5, ""), (20, 0.5, 0.75)])
    assert read_losses(path) == [
        {"step": 10, "kind": "training", "loss": 2.5},
        {"step": 20, "kind": "training", "loss": 0.5},
        {"step": 20, "kind": "validation", "loss": 0.75},
    ]


def test_a_file_that_holds_no_losses_is_refused(tmp_path):
    write_text(tmp_path / "a.csv", "a,b\n1,2\n")
    with pytest.raises(UserError, match=r"a\.csv: the columns step, loss and eval_loss"):
        read_losses(tmp_path / "a.csv")


@pytest.mark.slow
def test_scripts_draw_the_same_bytes_as_any_other_time(tmp_path):
    counts = dict.fromkeys(("correct", "unparsed", "errors", "responses_per_record"), 0)
    rows = [row | counts for row in _rows()]
    write_text(tmp_path / "accuracy.csv", as_csv(rows))
    losses = {"lora": _loss_file(tmp_path / "loss.csv", [(10, 2.5, "")])}
    settings = json.dumps({"title": TITLE})
    for script, source, again in (
        ("draw_accuracy", ["--table", str(tmp_path / "accuracy.csv")], accuracy_svg(rows, TITLE)),
        ("draw_loss", ["--loss", f"lora={losses['lora']}"], loss_svg(losses, TITLE)),
    ):
        out = tmp_path / f"{script}.svg"
        command = [sys.executable, str(SCRIPTS / f"{script}.py"), "--settings", settings]
        subprocess.run([*command, *source, "--out", str(out)], check=True)
        assert out.read_text(encoding="utf-8") == again
