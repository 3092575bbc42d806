"""Byte-level BPE in which each listed Chinese character and each digit is one token."""

import json
from collections.abc import Iterable

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from snaketune.tinybase.words import ALL_HAN

PAD, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
MARKS = "，。、；：？！“”‘’（）《》【】…—·～％＋－×÷＝＜＞①②③④⑤ＡＢＣＤＥ°℃→≤≥　"

CHAT_TEMPLATE = (
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)


def byte_letters() -> dict[int, str]:
    """The printable letter that byte-level BPE writes for each byte."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters = {byte: chr(byte) for byte in plain}
    for byte in range(256):
        if byte not in letters:
            letters[byte] = chr(256 + len(letters) - len(plain))
    return letters


def build(texts: Iterable[str], english_merges: int) -> Tokenizer:
    """Make the tokenizer; `texts` teach it only words and marks in ASCII.

    Merges between two characters outside ASCII are never made, so that each Chinese character
    stays one token and any other character can be copied byte by byte.
    """
    letters = byte_letters()
    merges: list[tuple[str, str]] = []
    vocab = {letters[byte]: byte for byte in range(256)}

    def merge(left: str, right: str) -> None:
        if left + right not in vocab:
            vocab[left + right] = len(vocab)
            merges.append((left, right))

    for char in [*MARKS, *ALL_HAN]:
        pieces = [letters[byte] for byte in char.encode("utf-8")]
        joined = pieces[0]
        for piece in pieces[1:]:
            merge(joined, piece)
            joined += piece

    for left, right in _ascii_merges(texts, english_merges):
        merge(left, right)
    made = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    made.pre_tokenizer = _pre_tokenizer()
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(word, normalized=False) for word in (PAD, START, END)])
    return made


def _pre_tokenizer() -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex("[\u2e80-\u9fff\uff00-\uffef]"), "isolated"),
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )


def _ascii_merges(texts: Iterable[str], wanted: int) -> list[tuple[str, str]]:
    if not wanted:
        return []
    learner = Tokenizer(models.BPE())
    learner.pre_tokenizer = _pre_tokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=256 + wanted,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    # A space in place of other characters keeps the words on their two sides apart.
    plain = ("".join(char if char < "\x7f" else " " for char in text) for text in texts)
    learner.train_from_iterator(plain, trainer)
    found = [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]]
    # Line breaks stay single: the one before an answer must never join the answer's first.
    return [(left, right) for left, right in found if "Ċ" not in left + right]
