"""The settings that the studies' texts state: in the config to the digit, and in the document."""

import re
from pathlib import Path

import pytest
from workflow import Project

from snaketune.config.resolve import read_yaml, resolve
from snaketune.errors import UserError
from snaketune.recipe import read_recipe
from snaketune.settings import (
    Setting,
    differences,
    document,
    look_up,
    numbers,
    published_study,
    read_stated,
)

ROOT = Path(__file__).resolve().parents[1]
FILES = sorted((ROOT / "config/published").glob("*.yaml"))
SEEDS = ROOT.parent / "shared" / "seeds"
EACH = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


@pytest.fixture(autouse=True)
def at_home(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module")
def resolved():
    """Each study at paper scale."""
    return {path.stem: published_study(ROOT / "config/studies" / path.name) for path in FILES}


def test_every_study_of_the_paper_scale_is_there():
    assert {path.stem for path in FILES} == set(read_yaml(ROOT / "config/paper.yaml")["studies"])
    assert [read_stated(path).study for path in FILES] == [path.stem for path in FILES]


@EACH
def test_the_config_has_what_the_text_states(path, resolved):
    assert list(differences(read_stated(path), resolved[path.stem])) == []


@EACH
def test_a_changed_value_is_noticed(path, resolved):
    """Whichever it is: each place's value is compared."""
    stated = read_stated(path)
    for setting in stated.settings():
        if setting.at is None:
            continue
        other = setting.model_copy(update={"value": ("another", setting.value)})
        part = stated.parts[0].model_copy(update={"settings": [other]})
        changed = stated.model_copy(update={"parts": [part]})
        assert len(list(differences(changed, resolved[path.stem]))) == 1


def test_the_document_is_current():
    made = document(ROOT / "config/published", ROOT / "config/studies")
    shipped = (ROOT / "config/SETTINGS.md").read_text(encoding="utf-8")
    assert shipped == made, "config/SETTINGS.md is out of date: run `make settings`"


def test_a_changed_config_makes_another_document(tmp_path):
    file = ROOT / "config/studies/nli.yaml"
    text = file.read_text(encoding="utf-8")
    assert "learning_rate: 5.0e-6" in text
    (tmp_path / "nli.yaml").write_text(
        text.replace("learning_rate: 5.0e-6", "learning_rate: 5.0e-5"), encoding="utf-8"
    )
    stated = read_stated(ROOT / "config/published/nli.yaml")
    said = list(differences(stated, published_study(tmp_path / "nli.yaml")))
    assert said == [
        f"nli: adapters/{name}/training/learning_rate is 5e-05, not 5e-06"
        for name in ("mnli", "rte")
    ]


@pytest.mark.slow
def test_recipes_of_the_paper_scale_need_no_gpu(tmp_path):
    project = Project.copied(tmp_path)
    paper = ("--configfile", "config/paper.yaml")
    plan = project.plan(*paper)
    studies = resolve(read_yaml(ROOT / "config/paper.yaml"))["studies"]
    adapters = {(name, key): a for name, s in studies.items() for key, a in s["adapters"].items()}
    assert plan["write_recipe"] == plan["train_adapter"] == len(adapters)
    files = {place: "results/paper/{}/adapters/{}/recipe.yaml".format(*place) for place in adapters}
    project.snakemake("--cores", "2", *paper, "--", *files.values())
    for place, adapter in adapters.items():
        recipe = read_recipe(tmp_path / files[place])
        assert recipe.training.model_dump() == adapter["training"]
        assert recipe.lora.model_dump() == adapter["lora"]


@EACH
def test_the_other_choice_is_a_study_too(path):
    """And as published and as corrected are both in the config, on what is trained and asked."""
    for setting in read_stated(path).settings():
        if setting.switch:
            published_study(ROOT / "config/studies" / path.name, setting.switch)


@EACH
def test_what_is_trained_is_asked(path, resolved):
    """Each adapter that a statement is about is part of a model that is evaluated."""
    study = resolved[path.stem]
    asked = {name for evaluation in study["evaluations"] for name in evaluation["models"]}
    models = [study["models"][name] for name in asked]
    used = {model["adapter"] for model in models}
    used |= {name for model in models if model["combine"] for name in model["combine"]["weights"]}
    used |= {study["adapters"][name]["init_from"] for name in used - {None}}
    places = [place for s in read_stated(path).settings() for place in (s, s.corrected) if place]
    named = {place.at.split("/")[1] for place in places if (place.at or "").startswith("adapters/")}
    assert named <= used


@pytest.mark.skipif(not SEEDS.is_dir(), reason="the studies' texts are not here")
@EACH
def test_quotes_stand_in_the_text(path):
    text = plain((SEEDS / f"{path.stem}.md").read_text(encoding="utf-8"))
    stated = read_stated(path)
    assert [
        s.quote for s in stated.settings() if not s.elsewhere and plain(s.quote) not in text
    ] == []


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ({"quote": "r 8"}, "state a place"),
        ({"quote": "r 8", "at": "a", "value": 8, "why": "no"}, "state a place"),
        ({"quote": "r 8", "at": "a", "value": 16}, "has no 16"),
    ],
)
def test_statements_that_say_nothing(setting, said):
    with pytest.raises(ValueError, match=said):
        Setting.model_validate(setting)


def test_numbers_in_a_text():
    text = "1,000 rows, randint(1,28), 5e-01, 79.9% and 0.03"
    assert numbers(text) == pytest.approx([1000, 1, 28, 0.5, 0.799, 0.03])


def test_a_place_that_is_not_there_names_the_nearest(resolved):
    with pytest.raises(UserError, match=r"no 'learning_rat' there. Did you mean 'learning_rate'"):
        look_up(resolved["nli"], "adapters/rte/training/learning_rat")
    with pytest.raises(UserError, match="no 'base, rte, first' there"):
        look_up(resolved["nli"], "published/base, rte, first")


def test_the_whole_paper_scale_resolves():
    config = resolve(read_yaml(ROOT / "config/paper.yaml"))
    hubs = {name: base for name, base in config["bases"].items() if base["source"] == "hub"}
    assert {base["id"] for base in hubs.values()} >= {
        "Qwen/Qwen2.5-3B-Instruct",
        "deepseek-ai/DeepSeek-R1-0528-Qwen3-8B",
    }
    for base in hubs.values():  # pinned where known, else recorded at download; never a branch
        assert base["revision"] is None or re.fullmatch("[0-9a-f]{40}", base["revision"])
