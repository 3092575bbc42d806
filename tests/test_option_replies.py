"""Which options a reply picks: the truth table, gold letters, and exact and partial matches."""

import json
import time

import pytest

from snaketune.config.data import Dataset
from snaketune.config.options import OptionsExtract
from snaketune.errors import UserError
from snaketune.extracting import answer_records, reader
from snaketune.files import write_jsonl
from snaketune.metrics import metrics_of, voted_right
from snaketune.option_replies import choices_of, gold_letters, option_reader
from snaketune.scoring import ScoreSettings, score
from snaketune.thinking import answer_part

OPTIONS = ["停车让行", "减速慢行", "鸣喇叭", "停车"]
SPEEDS = ["5米", "15米", "150米", "D挡"]
EXTRACT = OptionsExtract(kind="options")

LETTERS = [
    ("A", "A"),
    ("b", "B"),
    ("B。", "B"),
    ("(B)", "B"),
    ("（Ｂ）", "B"),
    ("**C**", "C"),
    ("ABD", "ABD"),
    ("DBA", "ABD"),
    ("AA", "A"),
    ("A、B、D", "ABD"),
    ("Ａ，Ｃ", "AC"),
    ("A B D", "ABD"),
    ("A和C", "AC"),
    ("a, c", "AC"),
    ("答案是B", "B"),
    ("答案：ＡＢＤ。", "ABD"),
    ("答案是A、C", "AC"),
    ("正确答案为（C）。因为雾天要鸣喇叭。", "C"),
    ("The answer is (B).", "B"),
    ("The answer is B because one must slow down.", "B"),
    ("先看A，再看B。\n故选AC", "AC"),
    ("选项A不对，答案是B", "B"),
    ("停车让行选A", "A"),
    ("停车让行；鸣喇叭选AC", "AC"),
    ("停车让行选A，鸣喇叭选C", "AC"),
    ("A. 停车让行", "A"),
    ("A、停车让行", "A"),
    ("AC. 停车让行；鸣喇叭", "AC"),
    ("A. 停车让行\nC. 鸣喇叭", "AC"),
    ("A.停车让行 C.鸣喇叭", "AC"),
    ("B\n解析：视线不好，应当减速。", "B"),
    ("视线不好，应当减速。\nB", "B"),
    ("答案：A.停车让行 B.减速慢行 C.鸣喇叭 D.停车", "ABCD"),
    # nothing, or two things at once
    ("", None),
    ("不知道", None),
    ("E", None),
    ("答案是AE", None),
    ("B. 停车让行", None),
    ("停车让行选B", None),
    ("要看得见。停车让行选A，鸣喇叭选C", "AC"),
    ("要看得见。停车让行选A，鸣喇叭选B", None),
    ("要看得见。停车让行；鸣喇叭选AC", "AC"),
    ("不选A", None),
    ("不是A就是B", None),
    ("A car must stop.", None),
    ("ABS能防止抱死", None),
    ("A. 停车让行\nB. 减速慢行\nC. 鸣喇叭\nD. 停车", None),
]
TEXTS = [
    ("停车让行", "A"),
    ("停车", "D"),
    ("停车。", "D"),
    ("停车让行；鸣喇叭", "AC"),
    ("鸣喇叭、停车让行", "AC"),
    ("应当减速慢行", "B"),
    ("答案是停车", "D"),
    ("不能鸣喇叭", None),
    ("先停车让行，再鸣喇叭看看情况", None),
]
JUDGED = [
    ("正确", "A"),
    ("错误", "B"),
    ("错误。因为不能这样。", "B"),
    ("对", "A"),
    ("不对，要减速", "B"),
    ("×", "B"),
    ("√", "A"),
    ("这种说法是错误的。", "B"),
    ("该说法不正确", "B"),
    ("False", "B"),
    ("A", "A"),
    ("答案：B", "B"),
    ("B. 错误", "B"),
    ("A. 错误", None),
    ("此路限速20公里。错误选B", "B"),
    ("此路限速20公里。错误选A", None),
    ("此路限速20公里，选A", "A"),
    ("对于这种情况要小心", None),
    ("正确还是错误？", None),
]


@pytest.mark.parametrize(("reply", "letters"), LETTERS + TEXTS)
def test_options_picked(reply, letters):
    assert option_reader(OPTIONS)(reply) == letters


@pytest.mark.parametrize(("reply", "letters"), JUDGED)
def test_judge_questions(reply, letters):
    assert option_reader(["正确", "错误"])(reply) == letters


@pytest.mark.parametrize(
    ("reply", "letters"),
    [("5米", "A"), ("15米", "B"), ("要150米以外", "C"), ("1150米", None), ("D挡", "D"), ("D", "D")],
)
def test_numbers_and_letters_inside_words(reply, letters):
    assert option_reader(SPEEDS)(reply) == letters


