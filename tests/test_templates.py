"""A base's chat template of one's own: in training, merging and asking the same ids."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from test_predict import question, session
from tuning import SCRIPTS, Study, weather_records

from snaketune.bases import describe, locate
from snaketune.config.data import Prompt
from snaketune.config.tuning import LocalBase
from snaketune.errors import UserError
from snaketune.files import read_json, write_json
from snaketune.prompts import check_prompt_gate, encode, render, stop_ids

ALPACA = Path(__file__).resolve().parents[1] / "resources" / "templates" / "alpaca.jinja"
DEFAULT = (
    "Below is an instruction that describes a task. Write a response that appropriately completes "
    "the request.\n\n"
)
ASKED = "### Instruction:\n句子1：甲\n句子2：乙\n\n### Response:\n"
USER = {"role": "user", "content": "句子1：甲\n句子2：乙"}
SYSTEM = {"role": "system", "content": "你是客服。\n"}
MARKED = "<|im_start|>{{ messages[0].content }}#"


def base_with(folder: Path, template: Path | str | None = ALPACA) -> LocalBase:
    return LocalBase(source="local", path=str(folder), chat_template=template and str(template))


@pytest.fixture(scope="module")
def alpaca(random_base):
    """Tokenizer of the random base in the Alpaca template."""
    from snaketune.loading import load_tokenizer_of

    return load_tokenizer_of(locate("b", base_with(random_base)))


@pytest.fixture(scope="module")
def study(tmp_path_factory, random_base):
    """A study whose base has the Alpaca template."""
    made = Study(tmp_path_factory.mktemp("study"), random_base, train=16, validation=4)
    write_json(made.source, locate("tiny", base_with(random_base)))
    return made


# ------------------------------------------------------------------------------ Alpaca


def test_alpaca_is_laid_out_as_llama_factory_has_it(alpaca):
    def text(*messages, asked=False) -> str:
        return alpaca.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=asked
        )

    answer = {"role": "assistant", "content": "结论：相同"}
    assert text(USER, asked=True) == DEFAULT + ASKED
    assert text(SYSTEM, USER, asked=True) == "你是客服。\n" + ASKED
    assert text(USER, answer).startswith(DEFAULT + ASKED + "结论：相同<|im_end|>")
    two = text(SYSTEM, USER, answer, USER, asked=True)
    assert two == "你是客服。\n" + ASKED + "结论：相同<|im_end|>\n\n" + ASKED


def test_alpaca_passes_the_prompt_gate_and_ends_a_reply_with_the_end_of_text(alpaca):
    prompt = Prompt(user="\n给定一句话：“{sentence}”\n")
    ((asked, trained),) = check_prompt_gate(alpaca, prompt, weather_records(1))
    answer = render(prompt, weather_records(1)[0])[1]
    assert alpaca.decode(trained[asked:]) == answer + "<|im_end|>"
    assert stop_ids(alpaca) == {alpaca.eos_token_id}


# ------------------------------------------------------------------------------ DeepSeek


@pytest.mark.parametrize(
    ("name", "asked", "answered"),
    [
        ("deepseekr1", "<｜User｜>句子1：甲\n句子2：乙<｜Assistant｜>", "相同<|im_end|>"),
        ("deepseek", "User: 句子1：甲\n句子2：乙\n\nAssistant:", " 相同<|im_end|>"),
    ],
)
def test_deepseek_s_templates_as_llama_factory_has_them(random_base, name, asked, answered):
    from snaketune.loading import load_tokenizer_of

    template = ALPACA.with_name(f"{name}.jinja")
    tokenizer = load_tokenizer_of(locate("b", base_with(random_base, template)))
    messages = [USER, {"role": "assistant", "content": "相同"}]
    shown = tokenizer.apply_chat_template([USER], tokenize=False, add_generation_prompt=True)
    assert shown == asked
    assert tokenizer.apply_chat_template(messages, tokenize=False) == asked + answered
    ids = encode(tokenizer, [USER]), encode(tokenizer, [USER], "相同")
    assert ids[1][: len(ids[0])] == ids[0]
    assert stop_ids(tokenizer) == {tokenizer.eos_token_id}


# ------------------------------------------------------------------------------ source.json


def test_source_json_has_the_template_and_it_is_part_of_the_base_s_identity(tmp_path, random_base):
    plain = locate("b", base_with(random_base, None))
    assert "chat_template" not in plain
    file = tmp_path / "mine.jinja"
    file.write_text(MARKED, encoding="utf-8")
    one = locate("b", base_with(random_base, file))
    assert one["chat_template"]["file"] == str(file) and one["chat_template"]["text"] == MARKED
    assert one["files"] == plain["files"], "the folder is as it was"
    file.write_text(MARKED + "?", encoding="utf-8")
    other = locate("b", base_with(random_base, file))
    assert len({plain["sha256"], one["sha256"], other["sha256"]}) == 3
    assert one["chat_template"]["sha256"] != other["chat_template"]["sha256"]
    (tmp_path / "moved.jinja").write_text(MARKED + "?", encoding="utf-8")
    moved = describe("b", base_with(random_base, tmp_path / "moved.jinja"), random_base, False)
    assert moved["sha256"] == other["sha256"], "what it says counts, not where it lies"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"bases\.b\.chat_template: .*mine\.jinja cannot be read \(No such file"),
        (b" \n", "is blank"),
        ("你好".encode("gbk"), "is not UTF-8"),
    ],
)
def test_a_template_that_cannot_be_read_is_named(tmp_path, random_base, content, message):
    file = tmp_path / "mine.jinja"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UserError, match=message):
        locate("b", base_with(random_base, file))


@pytest.mark.parametrize("text", ["{% for", "{{ raise_exception('no') }}", "{{ messages | nix }}"])
def test_a_template_that_cannot_be_rendered_is_named(tmp_path, random_base, text):
    from snaketune.loading import load_tokenizer_of

    file = tmp_path / "mine.jinja"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=r"chat_template .*mine\.jinja: it cannot be rendered"):
        load_tokenizer_of(locate("b", base_with(random_base, file)))


def test_the_script_takes_the_template_from_its_settings(tmp_path, random_base):
    base = base_with(random_base).model_dump()
    settings = json.dumps({"name": "b", "base": base})
    command = [sys.executable, str(SCRIPTS / "locate_base.py"), "--settings", settings]
    subprocess.run([*command, "--out", str(tmp_path / "source.json")], check=True)
    found = read_json(tmp_path / "source.json")
    assert found["chat_template"]["text"] == ALPACA.read_text(encoding="utf-8")


def test_a_missing_template_is_named_before_anything_is_downloaded(tmp_path):
    base = {"source": "hub", "id": "owner/name", "chat_template": str(tmp_path / "none.jinja")}
    settings = json.dumps({"name": "b", "base": base})
    command = [sys.executable, str(SCRIPTS / "download_base.py"), "--settings", settings]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path / "model"), "--out", str(tmp_path / "source.json")],
        capture_output=True, text=True, check=False, env=os.environ | {"HF_HUB_OFFLINE": "1"},
    )  # fmt: skip
    assert done.returncode == 1 and "none.jinja cannot be read" in done.stderr
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------ from end to end


def test_trained_asked_and_merged_ids_are_the_same(study, alpaca):
    """Packed, since that is how the study trains."""
    from snaketune.engines.transformers_engine import open_engines
    from snaketune.loading import load_tokenizer
    from snaketune.merging import merge
    from snaketune.recipe import read_recipe
    from snaketune.training import prepare_records

    training = {"max_steps": 2, "max_length": 400, "packing": True}
    recipe = study.recipe(training=training)
    metrics = study.train_in_process(recipe, "lora")
    assert metrics["base_sha256"] == read_json(study.source)["sha256"]
    trained = prepare_records(alpaca, read_recipe(recipe), study.validation)["input_ids"]
    merge(recipe, study.source, study.folder / "lora", study.validation, study.folder / "merged")
    merged = load_tokenizer(study.folder / "merged")
    assert merged.chat_template == alpaca.chat_template

    sampling = {"max_new_tokens": 4, "dtype": "float32"}
    asked = session(sampling, [question(study.folder, study.validation)])
    source = read_json(study.source)
    engines = [
        open_engines(source, asked)["base"],
        open_engines(source, asked, study.folder / "merged")["base"],
    ]
    for record, ids in zip(weather_records(4, seed=2), trained, strict=True):
        messages = render(asked.questions[0].prompt, record)[0]
        assert alpaca.decode(ids).startswith(DEFAULT)
        for engine in engines:
            found = engine.encode(messages)
            assert found == ids[: len(found)] == encode(alpaca, messages)
    assert all(engine.stops == {alpaca.eos_token_id} for engine in engines)


def test_another_template_gives_another_model_to_the_journal(study, random_base):
    from snaketune.engines.transformers_engine import open_engines

    asked = session({"max_new_tokens": 4}, [question(study.folder, study.validation)])
    plain = locate("tiny", base_with(random_base, None))
    shas = {open_engines(s, asked)["base"].model_sha256 for s in (plain, read_json(study.source))}
    assert len(shas) == 2
