"""How a record becomes chat messages, and messages become token ids: one way for every stage.

Training, asking and judging all render through `render` and `encode`, so a model is never asked
in other words, or other token ids, than it was trained on.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import zip_longest
from typing import TYPE_CHECKING

from snaketune.config.data import PLACEHOLDER, REPLY, Prompt, TeacherPrompt
from snaketune.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Message = dict[str, str]

SHOWN = 40
"""Characters shown on each side of the first difference between two texts."""

REASONING = "reasoning"
"""Field of a record that holds what a teacher wrote for it."""


def render(prompt: Prompt, record: dict) -> tuple[list[Message], str | None]:
    """Fill a prompt with a record.

    Args:
        prompt: templates with `{field}` placeholders; every other brace stands for itself.
        record: `{"id", "fields", "label", "group"}`.

    Returns:
        The messages asked (an optional system message and one user message), and the gold
        answer's text, or None where the record lacks what it is made of; see `missing`.

    Raises:
        UserError: a placeholder names nothing that the record has.
    """
    messages = _messages(prompt, record["fields"], record["id"])
    if missing(prompt, record):
        return messages, None
    return messages, _fill(prompt.answer, _with_label(record), record["id"])


def render_for_teacher(prompt: TeacherPrompt, record: dict) -> list[Message]:
    """The messages that ask a teacher about a labelled record, its label among the fields."""
    return _messages(prompt, _with_label(record), record["id"])


def render_for_judge(prompt: TeacherPrompt, record: dict, reply: str) -> list[Message]:
    """The messages that ask a judge about a reply to a labelled record."""
    return _messages(prompt, {**_with_label(record), REPLY: reply}, record["id"])


def missing(prompt: Prompt, record: dict) -> str | None:
    """What of the gold answer a record lacks, `label` or `reasoning`; such a one is only asked."""
    if record["label"] is None:
        return "label"
    if REASONING in PLACEHOLDER.findall(prompt.answer) and REASONING not in record["fields"]:
        return REASONING
    return None


def _messages(prompt: Prompt | TeacherPrompt, values: dict, record_id: str) -> list[Message]:
    templates = {"system": prompt.system, "user": prompt.user}
    return [
        {"role": role, "content": _fill(template, values, record_id)}
        for role, template in templates.items()
        if template is not None
    ]


def _with_label(record: dict) -> dict:
    label = record["label"]
    parts = label if isinstance(label, dict) else {}
    return {**record["fields"], **parts, "label": label}


def _fill(template: str, values: dict, record_id: str) -> str:
    def value(match) -> str:
        name = match.group(1)
        if name not in values:
            raise UserError(
                f"record {record_id}: the prompt asks for {{{name}}}, which the record lacks; "
                f"it has {', '.join(values)}."
            )
        found = values[name]
        return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)

    return PLACEHOLDER.sub(value, template)


def encode(
    tokenizer: PreTrainedTokenizerBase, messages: list[Message], answer: str | None = None
) -> list[int]:
    """Token ids of a conversation in the model's own chat template.

    Without an answer: the ids asked, which end where the reply begins. With one: the ids trained,
    which are the ids asked, then the reply up to and with the token that ends its turn.

    Raises:
        UserError: the whole conversation does not begin with the ids asked, the template alters
            the answer, or it ends no turn with a special token.
    """
    asked_text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    asked = tokenizer(asked_text, add_special_tokens=False)["input_ids"]
    if answer is None:
        return asked
    conversation = [*messages, {"role": "assistant", "content": answer}]
    whole_text = tokenizer.apply_chat_template(conversation, tokenize=False)
    whole = tokenizer(whole_text, add_special_tokens=False)["input_ids"]
    if whole[: len(asked)] != asked:
        raise UserError(_say_mismatch(tokenizer, asked, whole))
    if answer not in whole_text[len(asked_text) :]:
        raise UserError(
            "The chat template alters the answer, so the model would be trained on another one.\n"
            f"  answer:  {answer!r}\n  trained: {whole_text[len(asked_text) :]!r}\n"
            "Give the prompt an answer template without leading or trailing blanks or tags."
        )
    return whole[: _end_of_turn(tokenizer, whole, len(asked))]


def _end_of_turn(tokenizer: PreTrainedTokenizerBase, whole: list[int], start: int) -> int:
    """Index behind the last special token of the reply that starts at `start`."""
    special = {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
    for index in range(len(whole) - 1, start - 1, -1):
        if whole[index] in special:
            return index + 1
    raise UserError(
        "The chat template ends the reply with no special token, so the model would never learn "
        "to stop. Use a base whose template closes each turn, as ChatML does with <|im_end|>."
    )


def stop_ids(tokenizer: PreTrainedTokenizerBase) -> set[int]:
    """Ids that end a reply: the tokenizer's end of text and the chat template's end of turn."""
    probe = encode(tokenizer, [{"role": "user", "content": "?"}], "!")
    return {probe[-1]} | ({tokenizer.eos_token_id} - {None})


def check_prompt_gate(
    tokenizer: PreTrainedTokenizerBase, prompt: Prompt, records: Iterable[dict]
) -> list[tuple[int, list[int]]]:
    """Check that every record's ids asked are the prefix of its ids trained.

    Records without a gold answer are only asked, never trained, and pass.

    Returns:
        For each record, how many ids are asked, and the ids trained.

    Raises:
        UserError: the first record that fails, with both texts around the first difference.
    """
    checked = []
    for record in records:
        messages, answer = render(prompt, record)
        try:
            trained = encode(tokenizer, messages, answer)
        except UserError as error:
            raise UserError(f"Prompt gate, record {record['id']}: {error}") from None
        checked.append((len(encode(tokenizer, messages)), trained))
    return checked


def _say_mismatch(tokenizer: PreTrainedTokenizerBase, asked: list[int], whole: list[int]) -> str:
    first = next(i for i, pair in enumerate(zip_longest(asked, whole)) if len(set(pair)) > 1)
    before = tokenizer.decode(asked[:first])[-SHOWN:]
    return (
        f"the ids asked are not the beginning of the ids trained; they part at token {first}.\n"
        f"  asked:   …{before + tokenizer.decode(asked[first:])[:SHOWN]!r}\n"
        f"  trained: …{before + tokenizer.decode(whole[first:])[:SHOWN]!r}\n"
        "The base's chat template writes the start of a reply in two ways. Put what it adds into "
        "the prompt's answer, or use a base whose template does not."
    )
