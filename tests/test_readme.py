"""Both READMEs say the same things in the same order, and what they promise is there."""

import json
import re
from pathlib import Path

import pytest
import yaml

from snaketune.config.sources import FileSource
from snaketune.config.study import Study
from snaketune.files import write_text
from snaketune.records import read_records
from snaketune.tables import COLUMNS

ROOT = Path(__file__).resolve().parents[1]
ENGLISH, CHINESE = (
    (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md")
)
TEXTS = pytest.mark.parametrize("text", [ENGLISH, CHINESE], ids=["English", "Chinese"])


def blocks(text: str) -> list[str]:
    """Code blocks with their fences."""
    return re.findall(r"^```.*?^```$", text, flags=re.DOTALL | re.MULTILINE)


def code_in(text: str) -> list[str]:
    """Code within the lines, sorted, since languages order words differently."""
    return sorted(re.findall(r"`[^`\n]+`", re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M)))


def outline(text: str) -> list[int]:
    """Levels of the headings in their order, and -1 for each row of a table."""
    lines = re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M).splitlines()
    kept = [re.match(r"(#+) |\|", line) for line in lines]
    return [len(m[1]) if m[1] else -1 for m in kept if m]


def test_both_have_the_same_sections_tables_and_code():
    assert outline(ENGLISH) == outline(CHINESE)
    assert blocks(ENGLISH) == blocks(CHINESE)
    assert code_in(ENGLISH) == code_in(CHINESE)


@TEXTS
def test_named_files_are_there(text):
    names = re.findall(r"`((?:config|resources|envs|rules|scripts)/[\w./-]*)`", text)
    names += re.findall(r"\]\(([\w.-]+)\)", text)
    pictures = re.findall(r'src(?:set)?="([^"]+)"', text)
    assert len(pictures) == 4
    names += pictures
    assert len(names) > 5
    made_by_the_user = {f"config/studies/{name}.yaml" for name in ("mine", "parcels")}
    made_by_the_user.add("scripts/snaketune/parcels.py")
    assert [n for n in names if not (ROOT / n).exists() and n not in made_by_the_user] == []


@TEXTS
def test_named_rules_have_their_scripts(text):
    tables = [part.split("\n\n")[0] for part in text.split("\n|---|---|\n")]
    stages = next(table for table in tables if "`write_recipe`" in table)
    rules = {name for line in stages.splitlines() for name in re.findall(r"`([a-z_]+)`", line)}
    assert rules == {path.stem for path in (ROOT / "scripts").glob("*.py")} - {
        "chat",
        "import_llamafactory",
        "init_study",
        "serve",
        "serve_site",
        "show_progress",
        "show_results",
        "write_schema",
        "write_settings",
    }


@TEXTS
def test_columns_are_those_of_the_table(text):
    assert f"`{', '.join(COLUMNS)}`" in text


@TEXTS
def test_the_study_of_ones_own_is_a_valid_one(text, tmp_path):
    record, study = (
        next(b for b in blocks(text) if b.startswith(f"```{kind}\n")).split("\n", 1)[1][:-4]
        for kind in ("json", "yaml")
    )
    source = Study.model_validate(yaml.safe_load(study)).datasets["parcels"].source
    assert isinstance(source, FileSource)
    write_text(tmp_path / "parcels.jsonl", record + "\n")
    assert list(read_records(tmp_path / "parcels.jsonl", source)) == [json.loads(record)]
