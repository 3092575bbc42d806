"""The commented YAML of a study of one's own, and its place in a run's config."""

import json
import math
from pathlib import Path

import yaml

from snaketune.config.resolve import study_of
from snaketune.rows import table_records
from snaketune.starting.guessing import Guess
from snaketune.starting.reading import Table

BATCH = 8
STEPS = 100
"""About what teaches the tiny base a few labels, in seconds."""
MOST_EPOCHS = 12
MOST_TRAINED = 4000
"""Records that the demo trains on, at most."""
MANY = 2500
"""Records from which on validation and test are numbers, not shares."""
LENGTHS = (256, 512, 1024, 2048, 4096)
"""Values of max_length; the last is what the tiny base can see."""

TEMPLATE = """\
# yaml-language-server: $schema=../study.schema.json
# A study of your own, begun from {path}. What was guessed, and why:
{told}
# Change what is wrong; a wrong key or value stops the run with a message before anything starts.
#   snakemake {name} --cores all
title: {title}

prompts:
  # How a record is asked, in training and after it. {{field}} is a field of the record; the answer
  # is the label. Say in it what the labels mean, if their names do not.
  asked:
    user: {prompt}

datasets:
  {name}:
    source:
      kind: table
      path: {path_value}{reading}
      # Field → column of the file.
      fields: {fields}
      label: {label}{mapped}{record_id}
    prompt: asked
    # {split_says}
    split: {split}
    # Records with equal fields are never parted by the split. If more belongs together (sentences
    # of one author, variants of one text), name a column under source: group: author
    extract:
      kind: label
      labels: {labels}
      readings:
        first_word: {{rule: first_word}}

adapters:
  # A training on the tiny base that ships with the project: {steps} steps, less than a minute.
  lora:
    base: tiny
    dataset: {name}{take}
    dtype: float32
    attn_implementation: eager
    training:
      learning_rate: 3.0e-3
      num_train_epochs: {epochs}
      per_device_train_batch_size: {batch}
      per_device_eval_batch_size: 64
      lr_scheduler_type: cosine
      warmup_steps: 10
      adam_beta2: 0.98
      bf16: true
      logging_steps: 4
      eval_steps: {quarter}
      save_steps: {quarter}
      max_length: {length}
    lora: {{r: 16, lora_alpha: 32}}

models:
  base: {{base: tiny}}
  tuned: {{adapter: lora}}
baseline: base

evaluations:
  - {{dataset: {name}, split: test}}

sampling: {{max_new_tokens: {new_tokens}, temperature: 0, batch_size: 128, dtype: float32}}

# The same study on a real base, with a GPU:
#   snakemake {name} --configfile config/small.yaml --config 'studies=["{name}"]' --cores all \\
#     --resources gpu=1
# (note is what stands above the tables.)
scales:
  demo:
    note: >-
      The tiny base that ships with the project: it shows that the whole chain works on these
      records. For an accuracy that counts take a real base: change `id` in the study's YAML.
  small: &real
    note: ""
    bases:
      # The one value to change for another base: id, its name on the Hugging Face hub. (A folder
      # of yours: {{source: local, path: my/model}}.)
      base-of-{name}: {{source: hub, id: Qwen/Qwen2.5-0.5B-Instruct}}
    adapters:
      lora:
        base: base-of-{name}{no_take}
        dtype: bfloat16
        attn_implementation: sdpa
        training:
          learning_rate: 2.0e-4
          num_train_epochs: 3
          gradient_checkpointing: true
        lora: {{r: 16, lora_alpha: 32, target_modules: all-linear}}
    models:
      base: {{base: base-of-{name}}}
    sampling: {{dtype: bfloat16, batch_size: 32}}
  paper: *real
"""


