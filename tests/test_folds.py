"""Cross-validation: groups stay whole, a study with folds spelled out, the folds together."""

import copy
import statistics
from collections import Counter

import pytest
import yaml
from pydantic import ValidationError

from snaketune.config.data import Split
from snaketune.config.folds import unfolded
from snaketune.config.resolve import resolve
from snaketune.config.study import Study
from snaketune.errors import UserError
from snaketune.files import write_jsonl, write_text
from snaketune.folding import folded, over_folds, pooled_rows
from snaketune.leaks import Evaluation, LeakSettings, Training, check_leaks
from snaketune.splitting import Outline, split

EXTRACT = {
    "kind": "label",
    "labels": ["A", "B", "C", "D", "E"],
    "choices": "choices",
    "readings": {"letter": {"rule": "option_letter"}},
}
PUZZLES = {"kind": "puzzles", "problems": 40}
FOLDED = {
    "title": "t",
    "prompts": {"ask": {"user": "{problem} {question} {options}"}},
    "datasets": {
        "puzzles": {
            "source": PUZZLES,
            "prompt": "ask",
            "split": {"folds": 3, "validation": 0.1},
            "extract": EXTRACT,
        },
        "other": {"source": PUZZLES, "prompt": "ask", "extract": EXTRACT},
    },
    "adapters": {
        "first": {"base": "tiny", "dataset": "puzzles", "training": {"learning_rate": 0.001}},
        "second": {
            "base": "tiny",
            "dataset": "puzzles",
            "init_from": "first",
            "training": {"learning_rate": 0.001},
        },
        "whole": {"base": "tiny", "dataset": "other", "training": {"learning_rate": 0.001}},
    },
    "models": {
        "base": {"base": "tiny"},
        "tuned": {"adapter": "second", "merge": False},
        "sum": {"combine": {"weights": {"first": 0.5, "second": 0.5}}, "merge": False},
        "whole": {"adapter": "whole", "merge": False},
    },
    "baseline": "base",
    "evaluations": [
        {"dataset": "puzzles", "models": ["base", "tuned", "sum"]},
        {"dataset": "other", "models": ["base", "whole"]},
    ],
}


def study(**changes) -> Study:
    """The study above with keys changed, `a__b__c` for nested ones."""
    data = copy.deepcopy(FOLDED)
    for path, value in changes.items():
        *keys, last = path.split("__")
        place = data
        for key in keys:
            place = place[int(key) if isinstance(place, list) else key]
        place[int(last) if isinstance(place, list) else last] = value
    return Study.model_validate(data)


def spelled_out(**changes) -> dict:
    return unfolded(study(**changes).model_dump(mode="json"))


def records(groups: int) -> list[dict]:
    return [
        {"id": f"{g}-{n}", "fields": {"x": f"{g} {n}"}, "label": "A", "group": str(g)}
        for g in range(groups)
        for n in range(1 + g % 4)
    ]


def test_folds_part_the_groups():
    rows = records(41)
    homes = [
        split(Outline(rows), Split(folds=5, fold=fold, validation=0.1)) for fold in range(1, 6)
    ]
    for home in homes:
        sides: dict[str, set] = {}
        for row, name in zip(rows, home, strict=True):
            sides.setdefault(row["group"], set()).add(name)
        assert all(len(names) == 1 for names in sides.values())
        assert set(home) == {"train", "validation", "test"}
    tests = Counter(
        row["id"] for home in homes for row, name in zip(rows, home, strict=True) if name == "test"
    )
    assert set(tests.values()) == {1} and len(tests) == len(rows)
    sizes = [home.count("test") for home in homes]
    assert max(sizes) - min(sizes) <= 2
    assert all(abs(home.count("validation") - 0.1 * len(rows)) <= 3 for home in homes)


def test_folds_without_validation_and_too_many():
    homes = split(Outline(records(9)), Split(folds=3, fold=2, validation=0))
    assert set(homes) == {"train", "test"}
    with pytest.raises(UserError, match="4 groups cannot be parted into 4 folds and a validation"):
        split(Outline(records(4)), Split(folds=4, fold=1))


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"fold": 1}, "is one of folds"),
        ({"folds": 3, "fold": 4}, "4 of only 3"),
        ({"folds": 3, "test": 0.2}, "state neither"),
        ({"folds": 3, "validation": 0.7}, "leaves something to train on"),
        ({"folds": 1}, "greater than 1"),
    ],
)
def test_folds_that_cannot_be(keys, said):
    with pytest.raises(ValidationError, match=said):
        Split.model_validate(keys)


def test_what_a_job_is_told_is_valid_again():
    for split_of in (Split(folds=3), Split(folds=7, fold=2, validation=0.05)):
        assert Split.model_validate_json(split_of.model_dump_json()) == split_of


def test_a_study_spelled_out():
    made = spelled_out()
    assert list(made["datasets"]) == ["puzzles", "other", "puzzles.1", "puzzles.2", "puzzles.3"]
    assert made["datasets"]["puzzles.2"]["split"]["fold"] == 2
    assert made["datasets"]["puzzles.2"]["fold_of"] == "puzzles"
    assert made["datasets"]["other"]["fold_of"] is None
    adapters = made["adapters"]
    assert set(adapters) == {"whole"} | {f"{a}.{n}" for a in ("first", "second") for n in (1, 2, 3)}
    assert (adapters["second.3"]["dataset"], adapters["second.3"]["init_from"]) == (
        "puzzles.3",
        "first.3",
    )
    assert made["models"]["tuned.1"]["adapter"] == "second.1"
    assert made["models"]["sum.2"]["combine"]["weights"] == {"first.2": 0.5, "second.2": 0.5}
    assert made["declared_models"] == ["base", "tuned", "sum", "whole"]
    assert {"dataset": "puzzles.2", "split": "test", "models": ["base", "tuned.2", "sum.2"]} in (
        made["evaluations"]
    )
    assert {e["dataset"] for e in made["evaluations"]} == {
        "other", "puzzles.1", "puzzles.2", "puzzles.3",
    }  # fmt: skip
    assert [one["model"] for one in made["pooled"]] == ["base", "tuned", "sum"]
    assert made["pooled"][1]["parts"] == [[f"tuned.{n}", f"puzzles.{n}"] for n in (1, 2, 3)]
    assert made["pooled"][0]["parts"] == [["base", f"puzzles.{n}"] for n in (1, 2, 3)]


