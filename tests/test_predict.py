"""Asking: equal runs give equal bytes, a kill loses a batch at most, refusals are kept apart."""

import json

import pytest
from tuning import PROMPT, Study, command, kill_when, run, weather_records

from snaketune.config.data import Prompt
from snaketune.config.tuning import Sampling
from snaketune.errors import UserError
from snaketune.files import read_json, read_jsonl, write_jsonl

DRAWN = {"temperature": 1.0, "responses_per_record": 2, "max_new_tokens": 12, "dtype": "float32"}


@pytest.fixture(scope="module")
def study(tmp_path_factory, random_base):
    return Study(tmp_path_factory.mktemp("study"), random_base, train=40, validation=30)


@pytest.fixture
def ask(study, tmp_path):
    """Function that asks the base the validation records; returns metrics and the bytes written."""
    from snaketune.engines.transformers_engine import open_engine
    from snaketune.predicting import predict

    def go(name="out", journal="journal", records=study.validation, **sampling):
        settings = Sampling(**(DRAWN | sampling))
        engine = open_engine(read_json(study.source), settings)
        out = tmp_path / f"{name}.jsonl"
        facts = predict(engine, Prompt(**PROMPT), settings, records, out, tmp_path / journal)
        return facts, out.read_bytes()

    return go


def rows(text: bytes) -> list[dict]:
    return [json.loads(line) for line in text.decode("utf-8").splitlines()]


def test_every_record_is_answered_in_its_order(study, ask):
    facts, text = ask()
    found = rows(text)
    assert [row["id"] for row in found] == [r["id"] for r in read_jsonl(study.validation)]
    assert all(len(row["responses"]) == 2 and row["error"] is None for row in found)
    for row in found:
        for response in row["responses"]:
            assert response["model_id"] == "tiny"
            assert response["finish_reason"] == "stop" or response["tokens"] == 12
    assert (facts["from_journal"], facts["generated"]) == (0, 60)
    tokens = sum(response["tokens"] for row in found for response in row["responses"])
    assert facts["generated_tokens"] == tokens


def test_fresh_runs_write_equal_bytes(ask):
    assert ask("one", "journal-1")[1] == ask("two", "journal-2")[1]


def test_draws_differ_between_responses_and_seeds(ask):
    _, text = ask()
    found = rows(text)
    assert any(row["responses"][0]["text"] != row["responses"][1]["text"] for row in found)
    assert ask("seeded", seed=1)[1] != text


def test_a_response_does_not_depend_on_its_batch(ask):
    """float32 on one machine: only rounding could differ, and a draw rarely turns on it."""
    texts = [
        [r["text"] for row in rows(ask(f"b{size}", f"j{size}", batch_size=size)[1])
         for r in row["responses"]]
        for size in (1, 7, 64)
    ]  # fmt: skip
    assert texts[0] == texts[1] == texts[2]


def test_a_second_run_takes_all_from_the_journal(ask):
    _, first = ask("one")
    facts, second = ask("two")
    assert (facts["from_journal"], facts["generated"]) == (60, 0)
    assert facts["tokens_per_second"] is None
    assert first == second


def test_more_responses_keep_those_there_are(ask):
    _, first = ask("one")
    facts, second = ask("two", responses_per_record=3)
    assert (facts["from_journal"], facts["generated"]) == (60, 30)
    for old, new in zip(rows(first), rows(second), strict=True):
        assert new["responses"][:2] == old["responses"]


def test_edited_reordered_and_added_records_are_not_paid_twice(study, ask):
    ask("one")
    records = list(read_jsonl(study.validation))
    records[0]["fields"]["sentence"] = "三亚1月1日的天气"
    records = [{**record, "id": f"new-{i}"} for i, record in enumerate(reversed(records))]
    changed = study.folder / "changed.jsonl"
    added = weather_records(3)
    for number, record in enumerate(added):
        record["fields"]["sentence"] = f"杭州{number + 1}月1日的天气"
    write_jsonl(changed, [*records, *added])
    facts, _ = ask("two", records=changed)
    assert facts["generated"] == 2 * 4


def test_greedy_decoding_ignores_the_base_s_own_sampling(study, ask):
    import torch

    from snaketune.loading import load_model, load_tokenizer
    from snaketune.prompts import encode

    facts, text = ask(temperature=0, responses_per_record=1)
    assert facts["generated"] == 30
    model, tokenizer = load_model(study.base, "float32"), load_tokenizer(study.base)
    row = rows(text)[0]
    ids = encode(tokenizer, row["prompt"])
    with torch.no_grad():
        for _ in range(row["responses"][0]["tokens"]):
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    reply = tokenizer.decode(ids[-row["responses"][0]["tokens"] :], skip_special_tokens=True)
    assert row["responses"][0]["text"] == reply


def test_a_reply_ends_at_the_end_of_turn(study):
    from snaketune.engines import Request
    from snaketune.engines.transformers_engine import open_engine

    engine = open_engine(read_json(study.source), Sampling(dtype="float32"))
    end = engine.tokenizer.eos_token_id
    hello = engine.tokenizer("你好", add_special_tokens=False)["input_ids"]
    done = engine._response(Request("00", (1, 2)), [*hello, end, 5, end])
    assert (done.text, done.tokens, done.finish_reason) == ("你好", len(hello) + 1, "stop")
    assert done.prompt_tokens == 2
    cut = engine._response(Request("00", (1,)), hello)
    assert (cut.tokens, cut.finish_reason) == (len(hello), "length")


