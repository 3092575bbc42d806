"""Asking: equal runs give equal bytes, a kill loses a batch at most, refusals are kept apart."""

import json
import re

import pytest
from conformance import (  # noqa: F401  (its tests run here)
    BARE,
    DRAWN,
    GREEDY,
    question,
    rows,
    session,
    test_a_penalty_of_one_is_none_and_others_do_not_depend_on_the_batch,
    test_a_prompt_that_does_not_fit_is_an_error_of_its_own,
    test_a_response_does_not_depend_on_its_batch,
    test_a_second_run_takes_all_from_the_journal,
    test_draws_differ_between_responses_and_seeds,
    test_edited_reordered_and_added_records_are_not_paid_twice,
    test_every_record_is_answered_in_its_order,
    test_fresh_runs_write_equal_bytes,
    test_greedy_decoding_ignores_the_base_s_own_sampling,
    test_more_responses_keep_those_there_are,
    test_the_base_s_own_generation_config_does_not_leak_in,
    test_the_penalty_is_that_of_transformers_generate,
)
from tuning import SCRIPTS, Study, command, kill_when, run

from snaketune.config.data import Reading
from snaketune.errors import UserError
from snaketune.files import read_json, read_jsonl, write_jsonl
from snaketune.label_replies import label_reader


@pytest.fixture(scope="module")
def study(tmp_path_factory, random_base):
    return Study(tmp_path_factory.mktemp("study"), random_base, train=40, validation=30)


@pytest.fixture
def ask(study, tmp_path):
    """Function that asks the base the validation records; returns metrics and the bytes written."""
    from snaketune.engines.transformers_engine import open_engines
    from snaketune.predicting import predict

    def go(dataset="out", journal="journal", records=study.validation, source=None, **sampling):
        asked = session(DRAWN | sampling, [question(tmp_path, records, dataset=dataset)])
        engine = open_engines(source or read_json(study.source), asked)["base"]
        facts = predict(engine, asked.questions[0], asked.sampling, tmp_path / journal)
        return facts, asked.questions[0].out.read_bytes()

    return go


def test_a_reply_ends_at_the_end_of_turn(study):
    from snaketune.engines import Request
    from snaketune.engines.transformers_engine import open_engines

    engine = open_engines(read_json(study.source), session(GREEDY, []))["base"]
    end = engine.tokenizer.eos_token_id
    hello = engine.tokenizer("你好", add_special_tokens=False)["input_ids"]
    done = engine.response(Request("00", (1, 2)), [*hello, end, 5, end])
    assert (done.text, done.tokens, done.finish_reason) == ("你好", len(hello) + 1, "stop")
    assert done.prompt_tokens == 2
    cut = engine.response(Request("00", (1,)), hello)
    assert (cut.tokens, cut.finish_reason) == (len(hello), "length")


def test_the_seeded_draw_follows_the_probabilities():
    import torch

    from snaketune.engines.transformers_engine import SeededDraw

    wanted = torch.tensor([0.6, 0.3, 0.1, 0.0])
    draw = SeededDraw(list(range(4000)), torch.device("cpu"))
    picked = draw(None, wanted.log().expand(4000, 4)).argmax(-1)
    shares = torch.bincount(picked, minlength=4) / 4000
    assert (shares - wanted).abs().max() < 0.03 and shares[3] == 0


@pytest.mark.parametrize("spread", [0.1, 1.5, 6.0])
def test_nucleus_keeps_what_transformers_keeps(spread):
    import torch
    from transformers import TopPLogitsWarper

    from snaketune.engines.transformers_engine import Nucleus

    torch.manual_seed(0)
    # rows of both kinds side by side: few likely tokens, and more than are sorted at first
    scores = torch.randn(40, 500) * spread * torch.linspace(0.2, 1, 40)[:, None]
    ids = torch.zeros(40, 1, dtype=torch.long)
    for top_p in (0.05, 0.5, 0.9, 0.999):
        wanted = TopPLogitsWarper(top_p)(ids, scores)
        assert torch.equal(Nucleus(top_p)(ids, scores), wanted)


