"""The made bank of driving-test questions: what its sites share, and where they differ."""

from collections import Counter, defaultdict

from snaketune.config.driving import DrivingSettings
from snaketune.driving import FAMILIES, bank, driving_questions
from snaketune.questions import JUDGE_OPTIONS, Question


def made(**settings) -> list[Question]:
    return driving_questions(DrivingSettings(questions=400, **settings), "here")


def facts_in(question: Question) -> set[tuple[str, str]]:
    """Case and value of every fact that an explanation states."""
    said = set(question.explanation.removesuffix("。").split("，"))
    every = [
        (family, c, v) for family in FAMILIES.values() for c in family.cases for v in family.values
    ]
    return {(c, v) for family, c, v in every if family.fact.format(c=c, v=v) in said}


def test_a_seed_gives_the_same_questions():
    assert made(seed=3) == made(seed=3)
    assert [q.stem for q in made(seed=3)] != [q.stem for q in made(seed=4)]


def test_every_question_is_a_valid_one_with_an_id_of_its_own():
    for settings in ({}, {"variant": 1, "share": 0.7, "conflicts": 5}):
        questions = made(**settings)
        for question in questions:
            Question.model_validate(question.model_dump())
        assert len({question.id for question in questions}) == len(questions)
        assert {question.source for question in questions} == {"here"}


def test_no_question_of_a_bank_is_there_twice_and_all_types_are():
    questions = list(bank(DrivingSettings(questions=400)))
    same = Counter((q.stem, frozenset(q.options), q.media) for q in questions)
    assert len(questions) == 400
    assert set(same.values()) == {1}
    assert {q.type for q in questions} == {"judge", "single", "multi"}
    assert 5 < sum(q.media is not None for q in questions) < 40


def test_facts_decide_and_contradict_nowhere():
    values = defaultdict(set)
    for question in bank(DrivingSettings(questions=400, pictures=0)):
        facts = dict(facts_in(question))
        for case, value in facts.items():
            values[case].add(value)
        if question.type == "multi":
            asked = [case for case, value in facts.items() if value in question.stem]
            assert set(question.answer) == set(asked)
        else:
            ((_, value),) = facts.items()
            said = JUDGE_OPTIONS[value not in question.stem]
            assert question.answer == [said if question.type == "judge" else value]
    assert set(map(len, values.values())) == {1}


def test_sites_overlap_in_other_words_and_orders():
    one, two = made(share=0.8), made(share=0.8, variant=1)
    assert 280 < len(one) < 360 and 280 < len(two) < 360
    stems = {question.stem for question in one}
    shared = [question for question in two if question.stem in stems]
    assert 50 < len(shared) < 250
    options = {(q.stem, tuple(q.options)) for q in one}
    assert any((q.stem, tuple(q.options)) not in options for q in shared if q.type != "judge")


def test_conflicts_are_as_many_as_asked_for():
    with_none, with_some = made(variant=1), made(variant=1, conflicts=4)
    differ = [a.id for a, b in zip(with_none, with_some, strict=True) if a.answer != b.answer]
    assert len(differ) == 4
