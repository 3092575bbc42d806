"""The mixture of the corpus, and its documents as token ids."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from tokenizers import Tokenizer

from snaketune.tinybase import nli, pairs, puzzles, rules, skills, weather
from snaketune.tinybase.example import Example, Maker
from snaketune.tinybase.settings import PretrainSettings
from snaketune.tinybase.tokenizer import END, PAD, START

COPY = "random copying"
# Kind → (share in documents, what makes one). Weather and extraction weigh most: copying a name
# from anywhere in a sentence is what the first demo needs, and it takes longest to become sure.
KINDS: dict[str, tuple[float, Maker]] = {
    "weather": (22, weather.weather),
    "extraction": (9, skills.extract),
    "repeating": (5, skills.repeat),
    "dates": (4, skills.reformat_date),
    "padding numbers": (1.5, skills.pad_number),
    "tables": (6, skills.table),
    "options": (8, skills.option_value),
    "lists": (5, skills.list_question),
    "comparing numbers": (5, skills.compare_numbers),
    "comparing texts": (6, skills.same_text),
    "choosing": (3, skills.choose_skill),
    "nli": (9, nli.nli),
    "sentence pairs": (10, pairs.pairs),
    "puzzles": (9, puzzles.puzzles),
    "traffic rules": (8, rules.rules),
    "quiz": (3, rules.quiz),
}
DOCUMENTS_A_CHUNK = 1_600


@dataclass(frozen=True)
class Document:
    """Token ids; `targets[i]` says whether token i is one that the model learns to give."""

    kind: str
    ids: list[int]
    targets: list[bool]


class Corpus:
    """Seeded, endless stream of documents; no text holds an excluded place name."""

    def __init__(self, settings: PretrainSettings, excluded: frozenset[str]):
        self.settings = settings
        self.excluded = excluded
        self.names = list(KINDS)
        self.weights = [share for share, _ in KINDS.values()]

    def example(self, rng: Random) -> tuple[str, Example]:
        """A kind and an example of it."""
        kind = rng.choices(self.names, self.weights)[0]
        while True:
            made = KINDS[kind][1](rng)
            text = f"{made.prompt}{made.answer}"
            if not any(name in text for name in self.excluded):
                return kind, made

    def texts(self, count: int) -> Iterator[str]:
        """Plain texts of `count` examples, for the tokenizer."""
        rng = Random(f"{self.settings.seed}/tokenizer")
        for _ in range(count):
            _, made = self.example(rng)
            yield f"{made.system or ''}\n{made.prompt}\n{made.answer}"

    def chunk(self, index: int, step: int, encode: "Encoder") -> list[Document]:
        """The documents of the chunk that begins at a step; the same for the same arguments."""
        rng = Random(f"{self.settings.seed}/{index}")
        copying_only = step < self.settings.copy_steps
        simple_share = 0.2
        if copying_only:
            simple_share = 1.0 if step < self.settings.copy_steps * 0.6 else 0.3
        made = []
        for _ in range(DOCUMENTS_A_CHUNK // (4 if copying_only else 1)):
            if copying_only or rng.random() < self.settings.copy_share:
                made.append(encode.copying(rng, rng.random() < simple_share))
            else:
                made.append(encode.example(*self.example(rng)))
        return made


class Encoder:
    """Examples and random strings as token ids in the chat format."""

    def __init__(self, tokenizer: Tokenizer):
        self.tokenizer = tokenizer
        special = {tokenizer.token_to_id(word) for word in (PAD, START, END)}
        self.plain = [i for i in range(tokenizer.get_vocab_size()) if i not in special]
        self.user = self._ids(f"{START}user\n")
        self.between = self._ids(f"{END}\n{START}assistant\n")
        self.end = self._ids(END)

    def _ids(self, text: str) -> list[int]:
        return self.tokenizer.encode(text).ids

    def example(self, kind: str, made: Example) -> Document:
        """A chat of one turn; the answer and its end are the targets."""
        head = self._ids(f"{START}system\n{made.system}{END}\n") if made.system else []
        prompt = head + self.user + self._ids(made.prompt) + self.between
        answer = self._ids(made.answer) + self.end
        return Document(kind, prompt + answer, [False] * len(prompt) + [True] * len(answer))

    def copying(self, rng: Random, simple: bool) -> Document:
        """A random string and its copy; unless `simple`, also chats and pieces of the string."""
        if simple:
            string = rng.choices(self.plain, k=rng.randint(6, 30))
            return Document(COPY, string * 2, [False] * len(string) + [True] * len(string))
        roll = rng.random()
        pool = self.plain if roll < 0.75 else rng.sample(self.plain, rng.randint(8, 40))
        string = rng.choices(pool, k=rng.randint(4, 50))
        if roll < 0.3:
            ids = self.user + string + self.between
            return Document(
                COPY, ids + string + self.end, [False] * len(ids) + [True] * (len(string) + 1)
            )
        ids, targets = list(string), [False] * len(string)
        for _ in range(rng.randint(1, 3)):
            start = rng.randrange(len(string) - 1) if roll < 0.85 else 0
            piece = string[start : start + rng.randint(3, 25)]
            ids += piece
            # The first token of a piece cannot be foreseen.
            targets += [False] + [True] * (len(piece) - 1)
        return Document(COPY, ids, targets)


def batches(documents: list[Document], batch_tokens: int, rng: Random) -> list[list[Document]]:
    """Documents of like length together, at most `batch_tokens` with padding, in random order."""
    made: list[list[Document]] = []
    current: list[Document] = []
    for document in sorted(documents, key=lambda one: len(one.ids)):
        if current and len(document.ids) * (len(current) + 1) > batch_tokens:
            made.append(current)
            current = []
        current.append(document)
    made.append(current)
    rng.shuffle(made)
    return made


def count_tokens(batch: list[Document]) -> Counter:
    """Tokens of each kind, padding left out."""
    counted: Counter = Counter()
    for document in batch:
        counted[document.kind] += len(document.ids)
    return counted
