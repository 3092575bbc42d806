"""One LoRA or QLoRA run: recipe, base and records in; adapter, losses and figures out."""

import csv
import logging
import shutil
from contextlib import nullcontext
from pathlib import Path

from snaketune import loading  # first: it sets what the libraries below read when imported

# isort: split
import datasets
import torch

with loading.without_compiler():
    from peft import LoraConfig, load_peft_weights, set_peft_model_state_dict
from transformers import (
    PreTrainedTokenizerBase,
    ProgressCallback,
    TrainerState,
)
from transformers.trainer import TRAINER_STATE_NAME
from trl import SFTConfig, SFTTrainer
from trl.trainer import utils as trl_utils

from snaketune import devices, gptq, packing, stages, tracking
from snaketune.checkpoints import (
    SEPARATOR,
    MarkComplete,
    alone,
    is_finished,
    keep_newest,
    remove_other_runs,
    seconds_before,
    usable_checkpoint,
)
from snaketune.errors import UserError
from snaketune.files import digest, read_jsonl, sha256_file, whole, write_json
from snaketune.folders import move, read_source
from snaketune.measuring import arithmetic, git_commit, peak_memory_mb, versions
from snaketune.progress import Clock, Progress
from snaketune.prompts import check_prompt_gate, missing
from snaketune.recipe import Recipe, read_recipe, recipe_hash

log = logging.getLogger(__name__)

IGNORED = -100
"""Label of a token that carries no loss, as torch's cross entropy has it."""

LOSS_COLUMNS = ("step", "epoch", "loss", "eval_loss", "learning_rate", "grad_norm")


def train(
    recipe_path: Path, source_path: Path, train_path: Path, validation_path: Path,
    out: Path, checkpoints: Path, init_from: Path | None = None, report_to: str = "none",
) -> dict:  # fmt: skip
    """Train an adapter, from its last checkpoint where there is one; a finished one is not trained.

    One run at a time trains into `out`; a second one waits for the first. Under torchrun each
    process calls this; the first one alone writes.

    Args:
        recipe_path: recipe.yaml.
        source_path: source.json of the base.
        train_path, validation_path: records; validation may be empty, then nothing is evaluated.
        out: folder that receives adapter_model.safetensors, adapter_config.json, loss.csv and
            metrics.json.
        checkpoints: folder of the checkpoints of all runs; this run's last one stays there, those
            of earlier runs into `out` are removed.
        init_from: folder of the adapter that the recipe goes on from.
        report_to: a tracker, see `snaketune.tracking`; no part of the recipe.

    Returns:
        The metrics.

    Raises:
        UserError: anything in recipe, records or base that would train something else than meant.
    """
    recipe, source = read_recipe(recipe_path), read_source(source_path)
    tracking.prepare(report_to, recipe.study, Path(out) / "tracking")
    stages.check_init(recipe, source, init_from)
    facts = {
        "recipe_hash": recipe_hash(recipe_path),
        "data_sha256": {
            "train": sha256_file(train_path),
            "validation": sha256_file(validation_path),
        },
        "base_sha256": source["sha256"],
        **stages.facts_of_init(recipe, init_from),
    }
    tokenizer = loading.load_tokenizer_of(source)
    sets = {
        "train": prepare_records(tokenizer, recipe, train_path, stages.part_of(recipe, train_path)),
        "validation": prepare_records(tokenizer, recipe, validation_path),
    }

    # the folder in it: a demo's run must not end the checkpoints of a study's long one
    name = SEPARATOR.join([recipe.study, recipe.adapter, digest(Path(out).as_posix())[:8]])
    facts["versions"] = versions(base=source["path"])
    key = digest({**facts, **_devices_that_count(recipe)})[:16]
    run_folder = Path(checkpoints) / f"{name}{SEPARATOR}{key}"
    lock = Path(checkpoints) / f"{name}.lock"
    with devices.joined(), alone(lock) if devices.is_first() else nullcontext():
        start = devices.from_first(lambda: usable_checkpoint(run_folder))
        clock = Clock(seconds_before(start))
        trainer = build_trainer(
            recipe, source, tokenizer, sets, run_folder, clock, init_from, report_to
        )
        if devices.is_first():
            remove_other_runs(run_folder)
        clock.start()
        _train_from(trainer, start)
        metrics = _metrics(trainer, sets["train"], clock)
        metrics |= _arithmetic(source, sets["train"], metrics)
        metrics |= cut_as_published(recipe, sets["train"])
        metrics |= {**facts, "resumed_from_step": int(start.name.split("-")[1]) if start else None}
        if devices.is_first():
            _write_adapter(trainer, source, metrics, Path(out))
            keep_newest(run_folder)
    return metrics


