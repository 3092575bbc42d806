"""Resuming: neither a kill, lost outputs nor a second process changes what a run gives."""

import json
import os
import shutil
import signal
import subprocess
import threading
import time

import pytest
from tuning import Study, assert_same_weights, kill_when, run

from snaketune.errors import UserError
from snaketune.files import read_json


@pytest.fixture(scope="module")
def study(tmp_path_factory, random_base):
    return Study(tmp_path_factory.mktemp("study"), random_base)


@pytest.mark.slow
@pytest.mark.parametrize("quantized", [False, True], ids=["lora", "qlora"])
def test_a_killed_run_ends_as_an_uninterrupted_one(study, quantized):
    kind = f"killed-{'qlora' if quantized else 'lora'}"
    long = {"max_steps": 40, "save_steps": 5, "eval_steps": 5, "logging_steps": 5}
    recipe = study.recipe(kind, quantized, training=long, lora={"lora_dropout": 0.1})
    study.train_in_process(recipe, f"{kind}-whole")

    checkpoints = study.folder / f"checkpoints-{kind}"
    words = study.train_command(recipe, kind)
    kill_when(words, lambda: list(checkpoints.glob("*/checkpoint-10/complete.json")))
    # and as if the kill had come in the middle of the next checkpoint
    (run_folder,) = checkpoints.glob("*/")
    newest = max(run_folder.glob("checkpoint-*"), key=lambda path: int(path.name[11:]))
    torn = run_folder / "checkpoint-39"
    shutil.copytree(newest, torn)
    (torn / "optimizer.pt").write_bytes(b"half")

    said = run(words)
    assert "checkpoint-39 is half-written; removed" in said
    metrics = read_json(study.folder / kind / "metrics.json")
    assert metrics["resumed_from_step"] >= 10 and metrics["steps"] == 40
    assert metrics["seconds"] > metrics["seconds_this_process"]
    whole = read_json(study.folder / f"{kind}-whole" / "metrics.json")
    assert (metrics["tokens"], metrics["samples"]) == (whole["tokens"], whole["samples"])
    assert_same_weights(study.folder / kind, study.folder / f"{kind}-whole")
    losses = [(study.folder / name / "loss.csv").read_text() for name in (kind, f"{kind}-whole")]
    assert losses[0] == losses[1]
    assert kept(checkpoints) == [40]


def kept(checkpoints):
    """Steps of all checkpoints of all runs."""
    return sorted(int(path.name[11:]) for path in checkpoints.glob("*/checkpoint-*"))


def outputs(folder):
    names = ("adapter_model.safetensors", "adapter_config.json", "loss.csv")
    return {name: (folder / name).read_bytes() for name in names}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("steps", "quantized"), [(12, False), (9, False), (9, True)], ids=["epoch", "part", "qlora"]
)
def test_lost_outputs_are_written_again_without_a_step(study, steps, quantized):
    """Also where the run ends amid an epoch: transformers alone would train a step more there."""
    name = f"lost-{steps}{'-qlora' * quantized}"
    recipe = study.recipe(name, quantized, training={"max_steps": steps})
    first = study.train_in_process(recipe, name)
    assert first["resumed_from_step"] is None
    assert kept(study.folder / f"checkpoints-{name}") == [steps]
    before = outputs(study.folder / name)
    shutil.rmtree(study.folder / name)
    again = study.train_in_process(recipe, name)
    assert outputs(study.folder / name) == before
    assert again["resumed_from_step"] == again["steps"] == steps
    assert again["seconds_this_process"] < 0.5 * first["seconds"] < again["seconds"]
    same = ("tokens", "samples", "train_loss", "eval_loss", "trainable_parameters")
    assert {key: again[key] for key in same} == {key: first[key] for key in same}


