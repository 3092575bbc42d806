"""The generator of puzzles: gold answers hold by what the text says, read without the generator."""

import json
import re
from collections import Counter, defaultdict

import pytest
from pydantic import ValidationError

from snaketune.config.problems import KINDS, PuzzlesSource
from snaketune.option_letters import last_line, read_letter
from snaketune.puzzles import puzzle_records


def drawn(**changed) -> list[dict]:
    return list(puzzle_records(PuzzlesSource.model_validate({"kind": "puzzles", **changed})))


def table(problem: str, question: str) -> str:
    has = dict(re.findall(r"(\w\w)：(\w\w)", problem))
    return has[question[:2]]


def row(problem: str, question: str) -> str:
    people = re.search(r"次序：(.*)。", problem)[1].split("、")
    if question == "谁排在最前面？":
        return people[0]
    return people[people.index(re.search(r"跟在(\w\w)后面", question)[1]) + 1]


def chain(problem: str, question: str) -> str:
    gives = dict(re.findall(r"(\w\w)换(\w\w)[；。]", problem))
    thing, times = re.match(r"(\w\w)换(一|两)次", question).groups()
    return gives[thing] if times == "一" else gives[gives[thing]]


def membership(problem: str, question: str) -> str:
    there = re.search(r"有：(.*)，没有别的", problem)[1].split("、")
    return "是" if re.search(r"有(\w\w)吗", question)[1] in there else "否"


def numbers(problem: str, question: str) -> str:
    found = [int(n) for n in re.findall(r"\d+", problem)]
    if "和" in question:
        return str(found[0] + found[1])
    return str(max(found) if "最大" in question else min(found))


@pytest.mark.parametrize("solve", [table, row, chain, membership, numbers])
def test_gold_is_what_the_text_says(solve):
    records = drawn(problems=150, kinds=[solve.__name__])
    assert len(records) > 250
    for record in records:
        fields = record["fields"]
        choices = json.loads(fields["choices"])
        assert len(set(choices)) == len(choices)
        right = choices["ABCDE".index(record["label"])]
        assert right == solve(fields["problem"], fields["question"]), record


def test_reasoning_ends_with_the_gold_letter():
    for record in drawn(problems=80):
        reasoning, choices = record["fields"]["reasoning"], json.loads(record["fields"]["choices"])
        assert reasoning.count("\n") == 1
        assert read_letter(last_line(reasoning), choices) == record["label"]


def test_several_questions_options_and_letters():
    records = drawn(problems=400)
    of = defaultdict(list)
    for record in records:
        of[record["group"]].append(record["id"])
    assert len(of) == 400 and {len(ids) for ids in of.values()} == {2, 3, 4}
    for ids in of.values():
        assert [name.rpartition("-")[2] for name in ids] == [str(n + 1) for n in range(len(ids))]
    sizes = Counter(len(json.loads(record["fields"]["choices"])) for record in records)
    assert set(sizes) == {2, 3, 4, 5}
    labels = Counter(record["label"] for record in records)
    assert set(labels) == set("ABCDE")
    assert labels.most_common(1)[0][1] < 0.45 * len(records)


def test_the_letter_says_nothing_of_the_number_of_options():
    """Among questions with as many options every letter is equally frequent."""
    by_size = defaultdict(Counter)
    for record in drawn(problems=1500):
        by_size[len(json.loads(record["fields"]["choices"]))][record["label"]] += 1
    for size, labels in by_size.items():
        expected = labels.total() / size
        assert all(abs(count - expected) < 5 * expected**0.5 for count in labels.values())


def test_same_seed_same_records():
    assert drawn(problems=30, seed=1) == drawn(problems=30, seed=1)
    assert drawn(problems=30, seed=1) != drawn(problems=30, seed=2)
    assert len({record["id"] for record in drawn(problems=300)}) == len(drawn(problems=300))


def test_answers_kept_back():
    told, kept = drawn(problems=20), drawn(problems=20, gold=False)
    assert [r["id"] for r in told] == [r["id"] for r in kept]
    assert all(r["label"] is None and "reasoning" not in r["fields"] for r in kept)


def test_order_of_kinds_draws_nothing_else():
    assert drawn(problems=20, kinds=list(KINDS)) == drawn(problems=20, kinds=list(KINDS)[::-1])


def test_ranges():
    with pytest.raises(ValidationError, match="questions: 3 is more than 2"):
        PuzzlesSource(kind="puzzles", questions=(3, 2))