def _devices_that_count(recipe: Recipe) -> dict:
    """The number of devices, where it decides how many records a step has.

    With a global batch size it does not: each step has the same records whatever their number,
    so a run may go on with another number than it began with, and nothing trains anew for it.
    """
    if recipe.global_batch_size or devices.count() == 1:
        return {}
    return {"devices": devices.count()}


def _train_from(trainer: SFTTrainer, start: Path | None) -> None:
    """Train from a checkpoint or from nothing; take over a checkpoint of the last step."""
    if start:
        log.info("Goes on from %s.", start.name)
    try:
        if start and is_finished(start):
            # transformers would train one step more where the last one is not the end of an epoch
            trainer.state = TrainerState.load_from_json(str(start / TRAINER_STATE_NAME))
            set_peft_model_state_dict(trainer.model, load_peft_weights(str(start), device="cpu"))
        else:
            trainer.train(resume_from_checkpoint=str(start) if start else None)
        _evaluate_at_end(trainer)
    except torch.OutOfMemoryError as error:
        raise UserError(
            "The GPU has too little memory: lower training.per_device_train_batch_size (and, "
            "without a global_batch_size, raise gradient_accumulation_steps by as much), or set "
            f"gradient_checkpointing: true. ({error})"
        ) from error


def prepare_records(
    tokenizer: PreTrainedTokenizerBase, recipe: Recipe, path: Path, records: list | None = None
) -> datasets.Dataset:
    """Records as token ids with loss on the answer only.

    Args:
        tokenizer: of the base.
        recipe: its prompt and its max_length are what counts.
        path: file of the records.
        records: those of them that are meant; None: all.

    Returns:
        Columns `input_ids` and `labels`, lists of one length a record; `labels` is -100 outside
        the answer and its end of turn.

    Raises:
        UserError: the prompt gate fails, a record has no gold answer, or one is longer than
            max_length.
    """
    records = list(read_jsonl(path)) if records is None else records
    _refuse_unanswered(recipe, records, path)
    rows = [
        {"input_ids": trained, "labels": [IGNORED] * asked + trained[asked:]}
        for asked, trained in check_prompt_gate(tokenizer, recipe.prompt, records)
    ]
    _refuse_truncation(rows, recipe.training.max_length, path)
    columns = {name: [row[name] for row in rows] for name in ("input_ids", "labels")}
    return datasets.Dataset.from_dict(columns)


def _refuse_unanswered(recipe: Recipe, records: list[dict], path: Path) -> None:
    lacking = {record["id"]: missing(recipe.prompt, record) for record in records}
    lacking = {name: what for name, what in lacking.items() if what}
    if lacking:
        first, what = next(iter(lacking.items()))
        mend = {"label": "Give them a label", "reasoning": "Let a teacher write it (distill)"}
        raise UserError(
            f"{path}: {len(lacking)} of {len(records)} records have no {what} to train on, "
            f"the first is {first}. {mend[what]} or take them out."
        )


def _refuse_truncation(rows: list[dict], longest: int, path: Path) -> None:
    """Right-truncation cuts the end of a record, which is its answer."""
    cut = [len(row["input_ids"]) for row in rows if len(row["input_ids"]) > longest]
    if cut:
        raise UserError(
            f"{path}: {len(cut)} of {len(rows)} records are longer than training.max_length "
            f"{longest}, so {len(cut)} answers would be cut. The longest has {max(cut)} tokens: "
            f"set max_length to {max(cut)} or more, or take the long records out."
        )


