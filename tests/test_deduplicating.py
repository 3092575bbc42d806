"""A bank from several sites: what is one question, what only looks like it, what contradicts."""

import json
from pathlib import Path
from random import Random

import pytest

from snaketune.config.data import Split
from snaketune.config.deduplicating import Deduplication
from snaketune.config.driving import DrivingSettings
from snaketune.config.question_source import QuestionsSource
from snaketune.deduplicating import Deduplicated, deduplicate
from snaketune.driving import SYNONYMS, bank, driving_questions
from snaketune.duplicates_page import as_html
from snaketune.errors import UserError
from snaketune.question_files import read_questions
from snaketune.question_forms import Levelling, picture
from snaketune.question_records import question_record
from snaketune.questions import JUDGE_OPTIONS, Question
from snaketune.splitting import Outline, split

BANK = Path(__file__).resolve().parents[2] / "shared/data/jiakao/DataSubject1.json"
LIMITS = ["40公里", "60公里", "80公里", "100公里"]
FULL_WIDTH = str.maketrans({chr(c): chr(c + 0xFEE0) for c in range(0x21, 0x7F)})


def asked(stem, options=LIMITS, answer=("60公里",), source="one", **more) -> Question:
    asked.number += 1
    name = str(asked.number)
    kind = "judge" if set(options) == set(JUDGE_OPTIONS) else "single"
    kind = "multi" if len(answer) > 1 else kind
    return Question(
        id=f"{source}-{name}", source=source, source_id=name, stem=stem, options=list(options),
        answer=list(answer), type=kind, **more,
    )  # fmt: skip


asked.number = 0


def judged(stem, answer="正确", **more) -> Question:
    return asked(stem, JUDGE_OPTIONS, (answer,), **more)


def found(*questions: Question, **settings) -> Deduplicated:
    return deduplicate(questions, Deduplication(**settings))


def are_one(*questions: Question, **settings) -> bool:
    return len(found(*questions, **settings).kept) == 1


STEM = "驾驶机动车在雾天能见度小于100米的高速公路上行驶，最高时速是多少？"


@pytest.mark.parametrize(
    "other",
    [
        asked(STEM, list(reversed(LIMITS)), source="two"),
        asked(STEM.replace("，", ",").replace("？", "")),
        asked(STEM.translate(FULL_WIDTH), [text.translate(FULL_WIDTH) for text in LIMITS],
              ("６０公里",), source="two"),
        asked(f" {STEM[:9]} {STEM[9:]} "),
        asked(STEM.replace("最高时速", "最高速度").replace("机动车", "汽车"), source="two"),
    ],
    ids=["order", "punctuation", "width", "blanks", "synonyms"],
)  # fmt: skip
def test_one_question_in_other_dress(other):
    assert are_one(asked(STEM), other)


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        (asked(STEM), asked(STEM.replace("100", "200"), source="two"), "numbers"),
        (asked(STEM), asked(STEM, [*LIMITS[:3], "120公里"], source="two"), "options"),
        (
            asked("这个标志是何含义？", ["甲", "乙"], ("甲",), media="http://a/1.jpg"),
            asked(
                "这个标志是何含义？", ["甲", "乙"], ("甲",), media="http://b/2.jpg", source="two"
            ),
            "picture",
        ),
        (
            judged("驾驶机动车在雨天临时停车时，应开启危险报警闪光灯。"),
            judged("驾驶机动车在雪天临时停车时，应开启危险报警闪光灯。", source="two"),
            "wording",
        ),
        (
            judged("驾驶机动车行经这种没有信号灯的路口时可以向左转弯通过。"),
            judged("驾驶机动车行经这种没有信号灯的路口时可以向右转弯通过。", source="two"),
            "wording",
        ),
        (
            judged("驾驶机动车在城市以外高速公路的应急车道上准予停车。"),
            judged("驾驶机动车在城市以外高速公路的应急车道上不准予停车。", "错误", source="two"),
            "wording",
        ),
        (judged(STEM), asked(STEM, ["正确", "没错"], ("正确",), source="two"), "type"),
    ],
    ids=["number", "option", "picture", "weather", "side", "negation", "type"],
)
def test_like_questions_stay_two_in_one_group(one, other, reason):
    result = found(one, other)
    assert len(result.kept) == 2
    assert len({group for _, group in result.kept}) == 1
    assert result.counts["kept_apart"][reason] == 1
    assert result.examples["apart"][0]["reason"] == reason