def test_a_study_without_folds_is_the_same():
    made = spelled_out(datasets__puzzles__split={"test": 0.2})
    assert made["pooled"] == [] and len(made["datasets"]) == 2
    assert made["declared_models"] == list(made["models"])


def test_one_fold_alone_is_an_ordinary_split():
    made = spelled_out(datasets__puzzles__split={"folds": 3, "fold": 2})
    assert made["pooled"] == [] and list(made["adapters"]) == ["first", "second", "whole"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"evaluations__0__split": "validation"}, "of folds the test is what is asked"),
        ({"evaluations__1__models": ["base", "tuned"]}, "'tuned' is there once a fold"),
        ({"adapters__second__dataset": "other"}, "adapters.second.init_from: 'first' is trained"),
        (
            {"models__sum__combine__weights": {"first": 1, "whole": 1}},
            "not all of the same folds",
        ),
        (
            {"grids": {"way": {"start": "first", "end": "second", "weights": [0.3, 0.6]}}},
            "grids.way",
        ),
        ({"adapters__first.2": FOLDED["adapters"]["whole"]}, "adapters.first.2: a fold would"),
        (
            {"submission": {"x": {"dataset": "other", "model": "tuned", "reading": "letter"}}},
            "submission.x: folds are for measuring",
        ),
    ],
)
def test_what_folds_cannot_do(changes, said):
    with pytest.raises(ValidationError, match=said):
        study(**changes)


def test_the_rules_get_it_spelled_out(tmp_path, monkeypatch):
    path = tmp_path / "folds.yaml"
    write_text(path, yaml.safe_dump(FOLDED, allow_unicode=True))
    config = resolve({"run": "x", "scale": "demo", "studies": [str(path)]})
    assert [one["dataset"] for one in config["studies"]["folds"]["pooled"]] == ["puzzles"] * 3


def test_answers_of_all_folds_in_one_file(tmp_path):
    for fold in (1, 2):
        write_jsonl(tmp_path / f"{fold}.jsonl", [{"id": f"{fold}a"}, {"id": f"{fold}b"}])
    paths = [tmp_path / "1.jsonl", tmp_path / "2.jsonl"]
    assert [(row["id"], row["fold"]) for row in pooled_rows(paths)] == [
        ("1a", 1), ("1b", 1), ("2a", 2), ("2b", 2),
    ]  # fmt: skip
    with pytest.raises(UserError, match=r"record '1a' stands in .*1\.jsonl too"):
        list(pooled_rows([paths[0], paths[0]]))


def test_mean_and_interval_over_folds():
    rights = [
        (fold, index < hits) for fold, hits in ((1, 6), (2, 8), (3, 7)) for index in range(10)
    ]
    made = over_folds(rights)
    assert made["accuracies"] == [0.6, 0.8, 0.7]
    assert made["mean"] == pytest.approx(0.7)
    assert made["sd"] == pytest.approx(statistics.stdev([0.6, 0.8, 0.7]))
    reach = 4.302653 * 0.1 / 3**0.5  # t of 0.975 with 2 degrees of freedom
    assert (made["low"], made["high"]) == pytest.approx((0.7 - reach, 0.7 + reach), abs=1e-6)
    assert over_folds([(1, True), (2, True)])["high"] == 1.0


def test_the_table_of_folds():
    folds = over_folds([(1, True), (1, False), (2, True), (2, True)])
    line = {"metric": "letter", "n": 4, "folds": folds}
    scores = [
        {"model": model, "dataset": "puzzles", "split": "test", "metrics": [line]}
        for model in ("tuned", "base")
    ]
    (block,) = folded(scores, ["base", "tuned"])
    assert block.title == "puzzles / test: over 2 folds, 4 records"
    assert [row[:3] for row in block.rows] == [["letter", m, "75.0"] for m in ("base", "tuned")]
    assert block.rows[0][-1] == "50.0, 100.0"
    assert folded([{**scores[0], "metrics": [{"metric": "x", "n": 4}]}], ["tuned"]) == []


def test_leaks_between_folds_are_no_leaks(tmp_path):
    for name in ("one", "two"):
        fields = {"x": f"the {name} record has many words in it"}
        write_jsonl(tmp_path / f"{name}.jsonl", [{"id": name, "fields": fields, "label": "A"}])
    paths = {name: str(tmp_path / f"{name}.jsonl") for name in ("one", "two")}
    settings = LeakSettings(
        title="t",
        training=[Training(dataset=f"p.{n}", path=paths[name]) for n, name in enumerate(paths, 1)],
        evaluation=[Evaluation(dataset="p.1", split="test", path=paths["two"], against=["p.1"])],
    )
    (pair,) = check_leaks(settings)["pairs"]
    assert (pair["training"], pair["exact"]) == ("p.1", 0)