def build_trainer(
    recipe: Recipe, source: dict, tokenizer: PreTrainedTokenizerBase, sets: dict,
    run_folder: Path, clock: "Clock", init_from: Path | None = None, report_to: str = "none",
) -> SFTTrainer:  # fmt: skip
    """TRL's trainer for a recipe.

    The adapter's weights are float32, PEFT's default, over a quantised base too: TRL would make
    them bfloat16 there, in which an Adam step below 1/256 of a weight is lost. With `init_from`
    they are that adapter's.

    Raises:
        UserError: TRL or PEFT refuse a setting, packing would mix records, or the adapter to go on
            from has another shape.
    """
    datasets.disable_progress_bars()
    model = loading.load_base(source, recipe)
    if recipe.training.packing:
        packing.check_and_report(model, recipe)
    if loading.device() == "cpu":
        _score_answers_only()
    try:
        trainer = SFTTrainer(
            model=model,
            args=_sft_config(recipe, run_folder, len(sets["validation"]) > 0, report_to),
            train_dataset=sets["train"],
            eval_dataset=sets["validation"] if len(sets["validation"]) else None,
            processing_class=tokenizer,
            peft_config=LoraConfig(task_type="CAUSAL_LM", **gptq.spelled_out(recipe.lora, model)),
        )
    except (ValueError, ImportError) as error:
        raise UserError(f"The recipe cannot be trained: {error}") from error
    for weight in trainer.model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
    if init_from:
        stages.take_over(trainer.model, init_from)
    trainer.remove_callback(ProgressCallback)
    trainer.add_callback(Progress())
    trainer.add_callback(MarkComplete(clock))
    return trainer


def _score_answers_only() -> None:
    """Let TRL's loss skip the prompt's positions on a CPU too, as it does where Triton runs.

    Elsewhere it scores every position and throws most away, lest a compiler see changing shapes.
    Loss and gradients are the same; on a tiny base half of a step's time is saved.
    """
    trl_utils._use_triton = lambda device: True


def accumulation(recipe: Recipe, device_count: int) -> int:
    """Batches that each device adds up for one optimizer step.

    Raises:
        UserError: the recipe's global batch size cannot be shared among the devices.
    """
    whole, part = recipe.global_batch_size, recipe.training.per_device_train_batch_size
    if whole is None:
        return recipe.training.gradient_accumulation_steps
    if whole % (part * device_count):
        raise UserError(
            f"global_batch_size {whole} is no multiple of training.per_device_train_batch_size "
            f"{part} × {device_count} devices: change one of them, or the number of devices."
        )
    return whole // (part * device_count)


def _sft_config(
    recipe: Recipe, run_folder: Path, evaluate: bool, report_to: str = "none"
) -> SFTConfig:
    """The recipe's own keys, and what is the same for every run."""
    packed = recipe.training.packing
    training = recipe.training.model_dump()
    training["gradient_accumulation_steps"] = accumulation(recipe, devices.count())
    config = SFTConfig(
        **training,
        output_dir=str(run_folder),
        eval_strategy="steps" if evaluate else "no",
        save_strategy="steps",
        # two: the newest may be half-written when the run is killed
        save_total_limit=2,
        data_seed=recipe.training.seed,
        eval_packing=False,
        # padding-free rows have no padding, and no mask that would tell padding from text
        include_num_input_tokens_seen="all" if packed else "non_padding",
        use_cpu=loading.device() == "cpu",
        dataloader_pin_memory=loading.device() != "cpu",
        # every weight of the adapter has a gradient in every step
        ddp_find_unused_parameters=False,
        report_to=report_to,
        run_name=f"{recipe.study}/{recipe.adapter}",
        project=recipe.study,
        log_level="error",
        disable_tqdm=False,
    )
    if config.n_gpu > 1:
        # one process would spread each batch over all GPUs that it sees, and so make it larger
        config._n_gpu = 1
    return config


