"""Validation records drawn from the training split that a source gives."""

import pytest
from pydantic import ValidationError
from test_masks_in_splits import AFQMC
from test_preparing import needs_data

from snaketune.config.data import Dataset, HeldOut
from snaketune.config.sources import TableSource
from snaketune.errors import UserError
from snaketune.rows import table_records
from snaketune.splitting import Outline, hold_out


def record(number: int, label: str | None, group: str | None = None) -> dict:
    fields = {"sentence": f"第{number}句"}
    return {"id": f"r{number}", "fields": fields, "label": label, "group": group or f"g{number}"}


def records(same: int, different: int) -> list[dict]:
    labels = ["相同"] * same + ["不相同"] * different
    return [record(number, label) for number, label in enumerate(labels)]


def drawn(rows: list[dict], homes: list[str] | None = None, **settings) -> list[dict]:
    homes = homes or ["train"] * len(rows)
    moved = hold_out(Outline(rows), homes, HeldOut.model_validate(settings))
    for before, after in zip(homes, moved, strict=True):
        assert after == before or (before, after) == ("train", "validation")
    return [row for row, home in zip(rows, moved, strict=True) if home == "validation"]


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_labels_have_the_shares_of_the_whole(seed):
    held = drawn(records(308, 692), records=100, seed=seed)
    assert [row["label"] for row in held].count("相同") == 31 and len(held) == 100


def test_the_seed_draws_and_the_order_of_the_records_does_not():
    rows = records(300, 700)
    names = {row["id"] for row in drawn(rows, records=100, seed=3)}
    assert names == {row["id"] for row in drawn(rows[::-1], records=100, seed=3)}
    other = {row["id"] for row in drawn(rows, records=100, seed=4)}
    assert len(names & other) < 30


def test_groups_stay_whole_and_other_splits_as_they_are():
    rows = [record(n, "相同" if n % 3 else "不相同", f"g{n // 4}") for n in range(400)]
    homes = ["test" if n >= 200 else "train" for n in range(400)]
    held = drawn(rows, homes, records=50)
    groups = {row["group"] for row in held}
    assert all(sum(row["group"] == group for row in held) == 4 for group in groups)
    assert 44 <= len(held) <= 50 and all(int(row["id"][1:]) < 200 for row in held)


def test_records_without_gold_have_their_share_too():
    held = drawn([record(n, None if n % 2 else "相同") for n in range(40)], records=10)
    assert [row["label"] for row in held].count(None) == 5


@pytest.mark.parametrize(
    ("homes", "count", "said"),
    [
        (["train"] * 9 + ["validation"], 3, "gives validation records already|leave held_out away"),
        (["train"] * 10, 10, "leave none of 10"),
    ],
)
def test_what_cannot_be_held_out(homes, count, said):
    with pytest.raises(UserError, match=said):
        drawn(records(5, 5), homes, records=count)


def test_groups_that_are_all_too_large():
    with pytest.raises(UserError, match="every group is larger than 3"):
        drawn([record(n, "相同", f"g{n // 5}") for n in range(20)], records=3)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"split": {"train": 0.8, "validation": 0.1, "test": 0.1}}, "goes with split: given"),
        ({"source": {"path": {"test": "b.tsv"}}}, "must give train and no validation"),
        (
            {"source": {"path": {"train": "a.tsv", "validation": "b.tsv"}}},
            "must give train and no validation",
        ),
    ],
)
def test_settings_that_do_not_go_together(changes, said):
    source = {"kind": "table", "path": {"train": "a.tsv", "test": "b.tsv"}, "fields": ["one"]}
    settings = {
        "source": source | changes.get("source", {}),
        "prompt": "asked",
        "held_out": {"records": 5},
        "extract": {"kind": "label", "labels": ["a", "b"]},
    }
    if "split" in changes:
        settings["source"]["path"] = "all.tsv"
        settings["split"] = changes["split"]
    with pytest.raises(ValidationError, match=said):
        Dataset.model_validate(settings)


@needs_data
def test_validation_of_the_real_afqmc_has_its_shares():
    source = TableSource.model_validate(
        {"kind": "table", "path": {"train": str(AFQMC)}, "fields": ["sentence1"], "label": "label"}
    )
    held = drawn(list(table_records(source, "source")), records=1000, seed=5)
    assert len(held) == 1000 and [row["label"] for row in held].count("1") == 308
