"""A copy of the project in a folder of its own, and what Snakemake plans and does there."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from snaketune.files import sha256_file

ROOT = Path(__file__).resolve().parents[1]
DEMO = "results/demo"


class Project:
    """The project as a user has it, free to be changed by a test."""

    def __init__(self, folder: Path):
        self.folder = folder

    @classmethod
    def copied(cls, folder: Path) -> "Project":
        """A copy of all that git tracks or would track."""
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
        for name in listed.decode().split("\0"):
            if name and (ROOT / name).is_file():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, folder / name)
        return cls(folder)

    def start(
        self, *arguments: str, program: tuple[str, ...] = ("-m", "snakemake"), **environment: str
    ) -> subprocess.Popen:
        """Start snakemake in a process group of its own, with output and errors in one stream.

        Args:
            arguments: for Snakemake.
            program: what Python runs to start it.
            environment: variables for it.
        """
        bin_folder = Path(sys.executable).parent
        path = f"{bin_folder}{os.pathsep}{os.environ['PATH']}"
        return subprocess.Popen(
            [sys.executable, *program, *arguments],
            cwd=self.folder,
            env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            start_new_session=True,
        )

    def snakemake(self, *arguments: str, fails: bool = False, **environment: str) -> str:
        """Run snakemake to its end and return what it printed."""
        process = self.start(*arguments, **environment)
        printed, _ = process.communicate()
        assert (process.returncode != 0) == fails, printed
        return printed

    def plan(self, *arguments: str) -> dict[str, int]:
        """How many jobs of each rule a run would start."""
        printed = self.snakemake("-n", *arguments)
        table = re.search(r"Job stats:\n(.*?)\n\n", printed, re.DOTALL)
        if table is None:
            assert "Nothing to be done" in printed
            return {}
        rows = (line.split() for line in table[1].splitlines()[2:])
        return {rule: int(count) for rule, count in rows if rule not in ("all", "total")}

    def change(self, file: str, *keys: str, value: object) -> None:
        """Set one value of a YAML file, given the keys that lead to it."""
        path = self.folder / file
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        place = data = json.loads(json.dumps(data))  # no part shared by anchors
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        place[keys[-1]] = value
        text = yaml.safe_dump(data, allow_unicode=True, sort_keys=False)
        path.write_text(text, encoding="utf-8")


def rows(project: Project, study: str = "weather") -> dict[tuple[str, str, str], dict]:
    """A study's accuracy table by model, dataset and metric."""
    table = project.folder / DEMO / study / "accuracy.csv"
    with table.open(encoding="utf-8", newline="") as file:
        return {(r["model"], r["dataset"], r["metric"]): r for r in csv.DictReader(file)}


def hashes(project: Project, *patterns: str, study: str = "weather") -> dict[str, str]:
    """Hashes of a study's results by their paths."""
    folder = project.folder / DEMO / study
    return {
        str(path.relative_to(folder)): sha256_file(path)
        for pattern in patterns
        for path in sorted(folder.glob(pattern))
    }
