"""What every engine in process must do; each one's tests bring the fixtures `study` and `ask`.

`study` has 30 validation records. `ask` asks them of a base with random weights, with DRAWN and
what it is given besides, and returns the metrics and the bytes written.
"""

import json
import shutil

import pytest
from tuning import PROMPT, weather_records

from snaketune.files import read_json, read_jsonl, write_jsonl
from snaketune.session import Session

DRAWN = {"temperature": 1.0, "responses_per_record": 2, "max_new_tokens": 12, "dtype": "float32"}
GREEDY = {"max_new_tokens": 12, "dtype": "float32"}
BARE = {"adapter": None, "recipe": None}


def question(folder, records, model="base", dataset="d", prompt=PROMPT) -> dict:
    """A question as in the settings, its files named by model and dataset."""
    out = folder / f"{model}-{dataset}.jsonl"
    return {
        "model": model,
        "dataset": dataset,
        "split": "test",
        "records": str(records),
        "prompt": prompt,
        "out": str(out),
        "metrics": str(out.with_suffix(".json")),
    }


def session(sampling, questions, engine="transformers", **models) -> Session:
    """A session of the bare base, or of `models`."""
    settings = {"sampling": sampling, "models": models or {"base": BARE}, "questions": questions}
    return Session.model_validate({**settings, "engine": engine})


def rows(text: bytes) -> list[dict]:
    return [json.loads(line) for line in text.split(b"\n") if line]


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


@pytest.mark.parametrize("temperature", [0, 1.0])
def test_a_penalty_of_one_is_none_and_others_do_not_depend_on_the_batch(ask, temperature):
    def texts(name: str, **sampling) -> list[str]:
        options = {"temperature": temperature, "responses_per_record": 1, **sampling}
        return [row["responses"][0]["text"] for row in rows(ask(name, f"j{name}", **options)[1])]

    assert texts("one", repetition_penalty=1.0) == texts("none")
    penalised = texts("penalised", repetition_penalty=8.0)
    assert penalised != texts("none")
    assert penalised == texts("alone", repetition_penalty=8.0, batch_size=1)


def test_the_penalty_is_that_of_transformers_generate(study, ask):
    import torch

    from snaketune.loading import load_model, load_tokenizer
    from snaketune.prompts import encode

    greedy = {"temperature": 0, "responses_per_record": 1, "repetition_penalty": 8.0}
    _, text = ask(**greedy)
    model, tokenizer = load_model(study.base, "float32"), load_tokenizer(study.base)
    for row in rows(text)[:5]:
        ids = torch.tensor([encode(tokenizer, row["prompt"])])
        reply = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=12,
            repetition_penalty=8.0,
        )
        expected = tokenizer.decode(reply[0, ids.shape[1] :], skip_special_tokens=True)
        assert row["responses"][0]["text"] == expected


def test_the_base_s_own_generation_config_does_not_leak_in(study, ask, tmp_path, random_base):
    base = tmp_path / "sampling-base"
    shutil.copytree(random_base, base)
    own = read_json(base / "generation_config.json")
    own |= {"do_sample": True, "temperature": 0.7, "top_k": 20, "repetition_penalty": 1.5}
    (base / "generation_config.json").write_text(json.dumps(own), encoding="utf-8")
    source = read_json(study.source)
    greedy = {"temperature": 0, "responses_per_record": 1}
    assert ask("a", "j1", source=source | {"path": str(base)}, **greedy)[1] == ask("b", **greedy)[1]
