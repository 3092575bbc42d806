"""Trainings of other programs as studies: the five studies' own commands, and what is refused."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from snaketune.config.resolve import read_yaml, study_of
from snaketune.config.tuning import Adapter, Training
from snaketune.errors import UserError
from snaketune.importing.commands import read_commands
from snaketune.importing.recipes import imported
from snaketune.importing.study import as_study
from snaketune.settings import published_study, read_stated

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = ROOT / "tests/commands"

OURS_ALONE = {"eval_steps", "per_device_eval_batch_size"}
"""Keys that the paper scale states besides: when to draw the validation loss."""

ADAPTERS = {
    # the study's command → the adapter of the paper scale, and where that is not as published
    ("nli.sh", 0): ("mnli", set()),
    ("nli.sh", 1): ("rte", set()),
    ("yesorno.sh", 0): ("stage1", set()),
    ("yesorno.sh", 1): ("stage2_as_published", set()),
    # bf16 for fp16, and eval batches
    ("weather.sh", 0): ("qlora", {"bf16", "fp16", "dtype", "per_device_eval_batch_size"}),
    # longer, lest answers be cut
    ("logic.yaml", 0): ("lora", {"max_length"}),
    ("jiakao.yaml", 0): ("qlora", set()),
}
DEVICES = {"nli.sh": 4}


@pytest.fixture(autouse=True)
def at_home(monkeypatch):
    monkeypatch.chdir(ROOT)


def adapter_of(file: str, index: int) -> dict:
    command = read_commands(COMMANDS / file)[index]
    made = imported(command._replace(devices=DEVICES.get(file, command.devices)))
    adapter = Adapter.model_validate({**made.adapter, "base": "b", "dataset": "d"})
    return adapter.model_dump(mode="json", exclude_unset=True)


@pytest.mark.parametrize(("file", "index"), ADAPTERS, ids=lambda value: str(value))
def test_the_studies_commands_make_the_recipes_of_the_paper_scale(file, index):
    name, not_as_published = ADAPTERS[file, index]
    study = ROOT / "config/studies" / f"{Path(file).stem}.yaml"
    paper = published_study(study)["adapters"][name]
    made = adapter_of(file, index)
    for part in ("training", "lora", "quantization"):
        stated = made.pop(part, None) or {}
        ours = {**paper[part]} if paper[part] else {}
        assert {key: ours[key] for key in stated.keys() - not_as_published} == {
            key: value for key, value in stated.items() if key not in not_as_published
        }
        if part == "training":
            defaults = Training(learning_rate=1).model_dump()
            extra = {key for key in ours.keys() - stated.keys() if ours[key] != defaults[key]}
            assert extra <= OURS_ALONE | not_as_published
        assert bool(stated) == bool(ours)
    for key in made.keys() - {"base", "dataset"} - not_as_published:
        assert paper[key] == made[key]


@pytest.mark.parametrize("file", sorted(path.name for path in COMMANDS.iterdir()))
def test_every_flag_is_taken_over_or_told(file):
    """Each flag is a setting of the adapter, or a remark; and the document knows it."""
    commands = read_commands(COMMANDS / file)
    stated = ROOT / "config/published" / f"{Path(file).stem}.yaml"
    quotes = " ".join(setting.quote for setting in read_stated(stated).settings())
    for command in commands:
        made = imported(command)
        told = " ".join(made.remarks)
        settings = {*made.adapter["training"], *made.adapter["lora"], *made.adapter}
        other_name = {
            "model_name_or_path", "dataset", "data_path", "stage", "finetuning_type", "lora_rank",
            "lora_target", "cutoff_len", "model_max_length", "flash_attn", "warmup_ratio",
            "quantization_bit", "val_size",
        }  # fmt: skip
        for flag in command.flags:
            known = flag in settings or f"{flag}: " in told or flag in other_name
            known |= flag == "template" and made.template is not None
            assert known, flag
            if file != "logic.yaml" and flag not in ("data_path", "model_name_or_path"):
                assert flag in quotes, f"{flag} is missing in {stated.name}"


@pytest.mark.parametrize("file", sorted(path.name for path in COMMANDS.iterdir()))
def test_what_is_written_is_a_study(file, tmp_path):
    imports = [imported(command) for command in read_commands(COMMANDS / file)]
    text = as_study(imports, file, tmp_path)
    (tmp_path / "study.yaml").write_text(text, encoding="utf-8")
    study = study_of(read_yaml(tmp_path / "study.yaml"), Path("study.yaml"))
    assert len(study.adapters) == len(imports)
    assert [model.adapter for name, model in study.models.items() if name != "base"] == list(
        study.adapters
    )
    assert "NOBODY" not in text


def flags(text: str, tmp_path: Path, name: str = "run.sh") -> list:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return read_commands(tmp_path / name)


BASIC = "--stage sft --model_name_or_path a/b --dataset d"


@pytest.mark.parametrize(
    ("text", "devices"),
    [
        (f"llamafactory-cli train {BASIC}", 1),
        (f"CUDA_VISIBLE_DEVICES=0,1 llamafactory-cli train {BASIC}", 2),
        (f"torchrun --nproc_per_node 4 src/train.py {BASIC}", 4),
        (f"accelerate launch --num_processes=8 src/train.py {BASIC} > log.txt 2>&1", 8),
        (f"deepspeed --num_gpus 3 src/train.py {BASIC}", 3),
    ],
)
def test_launchers_say_how_many_devices(text, devices, tmp_path):
    (command,) = flags(text, tmp_path)
    assert command.devices == devices
    assert command.flags == {"stage": "sft", "model_name_or_path": "a/b", "dataset": "d"}
    whole = imported(command).adapter.get("global_batch_size")
    assert whole == (None if devices == 1 else 8 * devices)


def test_a_yaml_on_the_command_line_may_be_overridden(tmp_path):
    (tmp_path / "sft.yaml").write_text(
        "stage: sft\nmodel_name_or_path: a/b\ndataset: d\nlearning_rate: 1e-4\n", encoding="utf-8"
    )
    (command,) = flags("llamafactory-cli train sft.yaml learning_rate=2e-5 # note", tmp_path)
    assert imported(command).adapter["training"]["learning_rate"] == 2e-5


def test_other_commands_of_a_script_are_passed_over(tmp_path):
    text = f"llamafactory-cli api run.yaml\nllamafactory-cli train {BASIC}\nit's done\n"
    assert len(flags(text, tmp_path)) == 1


def test_what_is_not_stated_is_as_the_other_program_has_it(tmp_path):
    (command,) = flags(f"llamafactory-cli train {BASIC} --lora_rank 4 --some_new_thing 3", tmp_path)
    made = imported(command)
    assert made.adapter["lora"] == {"r": 4, "target_modules": "all-linear", "lora_alpha": 8}
    training = made.adapter["training"]
    assert (training["num_train_epochs"], training["lr_scheduler_type"]) == (3, "linear")
    assert made.remarks == ["some_new_thing: 3 · not known to this import"]


def test_a_stage_that_goes_on_from_another(tmp_path):
    text = (
        f"llamafactory-cli train {BASIC} --output_dir out/one\n"
        f"llamafactory-cli train {BASIC} --output_dir out/two --adapter_name_or_path out/one\n"
        f"llamafactory-cli train {BASIC} --output_dir out/two --adapter_name_or_path else/where\n"
    )
    study = yaml.safe_load(as_study([*map(imported, flags(text, tmp_path))], "run.sh", tmp_path))
    assert list(study["adapters"]) == ["one", "two", "two_2"]
    assert study["adapters"]["two"]["init_from"] == "one"
    assert "init_from" not in study["adapters"]["two_2"]


def test_labels_and_columns_are_read_from_data_that_are_there(tmp_path):
    (tmp_path / "dataset_info.json").write_text(
        '{"d": {"file_name": "mine.json", "columns": {"response": "answer"}}}', encoding="utf-8"
    )
    rows = (
        '[{"instruction": "a", "input": "", "answer": "是"}, {"instruction": "b", "answer": "否"}]'
    )
    (tmp_path / "mine.json").write_text(rows, encoding="utf-8")
    made = imported(flags(f"llamafactory-cli train {BASIC} --val_size 0.05", tmp_path)[0])
    dataset = yaml.safe_load(as_study([made], "run.sh", tmp_path))["datasets"]["d"]
    assert dataset["source"]["path"] == str(tmp_path / "mine.json")
    assert dataset["source"]["label"] == "answer"
    assert dataset["extract"]["labels"] == ["否", "是"]
    assert dataset["split"] == {"validation": 0.05, "test": 0.2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("echo nothing\n", "no training command in it"),
        (f"llamafactory-cli train {BASIC} --stage dpo", "only supervised fine-tuning"),
        (f"llamafactory-cli train {BASIC} --finetuning_type full", "only LoRA adapters"),
        ("llamafactory-cli train --stage sft --dataset d", "model_name_or_path is missing"),
        ("python finetune.py --model_name_or_path m --data_path d.json", "only LoRA adapters"),
    ],
)
def test_what_cannot_be_imported(text, said, tmp_path):
    with pytest.raises(UserError, match=said):
        [imported(command) for command in flags(text, tmp_path)]


def test_a_yaml_of_something_else_is_refused(tmp_path):
    with pytest.raises(UserError, match="no LLaMA-Factory settings"):
        flags("title: a study\n", tmp_path, "study.yaml")


def test_the_script_writes_once_and_says_what_was_not_taken_over(tmp_path):
    words = [sys.executable, ROOT / "scripts/import_llamafactory.py"]
    words += ["--from", ROOT / "tests/commands/nli.sh", "--name", "mine", "--devices", "4"]
    (tmp_path / "config/studies").mkdir(parents=True)
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, encoding="utf-8", check=True)
    assert "plot_loss: True · loss.csv and figures/loss.svg are always made" in done.stderr
    assert yaml.safe_load((tmp_path / "config/studies/mine.yaml").read_text())["adapters"][
        "rte-10epochs"
    ]
    again = subprocess.run(words, cwd=tmp_path, capture_output=True, encoding="utf-8")
    assert again.returncode == 1
    assert "is there already" in again.stderr
