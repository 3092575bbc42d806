"""The one way from a record to token ids, and the gate that proves it is one."""

import subprocess
import sys

import pytest
from conftest import CHATML
from tuning import PROMPT, SCRIPTS, weather_records

from snaketune.config.data import Prompt
from snaketune.errors import UserError
from snaketune.prompts import check_prompt_gate, encode, render, stop_ids

GENERATION = "<|im_start|>assistant\n{% endif %}"


@pytest.fixture(scope="module")
def tokenizer(random_base):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(random_base)


@pytest.fixture
def with_template(tokenizer):
    """Function that gives the tokenizer another template for the length of a test."""

    def change(template: str):
        tokenizer.chat_template = template
        return tokenizer

    yield change
    tokenizer.chat_template = CHATML


def test_render_fills_fields_and_label():
    prompt = Prompt(system="{a}", user='{a}: {"city": {b}} {not a field}', answer="= {label}")
    record = {"id": "1", "fields": {"a": "一{b}", "b": "二"}, "label": {"城": None}, "group": "g"}
    messages, answer = render(prompt, record)
    assert messages == [
        {"role": "system", "content": "一{b}"},
        {"role": "user", "content": '一{b}: {"city": 二} {not a field}'},
    ]
    assert answer == '= {"城": null}'


def test_render_uses_parts_of_a_label_and_leaves_unlabelled_records_unanswered():
    prompt = Prompt(user="{a}", answer="{city}，{label}")
    record = {"id": "1", "fields": {"a": "x"}, "label": {"city": "北京"}, "group": "g"}
    assert render(prompt, record)[1] == '北京，{"city": "北京"}'
    assert render(prompt, {**record, "label": None})[1] is None
    assert render(Prompt(user="{a}"), {**record, "label": "A"})[1] == "A"


def test_render_names_the_record_and_the_missing_field():
    record = {"id": "r7", "fields": {"text": "x"}, "label": None, "group": "g"}
    with pytest.raises(UserError, match=r"record r7: .*\{sentence\}.*it has text"):
        render(Prompt(user="{sentence}"), record)


def test_trained_ids_are_the_asked_ids_and_the_answer_with_its_end(tokenizer):
    messages, answer = render(Prompt(**PROMPT), weather_records(1)[0])
    asked, trained = encode(tokenizer, messages), encode(tokenizer, messages, answer)
    assert trained[: len(asked)] == asked
    assert tokenizer.decode(trained[len(asked) :]) == answer + "<|im_end|>"
    assert stop_ids(tokenizer) == {trained[-1]}
    assert check_prompt_gate(tokenizer, Prompt(**PROMPT), weather_records(1)) == [
        (len(asked), trained)
    ]


def test_gate_refuses_a_generation_prompt_that_training_lacks(with_template):
    tokenizer = with_template(CHATML.replace(GENERATION, GENERATION.replace("\n", "\n<think>\n")))
    with pytest.raises(UserError) as error:
        check_prompt_gate(tokenizer, Prompt(**PROMPT), weather_records(3))
    said = str(error.value)
    assert "record r0-0" in said
    assert r"assistant\n<think>\n" in said.split("asked:")[1].split("trained:")[0]
    assert r'assistant\n{"city' in said.split("trained:")[1]


def test_gate_refuses_a_template_that_strips_only_what_it_asks(with_template):
    """The published weather prompt begins and ends with a line break."""
    stripping = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n"
        "{{ m.content | trim if add_generation_prompt else m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    tokenizer = with_template(stripping)
    with pytest.raises(UserError, match="part at token"):
        check_prompt_gate(tokenizer, Prompt(**PROMPT), weather_records(1))
    assert check_prompt_gate(tokenizer, Prompt(user="{sentence}"), weather_records(1))


def test_gate_refuses_tokens_that_straddle_prompt_and_answer(random_base):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(random_base)
    tokenizer.add_tokens(["\n\n"])
    with pytest.raises(UserError, match="not the beginning of the ids trained"):
        check_prompt_gate(
            tokenizer, Prompt(user="{sentence}", answer="\n{label}"), weather_records(1)
        )
    assert check_prompt_gate(tokenizer, Prompt(user="{sentence}"), weather_records(1))


def test_an_altered_answer_is_refused(with_template):
    tokenizer = with_template(CHATML.replace("message.content", "message.content | trim"))
    prompt = Prompt(user="{sentence}", answer="{label}\n")
    with pytest.raises(UserError, match="alters the answer"):
        check_prompt_gate(tokenizer, prompt, weather_records(1))


def test_what_a_template_puts_before_the_answer_is_trained(with_template):
    """As Qwen3's does with an empty thought."""
    thought = "{{ '<think>\n\n</think>\n\n' if message.role == 'assistant' }}{{ message.content }}"
    tokenizer = with_template(CHATML.replace("{{ message.content }}", thought))
    messages, answer = render(Prompt(**PROMPT), weather_records(1)[0])
    asked, trained = encode(tokenizer, messages), encode(tokenizer, messages, answer)
    assert tokenizer.decode(trained[len(asked) :]) == f"<think>\n\n</think>\n\n{answer}<|im_end|>"


def test_a_template_without_an_end_of_turn_is_refused(with_template):
    tokenizer = with_template(CHATML.replace("<|im_end|>", ""))
    with pytest.raises(UserError, match="never learn to stop"):
        check_prompt_gate(tokenizer, Prompt(**PROMPT), weather_records(1))


def test_rendering_needs_no_torch():
    code = "import sys, snaketune.prompts, snaketune.recipe; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=SCRIPTS)
