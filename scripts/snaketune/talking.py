"""A tuned model found by its folder, to be talked with as it was trained."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from snaketune.config.data import PLACEHOLDER, Prompt
from snaketune.config.tuning import Sampling
from snaketune.engines import Engine
from snaketune.errors import UserError
from snaketune.files import read_json
from snaketune.folders import MANIFEST, read_manifest, read_source
from snaketune.predicting import requests_for
from snaketune.prompts import Message, render
from snaketune.recipe import read_recipe
from snaketune.session import Session, Tuned

NAME = "model"


class Found(NamedTuple):
    """A model of a results folder, or of a folder of its own."""

    source: dict
    """As source.json of a base has it."""
    tuned: Tuned
    """The adapter and how its base loads, where it is not merged."""
    merged: Path | None
    prompt: Prompt | None
    """What it was trained on; None where the folder does not tell."""
    dtype: str


def find_model(folder: Path, base: Path | None = None) -> Found:
    """Find what a folder is: merged weights, an adapter, a sum of adapters, or any model.

    Args:
        folder: in a results folder, as results/demo/weather/merged/tuned, or elsewhere.
        base: source.json of an adapter's base; None looks where a run has it.

    Raises:
        UserError: no model is there, it is half-written, or its base is not found.
    """
    if (folder / MANIFEST).is_file():
        manifest = read_manifest(folder)
        recipe = _recipe_of(_adapter_of(folder, manifest["adapter"]))
        source = {"path": str(folder), "name": manifest["base"], "sha256": manifest["sha256"]}
        prompt = read_recipe(recipe).prompt if recipe else None
        return Found(source, Tuned(), folder, prompt, manifest["dtype"])
    if (folder / "adapter_config.json").is_file():
        return _adapter(folder, base)
    from snaketune.bases import check_model_folder

    check_model_folder(folder)
    source = {"path": str(folder), "name": folder.resolve().name, "sha256": "0" * 64}
    return Found(source, Tuned(), None, None, "bfloat16")


def _adapter(folder: Path, base: Path | None) -> Found:
    recipe = _recipe_of(folder)
    if recipe is None:
        raise UserError(
            f"{folder} is an adapter without its recipe.yaml, which says how its base loads; copy "
            "that too."
        )
    known = read_recipe(recipe)
    base = base or folder.resolve().parents[2] / "bases" / known.base / "source.json"
    if not base.is_file():
        raise UserError(
            f"{folder}: its base '{known.base}' is looked for in {base}, which is not there. Name "
            "the base's source.json: BASE=…"
        )
    tuned = Tuned(adapter=folder, recipe=recipe)
    return Found(read_source(base), tuned, None, known.prompt, known.dtype)


def _adapter_of(folder: Path, name: str) -> Path:
    """Where a merged model's adapter is, if it still lies where a run put it."""
    study = folder.resolve().parents[1]
    combined = study / "combined" / name
    return combined if combined.is_dir() else study / "adapters" / name


def _recipe_of(adapter: Path) -> Path | None:
    """recipe.yaml of an adapter, or of a sum's first part."""
    if (adapter / "combination.json").is_file():
        first = next(iter(read_json(adapter / "combination.json")["weights"]))
        adapter = adapter.resolve().parents[1] / "adapters" / first
    recipe = adapter / "recipe.yaml"
    return recipe if recipe.is_file() else None


def open_model(found: Found, sampling: Sampling) -> Engine:
    """The engine that answers in this process, as the workflow's does."""
    from snaketune.engines.transformers_engine import open_engines

    session = Session(sampling=sampling, models={NAME: found.tuned}, questions=[])
    return open_engines(found.source, session, found.merged)[NAME]


def fields_of(prompt: Prompt) -> list[str]:
    """What a prompt asks for, in its order."""
    return list(dict.fromkeys(PLACEHOLDER.findall(f"{prompt.system or ''}\n{prompt.user}")))


class Talk:
    """A conversation: questions that stand alone, by the prompt trained on, or turns."""

    def __init__(self, engine: Engine, sampling: Sampling, prompt: Prompt | None):
        """`prompt`: None takes what is said as it is, and remembers it."""
        self.engine, self.sampling, self.prompt = engine, sampling, prompt
        self.history: list[Message] = []
        self._turn = 0

    def ask(self, said: dict[str, str]) -> str:
        """The reply to a record's fields, or to `{"": text}` where there is no prompt.

        Raises:
            UserError: the conversation is longer than the model can see.
        """
        if self.prompt:
            messages, _ = render(self.prompt, {"id": "yours", "fields": said, "label": None})
        else:
            messages = [*self.history, {"role": "user", "content": said[""]}]
        reply = self._reply(messages)
        if not self.prompt:
            self.history = [*messages, {"role": "assistant", "content": reply}]
        return reply

    def _reply(self, messages: list[Message]) -> str:
        ids = self.engine.encode(messages)
        refusal = self.engine.refusal(ids, self.sampling)
        if refusal:
            raise UserError(f"{refusal}. Begin anew with /new, or ask for shorter replies.")
        # another number each turn, so that a question asked again is drawn anew
        indices = range(self._turn, self._turn + 1)
        self._turn += 1
        requests = requests_for(self.engine, ids, self.sampling, indices)
        answers = self.engine.answer(requests, self.sampling, known=())
        return next(iter(next(answers).values())).text


def talk(turns: Talk, read: Iterator[str]) -> Iterator[str]:
    """Replies to lines read, and before each line what is asked for; ends with the lines.

    Yields:
        `field> ` or `> ` before a line is read, and each reply, with its end of line.
    """
    fields = fields_of(turns.prompt) if turns.prompt else [""]
    while True:
        said = {}
        for field in fields:
            yield f"{field}> "
            line = next(read, None)
            if line is None:
                yield "\n"
                return
            if line.strip() == "/new":
                turns.history = []
                break
            said[field] = line.rstrip("\n")
        if len(said) == len(fields) and any(said.values()):
            try:
                yield f"{turns.ask(said)}\n"
            except UserError as error:
                yield f"{error}\n"
