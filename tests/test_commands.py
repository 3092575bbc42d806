"""Every command that the READMEs show is run by a test, or tried without doing its work."""

import functools
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from workflow import Project

ROOT = Path(__file__).resolve().parents[1]
READMES = ("README.md", "README.zh-CN.md")
STARTS = ("make", "snakemake", "python", "python3", "source", ".venv/bin/python", "pip")

RUN = {
    "snakemake -n": "test_workflow.py::test_plan_is_quick",
    "snakemake --cores all": "test_workflow.py::test_second_run_does_nothing",
    "snakemake --unlock": "test_workflow.py::test_killed_run_goes_on_and_ends_the_same",
    "snakemake --cores all --sdm conda": (  # without conda
        "test_environments.py::test_every_rule_names_an_environment_that_exists"
    ),
    "snakemake weather --cores all": "test_workflow.py::test_killed_run_goes_on_and_ends_the_same",
    "snakemake plan": "test_plan.py::test_the_workflow_plans_what_its_teacher_is_then_asked",
    "snakemake mine --cores all": "test_using.py::test_from_a_file_to_a_table_and_a_card",
    "snakemake --configfile config/paper.yaml --report results/paper/report.html": (
        "test_workflow.py::test_report_needs_no_network"  # of the demo
    ),
    "python3 -m venv .venv": "test_environments.py::test_the_gpu_lock_is_the_lock_and_vllm",
    ".venv/bin/python -m pip install -r requirements-gpu.lock": (
        "test_environments.py::test_the_gpu_lock_is_the_lock_and_vllm"
    ),
    ".venv/bin/python -m pip install --no-deps -r requirements-gptq.lock": (  # by make test-gptq
        "test_environments.py::test_what_reads_gptq_is_pinned_once_and_beside_the_lock"
    ),
}
"""Commands that a test runs, on a smaller thing where the README's is large, with the test."""

BY_HAND = {
    "source .venv/bin/activate",  # of a shell
    "python3",  # a program's name
    "pip install tensorboard",  # what is named must be had by who wants it
    "pip install 'swanlab<0.8'",
    "pip install 'transformers[serving]'",
}


def commands(text: str) -> list[str]:
    """Commands in blocks without a language, and those within the lines."""
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    lines = [line for kind, block in fenced if not kind for line in block.splitlines()]
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)
    lines += [c for c in re.findall(r"`([^`\n]+)`", prose) if c.split()[0] in STARTS]
    return list(dict.fromkeys(part for line in lines for part in line.split(" && ")))


COMMANDS = commands((ROOT / READMES[0]).read_text(encoding="utf-8"))


def of(program: str) -> list[str]:
    return [c for c in COMMANDS if c.split()[0] == program and c not in RUN and c not in BY_HAND]


PLANNED, MADE, SCRIPTS = of("snakemake"), of("make"), of("python")


def test_both_readmes_have_the_same_commands():
    chinese = commands((ROOT / READMES[1]).read_text(encoding="utf-8"))
    assert sorted(chinese) == sorted(COMMANDS)


def test_no_command_is_left_out():
    checked = {*RUN, *BY_HAND, *PLANNED, *MADE, *SCRIPTS}
    assert [command for command in COMMANDS if command not in checked] == []
    assert [command for command in {*RUN, *BY_HAND} if command not in COMMANDS] == []
    assert len(PLANNED) > 5 and len(MADE) > 8 and len(SCRIPTS) > 2


@pytest.mark.parametrize("place", sorted(set(RUN.values())))
def test_the_tests_that_run_commands_are_there(place):
    file, name = place.split("::")
    text = (ROOT / "tests" / file).read_text(encoding="utf-8")
    assert f"\ndef {name}(" in text


@pytest.mark.parametrize("command", MADE)
def test_make_knows_what_is_to_be_made(command):
    words = shlex.split(command)
    targets = [word for word in words[1:] if "=" not in word]
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert targets and all(f"\n{target}:" in text for target in targets)
    given = [word.split("=")[0] for word in words if "=" in word]
    assert all(f"$({name})" in text for name in given)
    planned = [words[0], "-n", *words[1:]]
    done = subprocess.run(planned, cwd=ROOT, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr


@functools.cache
def options(script: str) -> set[str]:
    """What a script's parser takes."""
    text = (ROOT / script).read_text(encoding="utf-8")
    common = (ROOT / "scripts/snaketune/cli.py").read_text(encoding="utf-8")
    return set(re.findall(r"add_argument\(\s*\"(--[\w-]+)\"", text + common)) | {"--help"}


@pytest.mark.parametrize("command", SCRIPTS)
def test_scripts_take_what_they_are_given(command):
    script, *words = shlex.split(command)[1:]
    assert (ROOT / script).is_file()
    assert {word for word in words if word.startswith("--")} <= options(script)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    """The project with the two studies that a reader of the README has made."""
    made = Project.copied(tmp_path_factory.mktemp("reader"))
    text = (ROOT / READMES[0]).read_text(encoding="utf-8")
    record, study = (
        re.search(rf"^```{k}\n(.*?)^```$", text, re.S | re.M) for k in ("json", "yaml")
    )
    (made.folder / "data").mkdir(exist_ok=True)
    (made.folder / "data/parcels.jsonl").write_text(record[1], encoding="utf-8")
    (made.folder / "config/studies/parcels.yaml").write_text(study[1], encoding="utf-8")
    demo = (made.folder / "config/config.yaml").read_text(encoding="utf-8")
    (made.folder / "config/config.yaml").write_text(
        demo.replace("\nstudies:\n", "\nstudies:\n  - parcels\n"), encoding="utf-8"
    )
    command = "scripts/init_study.py --from resources/messages/messages.csv"
    command += " --name mine --run config/config.yaml"
    subprocess.run([sys.executable, *command.split()], cwd=made.folder, check=True)
    return made


@pytest.mark.slow
@pytest.mark.parametrize("command", PLANNED)
def test_a_run_can_be_planned(command, project):
    words = shlex.split(command)[1:]
    printed = project.snakemake(*words, "-n", "--quiet", "rules")
    assert "total" in printed or "Nothing to be done" in printed, printed


def drawn(text: str) -> set[tuple[str, str]]:
    """The arrows of a README's diagram."""
    diagram = re.search(r"^```mermaid\n(.*?)^```$", text, re.S | re.M)[1]
    arrows = set()
    for line in diagram.splitlines():
        steps = [[name.strip() for name in part.split("&")] for part in line.split("-->")]
        arrows |= {(a, b) for left, right in pairwise(steps) for a in left for b in right}
    return arrows


def by_rule(name: str) -> str:
    """A rule's name without what some have of their study behind it."""
    return re.sub(r"_(weather|nli|yesorno|logic|jiakao|parcels|mine)(_.*)?$", "", name)


@pytest.mark.slow
def test_the_diagram_is_what_the_demo_does(project):
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in READMES]
    assert drawn(texts[0]) == drawn(texts[1])
    printed = project.snakemake("--rulegraph", "dot")
    names = dict(re.findall(r'(\d+)\[label = "(\w+)"', printed))
    arrows = re.findall(r"(\d+) -> (\d+)", printed)
    assert drawn(texts[0]) <= {(by_rule(names[a]), by_rule(names[b])) for a, b in arrows}
