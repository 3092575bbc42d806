"""A study begun from a file: what is guessed, what is refused, and the study that comes of it."""

import csv
import io
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from snaketune.config.resolve import merged, new_study_path, study_of
from snaketune.errors import UserError
from snaketune.rows import table_records
from snaketune.splitting import Outline, split
from snaketune.starting.guessing import guess
from snaketune.starting.reading import read_table
from snaketune.starting.writing import as_study, with_study

ROOT = Path(__file__).resolve().parents[1]
KINDS = ["退款", "物流", "发票", "质量"]
MESSAGES = [(f"第{number}个问题，关于{kind}的。", kind) for number in range(15) for kind in KINDS]


def as_table(rows, head=("消息", "类别"), delimiter=",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter, lineterminator="\n").writerows([head, *rows])
    return out.getvalue()


def file(tmp_path: Path, text: str, name: str = "my.csv", encoding: str = "utf-8") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def begun(path: Path, **said) -> dict:
    """The study of a file, as the demo has it, checked."""
    table = read_table(path)
    text = as_study(table, guess(table, **said), "mine")
    data = yaml.safe_load(text)
    scales = data.pop("scales")
    for scale in scales.values():
        study_of(merged(data, scale), Path("mine.yaml"))
    return data


def records(data: dict) -> list[dict]:
    source = study_of(data, Path("mine.yaml")).datasets["mine"].source
    return list(table_records(source, "source"))


def objects() -> list[dict]:
    return [{"消息": text, "类别": kind} for text, kind in MESSAGES]


FORMS = {
    "csv": (as_table(MESSAGES), "my.csv", "utf-8"),
    "csv with a mark": ("\ufeff" + as_table(MESSAGES), "my.csv", "utf-8"),
    "csv in GBK": (as_table(MESSAGES), "my.csv", "gbk"),
    "csv in UTF-16": (as_table(MESSAGES), "my.csv", "utf-16"),
    "tsv": (as_table(MESSAGES, delimiter="\t"), "my.tsv", "utf-8"),
    "tsv without a suffix": (as_table(MESSAGES, delimiter="\t"), "my", "utf-8"),
    "json": (json.dumps(objects(), ensure_ascii=False), "my.json", "utf-8"),
    "jsonl": ("\n".join(map(json.dumps, objects())), "my.jsonl", "utf-8"),
    "jsonl by another name": ("\n".join(map(json.dumps, objects())), "my.txt", "utf-8"),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_file_gives_the_same_records(form, tmp_path):
    data = begun(file(tmp_path, *FORMS[form]))
    found = [(record["fields"]["消息"], record["label"]) for record in records(data)]
    assert found == MESSAGES
    assert data["datasets"]["mine"]["extract"]["labels"] == sorted(KINDS)
    assert all(kind in data["prompts"]["asked"]["user"] for kind in KINDS)


def test_a_file_without_names_of_columns(tmp_path):
    text = as_table(MESSAGES).split("\n", 1)[1]
    data = begun(file(tmp_path, text))
    assert data["datasets"]["mine"]["source"]["columns"] == ["column1", "column2"]
    assert [record["label"] for record in records(data)] == [kind for _, kind in MESSAGES]


def test_what_is_guessed_is_said_at_the_top(tmp_path):
    rows = [(number, *row, "shop") for number, row in enumerate(MESSAGES)]
    table = read_table(file(tmp_path, as_table(rows, ("no", "text", "kind", "from"))))
    text = as_study(table, guess(table), "mine")
    assert "# " + "  label: column 'kind', since it has 4 values" in text
    assert "left out: column 'no', an id" in text
    assert "left out: column 'from', the same in all rows" in text
    assert "60 rows are few" in text
    assert yaml.safe_load(text)["datasets"]["mine"]["source"]["fields"] == ["text"]


def test_columns_may_be_said(tmp_path):
    rows = [(text, kind, "ab"[len(text) % 2]) for text, kind in MESSAGES]
    path = file(tmp_path, as_table(rows, ("text", "label", "other")))
    assert begun(path)["datasets"]["mine"]["source"]["fields"] == ["text", "other"]
    data = begun(path, label="other", fields=["text"])
    assert data["datasets"]["mine"]["extract"]["labels"] == ["a", "b"]


def test_values_that_cannot_be_answered_are_mapped(tmp_path):
    values = ["Yes", "Yes", "yes", "no. never", "error", ""]
    rows = [(f"Sentence {number}, of some length", values[number % 6]) for number in range(60)]
    data = begun(file(tmp_path, as_table(rows, ("my text", "label"))))
    source = data["datasets"]["mine"]["source"]
    assert source["fields"] == {"text1": "my text"}
    assert source["labels"] == {
        "Yes": "Yes",
        "yes": "Yes",
        "no. never": "no  never",
        "error": "an error",
        "": None,
    }
    assert data["datasets"]["mine"]["extract"]["labels"] == ["Yes", "an error", "no  never"]
    assert [record["label"] for record in records(data)][4:6] == ["an error", None]
    assert data["prompts"]["asked"]["user"].startswith("{text1}\nWhich of these is it")


def test_a_large_file_is_trained_and_tested_in_part(tmp_path):
    rows = [(f"这是第{number}句话。", KINDS[number % 4]) for number in range(6000)]
    data = begun(file(tmp_path, as_table(rows)))
    assert data["datasets"]["mine"]["split"] == {
        "validation": 250,
        "test": 500,
        "seed": 0,
        "stratify": "label",
    }
    assert data["adapters"]["lora"]["take"] == 4000


ONE_LABEL = as_table([(text, "退款") for text, _ in MESSAGES])
FREE = as_table([(text, f"回答{number}") for number, (text, _) in enumerate(MESSAGES)], ("q", "a"))
REFUSED = {
    "one label": (ONE_LABEL, "my.csv", "only the value '退款'"),
    "no label": (FREE, "my.csv", r"no column looks like a label.*LABEL=COLUMN"),
    "few rows": (as_table(MESSAGES[:20]), "my.csv", "20 rows with a label; 30 are the least"),
    "only labels": (as_table([(kind,) for _, kind in MESSAGES], ("label",)), "my.csv", "no column"),
    "empty": ("", "my.csv", "is empty"),
    "no rows": ("消息,类别\n", "my.csv", "no rows"),
    "semicolons": (as_table(MESSAGES, delimiter=";"), "my.csv", "parted by ';'"),
    "tabs": (as_table(MESSAGES, delimiter="\t"), "my.csv", "Rename it to .tsv"),
    "a comma too many": (as_table(MESSAGES) + "a,b,c\n", "my.csv", "row 62: 3 cells"),
    "two columns of one name": (
        as_table([(1, *row) for row in MESSAGES], ("a", "b", "a")),
        "my.csv",
        "two columns are called 'a'",
    ),
    "a workbook": ("PK", "my.xlsx", "Save it as CSV"),
    "broken JSON": ('{"a": 1}\n{"a": \n', "my.jsonl", "line 2: no JSON"),
    "an object": ('{"data": []}', "my.json", "a list of objects is expected"),
    "our own form": ('{"id": "1", "fields": {"a": "b"}, "label": "c"}', "my.jsonl", "kind: file"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_study_can_be_made_of(case, tmp_path):
    text, name, said = REFUSED[case]
    with pytest.raises(UserError, match=said):
        begun(file(tmp_path, text, name))


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(UserError, match="is a folder"):
        read_table(tmp_path)


def test_an_encoding_that_is_none(tmp_path):
    (tmp_path / "my.csv").write_bytes(as_table(MESSAGES).encode("gbk") + b"\x81,\xff\x9d\n")
    with pytest.raises(UserError, match="line 1: neither UTF-8"):
        read_table(tmp_path / "my.csv")


def test_a_western_encoding_is_not_taken_for_a_chinese_one(tmp_path):
    rows = [(f"Où est le café numéro {number} ?", "ab"[number % 2]) for number in range(40)]
    table = read_table(file(tmp_path, as_table(rows, ("text", "label")), encoding="cp1252"))
    assert table.encoding == "cp1252"
    assert "Does this read well: Où est" in table.told[0]


def test_the_study_has_its_own_note_at_each_scale(tmp_path):
    table = read_table(file(tmp_path, as_table(MESSAGES)))
    data = yaml.safe_load(as_study(table, guess(table), "mine"))
    studies = {
        scale: study_of(merged({k: v for k, v in data.items() if k != "scales"}, over), Path("x"))
        for scale, over in data["scales"].items()
    }
    assert "the whole chain works on these records" in studies["demo"].note
    assert (studies["small"].note, studies["paper"].note) == ("", "")


def test_each_split_has_its_share_of_each_label(tmp_path):
    rows = [(f"第{number}句", "rare" if number % 10 == 0 else "often") for number in range(200)]
    data = begun(file(tmp_path, as_table(rows)))
    settings = study_of(data, Path("mine.yaml")).datasets["mine"].split
    outline = Outline(records(data))
    found = Counter(zip(split(outline, settings), outline.labels, strict=True))
    assert found == {
        ("train", "often"): 126,
        ("train", "rare"): 14,
        ("validation", "often"): 18,
        ("validation", "rare"): 2,
        ("test", "often"): 36,
        ("test", "rare"): 4,
    }


SAID_WRONG = {
    "an unknown column": (
        {"label": "类"},
        r"no column '类'\. Did you mean '类别'\? Known: 消息, 类别\.$",
    ),
    "commas": ({"fields": ["消息,类别"]}, 'part the columns by spaces: FIELDS="消息 类别"'),
    "the label asked": ({"fields": ["消息", "类别"]}, "'类别' has the label, .* out of FIELDS"),
}


@pytest.mark.parametrize("case", SAID_WRONG)
def test_columns_that_cannot_be_meant(case, tmp_path):
    said, message = SAID_WRONG[case]
    with pytest.raises(UserError, match=message):
        begun(file(tmp_path, as_table(MESSAGES)), **said)


def test_a_prompt_does_not_have_the_column_of_the_label(tmp_path):
    data = begun(file(tmp_path, as_table(MESSAGES)))
    data["datasets"]["mine"]["source"]["fields"] = {"消息": "消息", "kind": "类别"}
    study_of(data, Path("mine.yaml"))
    data["prompts"]["asked"]["user"] += "{kind}"
    with pytest.raises(UserError, match=r"prompts\.asked\.user: \{kind\} gives the answer away"):
        study_of(data, Path("mine.yaml"))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../x", "NAME: '../x' is no name of a study"),
        ("Mine", "Take another NAME"),
        ("mine.yaml", "no .yaml at its end"),
        ("split", "NAME: 'split' is a name of the workflow's own"),
        ("weather", "config/studies/weather.yaml is there already"),
    ],
)
def test_names_that_no_study_can_have(name, said, monkeypatch):
    monkeypatch.chdir(ROOT)
    with pytest.raises(UserError, match=re.escape(said)):
        new_study_path(name)


def test_a_name_that_leads_out_of_the_folder_writes_nothing(tmp_path):
    words = [sys.executable, ROOT / "scripts/init_study.py", "--name", "../x"]
    words += ["--from", ROOT / "resources/messages/messages.csv"]
    (tmp_path / "config/studies").mkdir(parents=True)
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, encoding="utf-8")
    assert done.returncode == 1 and "Take another NAME" in done.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_column_of_ids_names_the_records(tmp_path):
    rows = [(f"m-{number}", *row) for number, row in enumerate(MESSAGES)]
    path = file(tmp_path, as_table(rows, ("编号", "text", "kind")))
    data = begun(path)
    assert data["datasets"]["mine"]["source"]["record_id"] == "编号"
    assert [record["id"] for record in records(data)][:2] == ["m-0", "m-1"]
    assert "record_id: column '编号'" in "\n".join(guess(read_table(path)).told)
    twice = file(tmp_path, as_table([*rows, rows[0]], ("编号", "text", "kind")))
    assert "record_id" not in begun(twice)["datasets"]["mine"]["source"]


def test_labels_are_counted_without_blanks(tmp_path):
    forms = ["退款", "退款 ", " 物流", "物流", " ", ""]
    rows = [(text, forms[at % 6]) for at, (text, _) in enumerate(MESSAGES)]
    table = read_table(file(tmp_path, as_table(rows)))
    found = guess(table)
    assert (found.labels, found.labelled) == (["物流", "退款"], 40)
    assert "labels of '类别': 退款 20, 物流 20" in found.told
    assert "labels: 20 rows have none" in "\n".join(found.told)
    assert found.mapped[" "] is None and found.mapped["退款 "] == "退款"
    named = read_table(file(tmp_path, as_table(rows, ("text", "kind"))))
    assert "label: column 'kind', since it has 2 values" in guess(named).told


def test_the_name_goes_behind_the_other_studies():
    text = (ROOT / "config/config.yaml").read_text(encoding="utf-8")
    added = with_study(text, "mine")
    assert yaml.safe_load(added)["studies"] == [*yaml.safe_load(text)["studies"], "mine"]
    assert added.replace("  - mine\n", "") == text
    assert with_study("run: a\nstudies:\n  - x", "mine") == "run: a\nstudies:\n  - x\n  - mine\n"
    assert with_study("studies: [a]\nrun: demo\n", "mine") is None


def test_the_example_file_is_what_the_readme_says():
    table = read_table(ROOT / "resources/messages/messages.csv")
    found = guess(table)
    assert (len(table.rows), table.columns) == (200, ["消息", "类别"])
    assert (found.label, found.fields, found.labelled) == ("类别", {"消息": "消息"}, 200)


@pytest.mark.parametrize("readme", ["README.md", "README.zh-CN.md"])
def test_the_source_of_the_readme_makes_records(readme):
    text = (ROOT / readme).read_text(encoding="utf-8")
    code = next(b for b in re.findall(r"```python\n(.*?)```", text, re.S) if "ParcelsSource" in b)
    names: dict = {}
    exec(code, names)
    source = names["ParcelsSource"](kind="parcels", records=20)
    made = list(names["parcel_records"](source))
    assert made == list(names["parcel_records"](source)) and len(made) == 20
    for record in made:
        assert record.keys() == {"id", "fields", "label", "group"}
        assert record["fields"].keys() == source.field_names()
        assert record["label"].keys() == source.label_names()