@pytest.mark.parametrize(
    ("choices", "reply"),
    [
        (["选择慢行", "不能掉头", "停车"], "选择慢行；不能掉头"),
        (["及时减速", "保持车速，不让", "应“停车”"], "及时减速；保持车速，不让"),
        (["旅游区方向", "旅游区类别", "距离"], "旅游区方向选A；旅游区类别选B"),
        (["应“停车”", "减速", "掉头"], "应“停车”；减速"),
    ],
)
def test_options_that_have_words_of_answers_in_them(choices, reply):
    assert option_reader(choices)(reply) == "AB"


def test_judge_options_in_another_order():
    assert option_reader(["错误", "正确"])("正确") == "B"


def test_options_that_differ_in_marks_are_told_by_letters():
    read = option_reader(["慢行", "慢行！"])
    assert (read("B"), read("慢行")) == ("B", None)


def test_long_repetitions_take_no_time():
    read = option_reader(["停", "停停", "走"])
    start = time.process_time()
    assert read("停停走" * 3000 + "吧") is None
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("<think>\n选A还是B？</think>\n\nB", "B"),
        ("选A还是B？\n</think>\nB", "B"),
        ("<think>选A", ""),
        ("<think>选A</think><think>不对", ""),
        ("B", "B"),
    ],
)
def test_thinking_is_kept_apart(reply, answer):
    assert answer_part(reply) == answer
    record = {"id": "1", "fields": {"choices": json.dumps(OPTIONS)}}
    assert reader(EXTRACT)(reply, record) == {"letters": answer or None}


@pytest.mark.parametrize(
    ("label", "letters"),
    [("AC", "AC"), ("C、A", "AC"), ("ｂ", "B"), ({"letters": "DB", "texts": "x"}, "BD")],
)
def test_gold_letters(label, letters):
    assert gold_letters(label) == letters


@pytest.mark.parametrize("label", ["", "停车", "A1", {"letters": ""}, {"texts": "x"}])
def test_gold_that_is_no_letters(label):
    with pytest.raises(UserError, match="no letters of options"):
        gold_letters(label)


def test_options_in_fields_of_their_own():
    extract = OptionsExtract(kind="options", choices=["a", "b", "c", "d"])
    record = {"id": "1", "fields": {"a": "正确", "b": "错误", "c": "", "d": " "}}
    assert choices_of(extract, record) == ["正确", "错误"]


@pytest.mark.parametrize("held", ['["one"]', "one, two", "[1, 2]", '{"A": "x"}'])
def test_fields_that_hold_no_options(held):
    with pytest.raises(UserError, match="record 7: "):
        choices_of(EXTRACT, {"id": "7", "fields": {"choices": held}})


def _answers(folder, replies, golds=("A", "AC", "AC", "AC", "B")):
    records, predictions = folder / "records.jsonl", folder / "predictions.jsonl"
    fields = {"question": "?", "choices": json.dumps(OPTIONS, ensure_ascii=False)}
    write_jsonl(
        records,
        [
            {"id": str(i), "fields": fields, "label": {"letters": gold, "texts": ""}, "group": "g"}
            for i, gold in enumerate(golds)
        ],
    )
    write_jsonl(
        predictions,
        [{"id": str(i), "responses": [{"text": r}], "error": None} for i, r in enumerate(replies)],
    )
    return list(answer_records(records, predictions, EXTRACT))


def test_exact_and_partial(tmp_path):
    rows = _answers(tmp_path, ["A", "AC", "A", "AB", "?"])
    exact, partial = metrics_of(EXTRACT)
    assert voted_right(exact, rows) == [True, True, False, False, False]
    assert voted_right(partial, rows) == [True, True, True, False, False]


def test_scores_of_options(tmp_path):
    answers = tmp_path / "answers.jsonl"
    write_jsonl(answers, _answers(tmp_path, ["A", "AC", "A", "AB", "?"]))
    settings = ScoreSettings(
        study="s", model="m", dataset="d", split="test", baseline="m", extract=EXTRACT
    )
    exact, partial = score(settings, answers, answers)["metrics"]
    assert (exact["metric"], exact["correct"], exact["unparsed"], exact["n"]) == ("exact", 2, 1, 5)
    assert exact["majority_class"] == pytest.approx(3 / 5)
    assert (partial["metric"], partial["correct"]) == ("partial", 3)


def test_gold_without_an_option_of_its_own(tmp_path):
    with pytest.raises(UserError, match="record 0: the gold answer is F, but there are only 4"):
        _answers(tmp_path, ["A"], ["F"])


def _dataset(extract, label=("letters", "texts")):
    source = {"kind": "file", "path": "x.jsonl", "fields": ["question", "choices"]}
    source["label"] = list(label)
    return Dataset.model_validate({"source": source, "prompt": "p", "extract": extract})


def test_config_of_options():
    assert _dataset({"kind": "options"}).extract.metric_names() == ["exact", "partial"]
    with pytest.raises(ValueError, match=r"no field 'choicse'\. Did you mean 'choices'"):
        _dataset({"kind": "options", "choices": "choicse"})
    with pytest.raises(ValueError, match=r"source\.label has no part 'letters'"):
        _dataset({"kind": "options"}, label=["answer"])
