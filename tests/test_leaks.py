"""The leak check: what counts as exact, near, shared; nothing missed, nothing compared twice."""

import itertools
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from snaketune.files import write_jsonl
from snaketune.leaks import LeakSettings, check_leaks, compared
from snaketune.leaks_page import as_html

ROOT = Path(__file__).resolve().parents[1]
RTE = ROOT.parent / "shared" / "data" / "rte"


def record(name: str, *texts: str, label: str = "yes") -> dict:
    fields = {f"f{index}": text for index, text in enumerate(texts)}
    return {"id": name, "fields": fields, "label": label, "group": name}


def checked(folder: Path, training: list[dict], evaluation: list[dict]) -> dict:
    """The one pair of a training and an evaluation."""
    write_jsonl(folder / "train.jsonl", training)
    write_jsonl(folder / "test.jsonl", evaluation)
    (pair,) = check_leaks(settings(folder, "test"))["pairs"]
    return pair


def settings(folder: Path, *splits: str) -> LeakSettings:
    evaluation = [
        {"dataset": "d", "split": split, "path": str(folder / f"{split}.jsonl")} for split in splits
    ]
    training = [{"dataset": "d", "path": str(folder / "train.jsonl")}]
    return LeakSettings(title="study", training=training, evaluation=evaluation)


def figures(pair: dict) -> tuple[int, int, int, int]:
    return pair["exact"], pair["near"], pair["same_label"], pair["shared_field"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A man, in Rome.", "a man in  ROME"),
        ("Straße", "STRASSE"),
        ("ｆｕｌｌ　width１２", "full width12"),
        ("今天 天气好！", "今天天气好"),
        ("ice cream", "icecream"),
        ("the year 1,998.", "the year 1,998"),
    ],
)
def test_case_width_white_space_and_punctuation_do_not_part(tmp_path, one, other):
    pair = checked(tmp_path, [record("t", one)], [record("e", other)])
    assert figures(pair) == (1, 0, 1, 1)
    assert pair["examples"][0]["similarity"] == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [("1.5 kg", "15 kg"), ("5 3", "53"), ("4月16日", "4月1日"), ("8 of 9", "8 of 7"), ("a", "b")],
)
def test_other_numbers_and_words_part(tmp_path, one, other):
    assert figures(checked(tmp_path, [record("t", one)], [record("e", other)])) == (0, 0, 0, 0)


def test_names_of_fields_do_not_matter_and_their_order_does(tmp_path):
    there = {"id": "t", "fields": {"s1": "one two", "s2": "three"}, "label": "no", "group": "t"}
    here = {"id": "e", "fields": {"prem": "One two", "hyp": "Three"}, "label": "yes", "group": "e"}
    assert figures(checked(tmp_path, [there], [here])) == (1, 0, 0, 1)
    swapped = here | {"fields": {"prem": "Three", "hyp": "One two"}}
    pair = checked(tmp_path, [there], [swapped])
    assert figures(pair) == (0, 1, 0, 1)
    assert pair["examples"][0]["similarity"] == 1


def test_near_begins_at_four_fifths(tmp_path):
    text = "a b c d e f g h i"
    training = [record("t", text)]
    near = checked(tmp_path, training, [record("e", text.replace("i", "x"))])
    assert figures(near) == (0, 1, 1, 0) and near["examples"][0]["similarity"] == 0.8
    assert figures(checked(tmp_path, training, [record("e", "a b c d e f g x y")])) == (0, 0, 0, 0)


def test_chinese_text_has_as_many_tokens_as_pairs_of_characters(tmp_path):
    text = "请问花呗的还款日可以改到每个月的十五号吗"
    assert len(compared(record("t", text)).tokens) == len(text) - 1
    pair = checked(tmp_path, [record("t", text)], [record("e", text[:-1])])
    assert figures(pair) == (0, 1, 1, 0)
    assert figures(checked(tmp_path, [record("t", text)], [record("e", text[::-1])])) == (0,) * 4


def test_the_most_similar_twin_is_reported_and_its_label_counts(tmp_path):
    text = "one two three four five six seven eight nine ten"
    training = [
        record("near", text + " eleven", label="yes"),
        record("exact", text, label="no"),
        record("exact-too", text, label="yes"),
        record("last", text, label="yes"),
    ]
    pair = checked(tmp_path, training, [record("e", text, label="yes")])
    assert figures(pair) == (1, 0, 1, 1)
    assert pair["examples"][0]["training_id"] == "exact-too"
    pair = checked(tmp_path, training[:2], [record("e", text, label="yes")])
    assert figures(pair) == (1, 0, 0, 1)