NLI = {
    "user": 'Does "{premise}" imply that "{hypothesis}"? Please answer yes or no or maybe.'
    "You only need to answer one word, no explanation"
}


def test_replies_are_the_same_with_8_or_512_new_tokens(ask, tmp_path):
    """What 512 tokens say begins with what 8 say, and is equal where the reply ends by itself."""
    from snaketune.engines.transformers_engine import open_engines
    from snaketune.predicting import predict

    tiny = read_json(Study(tmp_path, SCRIPTS.parent / "resources/tiny-base").source)
    pairs = [
        ("A man is sleeping in the park.", "A person is outside."),
        ("The cat has 3 kittens.", "The cat has 5 kittens."),
        ("No Weapons of Mass Destruction Found in Iraq Yet.", "Weapons were found in Iraq."),
        ("All of the birds are singing.", "Some birds sing."),
        ("Ann gave Bob the red book.", "Bob got a book from Ann."),
        ("Conceptually cream skimming has two dimensions.", "Cream skimming has a price."),
    ]
    records = tmp_path / "nli.jsonl"
    fields = [{"premise": premise, "hypothesis": hypothesis} for premise, hypothesis in pairs]
    write_jsonl(records, ({"id": str(i), "fields": f, "label": None} for i, f in enumerate(fields)))
    found = {}
    for most in (8, 512):
        where = question(tmp_path, records, dataset=f"d{most}", prompt=NLI)
        asked = session({"max_new_tokens": most, "dtype": "float32"}, [where])
        engine = open_engines(tiny, asked)["base"]
        predict(engine, asked.questions[0], asked.sampling, tmp_path / "journal")
        found[most] = [row["responses"][0] for row in read_jsonl(asked.questions[0].out)]
    labels = ["yes", "no", "maybe"]
    rules = [Reading(rule="first_word"), Reading(rule="substring_published")]
    readers = [label_reader(rule, labels) for rule in rules]
    for short, long in zip(found[8], found[512], strict=True):
        assert short["tokens"] <= 8 and long["text"].startswith(short["text"])
        for read in readers:
            assert read(short["text"]) == read(long["text"]) in labels
        if long["tokens"] <= 8:
            assert short == long
    assert any(long["tokens"] <= 8 for long in found[512])


def predict_command(study, folder, journal, sampling, questions, models, **options) -> list[str]:
    settings = {"sampling": sampling, "models": models, "questions": questions}
    return command(
        "predict",
        settings=json.dumps(settings),
        base=study.source,
        journal=folder / journal,
        **options,
    )


@pytest.mark.slow
def test_a_kill_loses_one_batch_at_most(study, tmp_path):
    """In the second of two questions: the first one's responses are all kept."""
    sampling = DRAWN | {"max_new_tokens": 64, "batch_size": 4}
    second = tmp_path / "second.jsonl"
    records = list(read_jsonl(study.train))
    for record in records:
        record["fields"]["sentence"] += "呢"  # no prompt of the first question's
    write_jsonl(second, records)

    def words(name: str, journal: str) -> list[str]:
        asked = [
            question(tmp_path, study.validation, dataset=f"{name}-first"),
            question(tmp_path, second, dataset=f"{name}-second"),
        ]
        return predict_command(study, tmp_path, journal, sampling, asked, {"base": BARE})

    def batches() -> int:
        files = (tmp_path / "killed").glob("*/*.jsonl")
        return sum(file.read_bytes().count(b"\n") for file in files)

    kill_when(words("out", "killed"), lambda: batches() >= 15 + 2)
    kept = batches() - 15
    assert 2 <= kept < 20 and not (tmp_path / "base-out-second.jsonl").exists()
    for file in (tmp_path / "killed").glob("*/*.jsonl"):
        with file.open("ab") as torn:
            torn.write(b'{"time": 1, "responses": {"a')

    said = run(words("out", "killed"))
    assert "out-first/test: 60 from the journal, 0 generated" in said
    assert f"out-second/test: {4 * kept} from the journal, {80 - 4 * kept} generated" in said
    run(words("whole", "fresh"))
    for part in ("first", "second"):
        files = [tmp_path / f"base-{name}-{part}.jsonl" for name in ("out", "whole")]
        assert files[0].read_bytes() == files[1].read_bytes()
    metrics = read_json(tmp_path / "base-whole-second.json")
    assert metrics["model"] == "base" and metrics["device"] and metrics["versions"]["torch"]
    assert metrics["session"]["questions"] == 2 and metrics["session"]["loading_seconds"] > 0


