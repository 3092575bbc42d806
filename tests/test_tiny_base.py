"""The tiny base: tokenizer, chat template, corpus, and its pretraining script."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from snaketune.tinybase import corpus, weather
from snaketune.tinybase import tokenizer as tokens
from snaketune.tinybase.settings import PretrainSettings
from snaketune.tinybase.words import ALL_HAN, read_excluded

ROOT = Path(__file__).resolve().parents[1]
CITIES = ROOT / "resources" / "cities" / "cities.csv"
BASE = ROOT / "resources" / "tiny-base"
SCRIPT = ROOT / "scripts" / "pretrain_tiny_base.py"


@pytest.fixture(scope="module")
def tokenizer():
    made = corpus.Corpus(PretrainSettings(), frozenset())
    return tokens.build(made.texts(300), 200)


@pytest.mark.parametrize(
    "text",
    [
        "4月6日攀枝花市的天气",
        '{"city": "亳州", "date": "2023-01-02"}',
        "😀👩‍👩‍👧 𠮷野家 龘 ﷽ ñ é\u0301 Ωмир العربية\t\r\n\n  two  spaces ",
        "ＡＢＣ１２３，。？！“”—…",
        "\x00\x7f\u200b\ufeff",
    ],
)
def test_any_text_comes_back(tokenizer, text):
    assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text


def test_one_token_for_each_character_and_digit(tokenizer):
    text = "".join(Random(0).sample(ALL_HAN, 500))
    assert len(tokenizer.encode(text).ids) == 500
    assert len(tokenizer.encode("20231231").ids) == 8
    assert len(tokenizer.encode("今年2月").ids) == 4
    assert tokenizer.get_vocab_size() <= 5_500


def test_corpus_is_the_same_for_the_same_seed(tokenizer):
    encode = corpus.Encoder(tokenizer)
    settings = PretrainSettings()
    first = corpus.Corpus(settings, frozenset()).chunk(3, 9_999, encode)
    again = corpus.Corpus(settings, frozenset()).chunk(3, 9_999, encode)
    other = corpus.Corpus(PretrainSettings(seed=1), frozenset()).chunk(3, 9_999, encode)
    assert first == again
    assert first != other
    assert {document.kind for document in first} == {corpus.COPY, *corpus.KINDS}
    assert all(any(document.targets) for document in first)
    assert not any(document.targets[0] for document in first)


def test_no_shipped_city_in_the_corpus():
    excluded = read_excluded(CITIES)
    with CITIES.open(encoding="utf-8-sig", newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    assert len(names) > 300
    spellings = set(names) | {name.removesuffix("市") for name in names}
    assert spellings <= excluded
    made = corpus.Corpus(PretrainSettings(), excluded)
    rng = Random(5)
    for _ in range(4_000):
        _, example = made.example(rng)
        text = f"{example.system or ''}{example.prompt}{example.answer}"
        assert not [name for name in spellings if name in text]


def test_weather_answers_copy_the_place():
    rng = Random(2)
    for _ in range(500):
        example = weather.weather(rng)
        if example.answer.startswith('{"city"'):
            assert json.loads(example.answer)["city"] in example.prompt


def test_batches_keep_the_limit_and_every_document(tokenizer):
    made = corpus.Corpus(PretrainSettings(), frozenset())
    documents = made.chunk(0, 9_999, corpus.Encoder(tokenizer))
    packed = corpus.batches(documents, 1_536, Random(0))
    assert sorted(map(id, documents)) == sorted(id(one) for batch in packed for one in batch)
    for batch in packed:
        assert len(batch) * max(len(one.ids) for one in batch) <= 1_536


def test_excluded_names_have_both_spellings(tmp_path):
    path = tmp_path / "places.csv"
    path.write_text("province,name\n甲省,乙丙市\n甲省,丁戊自治州\n", encoding="utf-8")
    assert read_excluded(path) == {"乙丙市", "乙丙", "丁戊自治州"}


def test_unknown_setting_is_one_clear_line(tmp_path):
    done = _run(tmp_path, {"stepps": 3})
    assert done.returncode == 1
    assert "stepps" in done.stderr
    assert "Traceback" not in done.stderr


def test_shipped_folder_loads_and_prompt_is_a_prefix():
    transformers = pytest.importorskip("transformers")
    loaded = transformers.AutoTokenizer.from_pretrained(BASE)
    model = transformers.AutoModelForCausalLM.from_pretrained(BASE)
    assert 1_000_000 < model.num_parameters() < 2_500_000
    assert sum(path.stat().st_size for path in BASE.iterdir()) < 8_000_000
    text = "😀 𠮷 龘 4月6日攀枝花市的天气\n\n end  "
    assert loaded.decode(loaded(text).input_ids) == text
    question = [{"role": "system", "content": "甲"}, {"role": "user", "content": "乙\n"}]
    asked = loaded.apply_chat_template(question, tokenize=False, add_generation_prompt=True)
    assert asked == (
        "<|im_start|>system\n甲<|im_end|>\n<|im_start|>user\n乙\n<|im_end|>\n<|im_start|>assistant\n"
    )
    for answer in ('{"city": "x"}', " yes", "\nno", "相同", "\n\n```json"):
        whole = loaded.apply_chat_template(
            [*question, {"role": "assistant", "content": answer}], tokenize=False
        )
        ids = loaded(asked).input_ids
        assert loaded(whole).input_ids[: len(ids)] == ids


def test_card_names_the_weights_that_ship():
    from snaketune.files import sha256_file

    card = (BASE / "README.md").read_text(encoding="utf-8")
    assert sha256_file(BASE / "model.safetensors") in card


SMALL = {"steps": 150, "copy_steps": 40, "decay_steps": 20, "layers": 2, "hidden": 64, "heads": 2}
SMALL |= {"kv_heads": 2, "intermediate": 128, "checkpoint_steps": 25, "log_steps": 25}
SMALL |= {"batch_tokens": 768}


def _command(settings: dict) -> list[str]:
    return [
        *(sys.executable, str(SCRIPT), "--settings", json.dumps(settings)),
        *("--exclude", str(CITIES), "--out", "out", "--log", "log.txt"),
    ]


def _run(folder: Path, settings: dict) -> subprocess.CompletedProcess:
    return subprocess.run(
        _command(settings), cwd=folder, capture_output=True, text=True, timeout=600, check=False
    )


@pytest.mark.slow
def test_loss_falls_and_a_killed_run_ends_with_the_same_weights(tmp_path):
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    straight.mkdir()
    killed.mkdir()
    done = _run(straight, SMALL)
    assert done.returncode == 0, done.stderr
    with (straight / "out" / "loss.csv").open() as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert losses[-1] < 0.75 * losses[0]

    with (killed / "err.txt").open("w") as errors:
        process = subprocess.Popen(_command(SMALL), cwd=killed, stderr=errors)
        deadline = time.monotonic() + 1500
        while not list(killed.glob(".snaketune/pretrain/*/checkpoint.pt")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.1)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert not (killed / "out" / "model.safetensors").exists()
    again = _run(killed, SMALL)
    assert again.returncode == 0, again.stderr
    assert "Going on from the checkpoint" in (killed / "log.txt").read_text(encoding="utf-8")
    weights = "out/model.safetensors"
    assert (straight / weights).read_bytes() == (killed / weights).read_bytes()