def test_a_finished_run_of_other_code_is_trained_anew(study):
    recipe = study.recipe("plain", training={"max_steps": 4})
    study.train_in_process(recipe, "plain")
    (mark,) = (study.folder / "checkpoints-plain").glob("*/checkpoint-4/complete.json")
    mark.write_text(json.dumps(read_json(mark) | {"code": "0" * 12}), encoding="utf-8")
    before = outputs(study.folder / "plain")
    assert study.train_in_process(recipe, "plain")["resumed_from_step"] is None
    assert outputs(study.folder / "plain") == before
    assert kept(study.folder / "checkpoints-plain") == [4]


@pytest.mark.slow
def test_a_new_run_ends_the_checkpoints_of_that_adapter_s_earlier_ones(study):
    from snaketune.training import train

    checkpoints = study.folder / "checkpoints-shared"

    def short(name: str, out: str, **training) -> int:
        recipe = study.recipe(name, training={"max_steps": 2, **training})
        folder = study.folder / out
        train(recipe, study.source, study.train, study.validation, folder, checkpoints)
        return len(list(checkpoints.glob("*/checkpoint-2")))

    assert short("one", "demo-one") == 1
    assert short("one-more", "demo-one-more") == 2, "a name that begins alike"
    assert short("one", "paper-one", seed=1) == 3, "the same adapter at another scale"
    assert short("one", "demo-one", seed=2) == 3, "its recipe was changed"
    with pytest.raises(UserError, match="c_attn"):
        recipe = study.recipe("one", lora={"target_modules": ["c_attn"]})
        folder = study.folder / "demo-one"
        train(recipe, study.source, study.train, study.validation, folder, checkpoints)
    assert len(kept(checkpoints)) == 3, "a recipe that cannot be trained ends nothing"


def test_a_held_lock_is_waited_for(tmp_path, caplog):
    from snaketune.checkpoints import alone

    entered = threading.Event()

    def second():
        with alone(tmp_path / "a.lock"):
            entered.set()

    with caplog.at_level("WARNING"), alone(tmp_path / "a.lock"):
        assert not caplog.records
        waiting = threading.Thread(target=second)
        waiting.start()
        assert not entered.wait(0.3)
        assert f"Another process (pid {os.getpid()}) trains this adapter" in caplog.text
    assert entered.wait(5)
    waiting.join()


@pytest.mark.slow
@pytest.mark.parametrize("killed", [False, True], ids=["finished", "killed"])
def test_a_second_process_waits_and_goes_on(study, killed):
    """As after `kill -9` of Snakemake: its job still trains when the same command comes again."""
    name = "orphan-killed" if killed else "orphan-finished"
    training = {"max_steps": 60, "save_steps": 5, "eval_steps": 60, "logging_steps": 60}
    words = study.train_command(study.recipe(name, training=training), name)
    checkpoints = study.folder / f"checkpoints-{name}"
    orphan = second = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: list(checkpoints.glob("*/checkpoint-5/complete.json")), orphan)
        os.kill(orphan.pid, signal.SIGSTOP)
        said = study.folder / f"{name}.err"
        with said.open("w", encoding="utf-8") as file:
            second = subprocess.Popen(words, stderr=file)
        line = f"Another process (pid {orphan.pid}) trains this adapter; waiting for it."
        wait_until(lambda: line in said.read_text(encoding="utf-8"), second)
        os.kill(orphan.pid, signal.SIGKILL if killed else signal.SIGCONT)
        assert orphan.wait(60) == (-signal.SIGKILL if killed else 0)
        assert second.wait(60) == 0, said.read_text(encoding="utf-8")
    finally:
        orphan.kill()
        second.kill()
    metrics = read_json(study.folder / name / "metrics.json")
    assert metrics["steps"] == 60
    assert 5 <= metrics["resumed_from_step"] < 60 if killed else metrics["resumed_from_step"] == 60
    assert kept(checkpoints) == [60]


def wait_until(moment, process):
    deadline = time.monotonic() + 600
    while not moment():
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
