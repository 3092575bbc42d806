"""The profile for SLURM: what it submits and where to, and studies run on a real SLURM."""

import json
import os
import re
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from slurm_cluster import cluster, missing, said
from workflow import DEMO, ROOT, Project, rows

PROFILES = {
    name: yaml.safe_load((ROOT / f"profiles/{name}/profile.yaml").read_text(encoding="utf-8"))
    for name in ("default", "slurm")
}
BY_SUBMISSION = ("--workflow-profile", "profiles/slurm")


@pytest.mark.parametrize(
    ("resources", "partition"),
    [
        ({"gpu": 0, "gpu_model": "", "runtime": 60, "mem_mb": 4000}, "cpu"),
        ({"runtime": 9999, "mem_mb": 500000}, "cpu"),
        ({"gpu": 1, "gpu_model": "a100", "runtime": 720, "mem_mb": 64000}, "gpu"),
        ({"gpu": 4, "gpu_model": "", "runtime": 720}, "gpu"),
        ({"gpu": 1, "gpu_model": "h100"}, None),
    ],
)
def test_jobs_go_to_the_partition_that_has_what_they_ask(resources, partition):
    from snakemake_executor_plugin_slurm.partitions import get_best_partition, read_partition_file

    partitions = read_partition_file(ROOT / PROFILES["slurm"]["slurm-partition-config"])
    job = SimpleNamespace(name="job", threads=1, resources=resources)
    silent = SimpleNamespace(**dict.fromkeys(("debug", "info", "warning"), lambda text: None))
    assert get_best_partition(partitions, job, silent) == partition


def test_the_profile_takes_over_what_the_default_one_says_of_every_machine():
    ours, default = PROFILES["slurm"], PROFILES["default"]
    of_one_machine = {"resources", "default-resources"}
    assert {key: ours.get(key) for key in default if key not in of_one_machine} == {
        key: value for key, value in default.items() if key not in of_one_machine
    }
    assert ours["resources"] == {"api": default["resources"]["api"]}  # SLURM shares out the GPUs
    assert set(default["default-resources"]) <= set(ours["default-resources"])


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    with cluster(tmp_path_factory.mktemp("slurm")):
        yield


def on_slurm(test):
    """A test that needs a SLURM; all of them run one after another, on one of the workers."""
    marks = (pytest.mark.slow, pytest.mark.slurm, pytest.mark.xdist_group("slurm"))
    for mark in (*marks, pytest.mark.skipif(bool(missing()), reason=missing())):
        test = mark(test)
    return pytest.mark.usefixtures("slurm")(test)


def wait_until(holds, what: str, seconds: float = 1500):
    """The first true value of `holds()`."""
    deadline = time.monotonic() + seconds
    while not (value := holds()):
        assert time.monotonic() < deadline, f"{what}: that never came"
        time.sleep(0.2)
    return value


@contextmanager
def submitted(project: Project, *arguments: str):
    """Snakemake at work; yields a function that waits for its end and returns what it printed."""
    program = (str(ROOT / "tests/slurm_snakemake.py"),)
    process = project.start(*arguments, *BY_SUBMISSION, program=program)
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout), daemon=True)
    reader.start()

    def ended() -> str:
        process.wait(timeout=3000)
        reader.join(timeout=60)
        printed = "".join(lines)
        assert process.returncode == 0, printed
        return printed

    try:
        yield ended
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        said("scancel", "--user", str(os.getuid()))


def job_of(adapter: str) -> str:
    """Id of the running job that trains an adapter of the weather study; blank if none runs."""
    running = said("squeue", "-h", "--states=RUNNING", "-o", "%i %k").split("\n")
    ids = [line.split()[0] for line in running if line.endswith(f"weather_{adapter}")]
    return ids[0] if ids else ""


def checkpoint_of(project: Project, adapter: str) -> list[Path]:
    """Complete checkpoints of an adapter of the weather study."""
    folder = project.folder / ".snaketune/checkpoints"
    return list(folder.glob(f"weather+{adapter}+*/checkpoint-*/complete.json"))


