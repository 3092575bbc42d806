"""What all rules have in common, read from their text."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from snaketune.code import SCRIPTS, modules_of

ROOT = SCRIPTS.parent
MODELS = {"loading.py"}
"""Modules that bring weights to a device."""
WITHOUT_WEIGHTS = {"estimate", "inspect_adapter", "plan"}
"""Scripts that import them for a model's architecture alone."""
INTERNET = {"openai", "huggingface_hub", "scrapy", "modelscope"}
"""Packages that ask addresses outside."""


def rules() -> dict[str, str]:
    """The text of every rule that runs a script, by the file and the script."""
    found = {}
    for path in sorted((ROOT / "rules").glob("*.smk")):
        blocks = re.split(r"^ *rule(?: \w+)?:$", path.read_text(encoding="utf-8"), flags=re.M)
        for block in blocks[1:]:
            script = re.search(r"scripts/(\w+)\.py", block)
            assert script, f"{path.name}: a rule without a script"
            found[f"{path.stem}:{script[1]}"] = block
    return found


RULES = rules()


def script_of(rule: str) -> str:
    return rule.partition(":")[2]


def loads_models(rule: str) -> bool:
    if script_of(rule) in WITHOUT_WEIGHTS:
        return False
    return any(path.name in MODELS for path in modules_of(script_of(rule)))


def asks_addresses(rule: str) -> bool:
    return any(packages_of(path) & INTERNET for path in modules_of(script_of(rule)))


@cache
def packages_of(path: Path) -> set[str]:
    """Top-level names that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


def has_option(rule: str) -> bool:
    """Whether the rule's script has --gpus."""
    tree = ast.parse((SCRIPTS / f"{script_of(rule)}.py").read_text(encoding="utf-8"))
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return any(
        ast.unparse(call.func) == "cli.parser" and any(k.arg == "gpus" for k in call.keywords)
        for call in calls
    )


def test_the_modules_are_there():
    assert [m for m in MODELS if not (SCRIPTS / "snaketune" / m).is_file()] == []
    assert len(RULES) > 20
    local = {"acquire:fetch", "base:download_base", "distill:distill", "predict:predict"}
    assert local <= set(filter(asks_addresses, RULES))


@pytest.mark.parametrize("rule", RULES)
def test_a_cluster_is_given_what_is_heavy_and_told_how_heavy_it_is(rule):
    """Light jobs run where Snakemake does: a study is not a hundred tiny jobs."""
    if "localrule: True" not in RULES[rule]:
        assert re.search(r"^ +mem_mb=growing\(", RULES[rule], flags=re.M)
        assert re.search(r"^ +runtime=", RULES[rule], flags=re.M)


@pytest.mark.parametrize("rule", RULES)
def test_what_loads_a_model_leases_its_gpus(rule):
    block = RULES[rule]
    asks = re.search(r"^ +gpu=", block, flags=re.M) is not None
    passes = "--gpus {resources.gpu}" in block
    assert asks == passes == has_option(rule)
    if loads_models(rule):
        assert asks, "it may load a model, so it has to lease a GPU or to hide all"


@pytest.mark.parametrize("rule", list(filter(asks_addresses, RULES)))
def test_what_asks_addresses_runs_where_the_internet_is(rule):
    assert "localrule: " in RULES[rule]
