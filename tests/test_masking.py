"""Runs of stars become one mark each."""

import csv
from pathlib import Path

import pytest

from snaketune.masking import mask_record, mask_text

AFQMC = Path(__file__).resolve().parents[2] / "shared" / "data" / "afqmc" / "train.csv"


@pytest.mark.parametrize(
    ("text", "masked", "marks"),
    [
        ("花呗分***期", "花呗分<NUMBER>期", 1),
        ("************ 是什么", "<NUMBER> 是什么", 1),
        ("****元和******元", "<NUMBER>元和<NUMBER>元", 2),
        ("***:***:***", "<NUMBER>:<NUMBER>:<NUMBER>", 3),
        ("还了＊＊＊元", "还了<NUMBER>元", 1),
        ("*重点* **很重要**", "*重点* **很重要**", 0),
        ("******@qq.com", "<NUMBER>@qq.com", 1),
        ("", "", 0),
    ],
)
def test_a_run_is_one_number(text, masked, marks):
    assert mask_text(text) == (masked, marks)
    assert mask_text(masked) == (masked, 0)


def test_a_record_is_masked_in_its_fields_only():
    record = {"id": "a***", "fields": {"q": "***", "n": 3}, "label": "***", "group": "***"}
    masked, marks = mask_record(record)
    assert masked == {**record, "fields": {"q": "<NUMBER>", "n": 3}} and marks == 1
    assert record["fields"]["q"] == "***"


@pytest.mark.skipif(not AFQMC.exists(), reason="the real file is not here")
def test_counts_of_the_real_file():
    with AFQMC.open(encoding="utf-8", newline="") as file:
        rows = [(row["sentence1"], row["sentence2"]) for row in csv.DictReader(file)]
    masked = [[mask_text(text) for text in row] for row in rows]
    marks = [sum(count for _, count in row) for row in masked]
    assert len(rows) == 34334
    assert sum("*" in one + two for one, two in rows) == 3548
    assert sum(count > 0 for count in marks) == 3548 and sum(marks) == 5613
    left = [text for row in masked for text, _ in row if "*" in text]
    assert len(left) == 1 and "**" not in left[0]