def test_unlike_questions_stay_in_groups_of_their_own():
    result = found(asked(STEM), judged("夜间会车应当使用近光灯。"))
    assert len({group for _, group in result.kept}) == 2
    assert result.examples == {}


def test_other_words_with_the_same_explanation_are_one_question():
    why = "《道路交通安全法》第九十九条：公安机关交通管理部门处以罚款。"
    one = judged("驾驶机动车不按规定避让校车的，一律处以罚款。", explanation=why)
    two = judged("开小轿车不按规定避让校车的，一律处以罚款。", explanation=why, source="two")
    assert are_one(one, two)
    assert not are_one(one, two.model_copy(update={"explanation": "别的理由。"}))


def pairs_swapped(count: int) -> list[Question]:
    """Questions of two sites, one of which writes 汇合处 for the other's 交叉口."""
    matters = ["遇到行人横穿", "看见救护车驶来", "前车突然刹住", "信号灯已经变黄", "有人拦车求助"]
    stem = "驾车行至{}时{}，应当减速让行并且注意观察。"
    return [
        judged(stem.format(word, matter), source=source)
        for source, word in (("one", "交叉口"), ("two", "汇合处"))
        for matter in matters[:count]
    ]


def test_words_that_sites_swap_are_learnt_from_several_questions():
    assert len(found(*pairs_swapped(1)).kept) == 2
    assert len(found(*pairs_swapped(4)).kept) == 4


def test_words_that_one_site_tells_apart_are_never_learnt():
    apart = [
        judged("在交叉口停车须开启示宽灯才行。"),
        judged("在汇合处停车须开启示宽灯才行。"),
    ]
    assert len(found(*pairs_swapped(4), *apart).kept) == 10


def test_contradicting_answers_are_reported_and_dropped_or_kept_together():
    questions = (
        asked(STEM),
        asked(STEM, source="two"),
        asked(STEM, answer=("40公里",), source="six"),
    )
    dropped = found(*questions, judged("夜间会车应当使用近光灯。"))
    assert [question.type for question, _ in dropped.kept] == ["judge"]
    assert dropped.counts["conflicting_answers"] == 1
    assert dropped.counts["dropped"] == {"duplicate": 0, "conflict": 3}
    (example,) = dropped.examples["conflicts"]
    assert [one["answer"] for one in example["questions"]] == [["60公里"], ["40公里"]]
    kept = found(*questions, conflicts="keep")
    assert len(kept.kept) == 2 and len({group for _, group in kept.kept}) == 1
    assert kept.counts["dropped"] == {"duplicate": 1, "conflict": 0}


def test_order_of_options_decides_letters_and_never_the_answer():
    first, second = asked(STEM), asked(STEM, list(reversed(LIMITS)), source="two")
    forms = [question_record(q, "g", "{text}选{letter}", "，") for q in (first, second)]
    assert [record["label"]["letters"] for record in forms] == ["B", "C"]
    assert [record["label"]["answer"] for record in forms] == ["60公里选B", "60公里选C"]
    assert json.loads(forms[1]["fields"]["choices"]) == second.options


def test_a_record_of_several_right_options():
    question = asked("哪些是对的？", ["甲", "乙", "丙"], ("甲", "丙"))
    record = question_record(question, "g", "{letter}. {text}", "\n")
    assert record["fields"]["options"] == "A. 甲\nB. 乙\nC. 丙"
    assert record["label"]["letters"] == "AC" and record["label"]["answer"] == "A. 甲\nC. 丙"
    assert record["stratum"] == record["fields"]["type"] == "multi"


