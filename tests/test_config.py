"""The config: what ships is right, and what a user gets wrong is said in one clear message."""

import copy
import json
import shutil
from pathlib import Path

import jsonschema
import pytest
import yaml

from snaketune.config.resolve import load_study, merged, read_yaml, resolve
from snaketune.errors import UserError

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the shipped config and resources, to be spoiled by a test."""
    for folder in ("config", "resources"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def change(path: Path, *keys: str, value) -> None:
    """Set one value of a YAML file, given the keys that lead to it."""
    data = json.loads(json.dumps(read_yaml(path)))  # through JSON: no part shared by anchors
    place = data
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")


def weather(project: Path, *keys: str, value) -> str:
    """Spoil the weather study and return what `resolve` says about it."""
    change(project / "config/studies/weather.yaml", *keys, value=value)
    with pytest.raises(UserError) as caught:
        resolve(read_yaml(project / "config/config.yaml"))
    return str(caught.value)


@pytest.mark.parametrize("file", ["config.yaml", "small.yaml", "paper.yaml"])
def test_shipped_configs_resolve(file, monkeypatch):
    monkeypatch.chdir(ROOT)
    config = resolve(read_yaml(ROOT / "config" / file))
    assert config["studies"]["weather"]["adapters"]["lora"]["training"]["optim"] == "adamw_torch"
    assert config["bases"]["tiny"] == {"source": "tiny", "chat_template": None}


def test_scales_share_prompts_and_data_but_not_recipes(monkeypatch):
    monkeypatch.chdir(ROOT)
    path = ROOT / "config/studies/weather.yaml"
    demo, paper = load_study(path, "demo"), load_study(path, "paper")
    assert demo.prompts == paper.prompts
    assert demo.datasets == paper.datasets
    assert (paper.adapters["qlora"].lora.r, paper.adapters["qlora"].lora.lora_alpha) == (64, 16)
    assert paper.models["tuned"].base == "qwen2.5-1.5b-instruct"


def test_unknown_key_names_the_nearest(project):
    said = weather(project, "adapters", "lora", "training", "learning_rat", value=1e-4)
    assert "weather.yaml: adapters.lora.training: unknown key 'learning_rat'" in said
    assert "did you mean 'learning_rate'?" in said


def test_unknown_top_key(project):
    with pytest.raises(UserError, match="unknown key 'studys'; did you mean 'studies'"):
        resolve({**read_yaml(project / "config/config.yaml"), "studys": []})


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (
            ("adapters", "lora", "base"),
            "tinny",
            "adapters.lora.base: no base 'tinny'. Did you mean",
        ),
        (("models", "tuned", "adapter"), "lroa", "models.tuned.adapter: no adapter 'lroa'"),
        (("datasets", "weather", "prompt"), "pub", "datasets.weather.prompt: no prompt 'pub'"),
        (("baseline",), "basis", "baseline: no model 'basis'. Did you mean 'base'?"),
        (("evaluations",), [{"dataset": "wether"}], "evaluations.0.dataset: no dataset 'wether'"),
    ],
)
def test_dangling_references(project, keys, value, said):
    assert said in weather(project, *keys, value=value)


def test_study_that_is_not_there(project):
    with pytest.raises(
        UserError,
        match=r"no file config/studies/wether.yaml. Did you mean 'weather'.*`studies` in config/",
    ):
        resolve({**read_yaml(project / "config/config.yaml"), "studies": ["wether"]})


def test_scale_that_is_not_there(project):
    with pytest.raises(UserError, match=r"no scale 'papr'. Did you mean 'paper'"):
        resolve({**read_yaml(project / "config/config.yaml"), "scale": "papr"})


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ({"text": "{month}月{day}日的天气"}, "lacks {city}"),
        ({"text": "{city}{month}月的天气"}, "lacks {day}"),
        ({"text": "{city}{month}月{day}日", "date": "%Y-%m-%d"}, "lacks {year}"),
        ({"text": "{town}{month}月{day}日"}, "cannot be filled"),
        ({"text": "{city.name}{month}月{day}日"}, "cannot be filled"),
    ],
)
def test_template_that_cannot_serve(project, template, said):
    assert said in weather(project, "datasets", "weather", "source", "templates", value=[template])


def test_prompt_with_a_field_that_the_data_lack(project):
    said = weather(project, "prompts", "published", "user", value="看这句话：{sentense}")
    assert "has no {sentense}" in said
    assert "Did you mean 'sentence'?" in said


@pytest.mark.parametrize("part", ["user", "system"])
def test_prompt_that_gives_the_answer_away(project, part):
    said = weather(project, "prompts", "published", part, value="{sentence} {label}")
    assert f"{part}: {{label}} would give the answer away" in said


def test_system_prompt_with_a_field_that_the_data_lack(project):
    said = weather(project, "prompts", "published", "system", value="{sentense}")
    assert "prompts.published.system: " in said


def test_field_names_may_be_chinese(project):
    said = weather(project, "prompts", "published", "user", value="{sentence} {选项}")
    assert "has no {选项}" in said


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (("datasets", "weather", "extract", "fields"), ["city", "town"], "no part 'town'"),
        (("datasets", "weather", "extract", "normalise"), {"ctiy": "place_name"}, "'ctiy' is not"),
        (("evaluations",), [{"dataset": "handwritten", "split": "train"}], "train is 0"),
        (("adapters", "lora", "dataset"), "handwritten", "split.train is 0"),
        (
            ("published",),
            [{"model": "tuned", "dataset": "weather", "metric": "exact", "value": 1}],
            "Did you mean 'exact_match'?",
        ),
        (
            ("sampling", "response_schema"),
            {"type": "objekt"},
            "schema.type: no JSON schema: 'objekt",
        ),
        (
            ("sampling", "response_schema"),
            {"type": "object"},
            "tuned_qlora cannot be held to a schema",
        ),
    ],
)
def test_what_would_fail_after_hours(project, keys, value, said):
    assert said in weather(project, *keys, value=value)


@pytest.mark.parametrize("name", ["all", "score", "logs", "天气", "My Study"])
def test_study_whose_file_name_cannot_be_a_name(project, name):
    Path("config/studies/weather.yaml").rename(f"{name}.yaml")
    with pytest.raises(UserError, match=rf"{name}.yaml: .*[Rr]ename the file"):
        resolve({"run": "r", "scale": "demo", "studies": [f"{name}.yaml"]})


def test_tiny_base_that_is_damaged(project, monkeypatch):
    monkeypatch.setattr("snaketune.bases.TINY", project / "resources/tiny-base")
    weights = project / "resources/tiny-base/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"weather\.yaml: .*model\.safetensors"):
        resolve(read_yaml(project / "config/config.yaml"))


def test_places_are_the_keys_of_the_file(project):
    said = weather(project, "datasets", "weather", "source", "records", value=0)
    assert "weather.yaml: datasets.weather.source.records: " in said


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\x00\x01\x02\xff\xfe\x00"])
def test_city_file_without_cities(project, content):
    Path("mine.txt").write_bytes(content)
    said = weather(project, "datasets", "weather", "source", "cities", value="mine.txt")
    assert "datasets.weather.source.cities: " in said
    assert "mine.txt" in said


def test_city_file_that_is_not_there(project):
    said = weather(project, "datasets", "weather", "source", "cities", value="nowhere.txt")
    assert "datasets.weather.source.cities: " in said
    assert "nowhere.txt" in said


def test_local_base_that_is_not_there(project):
    said = weather(project, "bases", value={"mine": {"source": "local", "path": "no/such"}})
    assert "bases.mine.path: " in said
    assert "no/such" in said


def test_large_learning_rate_needs_leave(project):
    said = weather(project, "adapters", "lora", "training", "learning_rate", value=0.5)
    assert "allow_large_learning_rate: true" in said
    path = project / "config/studies/weather.yaml"
    change(path, "adapters", "lora", "allow_large_learning_rate", value=True)
    assert load_study(path, "demo").adapters["lora"].training.learning_rate == 0.5


def test_remote_code_needs_a_revision(project):
    base = {"source": "hub", "id": "a/b", "trust_remote_code": True}
    assert "name the revision too" in weather(project, "bases", value={"b": base})


def test_adapter_on_another_base(project):
    said = weather(project, "models", "tuned", value={"adapter": "lora", "base": "tiny2"})
    assert "models.tuned.base: no base 'tiny2'" in said


def test_evaluation_without_the_baseline(project):
    said = weather(project, "evaluations", value=[{"dataset": "weather", "models": ["tuned"]}])
    assert "lacks the baseline model 'base'" in said


def test_broken_yaml_names_file_and_line(project):
    Path("config/studies/weather.yaml").write_text("title: a\nprompts: [\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"weather.yaml, line \d+: not valid YAML"):
        resolve(read_yaml(project / "config/config.yaml"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("title: a\nuser: {{sentence}}\n", "line 2: braces open a mapping here"),
        ("title: a\x0b\n", "not plain UTF-8 text"),
        ("title:\t- a\n\tb: 1\n", r"line \d: not valid YAML"),
    ],
)
def test_text_that_yaml_takes_for_something_else(project, text, said):
    Path("odd.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=said):
        read_yaml(Path("odd.yaml"))


def test_key_written_twice(project):
    Path("two.yaml").write_text("run: a\nscale: demo\nrun: b\n", encoding="utf-8")
    with pytest.raises(UserError, match="line 3: key 'run' stands here a second time"):
        read_yaml(Path("two.yaml"))


def test_one_base_name_means_one_base(project):
    study = yaml.safe_load(Path("config/studies/weather.yaml").read_text(encoding="utf-8"))
    for name, hub in (("first", "a/b"), ("second", "c/d")):
        study["bases"] = {"big": {"source": "hub", "id": hub}}
        Path(f"{name}.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
    with pytest.raises(UserError, match="'first' and 'second' mean different models"):
        resolve({"run": "r", "scale": "demo", "studies": ["first.yaml", "second.yaml"]})


def test_merged_lays_key_by_key():
    base = {"a": {"b": 1, "c": 2}, "d": [1, 2]}
    kept = copy.deepcopy(base)
    assert merged(base, {"a": {"c": 3}, "d": [4]}) == {"a": {"b": 1, "c": 3}, "d": [4]}
    assert base == kept


def test_schemas_are_current():
    from write_schema import run_schema, study_schema

    for file, schema in (("schema.json", run_schema()), ("study.schema.json", study_schema())):
        shipped = json.loads((ROOT / "config" / file).read_text(encoding="utf-8"))
        assert shipped == schema, f"config/{file} is out of date: run `make schema`"


@pytest.mark.parametrize("path", sorted((ROOT / "config").rglob("*.yaml")), ids=lambda p: p.name)
def test_every_yaml_names_its_schema_and_fits_it(path):
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    schema = json.loads((path.parent / first.split("=", 1)[1]).read_text(encoding="utf-8"))
    jsonschema.validate(read_yaml(path), schema)


def test_keys_are_those_of_trl_and_peft():
    from peft import LoraConfig
    from transformers import BitsAndBytesConfig
    from trl import SFTConfig

    from snaketune.config.tuning import Lora, Quantization, Training

    for ours, theirs in ((Training, SFTConfig), (Lora, LoraConfig)):
        assert set(ours.model_fields) <= set(theirs.__dataclass_fields__)
    BitsAndBytesConfig(**Quantization().model_dump())