def _evaluate_at_end(trainer: SFTTrainer) -> None:
    last = [row["step"] for row in trainer.state.log_history if "eval_loss" in row]
    if trainer.eval_dataset is not None and last[-1:] != [trainer.state.global_step]:
        trainer.evaluate()


def _metrics(trainer: SFTTrainer, records: datasets.Dataset, clock: "Clock") -> dict:
    history, state, seconds = trainer.state.log_history, trainer.state, clock()
    samples = round(state.epoch * len(records))
    batch, added = trainer.args.train_batch_size, trainer.args.gradient_accumulation_steps
    losses = {
        key: next((row[key] for row in reversed(history) if key in row), None)
        for key in ("loss", "eval_loss")
    }
    return {
        "seconds": round(seconds, 3),
        "seconds_this_process": round(seconds - clock.before, 3),
        "devices": devices.count(),
        "gradient_accumulation_steps": added,
        "effective_batch_size": batch * added * devices.count(),
        "steps": state.global_step,
        "samples": samples,
        "tokens": state.num_input_tokens_seen,
        "tokens_per_second": round(state.num_input_tokens_seen / seconds, 1),
        "samples_per_second": round(samples / seconds, 2),
        "peak_memory_mb": peak_memory_mb(),
        "trainable_parameters": sum(
            p.numel() for p in trainer.model.parameters() if p.requires_grad
        ),
        "train_loss": losses["loss"],
        "eval_loss": losses["eval_loss"],
        "device": str(trainer.model.device),
        "threads": torch.get_num_threads(),
        "git_commit": git_commit(),
    }


def _arithmetic(source: dict, records: datasets.Dataset, metrics: dict) -> dict:
    """How much of the GPUs' arithmetic the run used; see `measuring.arithmetic`."""
    tokens = sum(map(len, records["input_ids"]))
    scored = sum(label != IGNORED for labels in records["labels"] for label in labels)
    lengths = {"context": tokens / len(records), "scored": scored / tokens}
    return arithmetic(Path(source["path"]), **lengths, metrics=metrics)


def cut_as_published(recipe: Recipe, records: datasets.Dataset) -> dict:
    """How many answers the published max_length would have cut, and how many of them whole."""
    longest = recipe.published_max_length
    if longest is None:
        return {}
    cut = [labels for labels in records["labels"] if len(labels) > longest]
    whole = sum(all(label == IGNORED for label in labels[:longest]) for labels in cut)
    counted = {"max_length": longest, "records": len(records), "cut": len(cut), "whole": whole}
    return {"cut_as_published": counted}


def _write_adapter(trainer: SFTTrainer, source: dict, metrics: dict, out: Path) -> None:
    """Each file whole, the metrics last."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    config = model.peft_config["default"]
    config.base_model_name_or_path = source.get("id") or source["name"]
    config.target_modules = sorted(config.target_modules)  # a set has another order each run
    out.mkdir(parents=True, exist_ok=True)
    partial = out / ".partial"
    shutil.rmtree(partial, ignore_errors=True)
    # the embeddings are as they were; "auto" would ask the hub whether that is so
    model.save_pretrained(partial, save_embedding_layers=False)
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        move(partial / name, out / name)
    shutil.rmtree(partial)
    _write_losses(trainer.state.log_history, out / "loss.csv")
    write_json(out / "metrics.json", metrics)


def _write_losses(history: list[dict], path: Path) -> None:
    """One row a logged step; a step that was logged and evaluated is one row."""
    rows: dict[int, dict] = {}
    for entry in history:
        if "loss" in entry or "eval_loss" in entry:
            known = {key: value for key, value in entry.items() if key in LOSS_COLUMNS}
            rows.setdefault(entry["step"], {}).update(known)
    with whole(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, LOSS_COLUMNS)
        writer.writeheader()
        writer.writerows(rows[step] for step in sorted(rows))