def test_the_seeded_draw_follows_the_probabilities():
    import torch

    from snaketune.engines.transformers_engine import SeededDraw

    wanted = torch.tensor([0.6, 0.3, 0.1, 0.0])
    draw = SeededDraw(list(range(4000)), torch.device("cpu"))
    picked = draw(None, wanted.log().expand(4000, 4)).argmax(-1)
    shares = torch.bincount(picked, minlength=4) / 4000
    assert (shares - wanted).abs().max() < 0.03 and shares[3] == 0


def test_a_prompt_that_does_not_fit_is_an_error_of_its_own(study, ask):
    records = weather_records(3)
    records[1]["fields"]["sentence"] *= 40
    path = study.folder / "too-long.jsonl"
    write_jsonl(path, records)
    facts, text = ask(records=path)
    found = rows(text)
    assert facts["refused"] == 1 and facts["generated"] == 4
    assert "exceed the model's 512 positions" in found[1]["error"]
    assert found[1]["responses"] == [] and found[0]["error"] is None


@pytest.mark.slow
def test_a_kill_loses_one_batch_at_most(study, tmp_path):
    sampling = DRAWN | {"max_new_tokens": 64, "batch_size": 4}
    settings = json.dumps({"model": "base", "sampling": sampling, "prompt": PROMPT})

    def words(name: str, journal: str) -> list[str]:
        return command(
            "predict",
            settings=settings,
            base=study.source,
            records=study.train,
            out=tmp_path / f"{name}.jsonl",
            metrics=tmp_path / f"{name}.json",
            journal=tmp_path / journal,
        )

    def lines() -> int:
        files = (tmp_path / "killed").glob("*/*.jsonl")
        return sum(file.read_bytes().count(b"\n") for file in files)

    kill_when(words("out", "killed"), lambda: lines() >= 2)
    kept = lines()
    assert 2 <= kept < 20 and not (tmp_path / "out.jsonl").exists()
    (file,) = (tmp_path / "killed").glob("*/*.jsonl")
    with file.open("ab") as torn:
        torn.write(b'{"time": 1, "responses": {"a')

    said = run(words("out", "killed"))
    assert f"{4 * kept} from the journal, {80 - 4 * kept} generated" in said
    run(words("whole", "fresh"))
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()
    metrics = read_json(tmp_path / "whole.json")
    assert metrics["model"] == "base" and metrics["device"] and metrics["versions"]["torch"]


@pytest.fixture(scope="module")
def tuned(study):
    """A LoRA and a QLoRA adapter, and the LoRA merged."""
    from snaketune.merging import merge

    lora, qlora = study.recipe("lora"), study.recipe("qlora", quantized=True)
    study.train_in_process(lora, "lora")
    study.train_in_process(qlora, "qlora")
    merge(lora, study.source, study.folder / "lora", study.validation, study.folder / "merged")
    return {"lora": lora, "qlora": qlora}


@pytest.mark.slow
def test_merged_and_unmerged_models_answer_alike_under_names_of_their_own(study, tuned, tmp_path):
    from snaketune.engines.transformers_engine import open_engine
    from snaketune.predicting import predict
    from snaketune.recipe import read_recipe

    source = read_json(study.source)
    sampling = Sampling(dtype="float32", max_new_tokens=12)
    recipes = {name: read_recipe(path) for name, path in tuned.items()}
    engines = {
        "base": open_engine(source, sampling),
        "merged": open_engine(source, sampling, merged=study.folder / "merged"),
        **{
            name: open_engine(source, sampling, study.folder / name, recipe)
            for name, recipe in recipes.items()
        },
    }
    assert len({engine.model_sha256 for engine in engines.values()}) == 4
    texts = {}
    for name, engine in engines.items():
        out = tmp_path / f"{name}.jsonl"
        predict(engine, Prompt(**PROMPT), sampling, study.validation, out, tmp_path / "journal")
        responses = [row["responses"][0] for row in read_jsonl(out)]
        texts[name] = [response["text"] for response in responses]
        assert {response["model_id"] for response in responses} == {engine.model_id}
    assert engines["merged"].model_id == engines["lora"].model_id == "tiny+lora"
    assert (
        engines["qlora"].model.base_model.model.model.layers[0].mlp.up_proj.base_layer.quant_state
    )
    assert texts["merged"] == texts["lora"] != texts["base"]


@pytest.mark.parametrize("options", [["--adapter", "a"], ["--adapter", "a", "--recipe", "r",
                                     "--merged", "m"]])  # fmt: skip
def test_contradicting_options_are_refused(options):
    import predict

    required = [word for name in ("base", "records", "out", "metrics", "journal")
                for word in (f"--{name}", "x")]  # fmt: skip
    args = predict.arguments().parse_args([*required, *options])
    with pytest.raises(UserError, match=r"go together|exclude each other"):
        predict.main(args)