@pytest.fixture(scope="module")
def tuned(study):
    """Recipes of two LoRA adapters (one of another rank) and a QLoRA adapter; one LoRA merged."""
    from snaketune.merging import merge

    recipes = {
        "lora": study.recipe("lora"),
        "lora.4": study.recipe("lora.4", lora={"r": 4}, training={"seed": 1}),
        "qlora": study.recipe("qlora", quantized=True),
    }
    for name, recipe in recipes.items():
        study.train_in_process(recipe, name)
    folder = study.folder / "merged"
    merge(recipes["lora"], study.source, study.folder / "lora", study.validation, folder)
    return recipes


@pytest.fixture
def models(study, tuned):
    """The models of a session that asks the base and both LoRA adapters."""
    unmerged = {
        name: {"adapter": str(study.folder / name), "recipe": str(tuned[name])}
        for name in ("lora", "lora.4")
    }
    return {"base": BARE, **unmerged}


def answer(study, folder, journal, asked, merged=None):
    """Ask in this process; returns the metrics by model and dataset, and the engines."""
    from snaketune.engines.transformers_engine import open_engines
    from snaketune.predicting import predict

    engines = open_engines(read_json(study.source), asked, merged)
    facts = {
        (part.model, part.dataset): predict(
            engines[part.model], part, asked.sampling, folder / journal
        )
        for part in asked.in_order()
    }
    return facts, engines


@pytest.mark.slow
@pytest.mark.parametrize("sampling", [GREEDY, DRAWN], ids=["greedy", "drawn"])
def test_a_session_answers_as_processes_of_one_model_do(study, models, tmp_path, sampling):
    """To the byte, in whatever order the questions are given."""

    def asked_in(folder, names) -> dict[str, bytes]:
        folder.mkdir()
        questions = [
            question(folder, records, name, dataset)
            for name in names
            for dataset, records in (("a", study.validation), ("b", study.train))
        ]
        put_on = {name: models[name] for name in names}
        answer(study, folder, "journal", session(sampling, questions, **put_on))
        return {path.name: path.read_bytes() for path in folder.glob("*.jsonl")}

    forward = asked_in(tmp_path / "forward", ["base", "lora", "lora.4"])
    backward = asked_in(tmp_path / "backward", ["lora.4", "lora", "base"])
    single = {}
    for name in models:
        single |= asked_in(tmp_path / name, [name])
    assert forward == backward == single and len(forward) == 6
    bare = {name: re.sub(b'"model_id": "[^"]*"', b"", text) for name, text in forward.items()}
    assert len({bare[f"{name}-a.jsonl"] for name in models}) == 3, "each answers as itself"


@pytest.mark.slow
def test_a_bare_base_answers_alike_before_and_after_an_adapter(study, models):
    """Logits, to the bit: taking an adapter off leaves nothing of it."""
    import torch

    from snaketune.engines.transformers_engine import open_engines

    engines = open_engines(read_json(study.source), session(GREEDY, [], **models))
    ids = torch.arange(40)[None]

    @torch.no_grad()
    def logits(name):
        with engines[name].weights.carrying(engines[name].adapter) as model:
            return model(ids).logits

    before, tuned_before = logits("base"), logits("lora")
    other = logits("lora.4")
    assert torch.equal(logits("base"), before) and torch.equal(logits("lora"), tuned_before)
    assert not torch.equal(before, tuned_before) and not torch.equal(tuned_before, other)


