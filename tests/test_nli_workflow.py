"""The nli study at demo scale: two adapters, their sums, and what is said about them."""

import csv
import json

import pytest
from test_workflow import changed, demo, rows  # noqa: F401  (fixtures)

pytestmark = pytest.mark.slow
RESULTS = "results/demo/nli"
STUDY = "config/studies/nli.yaml"


def read(project, path: str) -> dict:
    return json.loads((project.folder / RESULTS / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["rte", "mnli"])
def test_each_adapter_learns_its_own_dataset(demo, name):  # noqa: F811
    table = rows(demo, "nli")
    tuned, base = (table[model, name, "first_word"] for model in (name, "base"))
    assert float(tuned["accuracy"]) > float(base["accuracy"])
    assert float(tuned["p_vs_base"]) < 0.01
    assert float(tuned["ci_low"]) > float(tuned["majority_class"])
    assert int(tuned["n"]) > 400