def test_numbers_and_pictures_keep_what_tells_them_apart():
    level = Levelling([("多少", "几")])
    assert level("1.5 米") != level("15米") and level("１００米。") == level("100 米")
    assert level("3, 5") != level("35") and level("限速多少？") == level("限速几")
    assert picture("http://a.b/tiku/820000.jpg?w=1") == picture("820000.png") == "820000"
    assert picture(None) is None and picture("x/1.jpg") != picture("x/2.jpg")


def overlapping(questions: int, **settings) -> list[Question]:
    """Two made sites that share about half of their questions."""
    made = {"questions": questions, "seed": 2, **settings}
    one = driving_questions(DrivingSettings(**made, share=0.7), "one")
    return one + driving_questions(DrivingSettings(**made, share=0.7, variant=1), "two")


@pytest.mark.slow
def test_two_made_sites_are_joined_to_the_bank_that_they_were_made_from():
    questions = overlapping(1200, pictures=0)
    result = deduplicate(questions, Deduplication())
    whole = list(bank(DrivingSettings(questions=1200, seed=2, pictures=0)))
    level = Levelling([*Deduplication().synonyms, *SYNONYMS])
    named = {form_of(question, level): question.id for question in whole}
    of_bank = [named[form_of(question, level)] for question in questions]
    assert len(questions) - len(set(of_bank)) == result.counts["dropped"]["duplicate"]
    assert len({named[form_of(question, level)] for question, _ in result.kept}) == len(result.kept)


def form_of(question: Question, level: Levelling) -> tuple:
    return level(question.stem), tuple(sorted(map(level, question.options)))