def as_study(table: Table, guess: Guess, name: str) -> str:
    """The YAML of a study over a table.

    Raises:
        UserError: a row that a run would refuse, with the message that the run would give.
    """
    train, split, says = _split(guess.labelled)
    trained = min(train, MOST_TRAINED)
    epochs = max(1, min(MOST_EPOCHS, math.ceil(STEPS * BATCH / trained)))
    steps = epochs * math.ceil(trained / BATCH)
    prompt = _prompt(guess)
    needed = guess.longest + len(prompt.encode()) + 64
    text = TEMPLATE.format(
        name=name,
        path=table.path,
        told="\n".join(f"#   {line}" for line in remarks(guess, needed)),
        title=_value(f"{name} — {table.path.name}"),
        prompt=_value(prompt),
        path_value=_value(str(table.path)),
        reading=_reading(table),
        fields=_value(_short(guess.fields)),
        label=_value(guess.label),
        mapped=f"\n      labels: {_value(guess.mapped)}" if guess.mapped else "",
        record_id=f"\n      record_id: {_value(guess.record_id)}" if guess.record_id else "",
        split=split,
        split_says=says,
        labels=_value(guess.labels),
        steps=steps,
        epochs=epochs,
        batch=BATCH,
        quarter=max(1, steps // 4),
        take=f"\n    take: {MOST_TRAINED}" if trained < train else "",
        no_take="\n        take: null" if trained < train else "",
        length=next((length for length in LENGTHS if length >= needed), LENGTHS[-1]),
        new_tokens=max(len(label.encode()) for label in guess.labels) + 4,
    )
    _check(text, name)
    return text


def remarks(guess: Guess, needed: int = 0) -> list[str]:
    """What was guessed; with `needed`, bytes of the longest record, what is too long."""
    if needed <= LENGTHS[-1]:
        return guess.told
    return [
        *guess.told,
        f"the longest record has {needed:,} bytes; if a run says that it does not fit into "
        "max_length, shorten the texts or take another base",
    ]


def _check(text: str, name: str) -> None:
    """Read the study and its records as the run will."""
    data = yaml.safe_load(text)
    data.pop("scales")
    study = study_of(data, Path(f"config/studies/{name}.yaml"))
    for _ in table_records(study.datasets[name].source, f"datasets.{name}.source"):
        pass


def _split(records: int) -> tuple[int, str, str]:
    """About how many records train, the split, and what a comment says of it."""
    if records < MANY:
        split = "{train: 0.7, validation: 0.1, test: 0.2, seed: 0, stratify: label}"
        says = "Shares, of each label too; the test is what the table shows."
        return round(0.7 * records), split, says
    split = "{validation: 250, test: 500, seed: 0, stratify: label}"
    return records - 750, split, "Numbers of records, in the shares that the labels have in all."


def _prompt(guess: Guess) -> str:
    fields = list(guess.fields)
    colon = "：" if guess.chinese else ": "
    lines = [
        f"{{{field}}}" if len(fields) == 1 else f"{field}{colon}{{{field}}}" for field in fields
    ]
    labels = ("、" if guess.chinese else ", ").join(guess.labels)
    asked = (
        f"属于哪一类：{labels}？只回答其中一个。"
        if guess.chinese
        else f"Which of these is it: {labels}? Answer with one of them, nothing else."
    )
    return "\n".join([*lines, asked])


def _reading(table: Table) -> str:
    """Lines of the source that say how the file is read, where the defaults do not do."""
    said = {
        "format": table.format if table.path.suffix.lower() != f".{table.format}" else None,
        "encoding": table.encoding if table.encoding != "utf-8" else None,
        "columns": None if table.named else table.columns,
        "quoting": table.quoting,
    }
    return "".join(f"\n      {key}: {_value(value)}" for key, value in said.items() if value)


def _short(fields: dict[str, str]) -> dict[str, str] | list[str]:
    same = all(field == column for field, column in fields.items())
    return list(fields) if same else fields


def _value(value: object) -> str:
    """A value as JSON writes it, which YAML reads too."""
    return json.dumps(value, ensure_ascii=False)


def with_study(text: str, name: str) -> str | None:
    """A run's config with one study more, as the last of its list; None where it has no such list.

    All else, comments too, stays as it is.
    """
    lines = text.splitlines()
    if "studies:" not in (heads := [line.split("#")[0].rstrip() for line in lines]):
        return None
    last = None
    for at in range(heads.index("studies:") + 1, len(lines)):
        if not lines[at].lstrip().startswith(("-", "#")) and lines[at].strip():
            break
        last = at if lines[at].lstrip().startswith("-") else last
    if last is None:
        return None
    indent = lines[last][: lines[last].index("-")]
    return "\n".join([*lines[: last + 1], f"{indent}- {name}", *lines[last + 1 :], ""])
