"""The folder of a finished model, as the hub knows it, with its card and loss curve."""

import csv
import json
import platform
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen2ForCausalLM

from snaketune import files
from snaketune.tinybase import tokenizer as tokens
from snaketune.tinybase.corpus import COPY, KINDS
from snaketune.tinybase.pretrain import Progress
from snaketune.tinybase.settings import PretrainSettings

CARD = """---
license: apache-2.0
language: [zh, en]
library_name: transformers
pipeline_tag: text-generation
tags: [synthetic, demo]
---
# Snaketune tiny base

A language model of {parameters:,} parameters (Qwen2 architecture, {layers} layers × {hidden}) that
plays the part of a general instruct model in the demos of Snaketune. It was trained from random
weights, for minutes on a CPU, on synthetic text that the project generates; no other text went
into it.

**Its numbers say nothing about real models.** It can copy, extract, compare, look up and choose
among options in Chinese and English, within the forms of its corpus, and it knows nothing else.
It has met the *kinds* of question of the five demo studies on other content, often answered in
changing formats and with deliberately wrong labels, so that by itself it mostly answers in another
form, or with another label, than a study asks for: the weather prompt's date, for one, it nearly
always copies unchanged. Looking up tables and options it has barely learnt. That tuning mends such
things is the point of the demos, not a property found in it. Do not use it for anything else.

## Corpus

Only the answers' tokens count in the loss. All sentences and word lists were written for this
project; place names are invented at random, and names of the list given by `--exclude`
({excluded} spellings) occur in no sentence.

| kind | tokens |
|---|---|
{families}
| all | {total:,} |

The kinds weather, nli, sentence pairs, puzzles and traffic rules stand near the studies; in their
published prompt frames the answer formats vary and labels are partly a fixed favourite. The others
are skills and are answered right.

## Training

{steps:,} steps of at most {batch_tokens:,} tokens; the first {copy_steps:,} on random copying
alone. Muon on the matrices, Adam on embeddings, norms and biases; warm-up, plateau, linear fall.
All weights begin at random, save that three heads of the first layer begin with biases that make
them look one or two tokens back; without that, copying had not set in after 2,000 steps.

| step | tokens | loss | seconds |
|---|---|---|---|
{curve}

- Seed {seed}; the same settings give the same weights on the same kind of machine.
- sha256 of model.safetensors: `{sha256}`
- Tokenizer: byte-level BPE, {vocabulary:,} tokens; each common Chinese character and each digit is
  one token, anything else goes through bytes without loss.
- {seconds:,.0f} s ({speed:,.0f} tokens/s) on {machine}, threads: {threads}, PyTorch {torch}.

```
{command}
```
"""


def write(
    folder: Path,
    settings: PretrainSettings,
    excluded: int,
    command: str,
    model: Qwen2ForCausalLM,
    tokenizer: Tokenizer,
    progress: Progress,
) -> None:
    """Write weights, tokenizer, loss curve and card."""
    folder.mkdir(parents=True, exist_ok=True)
    model.config.use_cache = True
    model.generation_config = GenerationConfig(
        eos_token_id=model.config.eos_token_id, pad_token_id=model.config.pad_token_id
    )
    model.save_pretrained(folder)
    _write_tokenizer(folder, tokenizer, settings.max_positions)
    with files.whole(folder / "loss.csv") as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["step", "tokens", "loss", "seconds"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(progress.rows)
    total = progress.tokens.total()
    shown = progress.rows[:: max(1, len(progress.rows) // 12)]
    if shown[-1] is not progress.rows[-1]:
        shown.append(progress.rows[-1])
    card = CARD.format(
        **settings.model_dump(),
        parameters=sum(p.numel() for p in model.parameters()),
        excluded=excluded,
        families="\n".join(
            f"| {kind} | {progress.tokens[kind]:,} |"
            for kind in [COPY, *KINDS]
            if progress.tokens[kind]
        ),
        total=total,
        curve="\n".join(
            f"| {r['step']:,} | {r['tokens']:,} | {r['loss']:.3f} | {r['seconds']:,.0f} |"
            for r in shown
        ),
        sha256=files.sha256_file(folder / "model.safetensors"),
        vocabulary=tokenizer.get_vocab_size(),
        seconds=progress.seconds,
        speed=total / progress.seconds,
        machine=f"{platform.machine()}, {processor()}",
        torch=torch.__version__,
        command=command,
    )
    files.write_text(folder / "README.md", card)


def _write_tokenizer(folder: Path, tokenizer: Tokenizer, max_positions: int) -> None:
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token=tokens.END,
        pad_token=tokens.PAD,
        model_max_length=max_positions,
        clean_up_tokenization_spaces=False,
        chat_template=tokens.CHAT_TEMPLATE,
    )
    wrapped.save_pretrained(folder)
    path = folder / "tokenizer_config.json"
    kept = json.loads(path.read_text(encoding="utf-8"))
    # The name that transformers 4 and 5 both know; a Qwen class would rebuild the splitting rules.
    kept["tokenizer_class"] = "PreTrainedTokenizerFast"
    files.write_json(path, kept)


def processor() -> str:
    """The processor's name, as far as the system tells."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or "unknown processor"
