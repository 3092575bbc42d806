"""The rule-based teacher, and the checks that every teacher's text goes through."""

import csv
import json
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from snaketune.conclusions import conclusion_reader
from snaketune.config.sources import PairsSource
from snaketune.errors import UserError
from snaketune.pairs import ASKS, INTENTS, TOPICS, pairs_records
from snaketune.teaching import RulesTeacher, evidence, reject_reason

SAME, DIFFERENT = "相同", "不相同"
TEACHER = RulesTeacher(DIFFERENT, SAME)
READ = conclusion_reader(DIFFERENT, SAME)
AFQMC = Path(__file__).resolve().parents[2] / "shared" / "data" / "afqmc" / "train.csv"
SOURCE = PairsSource(
    kind="pairs", records=1500, labels={"same": SAME, "different": DIFFERENT}, masked=0.3
)


def record(one: str, two: str, label: str) -> dict:
    return {"id": "r", "fields": {"a": one, "b": two}, "label": label, "group": "g"}


def test_every_generated_record_gets_a_text_that_passes():
    for drawn in pairs_records(SOURCE):
        text = TEACHER(drawn)
        assert reject_reason(text, drawn, READ) is None, text


@pytest.mark.skipif(not AFQMC.exists(), reason="the real file is not here")
def test_every_real_record_gets_a_text_that_passes():
    with AFQMC.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))[:6000]
    for row in rows:
        label = {"0": DIFFERENT, "1": SAME}[row["label"]]
        real = record(row["sentence1"], row["sentence2"], label)
        text = TEACHER(real)
        assert reject_reason(text, real, READ) is None, text


@pytest.mark.parametrize(
    ("one", "two", "label", "says"),
    [
        ("花呗怎么还款", "借呗怎么还款", DIFFERENT, "不同在产品"),
        ("怎么开通花呗", "花呗怎么关闭", DIFFERENT, "不同在意图"),
        ("花呗分3期", "花呗能分12期吗", DIFFERENT, "不同在数字"),
        (
            "怎么开通花呗",
            "在哪里开通花呗",
            DIFFERENT,
            "不同在细节，一说“怎么开通”，一说“在哪里开通”",
        ),
        ("怎么开通花呗", "花呗如何开通", SAME, "没有不同"),
        ("花呗分***期", "花呗能分12期吗", SAME, "没有不同。"),
        ("怎么开通花呗", "我没有花呗", SAME, "问的是一件事"),
    ],
)
def test_the_reason_follows_from_the_sentences(one, two, label, says):
    assert says in TEACHER(record(one, two, label))


def test_the_rules_see_what_the_generator_meant():
    """Both names of an intent show one aspect, another intent of the topic shows another."""
    for topic in TOPICS.values():
        aspects = {}
        for intent, names in INTENTS.items():
            for name, scene, place, ask in product(names, topic.scenes, topic.places, ASKS):
                matter = f"借呗{topic.matter.format(n=12)}{name}"
                found = evidence(f"{matter}，{place.format(s=scene)}{ask}")
                assert (found.product, found.quote) == ("借呗", matter)
                assert (found.number[:2] == "12") == ("{n}" in topic.matter)
                aspects.setdefault(found.aspect, set()).add(intent)
        assert len(aspects) == len(INTENTS), aspects
        assert all(len(intents) == 1 for intents in aspects.values()), aspects


def test_a_quote_is_the_sentences_own():
    assert evidence("我的花贝怎么***分12期还").quote == "花贝怎么***分12期"
    assert evidence("想提前还，借呗可以吗").quote == "借呗提前还款"
    assert evidence("花呗还了***元没到账").number == ""
    assert evidence("借呗周末有没有人上班").quote == "借呗“周末有没有人上班”"


def test_a_text_is_the_same_in_every_process():
    code = (
        "from snaketune.teaching import RulesTeacher; import sys, json;"
        "print(RulesTeacher('不相同', '相同')(json.loads(sys.argv[1])))"
    )
    drawn = next(pairs_records(SOURCE))
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(drawn)],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(Path(__file__).resolve().parents[1] / "scripts")},
    )
    assert done.stdout.strip("\n") == TEACHER(drawn)


def test_a_text_is_cut_to_fit():
    long = record("花呗" * 3 + "我想知道怎么把名下的店铺迁走" * 4, "借" * 80, DIFFERENT)
    assert len(TEACHER(long)) <= 100
    brief = RulesTeacher(DIFFERENT, SAME, max_chars=30)
    for drawn in pairs_records(SOURCE):
        text = brief(drawn)
        assert reject_reason(text, drawn, READ, max_chars=30) is None, text


def test_forms_vary():
    starts = {TEACHER(drawn)[:10] for drawn in pairs_records(SOURCE)}
    assert len(starts) >= 3


def test_what_the_teacher_cannot_compare_is_said():
    with pytest.raises(UserError, match="two fields"):
        TEACHER({**record("a", "b", SAME), "fields": {"a": "x"}})
    with pytest.raises(UserError, match="'0'"):
        TEACHER(record("a", "b", "0"))


GOOD = "推理过程：句子1问还款，句子2问还款，意图一致。结论：相同"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GOOD, None),
        (f"  {GOOD}\n", None),
        ("", "empty"),
        (" \n", "empty"),
        ("句子1问还款，句子2问还款。结论：相同", "no_conclusion"),
        ("推理过程：句子1问还款，句子2问还款，意图一致。", "no_conclusion"),
        ("推理过程：意图一致。结论：", "no_conclusion"),
        ("推理过程：意图一致。因此相同", "no_conclusion"),
        ("推理过程：意图不一致。结论：不相同", "wrong_conclusion"),
        ("推理过程：意图一致。结论：并非不一致", None),
        ("推理过程：正确标签是“相同”，意图一致。结论：相同", "mentions_label"),
        ("推理过程：已知两句相同。结论：相同", "mentions_label"),
        ("推理过程：the given label says so。结论：相同", "mentions_label"),
        ("推理过程：正确答案为相同。结论：相同", "mentions_label"),
        ("推理过程：句子1“已知晓花呗标签”问还款。结论：相同", None),
        ("推理过程：" + "一致" * 60 + "。结论：相同", "too_long"),
    ],
)
def test_reasons_to_reject(text, reason):
    assert reject_reason(text, record("已知晓花呗标签", "还款", SAME), READ) == reason


def test_length_is_free_without_a_limit():
    text = "推理过程：" + "一致" * 600 + "。结论：相同"
    assert reject_reason(text, record("a", "b", SAME), READ, max_chars=None) is None
