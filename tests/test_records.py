"""Records: checked reading, duplicates, conflicts, splits by group; and the scripts that do it."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from snaketune.config.data import Split
from snaketune.config.sources import FileSource
from snaketune.errors import UserError
from snaketune.records import SPLITS, Duplicates, read_records, tallied
from snaketune.splitting import Outline, quality, split

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "scripts"
PAIR = FileSource(kind="file", path="x", fields=["sentence"], label=["city", "date"])
PLAIN = FileSource(kind="file", path="x", fields=["sentence"])
GOOD = {
    "id": "a",
    "fields": {"sentence": "青岛3-1"},
    "label": {"city": "青岛", "date": "03-01"},
    "group": "青岛",
}


def record(number: int, group: str, text: str | None = None, label: str | None = "x") -> dict:
    fields = {"sentence": text or f"sentence {number}"}
    return {"id": f"r{number}", "fields": fields, "label": label, "group": group}


def without(key: str) -> dict:
    return {k: v for k, v in GOOD.items() if k != key}


def write(path: Path, *rows: dict | str) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


BROKEN = {
    "cut off": ('{"id": "b", "fields"', "line 2: not valid JSON"),
    "a list": ("[1]", "line 2: a JSON object"),
    "no id": (without("id"), "line 2: no 'id'"),
    "number as id": ({**GOOD, "id": 7}, "line 2: no 'id'"),
    "no fields": ({**without("fields"), "id": "b"}, "line 2: no 'fields'"),
    "field missing": ({**GOOD, "id": "b", "fields": {}}, "'b' has no field 'sentence'"),
    "field no text": ({**GOOD, "id": "b", "fields": {"sentence": 3}}, "line 2: record 'b'"),
    "no label": ({**without("label"), "id": "b"}, "'b' has no 'label'"),
    "part missing": ({**GOOD, "id": "b", "label": {"city": "青岛"}}, "the keys city, date"),
    "part too many": (
        {**GOOD, "id": "b", "label": {**GOOD["label"], "hour": "3"}},
        "line 2: record 'b': the label must be",
    ),
    "part no text": (
        {**GOOD, "id": "b", "label": {"city": ["青岛"], "date": None}},
        "'city' of the label",
    ),
    "half a character": (
        {**GOOD, "id": "b", "fields": {"sentence": "\ud83d"}},
        "line 2: half of a surrogate pair",
    ),
    "text for object": ({**GOOD, "id": "b", "label": "青岛"}, "the keys city, date"),
    "group no text": ({**GOOD, "id": "b", "group": 3}, "line 2: 'group'"),
    "unknown split": (
        {**GOOD, "id": "b", "split": "dev"},
        "'split' of record 'b' is none of train",
    ),
    "unknown key": ({**GOOD, "id": "b", "lable": None}, "unknown key 'lable'"),
    "id twice": (GOOD, "line 2: id 'a' is taken by line 1"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_line_is_named_with_file_and_line(tmp_path, kind):
    row, message = BROKEN[kind]
    path = write(tmp_path / "mine.jsonl", GOOD, row)
    with pytest.raises(UserError) as error:
        list(read_records(path, PAIR))
    assert message in str(error.value)
    assert f"{path}, line 2" in str(error.value)


def test_lines_are_counted_with_blank_ones_and_behind_a_bom(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b"\r\n\r\n\r\n{\n")
    with pytest.raises(UserError, match="line 4: not valid JSON"):
        list(read_records(path, PAIR))


def test_a_file_that_is_not_utf8_missing_or_empty_is_named(tmp_path):
    path = tmp_path / "mine.jsonl"
    with pytest.raises(UserError, match="no such file"):
        list(read_records(path, PAIR))
    path.write_bytes(b"\n")
    with pytest.raises(UserError, match="no record in it"):
        list(read_records(path, PAIR))
    path.write_bytes(json.dumps(GOOD, ensure_ascii=False).encode("gbk"))
    with pytest.raises(UserError, match=r"line 1: not UTF-8"):
        list(read_records(path, PAIR))


def test_null_labels_parts_that_are_null_and_missing_groups_pass(tmp_path):
    path = write(
        tmp_path / "mine.jsonl",
        {**GOOD, "label": None},
        {**without("group"), "id": "b", "label": {"date": None, "city": None}},
    )
    first, second = read_records(path, PAIR)
    assert first["label"] is None
    assert second["group"] == "b"
    plain = write(tmp_path / "plain.jsonl", record(1, "g"), record(2, "g", label=None))
    assert [row["label"] for row in read_records(plain, PLAIN)] == ["x", None]


def test_the_eight_handwritten_questions():
    rows = list(read_records(ROOT / "resources" / "weather" / "handwritten.jsonl", PAIR))
    assert len(rows) == 8
    assert [row["fields"]["sentence"] for row in rows if row["label"] is None] == [
        "一起去东北看冰雕么，大概是1月15号左右，我们3个人一起"
    ]
    assert all(r["label"]["city"] in r["fields"]["sentence"] for r in rows if r["label"])


def clean(records: list[dict], **settings: bool) -> tuple[list[dict], dict]:
    duplicates = Duplicates(**settings)
    return [record for record in records if duplicates.keeps(record)], duplicates.counts()


def parts_of(records: list[dict], settings: Split | str) -> dict[str, list[dict]]:
    """The records of each split, in their order."""
    homes = split(Outline(records), settings)
    pairs = list(zip(records, homes, strict=True))
    return {name: [record for record, home in pairs if home == name] for name in SPLITS}


def test_clean_drops_only_exact_duplicates():
    same = {**record(9, "g", "one"), "id": "r9"}
    kept, counts = clean([record(1, "g", "one"), record(2, "g", "two"), same])
    assert [row["id"] for row in kept] == ["r1", "r2"]
    assert counts["in"] == 3 and counts["kept"] == 2 and counts["dropped"] == {"duplicate": 1}
    assert counts["conflicting_labels"] == 0


def test_clean_sees_through_the_order_of_keys():
    turned = {"id": "2", "fields": {"b": "2", "a": "1"}, "label": {"y": "2", "x": "1"}}
    plain = {"id": "1", "fields": {"a": "1", "b": "2"}, "label": {"x": "1", "y": "2"}}
    assert clean([plain, turned])[1]["dropped"]["duplicate"] == 1


def test_clean_keeps_and_lists_contradictions():
    rows = [record(1, "g", "one", "yes"), record(2, "g", "one", "no"), record(3, "g", "one", "yes")]
    kept, counts = clean(rows)
    assert [row["id"] for row in kept] == ["r1", "r2"]
    assert counts["conflicting_labels"] == 1
    assert counts["conflicts"] == [
        {
            "fields": {"sentence": "one"},
            "labels": [{"id": "r1", "label": "yes"}, {"id": "r2", "label": "no"}],
        }
    ]


def test_clean_may_keep_duplicates_and_counts_them():
    rows = [record(1, "g", "one"), record(2, "g", "one"), record(3, "g", "one", "y")]
    kept, counts = clean(rows, drop=False)
    assert kept == rows
    assert counts["kept"] == 3 and counts["dropped"] == {"duplicate": 0}
    assert counts["duplicates_kept"] == 1 and counts["conflicting_labels"] == 1


def in_split(split: str, number: int, text: str, label: str = "x") -> dict:
    return {**record(number, "g", text, label), "split": split}


def test_clean_does_not_shrink_a_given_split():
    rows = [
        in_split("train", 1, "one"),
        in_split("test", 2, "one"),
        in_split("test", 3, "one"),
        in_split("validation", 4, "one", "y"),
    ]
    kept, counts = clean(rows, given=True)
    assert [row["id"] for row in kept] == ["r1", "r2", "r4"]
    assert counts["dropped"] == {"duplicate": 1} and counts["across_splits"] == 1
    assert [known["id"] for known in counts["conflicts"][0]["labels"]] == ["r1", "r4"]
    kept, counts = clean(rows, given=False)
    assert [row["id"] for row in kept] == ["r1", "r4"] and counts["across_splits"] == 0


def many(groups: int, seed: int, largest: int = 12) -> list[dict]:
    """Records of groups of uneven size, some much larger than the others."""
    rng = random.Random(seed)
    sizes = [rng.randint(1, largest) * (10 if rng.random() < 0.05 else 1) for _ in range(groups)]
    names = [f"g{group}" for group, size in enumerate(sizes) for _ in range(size)]
    rng.shuffle(names)
    return [record(number, name) for number, name in enumerate(names)]


@pytest.mark.parametrize("seed", range(5))
def test_split_keeps_groups_whole_loses_nothing_and_meets_the_shares(seed):
    rows = many(200, seed)
    parts = parts_of(rows, Split(train=0.7, validation=0.1, test=0.2, seed=seed))
    assert sorted(r["id"] for part in parts.values() for r in part) == sorted(r["id"] for r in rows)
    groups = [{r["group"] for r in part} for part in parts.values()]
    assert sum(len(names) for names in groups) == 200 == len(set().union(*groups))
    for name, share in (("train", 0.7), ("validation", 0.1), ("test", 0.2)):
        assert abs(len(parts[name]) - share * len(rows)) <= 3


def test_large_groups_go_to_every_split():
    rows = many(400, 1)
    parts = parts_of(rows, Split(train=0.5, validation=0.25, test=0.25))
    for part in parts.values():
        sizes = [sum(r["group"] == group for r in part) for group in {r["group"] for r in part}]
        assert max(sizes) >= 50


def test_split_follows_the_seed_and_nothing_else():
    rows = many(60, 2)
    shuffled = random.Random(3).sample(rows, len(rows))

    def homes(records, seed):
        parts = parts_of(records, Split(seed=seed))
        return {r["id"]: name for name, part in parts.items() for r in part}

    assert homes(rows, 0) == homes(shuffled, 0)
    assert homes(rows, 0) != homes(rows, 1)


def test_a_share_of_one_takes_all_and_the_order_stays():
    rows = many(5, 4)
    parts = parts_of(rows, Split(train=0, validation=0, test=1))
    assert parts == {"train": [], "validation": [], "test": rows}


@pytest.mark.parametrize("sizes", [(10, 10, 10), (100, 1, 1), (5, 5, 5, 5), (1, 1, 1)])
def test_every_share_gets_a_group_when_there_are_few(sizes):
    names = [f"g{group}" for group, size in enumerate(sizes) for _ in range(size)]
    parts = parts_of([record(n, name) for n, name in enumerate(names)], Split())
    assert all(parts[name] for name in SPLITS)


def test_fewer_groups_than_shares_is_an_error():
    rows = [record(number, f"g{number % 2}") for number in range(10)]
    with pytest.raises(UserError, match="10 records in 2 groups cannot be split into train, val"):
        parts_of(rows, Split())
    assert parts_of(rows, Split(train=0.5, validation=0, test=0.5))
    with pytest.raises(UserError, match="0 records in 0 groups"):
        parts_of([], Split(train=1, validation=0, test=0))


def test_given_splits_stay_and_leaks_between_them_are_counted():
    rows = [in_split("test", 1, "one"), in_split("train", 2, "one"), in_split("test", 3, "two")]
    parts = parts_of(rows, "given")
    assert parts == {"train": [rows[1]], "validation": [], "test": [rows[0], rows[2]]}
    outline = Outline(rows)
    report = quality(outline, split(outline, "given"), {}, {}, {})
    assert report["leakage"] == {"groups": 1, "prompts": 1}


def test_a_record_without_a_given_split_is_named():
    rows = [in_split("test", 1, "one"), record(2, "g")]
    with pytest.raises(UserError, match="record 'r2' names no split"):
        parts_of(rows, "given")


def test_the_tally_counts_rows_by_split_and_plain_labels():
    facts = {"kind": "file"}
    rows = [in_split("test", 1, "a", "no"), in_split("train", 2, "b"), in_split("test", 3, "c")]
    assert list(tallied(rows, facts)) == rows
    assert facts == {
        "kind": "file",
        "rows": {"test": 2, "train": 1},
        "labels": {"no": 1, "x": 2},
    }
    list(tallied([GOOD, {**GOOD, "label": None}], facts))
    assert facts["rows"] == {"all": 2} and facts["labels"] == {}


def test_quality_counts_and_sees_leakage():
    rows = Outline([record(1, "g"), record(2, "h", "same"), record(3, "g", "same", None)])
    counts = {"in": 4, "kept": 3, "dropped": {"duplicate": 1}, "conflicts": []}
    report = quality(rows, ["train", "train", "test"], counts, {"kind": "file"}, {"train": 1})
    assert report["source"] == {"kind": "file"}
    assert report["in"] == 4 and report["dropped"] == {"duplicate": 1}
    assert "conflicts" not in report
    assert report["splits"]["train"] == {
        "records": 2,
        "groups": 2,
        "without_gold": 0,
        "masked": 1,
        "labels": {"x": 2},
    }
    assert report["splits"]["test"] == {
        "records": 1,
        "groups": 1,
        "without_gold": 1,
        "masked": 0,
    }
    assert report["leakage"] == {"groups": 1, "prompts": 1}


def script(name: str, *arguments: str | Path) -> subprocess.CompletedProcess:
    command = [sys.executable, SCRIPTS / f"{name}.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def prepare(folder: Path, hash_seed: str) -> dict[str, bytes]:
    """Run synthesise, clean and split into `folder`; all files that they wrote."""
    source = {
        "kind": "weather",
        "cities": "resources/cities/cities.csv",
        "records": 500,
        "templates": [{"text": "{city}{month}月{day}日的天气"}],
    }
    runs = [
        (
            *("synthesise", "--settings", json.dumps({"source": source}), "--out", folder / "raw"),
            *("--facts", folder / "facts"),
        ),
        ("clean", "--raw", folder / "raw", "--out", folder / "kept", "--counts", folder / "n"),
        (
            *("split", "--settings", '{"split": {"seed": 5}}', "--clean", folder / "kept"),
            *(
                "--counts",
                folder / "n",
                "--facts",
                folder / "facts",
                "--train",
                folder / "train",
                "--test",
                folder / "test",
            ),
            *("--validation", folder / "validation", "--quality", folder / "quality"),
        ),
    ]
    for name, *arguments in runs:
        command = [sys.executable, SCRIPTS / f"{name}.py", *arguments]
        environment = {"PYTHONHASHSEED": hash_seed, "PATH": "/usr/bin:/bin"}
        subprocess.run(command, check=True, cwd=ROOT, env=environment, capture_output=True)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.slow
def test_the_scripts_write_the_same_bytes_twice(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, second = prepare(tmp_path / "a", "1"), prepare(tmp_path / "b", "2")
    assert first == second
    report = json.loads(first["quality"])
    assert report["leakage"] == {"groups": 0, "prompts": 0}
    assert sum(part["records"] for part in report["splits"].values()) == report["kept"]


def test_fetch_ends_with_one_line_and_no_file_on_a_broken_record(tmp_path):
    path = write(tmp_path / "mine.jsonl", GOOD, "{")
    source = {"kind": "file", "path": str(path), "fields": ["sentence"], "label": ["city", "date"]}
    settings = json.dumps({"source": source, "dataset": "mine"})
    outputs = ("--out", tmp_path / "raw.jsonl", "--facts", tmp_path / "raw.json")
    done = script("fetch", "--settings", settings, *outputs)
    assert done.returncode == 1
    assert "line 2: not valid JSON" in done.stderr and "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.slow
def test_the_scripts_do_not_import_torch():
    for name in ("synthesise", "fetch", "clean", "split", "locate_base", "download_base"):
        code = f"import sys, {name}; sys.exit('torch' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], cwd=SCRIPTS).returncode == 0, name
