"""Replies become answers: the truth table of what is read, and what a wrong pair of files gets."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from snaketune.config.data import JsonExtract, LabelExtract, Reading
from snaketune.errors import UserError
from snaketune.extracting import answer_records
from snaketune.files import read_jsonl, write_jsonl
from snaketune.json_replies import read_reply
from snaketune.label_replies import label_reader

CITY_AND_DATE = JsonExtract(kind="json", fields=["city", "date"])
YES_OR_NO = LabelExtract(
    kind="label",
    labels=["yes", "no", "maybe"],
    readings={
        "accuracy": {"rule": "first_word"},
        "maybe_is_no": {"rule": "first_word", "map": {"maybe": "no"}},
        "as_published": {"rule": "substring_published"},
    },
)

BEIJING = {"city": "北京", "date": "06-01"}
PLAIN = '{"city": "北京", "date": "06-01"}'

# The untuned model's replies as the study prints them.
SEED_FENCED = """这个JSON字符串是：

```
{
  "city": "北京",
  "date": "06/01"
}
```

这段代码首先定义了一个函数，它接受一个字符串作为输入参数。"""
SEED_JSON_FENCE = """这个JSON字符串是：

```json
{
  "city": "上海",
  "date": "1月3日"
}
```

请记住，这是基于给出的“你们打算1月3号坐哪一趟航班去上海？”这句话的信息。"""

TABLE = [
    # reply, answer, the whole reply is one object
    (PLAIN, BEIJING, True),
    (f"  \n{PLAIN}\n", BEIJING, True),
    (f"```json\n{PLAIN}\n```", BEIJING, False),
    (f"好的：{PLAIN}。再见", BEIJING, False),
    (SEED_FENCED, {"city": "北京", "date": "06/01"}, False),
    (SEED_JSON_FENCE, {"city": "上海", "date": "1月3日"}, False),
    (
        '{"city": "哈尔滨","date": "1月15号"}',
        {"city": "哈尔滨", "date": "1月15号"},
        True,
    ),
    # After tuning two of the study's eight replies were no JSON (quirk W10).
    ('{"city":三亚,"date":2020-04-16}', None, False),
    ('{"city": "青岛","date": 03-15}', None, False),
    # A broken object is passed over, a later whole one is read.
    (f'格式为{{"city":城市,"date":日期}}，即{PLAIN}', BEIJING, False),
    (f'{{"city":城市,"date":{{}}}}，{PLAIN}', BEIJING, False),
    (f'{{"city": "北京}}\n{PLAIN}', BEIJING, False),
    # An object inside a broken or unfinished one does not count.
    ("{" + PLAIN, None, False),
    ("{" + PLAIN + "}", None, False),
    ("{" + PLAIN + "}，即" + PLAIN, BEIJING, False),
    (f'{{"a": NaN, "b": {PLAIN}}}', None, False),
    (f'{{"a": 1e999, "b": {PLAIN}}}', None, False),
    (f'{{"a": "\\ud83d", "b": {PLAIN}}}', None, False),
    (f'{{"a": "}}", "b": 三亚, "c": {PLAIN}}}', None, False),
    (f'{{"a": "\\"}}", "b": 三亚, "c": {PLAIN}}}', None, False),
    (f'{{"a": {{"b": 三亚}}, "c": {PLAIN}}}{PLAIN}', BEIJING, False),
    # One comma before the brace is tolerated, two are not, and it is not valid JSON.
    ('{"city": "北京", "date": "06-01",}', BEIJING, False),
    ('{"city": "北京", "date": "06-01" ,\n }', BEIJING, False),
    ('{"city": "北京", "date": "06-01",,}', None, False),
    ('{"a": {"b": 1,}, "c": 2,}', None, False),
    ('{"a": ",}", "b": 1,}', {"a": ",}", "b": 1}, False),
    # Cut off inside the object, also where an object inside it was finished.
    ('{"city": "北京", "date": "06', None, False),
    ('{"answer": {"city": "北京"}, "no', None, False),
    (f"{PLAIN}\n这段代码首先", BEIJING, False),
    # Full-width punctuation is not JSON.
    ("{“city”: “北京”, “date”: “06-01”}", None, False),
    ('{"city"："北京"}', None, False),
    ("{'city': '北京'}", None, False),
    # Other shapes.
    ("", None, False),
    ("我不知道", None, False),
    ("北京 06-01 }{", None, False),
    ('"北京"', None, False),
    ("[1, 2]", None, False),
    (f"[{PLAIN}]", BEIJING, False),
    (f'{PLAIN}{{"city": "上海"}}', BEIJING, False),
    ("{}", {}, True),
    ('{"city": "上海", "city": "北京"}', {"city": "北京"}, True),
    ('{"city": 1, "date": null}', {"city": 1, "date": None}, True),
    ('{"city": ["北京", "上海"]}', {"city": ["北京", "上海"]}, True),
    ('{"answer": {"city": "北京"}}', {"answer": {"city": "北京"}}, True),
    ('{"city": "\\u5317\\u4eac"}', {"city": "北京"}, True),
    ('{"city": "a}b{", "date": "\\""}', {"city": "a}b{", "date": '"'}, True),
    ('{"city": NaN}', None, False),
    ('{"city": 1e999}', None, False),
    ('{"city": -1e999}', None, False),
    ('{"city": 1e99}', {"city": 1e99}, True),
    ('{"city": "\\ud83d"}', None, False),
    ('{"n": ' + "1" * 5000 + "}", None, False),
    ('{"a":' * 50_000, None, False),
    ("[" * 100_000 + "{}", {}, False),
]


@pytest.mark.parametrize(("text", "answer", "valid"), TABLE)
def test_truth_table(text, answer, valid):
    reply = read_reply(text)
    assert reply.answer == answer
    assert reply.valid is valid


def _record(name, label=None):
    return {"id": name, "fields": {"sentence": name}, "label": label, "group": name}


def _prediction(name, *texts, error=None):
    replies = [
        {"text": t, "tokens": 9, "prompt_tokens": 30, "finish_reason": "stop", "model_id": "m"}
        for t in texts
    ]
    return {"id": name, "prompt": [], "responses": replies, "error": error}


def _files(folder: Path, records, predictions) -> tuple[Path, Path]:
    write_jsonl(folder / "records.jsonl", records)
    write_jsonl(folder / "predictions.jsonl", predictions)
    return folder / "records.jsonl", folder / "predictions.jsonl"


def test_outcomes_stay_apart_and_keep_the_order_of_the_records(tmp_path):
    files = _files(
        tmp_path,
        [_record("b", BEIJING), _record("a"), _record("c", BEIJING)],
        [
            _prediction("a", "不知道"),
            _prediction("b", PLAIN, '{"city": "上海"}'),
            _prediction("c", error="CUDA out of memory"),
        ],
    )
    answers = list(answer_records(*files, CITY_AND_DATE))
    shanghai = {"answer": {"city": "上海"}, "valid": True}
    assert answers == [
        {
            "id": "b",
            "label": BEIJING,
            "error": None,
            "text": PLAIN,
            "read": [{"answer": BEIJING, "valid": True}, shanghai],
            "same": [0, 1],
        },
        {
            "id": "a",
            "label": None,
            "error": None,
            "text": "不知道",
            "read": [{"answer": None, "valid": False}],
        },
        {"id": "c", "label": BEIJING, "error": "CUDA out of memory", "text": None, "read": []},
    ]


def test_every_response_is_read_in_every_way(tmp_path):
    files = _files(
        tmp_path,
        [_record("a", "no"), _record("b", "yes")],
        [_prediction("a", "Maybe.", "I do not know"), _prediction("b", error="too long")],
    )
    first, second = answer_records(*files, YES_OR_NO)
    assert first["read"] == [
        {"accuracy": "maybe", "maybe_is_no": "no", "as_published": "maybe"},
        {"accuracy": None, "maybe_is_no": None, "as_published": "no"},
    ]
    assert (first["text"], first["error"]) == ("Maybe.", None)
    assert (second["read"], second["error"]) == ([], "too long")


def test_a_response_that_failed_keeps_its_place(tmp_path):
    prediction = _prediction("a", "Yes.", "No.")
    prediction["responses"].insert(0, None)
    (row,) = answer_records(*_files(tmp_path, [_record("a", "no")], [prediction]), YES_OR_NO)
    assert [read and read["accuracy"] for read in row["read"]] == [None, "yes", "no"]
    assert (row["read"][0], row["text"], row["error"]) == (None, "Yes.", None)


SAME, DIFFERENT = "相同", "不相同"
WAYS = {
    "concluded": {"rule": "conclusion"},
    "as_published": {"rule": "substring_published", "default": DIFFERENT},
}


@pytest.mark.parametrize(
    ("text", "concluded", "published"),
    [
        # quirk Y9
        ("结论：并非不相同", SAME, DIFFERENT),
        ("结论：两句不完全相同", DIFFERENT, SAME),
        ("关键词不相同，但意图一致。结论：相同", SAME, DIFFERENT),
        ("结论：一致", SAME, None),
        ("结论：不一致", DIFFERENT, None),
        # quirk Y10: unreadable, whatever it counts as
        ("我不知道", None, None),
    ],
)
def test_a_conclusion_and_the_published_way_to_read_it(tmp_path, text, concluded, published):
    files = _files(tmp_path, [_record("a", SAME)], [_prediction("a", text)])
    for labels in ([DIFFERENT, SAME], [SAME, DIFFERENT]):
        extract = LabelExtract(kind="label", labels=labels, readings=WAYS)
        (row,) = answer_records(*files, extract)
        assert row["read"][0]["concluded"] == concluded
    extract = LabelExtract(kind="label", labels=[DIFFERENT, SAME], readings=WAYS)
    (row,) = answer_records(*files, extract)
    assert row["read"] == [{"concluded": concluded, "as_published": published}]


def test_the_first_of_two_labels_is_the_negative_where_none_holds_the_other():
    reading = Reading(rule="conclusion", map={"no": "yes", "yes": "no"})
    read = label_reader(reading, ["no", "yes"])
    assert read("结论：no") == "yes"
    assert read("结论：不是yes") == "yes"  # a denied yes is a no, which the map turns round
    with pytest.raises(UserError, match=r"two labels apart, and extract\.labels has 3 \(a, b, c\)"):
        label_reader(Reading(rule="conclusion"), ["a", "b", "c"])


@pytest.mark.parametrize(
    ("asked", "given", "where"),
    [("ab", "a", "predictions.jsonl lacks 1"), ("a", "ab", "records.jsonl lacks 1")],
)
def test_missing_and_surplus_ids_are_refused(tmp_path, asked, given, where):
    files = _files(tmp_path, map(_record, asked), [_prediction(n, PLAIN) for n in given])
    with pytest.raises(UserError, match=rf"{where} of the records of .*: b\."):
        list(answer_records(*files, CITY_AND_DATE))


def test_repeated_id_is_refused(tmp_path):
    files = _files(tmp_path, [_record("a"), _record("a")], [_prediction("a", PLAIN)])
    with pytest.raises(UserError, match="row 2: the id 'a' stands there twice"):
        list(answer_records(*files, CITY_AND_DATE))


def test_no_response_and_no_error_is_refused(tmp_path):
    files = _files(tmp_path, [_record("a")], [_prediction("a")])
    with pytest.raises(UserError, match="neither a response nor an error"):
        list(answer_records(*files, CITY_AND_DATE))


def test_script_writes_the_answers_without_torch(tmp_path):
    records, predictions = _files(tmp_path, [_record("a", BEIJING)], [_prediction("a", PLAIN)])
    scripts = Path(__file__).resolve().parents[1] / "scripts"
    code = (
        "import runpy, sys; sys.argv = sys.argv[1:]; sys.path.insert(0, sys.argv[0] + '/..');"
        "runpy.run_path(sys.argv[0], run_name='__main__'); assert 'torch' not in sys.modules"
    )
    settings = json.dumps({"extract": CITY_AND_DATE.model_dump()})
    command = [sys.executable, "-c", code, str(scripts / "extract_and_vote.py")]
    command += ["--settings", settings]
    command += ["--records", str(records), "--predictions", str(predictions)]
    command += ["--out", str(tmp_path / "answers.jsonl")]
    subprocess.run(command, check=True, env={"PYTHONPATH": str(scripts)})
    assert [a["read"][0]["answer"] for a in read_jsonl(tmp_path / "answers.jsonl")] == [BEIJING]
