"""The competition's problems as records: ids, groups, options from the data, oddities counted."""

import json
from collections import Counter
from pathlib import Path

import pytest
from pydantic import ValidationError

from snaketune.config.data import Split
from snaketune.config.problems import ProblemsSource
from snaketune.errors import UserError
from snaketune.files import write_jsonl
from snaketune.problems import problem_records
from snaketune.splitting import Outline, split

DATA = Path(__file__).resolve().parents[2] / "shared/data/logic"
REAL = pytest.mark.skipif(not DATA.is_dir(), reason="the competition's data are not here")


def question(text: str, *options: str, answer: str | None = "A") -> dict:
    made = {"question": text, "options": list(options)}
    return made if answer is None else {**made, "answer": answer}


def problem(name: str, text: str, *questions: dict) -> dict:
    return {"id": name, "problem": text, "questions": list(questions)}


def read(path, rows: list[dict] | None = None, **keys) -> tuple[list[dict], dict]:
    if rows is not None:
        write_jsonl(path, rows)
    source = ProblemsSource.model_validate({"kind": "problems", "path": str(path), **keys})
    facts: dict = {}
    return list(problem_records(source, "datasets.x.source", facts)), facts.get("counts", {})


def test_a_record_is_a_question_with_the_competitions_id(tmp_path):
    row = problem(
        "round1_000",
        "**有一组数字：1, 2。**\n",
        question("选择题 1:\n最大的是？", "1", "2", answer="B"),
        question("选择题 2：**\n**是3吗？", "是 ", "否", answer=None),
    )
    (first, second), counts = read(tmp_path / "x.jsonl", [row])
    assert first == {
        "id": "round1_000-1",
        "fields": {
            "problem": "有一组数字：1, 2。",
            "question": "选择题 1：\n最大的是？",
            "options": "A: 1; B: 2",
            "choices": '["1", "2"]',
        },
        "label": "B",
        "group": "有一组数字：1, 2。",
    }
    assert (second["id"], second["label"]) == ("round1_000-2", None)
    assert second["fields"]["question"] == "选择题 2：\n是3吗？"
    assert second["fields"]["options"] == "A: 是; B: 否"
    assert counts["problems_with_markdown"] == counts["questions_with_markdown"] == 1
    assert counts["headings_with_narrow_colon"] == counts["questions_without_answer"] == 1


def test_texts_as_they_are(tmp_path):
    row = problem("p", "**题**", question("选择题 1:**\n**几？", "1 ", "2"))
    (record,), counts = read(tmp_path / "x.jsonl", [row], tidy=False)
    assert record["fields"]["problem"] == "**题**"
    assert record["fields"]["question"] == "选择题 1:**\n**几？"
    assert json.loads(record["fields"]["choices"]) == ["1 ", "2"]
    assert record["group"] == "题"
    assert counts["problems_with_markdown"] == 1


def test_five_options_equal_options_and_other_forms(tmp_path):
    row = problem("p", "题", question("选择题 7：\n几？", "1", "2", "3", "2", "4", answer="E"))
    (record,), counts = read(tmp_path / "x.jsonl", [row], option="{text}选{letter}", between="；")
    assert record["fields"]["options"] == "1选A；2选B；3选C；2选D；4选E"
    assert record["label"] == "E"
    assert counts["options_per_question"] == {"5": 1}
    assert counts["questions_with_equal_options"] == 1
    assert counts["headings_with_another_number"] == 1


def test_problems_without_a_body_and_equal_ones_are_one_group(tmp_path):
    rows = [
        problem("a", "回答以下选择题：", question("选择题 1：\n1？", "是", "否")),
        problem("b", "**回答以下选择题：**", question("选择题 1：\n2？", "是", "否")),
        problem("c", "有两个数。", question("选择题 1：\n3？", "是", "否")),
    ]
    records, counts = read(tmp_path / "x.jsonl", rows)
    assert len({record["group"] for record in records}) == 2
    assert counts["problems_without_body"] == 2
    assert (counts["problems"], counts["different_problem_texts"]) == (3, 2)


