"""Splits by numbers of records, and masked numbers in them; the real AFQMC file goes through."""

import json
import random
import re
from pathlib import Path

import pytest
from test_preparing import DATA, needs_data, run, sizes

from snaketune.config.data import Split
from snaketune.errors import UserError
from snaketune.files import read_json, read_jsonl, write_json, write_jsonl
from snaketune.records import SPLITS
from snaketune.splitting import Outline, split

AFQMC = DATA / "afqmc" / "train.csv"


def record(number: int, text: str, group: str | None = None) -> dict:
    fields = {"sentence1": text, "sentence2": f"第{number}句"}
    return {"id": f"r{number}", "fields": fields, "label": "0", "group": group or f"r{number}"}


def counts(records: list[dict], **settings) -> list[int]:
    homes = split(Outline(records), Split(**settings))
    return [homes.count(name) for name in SPLITS]


# ------------------------------------------------------------------------------ numbers of records


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("validation", "test"), [(100, 0), (2, 517), (100, 0.25), (0.1, 300)])
def test_numbers_of_single_records_are_met_exactly(validation, test, seed):
    records = [record(number, "x") for number in range(1003)]
    expected = [
        part if part > 1 else round(part * 1003) for part in (float(validation), float(test))
    ]
    made = counts(records, validation=validation, test=test, seed=seed)
    assert made == [1003 - sum(expected), *expected]


def test_groups_stay_whole_and_come_near_to_the_numbers():
    draw, records = random.Random(0), []
    for group in range(300):
        for _ in range(draw.randint(1, 9)):
            records.append(record(len(records), "x", f"g{group}"))
    homes = split(Outline(records), Split(validation=100, test=200))
    of_group = {}
    for one, home in zip(records, homes, strict=True):
        assert of_group.setdefault(one["group"], home) == home
    assert abs(homes.count("validation") - 100) <= 2 and abs(homes.count("test") - 200) <= 2


def test_one_large_group_does_not_fill_a_small_split():
    records = [record(n, "x", "large" if n < 400 else None) for n in range(1000)]
    homes = split(Outline(records), Split(validation=50, test=0))
    assert homes.count("validation") == 50 and set(homes[:400]) == {"train"}


@pytest.mark.parametrize("settings", [{"validation": 60, "test": 40}, {"test": 101}])
def test_numbers_that_leave_nothing_to_train_on_are_refused(settings):
    with pytest.raises(UserError, match="leave none of 100 records for train"):
        counts([record(number, "x") for number in range(100)], **settings)


# ------------------------------------------------------------------------------ masks


@pytest.fixture
def masked(tmp_path):
    """Function that splits records with stars, masks some splits, and gives rows and quality."""

    def go(mask: list[str], given: bool = True) -> tuple[dict, dict]:
        rows = [
            {
                **record(number, ("花呗***期", "还*一*下", "借呗")[number % 3]),
                "split": SPLITS[number % 2],
            }
            for number in range(60)
        ]
        write_jsonl(tmp_path / "clean", rows)
        write_json(tmp_path / "counts", {})
        write_json(tmp_path / "facts", {})
        settings = {"split": "given" if given else {"validation": 10, "test": 20}, "mask": mask}
        files = [f for name in (*SPLITS, "quality") for f in (f"--{name}", tmp_path / name)]
        run(
            *("split", "--settings", json.dumps(settings), "--clean", tmp_path / "clean"),
            *("--counts", tmp_path / "counts", "--facts", tmp_path / "facts", *files),
        )
        made = {name: list(read_jsonl(tmp_path / name)) for name in SPLITS}
        return made, read_json(tmp_path / "quality")["splits"]

    return go


def test_only_the_named_splits_are_masked_and_counted(masked):
    made, report = masked(["train"])
    assert [report[name]["masked"] for name in SPLITS] == [10, 0, 0]
    texts = {name: [row["fields"]["sentence1"] for row in made[name]] for name in SPLITS}
    assert texts["train"].count("花呗<NUMBER>期") == 10 and not texts["train"].count("花呗***期")
    assert texts["validation"].count("花呗***期") == 10
    assert texts["train"].count("还*一*下") == 10, "single stars are no number"
    assert all(list(row) == ["id", "fields", "label", "group"] for row in made["train"])
    assert made["train"][0]["label"] == "0"


def test_all_splits_may_be_masked_and_none_is_by_default(masked):
    assert sum(s["masked"] for s in masked(list(SPLITS), given=False)[1].values()) == 20
    made, report = masked([])
    assert [s["masked"] for s in report.values()] == [0, 0, 0] and "***" in str(made)


def test_contents_that_become_equal_by_masking_count_as_leaks(tmp_path):
    rows = [
        {**record(0, text), "id": str(n), "split": SPLITS[n]}
        for n, text in enumerate(["还了***元", "还了******元"])
    ]
    write_jsonl(tmp_path / "clean", rows)
    write_json(tmp_path / "facts", {})
    leaks = []
    for mask in ([], ["train", "validation"]):
        files = [f for name in (*SPLITS, "quality") for f in (f"--{name}", tmp_path / name)]
        run(
            *("split", "--settings", json.dumps({"split": "given", "mask": mask})),
            *("--clean", tmp_path / "clean", "--counts", tmp_path / "facts"),
            *("--facts", tmp_path / "facts", *files),
        )
        leaks.append(read_json(tmp_path / "quality")["leakage"]["prompts"])
    assert leaks == [0, 1]


# ------------------------------------------------------------------------------ AFQMC


@needs_data
def test_the_real_file_goes_through_with_a_thousand_held_out(tmp_path):
    source = {
        "kind": "table",
        "path": str(AFQMC),
        "fields": ["sentence1", "sentence2"],
        "label": "label",
        "labels": {"0": "不相同", "1": "相同"},
    }
    settings = {
        "fetch": {"source": source, "dataset": "pairs"},
        "clean": {"duplicates": "drop"},
        "split": {"split": {"validation": 1000, "test": 0}, "mask": ["train", "validation"]},
    }
    folder: Path = tmp_path
    files = [f for name in (*SPLITS, "quality") for f in (f"--{name}", folder / name)]
    steps = {
        "fetch": ("--out", folder / "raw", "--facts", folder / "facts"),
        "clean": (
            "--raw",
            folder / "raw",
            "--out",
            folder / "clean",
            "--counts",
            folder / "counts",
        ),
        "split": (
            *("--clean", folder / "clean", "--counts", folder / "counts"),
            *("--facts", folder / "facts", *files),
        ),
    }
    for name, arguments in steps.items():
        run(name, "--settings", json.dumps(settings[name]), *arguments)
    report = read_json(folder / "quality")
    assert report["source"]["rows"] == {"all": 34_334}
    assert report["source"]["labels"] == {"不相同": 23_761, "相同": 10_573}
    # three pairs stand there a second time, turned round: other fields, so no duplicates
    assert report["kept"] == 34_334
    assert sizes(folder) == {"train": 33_334, "validation": 1000, "test": 0}
    marked = {name: report["splits"][name]["masked"] for name in SPLITS}
    assert sum(marked.values()) == 3548 and marked["test"] == 0
    assert 0.07 < marked["validation"] / 1000 < 0.14
    assert report["leakage"]["groups"] == 0
    texts = (folder / "train").read_text(encoding="utf-8")
    assert not re.search(r"\*{3}", texts) and texts.count("<NUMBER>") > 5000
    assert sum(1 for row in read_jsonl(folder / "train") if row["label"] is None) == 0
