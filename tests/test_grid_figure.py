"""The picture of a grid: every sum is drawn once a dataset, with interval, baseline and ends."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from snaketune.config.study import grid_points
from snaketune.config.tuning import Grid, Model
from snaketune.errors import UserError
from snaketune.files import write_text
from snaketune.grids import GridSettings, grid_svg
from snaketune.tables import COLUMNS, COUNTS, SHARES, as_csv

SCRIPT = Path(__file__).resolve().parents[1] / "scripts/draw_grid.py"
MODELS = {"tuned": Model(adapter="rte", merge=False)}
"""The start alone is a model of the study, the end alone is one of the grid's."""
MAJORITY = {"rte": 0.527, "mnli": 0.354}


def settings(**grid) -> GridSettings:
    """Settings as a rule makes them of a grid in the config."""
    points = grid_points("way", Grid(start="rte", end="mnli", **grid), MODELS)
    return GridSettings(
        title="NLI & more",
        grid="way",
        start="rte",
        end="mnli",
        points=[{"method": p.method, "weight": p.weight, "model": p.model} for p in points],
        metrics=dict.fromkeys(MAJORITY, "first_word"),
    )


def table(made: GridSettings) -> list[dict]:
    """An accuracy table with the grid's models, the base and a second metric beside."""
    rows = []
    models = [(point.model, point.weight) for point in made.points] + [("base", 0.0)]
    for dataset, majority in MAJORITY.items():
        for metric in ("first_word", "other"):
            for model, weight in dict(models).items():
                share = 0.6 + (0.2 if dataset == "mnli" else -0.1) * weight
                row = dict.fromkeys(COLUMNS, "")
                row |= dict.fromkeys(SHARES) | dict.fromkeys(COUNTS, 0)
                row |= {"study": "nli", "model": model, "dataset": dataset, "split": "test"}
                row |= {"metric": metric, "n": 1277}
                row |= {"accuracy": share, "ci_low": share - 0.04, "ci_high": share + 0.03}
                rows.append(row | {"majority_class": majority})
    return rows


def marks(svg: str, *words: str) -> list[str]:
    """Descriptions of the marks that have all of these words."""
    labels = [node.get("aria-label") or "" for node in ET.fromstring(svg).iter()]
    return [label for label in labels if all(word in label for word in words)]


def text(svg: str) -> list[str]:
    """All texts of a picture, with its spaces as plain ones."""
    nodes = ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
    return [re.sub(r"\s+", " ", "".join(node.itertext())) for node in nodes]


def test_every_weight_is_drawn_with_its_interval():
    made = settings()
    svg = grid_svg(table(made), made)
    for dataset, change in (("rte", -10), ("mnli", 20)):
        where = f"series: {dataset} / test (n = 1,277)"
        for weight in (0, 0.25, 0.5, 0.75, 1):
            accuracy = 60 + change * weight
            assert len(marks(svg, where, f"; accuracy: {accuracy:g};", "model: ")) == 1
            low, high = f"ci_low: {accuracy - 4:g};", f"ci_high: {accuracy + 3:g};"
            assert len(marks(svg, f"{where}", low, high)) == 1, (weight, low)
    assert len(marks(svg, "majority_class: 52.7")) == len(marks(svg, "majority_class: 35.4")) == 1
    assert not marks(svg, "model: base")


def test_the_ends_say_which_adapter_is_alone():
    made = settings()
    found = text(grid_svg(table(made), made))
    assert {"NLI & more", "weight of mnli; rte has the rest", "accuracy in percent"} <= set(found)
    assert {"rte / test (n = 1,277)", "mnli / test (n = 1,277)"} <= set(found)
    assert any("rte alone" in words for words in found)
    assert any("mnli alone" in words for words in found)
    assert any("by cat" in words for words in found) and "cat" not in found


def test_methods_have_shapes_and_share_their_ends():
    made = settings(methods=["cat", "linear"], weights=[0, 0.5, 1])
    svg = grid_svg(table(made), made)
    assert {"cat", "linear"} <= set(text(svg))
    for model in ("tuned", "way.1"):
        assert len(marks(svg, f"model: {model}", "rte / test")) == 1
    for method in ("cat", "linear"):
        assert len(marks(svg, f"model: way.{method}.0.5", f"method: {method}")) == 2


def test_nothing_is_invented_where_a_model_was_not_asked():
    made = settings()
    rows = [row for row in table(made) if (row["dataset"], row["model"]) != ("rte", "way.1")]
    svg = grid_svg(rows, made)
    assert len(marks(svg, "model: way.1")) == 1
    with pytest.raises(UserError, match=r"grids\.way: the table has no accuracy of its models"):
        grid_svg([row for row in rows if row["model"] == "base"], made)


def test_a_metric_without_a_majority_has_no_line():
    made = settings()
    rows = [row | {"majority_class": None} for row in table(made)]
    svg = grid_svg(rows, made)
    assert not marks(svg, "majority_class") and len(marks(svg, "model: ")) == 10


def test_the_script_draws_the_same_bytes_as_any_other_time(tmp_path):
    made = settings(methods=["cat", "ties"])
    write_text(tmp_path / "accuracy.csv", as_csv(table(made)))
    command = [sys.executable, str(SCRIPT), "--table", str(tmp_path / "accuracy.csv")]
    command += ["--out", str(tmp_path / "grid.svg"), "--settings", json.dumps(made.model_dump())]
    subprocess.run(command, check=True)
    assert (tmp_path / "grid.svg").read_text(encoding="utf-8") == grid_svg(table(made), made)
