"""Labels read from replies: the truth tables of both rules, and what a map makes of them."""

import json
from pathlib import Path

import pytest

from snaketune.config.data import Reading
from snaketune.label_replies import label_reader

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
NLI = ["yes", "no", "maybe"]


def _reader(rule, labels=NLI, **map_):
    return label_reader(Reading(rule=rule, map=map_), labels)


NLI_TABLE = [
    # reply, first_word, substring_published: the published rule's faults are kept
    ("yes", "yes", "yes"),
    ("Yes.", "yes", "yes"),
    ("NO", "no", "no"),
    ("Maybe.\n", "maybe", "maybe"),
    ("No, it does not follow", "no", "no"),
    ("Yes, because no man is sleeping", "yes", "yes"),
    ("No, yesterday was different.", "no", "yes"),
    ("“No”", "no", "no"),
    ("'yes'", "yes", "yes"),
    ("**yes**", "yes", "yes"),
    ("_No_ – the premise says otherwise", "no", "no"),
    ("`maybe`", "maybe", "maybe"),
    ("(no)", "no", "no"),
    ("\\boxed{yes}", "yes", "yes"),
    ('{"answer": "no"}', "no", "no"),
    ("1) yes", "yes", "yes"),
    ("-yes", "yes", "yes"),
    ("yes—it follows", "yes", "yes"),
    ("No no no", "no", "no"),
    ("\uff39\uff45\uff53", "yes", None),  # full-width letters
    # "maybe" cannot be read by the published rule where anything of the others stands beside it.
    ("maybe not", "maybe", "no"),
    ("Maybe, I cannot tell", "maybe", "no"),
    ("It is unknown. Maybe", "maybe", "no"),
    ("Probably yes", "yes", "yes"),
    # Inside other words.
    ("I do not know", None, "no"),
    ("Not necessarily", None, "no"),
    ("Not necessarily, maybe.", "maybe", "no"),
    ("nothing", None, "no"),
    ("another", None, "no"),
    ("unknown", None, "no"),
    ("now", None, "no"),
    ("None", None, "no"),
    ("no-one", None, "no"),
    ("No one says so", None, "no"),
    ("No doubt: yes", "yes", "yes"),
    ("No matter what, maybe", "maybe", "no"),
    ("It's a no-brainer", None, "no"),
    ("yesterday", None, "yes"),
    ("eyes", None, "yes"),
    ("yes-man", None, "yes"),
    ("noël", None, "no"),
    # Inside the clause, or the first word of none.
    ("There is no evidence", None, "no"),
    ("There is no evidence. So the answer is yes.", "yes", "yes"),
    ("The premise gives no reason, so no", "no", "no"),
    ("The answer is no because he sleeps", "no", "no"),
    ("So the correct answer is **yes** as stated", "yes", "yes"),
    ("The answer is: yes", "yes", "yes"),
    ("Answer: no", "no", "no"),
    ("I would say yes", "yes", "yes"),
    # Denied, open, or two at once.
    ("I cannot say yes", None, "yes"),
    ("It is not a yes", None, "yes"),
    ("It isn't a yes", None, "yes"),
    ("I can’t say no", None, "no"),
    ("never yes", None, "yes"),
    ("The answer is not yes", None, "yes"),
    ("I am unsure whether yes", None, "yes"),
    ("neither yes nor no", None, "yes"),
    ("yes or no", None, "yes"),
    ("Yes/No", None, "yes"),
    ("Please answer yes or no or maybe", None, "yes"),
    ("maybe yes", None, "yes"),
    ("no, yes", "no", "yes"),
    # Questions.
    ("Is it yes? No.", "no", "yes"),
    ("Maybe?", "maybe", "maybe"),
    ("Yes or no? Yes.", None, "yes"),
    # Chinese around English labels.
    ("Yes，因为他在睡觉", "yes", "yes"),
    ("答案是yes", "yes", "yes"),
    ("答案：no。", "no", "no"),
    ("答案应该是maybe因为没有说", "maybe", "maybe"),
    ("我认为是no！", "no", "no"),
    ("我不知道；maybe", "maybe", "maybe"),
    ("不过、yes", "yes", "yes"),
    ("不是yes", None, "yes"),
    ("没有理由说yes", None, "yes"),
    ("是的", None, None),
    # Nothing.
    ("", None, None),
    (" \n", None, None),
    ("...", None, None),
    ("Nope", None, "no"),
    ("It depends", None, None),
]