def small_project(folder: Path) -> Project:
    """Few records; the weather study's trainings save often, so that they can be killed early."""
    project = Project.copied(folder)
    for study, datasets in {"weather": ["weather"], "nli": ["rte", "mnli"]}.items():
        for dataset in datasets:
            keys = ("datasets", dataset, "source", "records")
            project.change(f"config/studies/{study}.yaml", *keys, value=160)
    for adapter in ("lora", "qlora"):
        for key, value in {"num_train_epochs": 4, "save_steps": 2, "eval_steps": 20}.items():
            keys = ("adapters", adapter, "training", key)
            project.change("config/studies/weather.yaml", *keys, value=value)
    project.change("config/studies/nli.yaml", "grids", value={})
    return project


@on_slurm
def test_two_studies_by_submission_with_a_killed_and_a_requeued_job(tmp_path):
    project = small_project(tmp_path)
    ends = {"lora": ("scancel", "--signal=KILL"), "qlora": ("scontrol", "requeue")}
    ended_jobs = {}

    def both_ended() -> bool:
        for adapter, command in ends.items():  # whichever SLURM starts first
            begun = adapter not in ended_jobs and checkpoint_of(project, adapter)
            if begun and (job := job_of(adapter)):
                said(*command, job)
                ended_jobs[adapter] = job
        return len(ended_jobs) == len(ends)

    with submitted(project, "weather", "nli") as ended:
        wait_until(both_ended, "a checkpoint of lora and one of qlora")
        printed = ended()
    for adapter in ("lora", "qlora"):
        metrics = json.loads(
            (project.folder / DEMO / f"weather/adapters/{adapter}/metrics.json").read_text()
        )
        assert metrics["resumed_from_step"], f"{adapter} began anew"
    assert rows(project) and rows(project, "nli")
    jobs = re.findall(r"has been submitted with SLURM jobid (\d+) \(log: (\S+?)\)", printed)
    assert 10 <= len(jobs) <= 20
    assert set(ended_jobs.values()) <= {job for job, _ in jobs}
    logs = {Path(path).relative_to(project.folder / "results/slurm-logs") for _, path in jobs}
    assert all((project.folder / "results/slurm-logs" / log).is_file() for log in logs)
    rules = {str(log).split("/")[0].removeprefix("rule_") for log in logs}
    assert {"train_adapter", "merge_adapter", "check_leaks", "combine_adapters_nli"} <= rules
    assert not rules & {"split", "score_weather", "tabulate_scores", "draw_accuracy"}
    assert "Nothing to be done" in project.snakemake("weather", "nli", "-n", *BY_SUBMISSION)


TWO_GPU_JOBS = """
rule all:
    input:
        "one",
        "two",
rule use_gpu:
    output:
        "{name}",
    resources:
        gpu=1,
        gpu_model="a100",
    shell:
        "python use_gpu.py {output} {resources.gpu}"
"""
USE_GPU = """
import json, os, sys, time
sys.path.append("scripts")
from snaketune import leasing
start = time.time()
names = leasing.lease(int(sys.argv[2]))
time.sleep(3)
facts = {"devices": names, "partition": os.environ["SLURM_JOB_PARTITION"]}
with open(sys.argv[1], "w") as file:
    json.dump({**facts, "start": start, "end": time.time()}, file)
"""


@on_slurm
def test_two_gpu_jobs_never_overlap_on_one_gpu(tmp_path, monkeypatch):
    project = Project.copied(tmp_path / "project")
    (project.folder / "two.smk").write_text(TWO_GPU_JOBS)
    (project.folder / "use_gpu.py").write_text(USE_GPU)
    driver = tmp_path / "bin/nvidia-smi"
    driver.parent.mkdir()
    driver.write_text("#!/bin/sh\necho GPU-fake\n")
    driver.chmod(0o755)
    monkeypatch.setenv("PATH", f"{driver.parent}{os.pathsep}{os.environ['PATH']}")
    with submitted(project, "--snakefile", "two.smk") as ended:
        ended()
    jobs = [json.loads((project.folder / name).read_text()) for name in ("one", "two")]
    assert [job["devices"] for job in jobs] == [["0"], ["0"]]
    assert [job["partition"] for job in jobs] == ["gpu", "gpu"]
    first, second = sorted(jobs, key=lambda job: job["start"])
    assert first["end"] <= second["start"]


@on_slurm
def test_the_paper_scale_can_be_planned_for_it(tmp_path):
    project = Project.copied(tmp_path)
    printed = project.snakemake("-n", "--configfile", "config/paper.yaml", *BY_SUBMISSION)
    assert "train_adapter" in printed