def twin(question: Question, rng: Random) -> Question:
    """The question as another site has it: shuffled, other marks and width, some words replaced."""
    words = {
        "驾驶机动车": "开车", "应当": "应该", "怎样": "如何", "什么": "何种", "可以": "能够",
        "遇到": "碰到", "立即": "马上", "通过": "经过", "属于": "算是", "含义": "意思",
        "前方": "前面", "必须": "一定要", "允许": "准许", "发生": "出现",
    }  # fmt: skip
    stem, there = question.stem, [word for word in words if word in question.stem]
    for word in rng.sample(there, min(len(there), rng.randint(1, 2))):
        stem = stem.replace(word, words[word])
    stem = stem.translate(str.maketrans("，。？", ",.?")) if rng.random() < 0.4 else stem
    wide = rng.random() < 0.3
    options = [text.translate(FULL_WIDTH) if wide else text for text in question.options]
    answer = [options[question.options.index(text)] for text in question.answer]
    if question.type != "judge":
        rng.shuffle(options)
    return question.model_copy(
        update={
            "id": f"twin-{question.source_id}", "source": "twin", "explanation": "",
            "stem": stem.translate(FULL_WIDTH) if wide else stem, "options": options,
            "answer": [text for text in options if text in answer],
        }
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(not BANK.is_file(), reason="the bank is not on this machine")
def test_the_real_bank_and_its_twin_become_one_bank():
    source = QuestionsSource(kind="questions", path=str(BANK))
    questions, facts = read_questions(source, {}, "source")
    assert len(questions) == 1325 and not facts["DataSubject1"]["unusable"]
    rng = Random(7)
    result = deduplicate([*questions, *(twin(q, rng) for q in questions)], Deduplication())
    twins_left = [q.id for q, _ in result.kept if q.source == "twin"]
    lost = 1325 - sum(q.source != "twin" for q, _ in result.kept)
    assert len(twins_left) <= 13
    assert lost <= 1


# ------------------------------------------------------------------------------ strata


def test_a_split_has_its_share_of_each_stratum():
    """In groups of one to four, of which the rare type has few."""
    rng, records = Random(3), []
    for kind, groups in (("single", 200), ("judge", 100), ("multi", 20)):
        for group in range(groups):
            for number in range(rng.choice((1, 1, 2, 4))):
                name = f"{kind}-{group}"
                records.append({"id": f"{name}-{number}", "group": name, "stratum": kind})
    outline = Outline({**record, "fields": {"q": record["id"]}, "label": "A"} for record in records)
    homes = split(outline, Split(train=0.7, validation=0.2, test=0.1))
    for kind in ("single", "judge", "multi"):
        of_kind = [h for h, r in zip(homes, records, strict=True) if r["stratum"] == kind]
        for name, share in (("train", 0.7), ("validation", 0.2), ("test", 0.1)):
            assert abs(of_kind.count(name) - share * len(of_kind)) <= 4
    groups = {(r["group"], h) for h, r in zip(homes, records, strict=True)}
    assert len(groups) == 320


# ------------------------------------------------------------------------------ a bank's file


def bank_of(tmp_path: Path, *rows) -> QuestionsSource:
    path = tmp_path / "bank.json"
    path.write_text(json.dumps({"questions": rows}, ensure_ascii=False), encoding="utf-8")
    return QuestionsSource(kind="questions", path=str(path))


ROW = {"type": "single", "title": "限速&nbsp;多少？", "a": "A. 40", "b": "B. 60", "answer": "B",
       "description": "<p>限速<br>60</p>", "image": "http://x/1.jpg"}  # fmt: skip


def test_a_bank_s_file_is_read_without_letters_and_html(tmp_path):
    ((question,), _) = read_questions(bank_of(tmp_path, ROW), {}, "source")
    assert (question.stem, question.options, question.answer) == (
        "限速 多少？",
        ["40", "60"],
        ["60"],
    )
    assert question.explanation == "限速\n60" and question.media == "http://x/1.jpg"
    assert question.id == "bank-1"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"type": "essay"}, "none of judge, single, multi"),
        ({"answer": "D"}, "not letters of its options"),
        ({"answer": ""}, "not letters of its options"),
        ({"answer": "AB"}, "has one right option"),
        ({"a": "", "b": "B. 60"}, "option A is empty"),
        ({"a": "A. 60"}, "two are alike"),
        ({"title": "<p></p>"}, "at least 1 character"),
        ({"type": "judge"}, "a judge question has"),
    ],
)
def test_what_cannot_be_used_is_counted_with_its_reason(tmp_path, change, reason):
    source = bank_of(tmp_path, ROW, ROW | change, "text")
    questions, facts = read_questions(source, {}, "source")
    assert len(questions) == 1
    (said, *_), times = zip(*facts["bank"]["unusable"].items(), strict=True)
    assert reason in said and sum(times) == 2


def test_questions_with_pictures_are_kept_dropped_or_alone(tmp_path):
    source = bank_of(tmp_path, ROW, {**ROW, "image": None}, {**ROW, "title": "三"})
    left = {
        media: len(read_questions(source.model_copy(update={"media": media}), {}, "source")[0])
        for media in ("keep", "drop", "only")
    }
    assert left == {"keep": 3, "drop": 1, "only": 2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "line 1: not valid JSON"),
        ("{}", "a list of questions"),
        ("[{}]", "no question is left"),
    ],
)
def test_a_file_that_is_no_bank_stops_with_one_message(tmp_path, text, said):
    path = tmp_path / "bank.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=said):
        read_questions(QuestionsSource(kind="questions", path=str(path)), {}, "source")


def test_the_page_shows_all_kinds_of_example():
    result = found(
        *(asked(STEM), asked(STEM, source="two"), asked(STEM.replace("100", "200"), source="two")),
        judged("夜间会车应当使用近光灯<低>。"),
        judged("夜间会车应当使用近光灯<低>", "错误", source="two"),
    )  # fmt: skip
    quality = {**result.counts, "leakage": {"groups": 0, "prompts": 0}}
    text = as_html("jiakao", quality, result.examples)
    for part in (
        "Merged: 1",
        "Kept apart: 1",
        "Several answers: 1",
        "other numbers",
        "&lt;低&gt;",
    ):
        assert part in text