@pytest.mark.parametrize(("reply", "first_word", "published"), NLI_TABLE)
def test_truth_tables_of_the_nli_study(reply, first_word, published):
    assert _reader("first_word")(reply) == first_word
    assert _reader("substring_published")(reply) == published


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("相同", "相同"),
        ("不相同。", "不相同"),
        ("这两句话不相同", "不相同"),
        ("结论：相同", "相同"),
        ("两个句子的意思相同，因为都问还款", "相同"),
        ("相同。虽然用词不相同", "相同"),
        ("不过，相同", "相同"),
        ("非常肯定地说是相同", "相同"),
        ("【不相同】", "不相同"),
        ("不完全相同", None),
        ("并非不相同", None),
        ("没有不相同", None),
        ("是否相同", None),
        ("相同吗？不相同", "相同"),
        ("意思相同吗？不相同", "不相同"),
        ("相同或不相同", None),
        ("无法判断", None),
    ],
)
def test_chinese_labels_and_one_inside_another(reply, label):
    assert _reader("first_word", ["相同", "不相同"])(reply) == label


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("A", "A"),
        ("b", "B"),
        ("C. 因为他没有来", "C"),
        ("(D)", "D"),
        ("答案是B", "B"),
        ("选E。", "E"),
        ("A选项", "A"),
        ("答案：\uff21", "A"),
        ("The answer is C.", "C"),
        ("B is correct", "B"),
        ("A dog runs", None),
        ("b follows", None),
        ("A dog runs, so B", "B"),
        ("A or B", None),
        ("AB", None),
        ("B2", None),
    ],
)
def test_letters(reply, label):
    assert _reader("first_word", list("ABCDE"))(reply) == label


@pytest.mark.parametrize(
    ("reply", "label"),
    [
        ("entailment", "entailment"),
        ("Not entailment.", "not entailment"),
        ("not\tentailment", "not entailment"),
        ("It is not an entailment", None),
    ],
)
def test_a_label_of_two_words_that_holds_another(reply, label):
    assert _reader("first_word", ["entailment", "not entailment"])(reply) == label


def test_published_rule_takes_the_labels_in_their_order():
    assert _reader("substring_published", ["no", "yes"])("yes or no") == "no"
    assert _reader("substring_published", ["A", "B"])("b") == "B"


def test_a_map_applies_to_what_was_read():
    mapped = _reader("first_word", maybe="no")
    assert [mapped(reply) for reply in ("Maybe.", "yes", "no", "I do not know")] == [
        "no", "yes", "no", None,
    ]  # fmt: skip


def test_real_sentences_are_seldom_taken_for_answers():
    """Hypotheses of MNLI answer nothing; the published rule finds a label in many of them."""
    path = DATA / "mnli" / "mnli_dev_first5000.jsonl"
    if not path.is_file():
        pytest.skip("the real data are not here")
    lines = path.read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["hypothesis"] for line in lines]
    first_word, published = (
        sum(read(text) is not None for text in texts) / len(texts)
        for read in (_reader("first_word"), _reader("substring_published"))
    )
    assert first_word < 0.02
    assert published > 0.2


def test_a_long_reply_is_read_in_no_time():
    read = _reader("first_word")
    assert read("a " * 50_000 + "yes") == "yes"
    assert read("“" * 100_000 + "yes and more") == "yes"
    assert read("x" + "“" * 100_000 + "yes”" + "”" * 100_000) == "yes"
    assert read("answer " * 30_000 + "no thing") is None
