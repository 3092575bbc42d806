"""Fetch, clean and split of whole files, as the workflow calls them: counts, time and memory."""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from snaketune.files import read_json, read_jsonl

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the published data are not here")


class Cost(NamedTuple):
    """What a script took: seconds of a core, and the peak of its resident memory in bytes."""

    seconds: float
    peak: int


def run(name: str, *arguments: str | Path) -> Cost:
    """Run a script to its good end."""
    command = [sys.executable, str(SCRIPTS / f"{name}.py"), *map(str, arguments)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    said = process.stderr.read()
    process.stderr.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, said
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def prepare(folder: Path, source: dict, split: str | dict = "given", duplicates="drop") -> Cost:
    """Fetch, clean and split into `folder`: the sum of their seconds, the highest peak."""
    folder.mkdir(exist_ok=True)
    raw, facts, clean, counts = (folder / n for n in ("raw.jsonl", "raw.json", "clean", "counts"))
    settings = json.dumps({"source": source, "dataset": "mine"})
    outputs = [(f"--{name}", folder / name) for name in ("train", "validation", "test", "quality")]
    costs = [
        run("fetch", "--settings", settings, "--out", raw, "--facts", facts),
        run(
            *("clean", "--settings", json.dumps({"duplicates": duplicates})),
            *("--raw", raw, "--out", clean, "--counts", counts),
        ),
        run(
            *("split", "--settings", json.dumps({"split": split}), "--clean", clean),
            *("--counts", counts, "--facts", facts),
            *(argument for pair in outputs for argument in pair),
        ),
    ]
    return Cost(sum(cost.seconds for cost in costs), max(cost.peak for cost in costs))


def made(path: Path, rows: int, seed: int) -> Path:
    """A TSV of premises of about 20 words, hypotheses of about 10 and three labels in turn."""
    rng = random.Random(seed)
    words = [
        "".join(rng.choices("abcdefghiklmnoprstuvwy", k=rng.randint(2, 9))) for _ in range(999)
    ]
    with path.open("w", encoding="utf-8") as file:
        file.write("index\tpremise\thypothesis\tlabel\n")
        for index in range(rows):
            premise = " ".join(rng.choices(words, k=rng.randint(10, 30)))
            hypothesis = " ".join(rng.choices(words, k=rng.randint(5, 15)))
            file.write(f"{index}\t{premise}\t{hypothesis}\t{index % 3}\n")
    return path


def mnli_like(folder: Path, train: int, test: int) -> dict:
    return {
        "kind": "table",
        "path": {
            "train": str(made(folder / "train.tsv", train, 1)),
            "test": str(made(folder / "test.tsv", test, 2)),
        },
        "fields": ["premise", "hypothesis"],
        "label": "label",
        "labels": {"0": "yes", "1": "maybe", "2": "no"},
        "expect": {"train": train, "test": test},
    }


def sizes(folder: Path) -> dict[str, int]:
    return {
        name: sum(1 for _ in (folder / name).open("rb")) for name in ("train", "validation", "test")
    }


def test_a_table_passes_through_all_three_scripts(tmp_path):
    source = mnli_like(tmp_path, 4500, 500)
    prepare(tmp_path / "out", source)
    assert sizes(tmp_path / "out") == {"train": 4500, "validation": 0, "test": 500}
    first = next(read_jsonl(tmp_path / "out" / "train"))
    assert list(first) == ["id", "fields", "label", "group"]
    assert first["label"] == "yes" and list(first["fields"]) == ["premise", "hypothesis"]
    report = read_json(tmp_path / "out" / "quality")
    facts = report["source"]
    assert facts["rows"] == {"train": 4500, "test": 500}
    assert facts["labels"] == {"maybe": 1667, "no": 1666, "yes": 1667}
    assert list(facts["files"]) == list(source["path"].values())
    assert report["in"] == report["kept"] == 5000 and report["leakage"] == {
        "groups": 0,
        "prompts": 0,
    }


def test_a_file_of_records_may_name_the_splits_or_leave_them_to_shares(tmp_path):
    rows = [
        {"id": f"r{n}", "fields": {"text": f"t{n % 40}"}, "label": "x", "split": "test"}
        for n in range(50)
    ]
    path = tmp_path / "mine.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = {"kind": "file", "path": str(path), "fields": ["text"]}
    prepare(tmp_path / "given", source, duplicates="keep")
    assert sizes(tmp_path / "given") == {"train": 0, "validation": 0, "test": 50}
    assert read_json(tmp_path / "given" / "quality")["duplicates_kept"] == 10
    prepare(tmp_path / "shares", source, {"train": 0.5, "validation": 0.25, "test": 0.25})
    assert sizes(tmp_path / "shares") == {"train": 20, "validation": 10, "test": 10}
    assert not any("split" in row for row in read_jsonl(tmp_path / "shares" / "train"))


@needs_data
@pytest.mark.parametrize(("duplicates", "train"), [("drop", 2488), ("keep", 2490)])
def test_rte_keeps_its_size_or_loses_its_two_duplicates(tmp_path, duplicates, train):
    source = {
        "kind": "table",
        "path": {
            "train": str(DATA / "rte" / "train.tsv"),
            "test": str(DATA / "rte" / "dev.tsv"),
        },
        "fields": {"premise": "sentence1", "hypothesis": "sentence2"},
        "label": "label",
        "labels": {"entailment": "yes", "not_entailment": "no"},
        "expect": {"train": 2490, "test": 277},
    }
    prepare(tmp_path / "out", source, duplicates=duplicates)
    assert sizes(tmp_path / "out") == {"train": train, "validation": 0, "test": 277}
    report = read_json(tmp_path / "out" / "quality")
    assert report["dropped"]["duplicate"] + report["duplicates_kept"] == 2
    assert report["source"]["rows"] == {"train": 2490, "test": 277}


def plain_pass(path: Path) -> float:
    """Seconds of a core to read and write every line as JSON."""
    start = time.process_time()
    with path.open(encoding="utf-8") as file, Path(os.devnull).open("w") as out:
        for line in file:
            out.write(json.dumps(json.loads(line), ensure_ascii=False))
    return time.process_time() - start


@pytest.mark.slow
def test_a_table_as_large_as_mnli_takes_seconds_and_little_memory(tmp_path):
    source = mnli_like(tmp_path, 392_702, 9_815)
    cost = prepare(tmp_path / "out", source)
    assert sizes(tmp_path / "out") == {"train": 392_702, "validation": 0, "test": 9_815}
    # 20 s are promised where a plain pass takes 2 s, as it does on a core of the year 2026
    assert cost.seconds < 10 * plain_pass(tmp_path / "out" / "train")
    assert cost.peak < 1e9