def test_the_base_is_loaded_once_and_only_where_something_is_missing(
    study, models, tmp_path, monkeypatch
):
    from snaketune import loading

    loaded, whole = [], loading.load_model
    monkeypatch.setattr(loading, "load_model", lambda *a, **k: loaded.append(1) or whole(*a, **k))
    questions = [question(tmp_path, study.validation, name) for name in models]
    asked = session(GREEDY, questions, **models)
    facts, engines = answer(study, tmp_path, "journal", asked)
    assert len(loaded) == 1 and engines["base"].weights.loading_seconds > 0
    assert {part["generated"] for part in facts.values()} == {30}
    assert facts["lora.4", "d"]["model_id"] == "tiny+lora.4"
    assert len({part["model_sha256"] for part in facts.values()}) == 3

    facts, engines = answer(study, tmp_path, "journal", asked)
    assert len(loaded) == 1 and engines["base"].weights.loading_seconds is None
    assert {part["generated"] for part in facts.values()} == {0}


def test_prompts_that_two_questions_share_are_answered_once(study, tmp_path):
    questions = [question(tmp_path, study.validation, dataset=name) for name in ("a", "b")]
    facts, _ = answer(study, tmp_path, "journal", session(GREEDY, questions))
    assert [part["generated"] for part in facts.values()] == [30, 0]


@pytest.mark.slow
def test_merged_and_unmerged_models_answer_alike_under_names_of_their_own(study, tuned, tmp_path):
    def ask_one(name: str, merged=None):
        unmerged = {"adapter": str(study.folder / name), "recipe": str(tuned.get(name))}
        put_on = unmerged if name in tuned else BARE
        asked = session(GREEDY, [question(tmp_path, study.validation, name)], **{name: put_on})
        _, engines = answer(study, tmp_path, "journal", asked, merged)
        got = [row["responses"][0] for row in read_jsonl(asked.questions[0].out)]
        (engine,) = engines.values()
        assert {response["model_id"] for response in got} == {engine.model_id}
        return [response["text"] for response in got], engine

    asked = {name: ask_one(name) for name in ("base", "lora", "qlora")}
    asked["merged"] = ask_one("merged", study.folder / "merged")
    texts = {name: text for name, (text, _) in asked.items()}
    engines = {name: engine for name, (_, engine) in asked.items()}
    assert len({engine.model_sha256 for engine in engines.values()}) == 4
    assert engines["merged"].model_id == engines["lora"].model_id == "tiny+lora"
    with engines["qlora"].weights.carrying(engines["qlora"].adapter) as model:
        assert model.model.layers[0].mlp.up_proj.base_layer.quant_state
    assert texts["merged"] == texts["lora"] != texts["base"]


# ------------------------------------------------------------------------------ refusals


@pytest.mark.slow
def test_models_that_load_the_base_differently_are_refused(study, tuned):
    from snaketune.engines.transformers_engine import open_engines

    put_on = {
        name: {"adapter": str(study.folder / name), "recipe": str(tuned[name])}
        for name in ("lora", "qlora")
    }
    with pytest.raises(UserError, match=r"lora and qlora .*different ways.*two sessions"):
        open_engines(read_json(study.source), session(GREEDY, [], **put_on))


def test_a_merged_model_has_no_adapter_on_it(study, tuned):
    from snaketune.engines.transformers_engine import open_engines

    put_on = {"adapter": str(study.folder / "lora"), "recipe": str(tuned["lora"])}
    with pytest.raises(UserError, match="its models have no adapter"):
        open_engines(
            read_json(study.source), session(GREEDY, [], lora=put_on), study.folder / "merged"
        )


def test_an_adapter_that_is_missing_is_named(study, tuned, tmp_path):
    from snaketune.engines.transformers_engine import open_engines

    put_on = {"adapter": str(tmp_path), "recipe": str(tuned["lora"])}
    with pytest.raises(UserError, match=r"adapter_model\.safetensors is missing"):
        open_engines(read_json(study.source), session(GREEDY, [], lora=put_on))


@pytest.mark.parametrize(
    ("models", "asked", "message"),
    [
        ({"lora": {"adapter": "a", "recipe": None}}, "lora", "adapter and recipe go together"),
        ({"lora": BARE}, "lorra", "no model 'lorra'"),
    ],
)
def test_contradicting_settings_are_refused(tmp_path, models, asked, message):
    with pytest.raises(ValueError, match=message):
        session(GREEDY, [question(tmp_path, "r", asked)], **models)