def test_a_shared_premise_is_counted_by_itself(tmp_path):
    premise = "The cat that slept on the mat was grey"
    training = [record("t", premise, "Rain fell all over Spain yesterday evening")]
    assert figures(checked(tmp_path, training, [record("e", premise, "Dogs bark")])) == (0, 0, 0, 1)


def test_records_without_a_word_are_like_none(tmp_path):
    assert figures(checked(tmp_path, [record("t", "…")], [record("e", "!")])) == (0, 0, 0, 0)


def test_no_pair_is_missed_and_none_is_invented(tmp_path):
    draw = random.Random(4)

    def texts(tag: str, count: int) -> list[dict]:
        words = [f"w{round(draw.paretovariate(0.7))}" for _ in range(2000)]
        made = []
        for index in range(count):
            start, length = draw.randrange(0, 300), draw.randint(1, 12)
            chosen = words[start : start + length]
            if draw.random() < 0.7:
                chosen[draw.randrange(len(chosen))] = draw.choice(words)
            made.append(record(f"{tag}{index}", " ".join(chosen)))
        return made

    training, evaluation = texts("t", 600), texts("e", 400)
    pair = checked(tmp_path, training, evaluation)
    exact, near = set(), set()
    for there, here in itertools.product(map(compared, training), enumerate(evaluation)):
        text = compared(here[1])
        shared = len(there.tokens & text.tokens)
        if there.whole == text.whole:
            exact.add(here[0])
        elif 5 * shared >= 4 * len(there.tokens | text.tokens):
            near.add(here[0])
    assert exact and near - exact
    assert figures(pair)[:2] == (len(exact), len(near - exact))
    assert len(pair["examples"]) == 20
    similarities = [(e["exact"], e["similarity"]) for e in pair["examples"]]
    assert similarities == sorted(similarities, reverse=True)


def test_a_file_is_never_compared_with_itself(tmp_path):
    write_jsonl(tmp_path / "train.jsonl", [record("t", "one two"), record("u", "one two")])
    write_jsonl(tmp_path / "test.jsonl", [record("e", "three")])
    report = check_leaks(settings(tmp_path, "train", "test"))
    test, train = report["pairs"]
    assert (test["split"], test["same_file"], figures(test)) == ("test", False, (0, 0, 0, 0))
    assert (train["same_file"], train["n"], figures(train)) == (True, 2, (None,) * 4)
    assert "these are the training records" in as_html("study", report)


def test_the_script_warns_of_exact_leaks_and_its_page_shows_them(tmp_path):
    write_jsonl(tmp_path / "train.jsonl", [record("t", "Was it <b>bold</b>?")])
    write_jsonl(tmp_path / "test.jsonl", [record("e", "was it <b>Bold</b>")])
    paths = {name: tmp_path / name for name in ("q.json", "q.html", "q.log")}
    command = [sys.executable, ROOT / "scripts" / "check_leaks.py"]
    command += ["--settings", settings(tmp_path, "test").model_dump_json()]
    command += ["--out", paths["q.json"], "--html", paths["q.html"], "--log", paths["q.log"]]
    subprocess.run(command, check=True)
    assert "WARNING d/test against d/train: 1 of 1 exact" in paths["q.log"].read_text()
    (pair,) = json.loads(paths["q.json"].read_text())["pairs"]
    assert pair["examples"][0]["evaluation_text"] == "was it <b>Bold</b>"
    assert "&lt;b&gt;bold" in paths["q.html"].read_text()


@pytest.mark.skipif(not RTE.is_dir(), reason="needs the real RTE")
def test_rte_has_no_exact_leak_but_shared_premises(tmp_path):
    for split, name in (("train", "train"), ("test", "dev")):
        lines = (RTE / f"{name}.tsv").read_text(encoding="utf-8").splitlines()[1:]
        rows = (line.split("\t") for line in lines)
        records = [record(n, one, two, label=label) for n, one, two, label in rows]
        write_jsonl(tmp_path / f"{split}.jsonl", records)
    (pair,) = check_leaks(settings(tmp_path, "test"))["pairs"]
    assert pair["n"] == 277
    assert figures(pair) == (0, 18, 8, 28)