def test_files_that_are_splits(tmp_path):
    for name in ("a", "b"):
        write_jsonl(tmp_path / f"{name}.jsonl", [problem(name, name, question("1？", "是", "否"))])
    source = ProblemsSource.model_validate(
        {
            "kind": "problems",
            "path": {"train": f"{tmp_path}/a.jsonl", "test": f"{tmp_path}/b.jsonl"},
        }
    )
    records = list(problem_records(source, "x", {}))
    assert [(r["id"], r["split"]) for r in records] == [("a-1", "train"), ("b-1", "test")]


GOOD = question("1？", "是", "否")


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"id": "p", "problem": "题"}, "line 1: problem 'p' has no list of 'questions'"),
        ({"problem": "题", "questions": [GOOD]}, "line 1: no 'id'"),
        (problem("p", " ", GOOD), "'p' has no text"),
        (problem("p", "题", GOOD, {"options": ["1", "2"]}), "question 2: no text in 'question'"),
        (problem("p", "题", question("1？", "是")), "question 1: 1 options"),
        (problem("p", "题", question("1？", *"0123456789x")), "11 options; from 2 to 10"),
        (problem("p", "题", {"question": "1？", "options": "是否"}), "no list of texts"),
        (problem("p", "题", question("1？", "是", "否", answer="C")), "'C', which is no letter"),
        (problem("p", "题", question("1？", "是", "否", answer="AB")), "'AB', which is no letter"),
        (problem("p", "题", question("1？", "是", "否", answer="")), "'', which is no letter"),
        (problem("p", "题", {**GOOD, "answer": 1}), "1, which is no letter"),
    ],
)
def test_what_cannot_be_read_names_its_place(tmp_path, row, said):
    with pytest.raises(UserError, match=f"x.jsonl.*{said}"):
        read(tmp_path / "x.jsonl", [row])


def test_ids_and_numbers_are_checked(tmp_path):
    rows = [problem("p", "题", GOOD)] * 2
    with pytest.raises(UserError, match=r"line 2: id 'p' is taken by .*line 1"):
        read(tmp_path / "x.jsonl", rows)
    with pytest.raises(UserError, match=r"x.source.expect.questions: 3 are expected.*there are 1"):
        read(tmp_path / "x.jsonl", rows[:1], expect={"questions": 3})


def test_a_file_that_a_person_has_to_get(tmp_path):
    with pytest.raises(UserError, match=r"no such file\. Sign up for it"):
        read(tmp_path / "none.jsonl", obtain="Sign up for it.")


def test_options_must_tell_letters_and_texts():
    with pytest.raises(ValidationError, match=r"option: lacks \{letter\}"):
        ProblemsSource(kind="problems", path="x", option="{text}")


@REAL
def test_the_labelled_file():
    records, counts = read(DATA / "round1_train_data.jsonl", expect={"questions": 1421})
    assert (counts["problems"], counts["different_problem_texts"]) == (500, 498)
    assert counts["options_per_question"] == {"2": 464, "3": 8, "4": 942, "5": 7}
    assert counts["most_questions_of_a_problem"] == 16
    assert counts["questions_with_equal_options"] == 4
    labels = Counter(record["label"] for record in records)
    assert labels == {"A": 481, "B": 604, "C": 217, "D": 115, "E": 4}
    assert not any("**" in r["fields"]["problem"] + r["fields"]["question"] for r in records)


@REAL
def test_the_unlabelled_file_keeps_its_order():
    path = DATA / "round1_test_data.jsonl"
    records, counts = read(path, expect={"problems": 500, "questions": 1328})
    assert counts["options_per_question"] == {"2": 427, "3": 20, "4": 872, "5": 9}
    assert counts["questions_without_answer"] == 1328
    rows = [json.loads(line) for line in path.open(encoding="utf-8")]
    ids = [f"{row['id']}-{n}" for row in rows for n in range(1, len(row["questions"]) + 1)]
    assert [record["id"] for record in records] == ids


@REAL
def test_folds_of_the_labelled_file():
    records, _ = read(DATA / "round1_train_data.jsonl")
    outline, tests = Outline(records), []
    for fold in range(1, 6):
        homes = split(outline, Split(folds=5, fold=fold, validation=0.05))
        tests.append({r["id"] for r, home in zip(records, homes, strict=True) if home == "test"})
    assert sorted(map(len, tests)) == [284, 284, 284, 284, 285]
    assert len(set().union(*tests)) == 1421
