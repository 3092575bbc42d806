"""Datasets of a hub: pinned to a commit, read by `datasets` from a local hub, faults explained."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_server import COMMIT, TOKEN, Hub, hub_with

from snaketune.files import read_json, read_jsonl

pytestmark = pytest.mark.slow

FETCH = Path(__file__).resolve().parents[1] / "scripts" / "fetch.py"
CARD = """---
dataset_info:
- config_name: rte
  features:
  - {name: sentence1, dtype: string}
  - {name: sentence2, dtype: string}
  - name: label
    dtype:
      class_label:
        names: {'0': entailment, '1': not_entailment}
  - {name: idx, dtype: int32}
configs:
- config_name: rte
  data_files:
  - {split: train, path: rte/train-*}
  - {split: validation, path: rte/validation-*}
  - {split: test, path: rte/test-*}
- config_name: scores
  data_files:
  - {split: train, path: scores/*}
---
"""
RTE = {
    "kind": "hub",
    "id": "owner/data",
    "config": "rte",
    "fields": {"premise": "sentence1", "hypothesis": "sentence2"},
    "label": "label",
    "labels": {"0": "yes", "1": "no"},
    "splits": {"train": "train", "test": "validation"},
}


def parquet(**columns: list) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def rte(*labels: int) -> bytes:
    """As GLUE has it: two sentences, a class label as int64, an index as int32."""
    numbers = range(len(labels))
    return parquet(
        sentence1=[f"premise {n}" for n in numbers],
        sentence2=[f"hypothesis {n}" for n in numbers],
        label=pa.array(labels, pa.int64()),
        idx=pa.array(numbers, pa.int32()),
    )


@pytest.fixture
def hub() -> Iterator[Hub]:
    files = {
        "README.md": CARD.encode(),
        "rte/train-00000-of-00001.parquet": rte(0, 1, 1),
        "rte/validation-00000-of-00001.parquet": rte(1, 0),
        "rte/test-00000-of-00001.parquet": rte(-1, -1),
        "scores/rows.parquet": parquet(text=["a"], score=[0.5], good=[True]),
    }
    with hub_with(files) as running:
        yield running


def fetch(tmp_path: Path, hub: Hub, source: dict, **more: str) -> subprocess.CompletedProcess:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    environment |= {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home"), **more}
    settings = json.dumps({"source": {**RTE, **source}, "dataset": "rte"})
    outputs = ("--out", tmp_path / "raw.jsonl", "--facts", tmp_path / "raw.json")
    command = [sys.executable, FETCH, "--settings", settings, *outputs]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def test_splits_are_read_at_a_commit_that_is_recorded(tmp_path, hub):
    done = fetch(tmp_path, hub, {"expect": {"train": 3, "test": 2, "all": 5}})
    assert done.returncode == 0, done.stderr
    assert read_json(tmp_path / "raw.json") == {
        **{"kind": "hub", "id": "owner/data", "config": "rte", "revision": COMMIT},
        "rows": {"train": 3, "test": 2},
        "labels": {"no": 3, "yes": 2},
    }
    rows = list(read_jsonl(tmp_path / "raw.jsonl"))
    assert [row["split"] for row in rows] == ["train"] * 3 + ["test"] * 2
    assert rows[0]["fields"] == {"premise": "premise 0", "hypothesis": "hypothesis 0"}
    assert [row["label"] for row in rows] == ["yes", "no", "no", "no", "yes"]
    assert len({row["id"] for row in rows}) == 5
    assert not any("main" in path for _, path in hub.asked), "the branch may move meanwhile"
    assert not any("scores/rows" in path for _, path in hub.asked), "another configuration's file"


def test_a_split_may_be_a_part_of_the_hubs(tmp_path, hub):
    splits = {"train": "train[1:]", "validation": "train[:1]", "test": "validation"}
    done = fetch(tmp_path, hub, {"splits": splits})
    assert done.returncode == 0, done.stderr
    rows = list(read_jsonl(tmp_path / "raw.jsonl"))
    assert [row["split"] for row in rows] == ["train"] * 2 + ["validation"] + ["test"] * 2
    assert rows[2]["fields"]["premise"] == "premise 0"


def test_what_was_downloaded_is_not_fetched_again(tmp_path, hub):
    assert fetch(tmp_path, hub, {}).returncode == 0
    first = (tmp_path / "raw.jsonl").read_bytes()
    hub.asked.clear()
    assert fetch(tmp_path, hub, {"revision": COMMIT}).returncode == 0
    assert not [path for method, path in hub.asked if method == "GET" and "parquet" in path]
    assert (tmp_path / "raw.jsonl").read_bytes() == first


def test_record_ids_of_a_column_bear_the_split(tmp_path, hub):
    assert fetch(tmp_path, hub, {"record_id": "idx", "label": None, "labels": {}}).returncode == 0
    names = [row["id"] for row in read_jsonl(tmp_path / "raw.jsonl")]
    assert names == ["train-0", "train-1", "train-2", "test-0", "test-1"]


def test_rows_of_another_configuration_and_numbers_as_fields(tmp_path, hub):
    source = {"config": "scores", "fields": ["text", "score"], "label": None, "labels": {}}
    done = fetch(tmp_path, hub, {**source, "splits": {"test": "train"}})
    assert done.returncode == 0, done.stderr
    (row,) = read_jsonl(tmp_path / "raw.jsonl")
    assert row["fields"] == {"text": "a", "score": "0.5"} and row["label"] is None


def test_hidden_labels_are_an_error_unless_they_are_mapped(tmp_path, hub):
    hidden = {"splits": {"test": "test"}}
    done = fetch(tmp_path, hub, hidden)
    assert "row 1, column 'label': '-1' is not a label that the map knows" in done.stderr
    done = fetch(tmp_path, hub, {**hidden, "labels": {}})
    assert "row 1, column 'label': -1 says that the label is hidden" in done.stderr
    done = fetch(tmp_path, hub, {**hidden, "labels": {0: "yes", 1: "no", -1: None}})
    assert done.returncode == 0, done.stderr
    assert [row["label"] for row in read_jsonl(tmp_path / "raw.jsonl")] == [None, None]


REFUSED = {
    "no such dataset": ({"id": "owner/nothing"}, "owner/nothing is not found at the hub"),
    "no such revision": ({"revision": "v9"}, "owner/data has no revision 'v9'"),
    "no id": ({"id": "a/b/c"}, "a/b/c is no hub id"),
    "no such configuration": ({"config": "rtee"}, "'rtee' not found. Available: ['rte', 'scores']"),
    "no configuration chosen": ({"config": None}, "has several; choose one of rte, scores"),
    "no such split": ({"splits": {"test": "dev"}}, "has no split 'dev'. Known: test, train, val"),
    "no such part": ({"splits": {"test": "train[5"}}, "'train[5' is no part of a split"),
    "no such column": ({"label": "labels"}, "split train: no column 'labels', which datasets.rte"),
    "another number": ({"expect": {"test": 277}}, "expect.test: 277 rows are expected, but there"),
    "a truth for a text": (
        {
            **{"config": "scores", "fields": ["good"], "label": None, "labels": {}},
            "splits": {"train": "train"},
        },
        "split train, row 1, column 'good': a text or a number is expected, not true or false",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_had_is_one_line(tmp_path, hub, kind):
    source, message = REFUSED[kind]
    done = fetch(tmp_path, hub, source)
    assert done.returncode == 1 and message in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "raw.jsonl").exists() and not (tmp_path / "raw.json").exists()


def test_a_broken_file_and_a_repository_without_data_are_one_line(tmp_path, hub):
    hub.files["rte/train-00000-of-00001.parquet"] = b"PAR1 cut off"
    done = fetch(tmp_path, hub, {})
    assert done.returncode == 1 and "cannot be read (" in done.stderr
    assert "Traceback" not in done.stderr
    hub.files = {"README.md": b"# nothing\n", "data.py": b"import this"}
    done = fetch(tmp_path, hub, {})
    assert done.returncode == 1 and "choose a repository of plain data files" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_gated_dataset_opens_with_a_token_that_is_never_shown(tmp_path, hub):
    done = fetch(tmp_path, hub, {"id": "owner/gated"})
    assert done.returncode == 1 and "owner/gated is gated" in done.stderr, done.stderr
    assert "HF_TOKEN" in done.stderr and "Traceback" not in done.stderr
    opened = fetch(tmp_path, hub, {"id": "owner/gated"}, HF_TOKEN=TOKEN)
    assert opened.returncode == 0, opened.stderr
    assert TOKEN not in opened.stderr + (tmp_path / "raw.json").read_text()


def test_a_hub_that_is_down_or_away_may_be_asked_later(tmp_path, hub):
    hub.status = 503
    down = fetch(tmp_path, hub, {})
    assert "answered 503" in down.stderr
    gone = fetch(tmp_path, hub, {}, HF_ENDPOINT="http://user:secret@127.0.0.1:9")
    assert "cannot be reached" in gone.stderr and "secret" not in gone.stderr
    offline = fetch(tmp_path, hub, {}, HF_HUB_OFFLINE="1")
    for done in (down, gone, offline):
        assert done.returncode == 75, done.stderr
        assert "kind: table" in done.stderr and "Traceback" not in done.stderr
