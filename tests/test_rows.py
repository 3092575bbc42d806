"""Rows of TSV, CSV, JSON and JSON lines: what they become, and how each fault is named."""

import json
from pathlib import Path

import pytest

from snaketune.config.sources import TableSource
from snaketune.errors import UserError
from snaketune.rows import LONGEST_CELL, table_records

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="the published data are not here")
PAIR = {"premise": "sentence1", "hypothesis": "sentence2"}
YES_NO = {"entailment": "yes", "not_entailment": "no"}


def records(path: Path | dict, **source) -> list[dict]:
    """What a table gives; its fields are a and b where nothing else is said."""
    paths = {k: str(v) for k, v in path.items()} if isinstance(path, dict) else str(path)
    settings = {"kind": "table", "path": paths, "fields": ["a", "b"], **source}
    return list(table_records(TableSource(**settings), "datasets.mine.source"))


def fault(path: Path | dict, **source) -> str:
    with pytest.raises(UserError) as error:
        records(path, **source)
    return str(error.value)


def write(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def contents(rows: list[dict]) -> list[tuple]:
    return [(*row["fields"].values(), row["label"]) for row in rows]


FORMS = {
    "tsv": "index\ta\tb\tlabel\n0\tone\ttwo\t1\n1\tthree\tfour\t0\n",
    "csv": '\r\nindex,a,b,label\r\n0,one,"two",1\r\n\r\n1,three,four,0\r\n',
    "jsonl": '{"label": 1, "b": "two", "a": "one"}\n\n{"a": "three", "b": "four", "label": "0"}\n',
    "json": '[{"a": "one", "b": "two", "label": 1}, {"a": "three", "b": "four", "label": 0}]',
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_rows_become_the_same_records(tmp_path, form):
    path = write(tmp_path / f"mine.{form}", FORMS[form])
    rows = records(path, label="label", labels={0: "yes", 1: "no"})
    assert contents(rows) == [("one", "two", "no"), ("three", "four", "yes")]
    expected = write(tmp_path / "other.tsv", FORMS["tsv"])
    assert rows == records(expected, label="label", labels={"0": "yes", "1": "no"})
    assert contents(records(path, label="label")) == [("one", "two", "1"), ("three", "four", "0")]
    assert contents(records(path)) == [("one", "two", None), ("three", "four", None)]
    named = write(tmp_path / "mine.txt", FORMS[form])
    assert records(named, format=form) == records(path)
    assert "Set datasets.mine.source.format to one of tsv, csv, json, jsonl" in fault(named)


def test_fields_are_columns_by_name_or_by_a_map(tmp_path):
    path = write(tmp_path / "x.csv", "sentence1,sentence2\none,two\n")
    (row,) = records(path, fields=PAIR)
    assert row["fields"] == {"premise": "one", "hypothesis": "two"}
    (row,) = records(path, fields={"text": "sentence2", "same": "sentence2"})
    assert row["fields"] == {"text": "two", "same": "two"}


def test_ids_and_groups_follow_the_content(tmp_path):
    path = write(
        tmp_path / "x.tsv", "a\tb\tl\none\ttwo\tx\none\ttwo\tx\none\ttwo\ty\nonet\two\tx\n"
    )
    rows = records(path, label="l")
    names = [row["id"] for row in rows]
    assert names[1] == f"{names[0]}-2" and len(set(names)) == 4
    groups = [row["group"] for row in rows]
    assert groups[0] == groups[1] == groups[2] != groups[3]
    swapped = write(tmp_path / "y.tsv", "b\ta\tl\ntwo\tone\tx\n")
    (row,) = records(swapped, label="l", fields=["b", "a"])
    assert (row["id"], row["group"]) == (names[0], groups[0])


def test_ids_and_groups_of_columns(tmp_path):
    path = write(tmp_path / "x.tsv", "a\tb\tn\tg\none\ttwo\t7\tg1\nthree\tfour\t8\tg1\n")
    rows = records(path, record_id="n", group="g")
    assert [(row["id"], row["group"]) for row in rows] == [("7", "g1"), ("8", "g1")]
    twice = write(tmp_path / "y.tsv", "a\tb\tn\none\ttwo\t7\nthree\tfour\t7\n")
    assert f"{twice}, line 3, column 'n': id '7' is taken by {twice}, line 2" in fault(
        twice, record_id="n"
    )
    nameless = write(tmp_path / "z.tsv", "a\tb\tn\none\ttwo\t\n")
    assert f"{nameless}, line 2, column 'n': no id in it" in fault(nameless, record_id="n")
    files = {"train": path, "test": write(tmp_path / "w.tsv", path.read_text())}
    assert [row["id"] for row in records(files, record_id="n")] == [
        *("train-7", "train-8", "test-7", "test-8")
    ]


def test_files_that_are_splits_say_so_in_each_record(tmp_path):
    train = write(tmp_path / "train.tsv", "a\tb\none\ttwo\nthree\tfour\n")
    test = write(tmp_path / "test.csv", "a,b\none,two\n")
    files = {"train": train, "test": test}
    rows = records(files, expect={"train": 2, "test": 1, "all": 3})
    assert [row["split"] for row in rows] == ["train", "train", "test"]
    assert rows[2]["id"] == f"{rows[0]['id']}-2", "ids are unique over all splits"
    assert "expect.train: 3 rows are expected, but there are 2" in fault(files, expect={"train": 3})
    assert "expect.all: 4 rows are expected, but there are 3" in fault(files, expect={"all": 4})


def test_numbers_in_fields_stay_as_they_are_written(tmp_path):
    path = write(
        tmp_path / "x.jsonl", '{"a": 1.50, "b": -0}\n{"a": 1e3, "b": 12345678901234567890}\n'
    )
    assert [tuple(row["fields"].values()) for row in records(path)] == [
        *(("1.50", "-0"), ("1e3", "12345678901234567890"))
    ]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gb18030", "gbk"])
def test_encodings_with_and_without_a_byte_order_mark(tmp_path, encoding):
    text = "a\tb\n借呗\t花呗\n"
    path = write(tmp_path / "x.tsv", text, encoding)
    stated = "utf-8" if encoding == "utf-8-sig" else encoding
    assert contents(records(path, encoding=stated)) == [("借呗", "花呗", None)]
    lines = write(tmp_path / "x.jsonl", '{"a": "借呗", "b": "花呗"}\n', encoding)
    assert contents(records(lines, encoding=stated)) == [("借呗", "花呗", None)]


def test_a_wrong_encoding_is_named_with_its_line(tmp_path):
    path = write(tmp_path / "x.tsv", "a\tb\n" + "one\ttwo\n" * 3000 + "借呗\t花呗\n", "gbk")
    assert f"{path}, line 3002: not utf-8. Set datasets.mine.source.encoding" in fault(path)
    wide = write(tmp_path / "y.tsv", "a\tb\none\ttwo\n", "utf-16")
    assert "its first bytes are those of utf-16" in fault(wide)


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_lists_without_end_are_one_line(tmp_path, suffix):
    deep = write(tmp_path / f"x.{suffix}", "[" * 100_000 + "\n")
    assert "lists in lists without end" in fault(deep)


def test_rows_without_a_word_in_them(tmp_path):
    path = write(tmp_path / "x.tsv", "a\tb\none\t\n\t\n")
    assert f"{path}, line 3: all fields are empty" in fault(path)
    nan = write(tmp_path / "x.jsonl", '{"a": "one", "b": NaN}\n')
    assert "a text or a number is expected, not NaN" in fault(nan)
    no_mark = write(tmp_path / "y.tsv", "a\tb\none\ttwo\n", "utf-16-le")
    assert f"{no_mark}, line 1: a NUL" in fault(no_mark)


def test_quotes_enclose_cells_or_are_characters(tmp_path):
    text = 'a,b\n"one, ""two""\nthree",four\n'
    path = write(tmp_path / "x.csv", text)
    assert contents(records(path)) == [('one, "two"\nthree', "four", None)]
    plain = write(tmp_path / "x.tsv", 'a\tb\n"one\ttwo"\n"three" x\t"\n')
    assert contents(records(plain)) == [('"one', 'two"', None), ('"three" x', '"', None)]
    with_quotes = write(tmp_path / "y.tsv", 'a\tb\n"one\ttwo"\t"three"\n')
    assert contents(records(with_quotes, quoting="double")) == [("one\ttwo", "three", None)]
    assert "line 2: 3 cells, but the columns are 2" in fault(with_quotes)
    assert "set datasets.mine.source.quoting: double" in fault(with_quotes)


QUOTE_FAULTS = {
    "never closed": 'a\tb\none\ttwo\n"three\tfour\nfive\tsix\n',
    "text behind it": 'a\tb\none\ttwo\n"three" x\tfour\n',
    "swallows a delimiter": 'a\tb\none\ttwo\n"three\tfour"\n',
    "very long": 'a\tb\none\ttwo\n"' + "x" * (LONGEST_CELL + 1) + "\tfour\n",
}


@pytest.mark.parametrize("kind", QUOTE_FAULTS)
def test_a_stray_quote_is_named_with_its_line_and_the_mend(tmp_path, kind):
    path = write(tmp_path / "x.tsv", QUOTE_FAULTS[kind])
    message = fault(path, quoting="double")
    assert f"{path}, line 3: " in message
    assert "set datasets.mine.source.quoting: none" in message


def test_lines_are_counted_by_the_first_of_a_row(tmp_path):
    path = write(tmp_path / "x.csv", 'a,b\n"one\n\nmore",two\n\nthree\n')
    assert f"{path}, line 6: 1 cells, but the columns are 2" in fault(path)


def test_files_without_a_line_of_names(tmp_path):
    path = write(tmp_path / "x.tsv", "one\ttwo\nthree\tfour\n")
    assert "Has it no line of names? Give datasets.mine.source.columns." in fault(path)
    assert contents(records(path, columns=["a", "b"])) == [
        *(("one", "two", None), ("three", "four", None))
    ]
    assert f"{path}, line 1: 2 cells, but the columns are 3" in fault(path, columns=["a", "b", "c"])
    headed = write(tmp_path / "y.tsv", "a\tb\none\ttwo\n")
    assert "line 1: not a row but the names" in fault(headed, columns=["a", "b"])
    repeated = write(tmp_path / "z.tsv", "a\tb\none\ttwo\na\tb\n")
    assert "line 3: not a row but the names of the columns. Delete it." in fault(repeated)


TABLE_FAULTS = {
    "wrong column": ("a\tbee\none\ttwo\n", {}, "x.tsv: no column 'b', which datasets.mine.source"),
    "near column": (
        "a\tbe\tc\n1\t2\t3\n",
        {"fields": ["bee"]},
        "Did you mean 'be'? Known: a, be, c",
    ),
    "wrong label column": ("a\tb\none\ttwo\n", {"label": "gold"}, "no column 'gold'"),
    "column twice": ("a\tb\tb\n1\t2\t3\n", {}, "two columns are called 'b'"),
    "too few cells": ("a\tb\none\n", {}, "line 2: 1 cells, but the columns are 2"),
    "too many cells": ("a\tb\n1\t2\t3\n", {}, "line 2: 3 cells, but the columns are 2"),
    "only names": ("a\tb\n", {}, "x.tsv: no rows in it"),
    "nothing": ("", {}, "x.tsv: no rows in it"),
    "nul": ("a\tb\none\tt\0wo\n", {}, "line 2: a NUL"),
    "empty label": (
        "a\tb\tl\n1\t2\t\n",
        {"label": "l"},
        "column 'l': the label is empty. Mend the row, or write datasets.mine.source.labels",
    ),
    "empty label with a map": (
        "a\tb\tl\n1\t2\t\n",
        {"label": "l", "labels": {"0": "yes", "1": "no"}},
        "the label is empty. datasets.mine.source.labels maps: '0', '1'. Mend the row or the map; "
        '{"": null}',
    ),
    "unknown label": (
        "a\tb\tl\n1\t2\t0\n1\t2\tentailed\n",
        {"label": "l", "labels": {"0": "yes"}},
        "line 3, column 'l': 'entailed' is not a label that the map knows. datasets.mine.source."
        "labels maps: '0'.",
    ),
}


@pytest.mark.parametrize("kind", TABLE_FAULTS)
def test_a_fault_of_a_table_is_named(tmp_path, kind):
    text, source, message = TABLE_FAULTS[kind]
    assert message in fault(write(tmp_path / "x.tsv", text), **source)


GOOD = '{"a": "one", "b": "two", "l": 1}\n'
JSON_FAULTS = {
    "cut off": (GOOD + '{"a": "one', "line 2: not valid JSON"),
    "a list": (GOOD + "[1]", "line 2: an object of names and values is expected"),
    "a key less": (GOOD + '{"a": "one", "bb": "two", "l": 1}', "line 2: no column 'b', which"),
    "null": (GOOD + '{"a": null, "b": "two", "l": 1}', "line 2, column 'a': a text or a number is"),
    "truth": (GOOD + '{"a": true, "b": "two", "l": 1}', "not true or false"),
    "list": (GOOD + '{"a": ["x"], "b": "two", "l": 1}', "is expected, not a list"),
    "object": (GOOD + '{"a": {}, "b": "two", "l": 1}', "is expected, not an object"),
    "no label": (GOOD + '{"a": "one", "b": "two", "l": null}', "column 'l': the label is empty"),
    "true is not 1": (GOOD + '{"a": "one", "b": "two", "l": true}', "whole number, not true or"),
    "half a pair": (GOOD + '{"a": "\\ud83d", "b": "two", "l": 1}', "line 2: half of a surrogate"),
}


@pytest.mark.parametrize("labels", [{}, {"1": "yes"}], ids=["as they are", "mapped"])
@pytest.mark.parametrize("kind", JSON_FAULTS)
def test_a_fault_of_json_lines_is_named(tmp_path, kind, labels):
    text, message = JSON_FAULTS[kind]
    path = write(tmp_path / "x.jsonl", text)
    assert message in fault(path, label="l", labels=labels)


def test_labels_are_whole_numbers_or_texts(tmp_path):
    path = write(tmp_path / "x.jsonl", '{"a": "one", "b": "two", "l": 1.0}\n')
    assert "column 'l': 1.0 is no whole number" in fault(path, label="l")
    assert "'1.0' is not a label" in fault(path, label="l", labels={1: "yes"})
    path = write(tmp_path / "y.jsonl", GOOD + GOOD.replace("1", '"1"') + GOOD.replace("1", "null"))
    rows = records(path, label="l", labels={1: "yes", "": None})
    assert [row["label"] for row in rows] == ["yes", "yes", None]


def test_json_and_json_lines_are_told_apart(tmp_path):
    lines = write(tmp_path / "lines.json", GOOD * 2)
    assert "line 2: not valid JSON (Extra data)" in fault(lines)
    assert "set datasets.mine.source.format: jsonl" in fault(lines)
    assert "a list of objects is expected" in fault(write(tmp_path / "one.json", GOOD))
    listed = write(tmp_path / "list.jsonl", "[\n" + GOOD + "]\n")
    assert "line 1: not valid JSON" in fault(listed) and "format: json." in fault(listed)
    for settings in ({"columns": ["a", "b"]}, {"quoting": "none"}):
        assert f"{next(iter(settings))}: is for TSV and CSV" in fault(lines, **settings)
    row = json.dumps({"a": "one", "bee": "two"})
    wrong = write(tmp_path / "wrong.json", f'[{{"a": "one", "b": "two"}}, {row}]')
    assert f"{wrong}, row 2: no column 'b'" in fault(wrong)


def test_a_missing_file_is_named(tmp_path):
    assert "no such file. Mend datasets.mine.source.path" in fault(tmp_path / "none.tsv")


@needs_data
def test_rte_as_it_is_published():
    files = {"train": DATA / "rte" / "train.tsv", "test": DATA / "rte" / "dev.tsv"}
    settings = {"fields": PAIR, "label": "label", "labels": YES_NO}
    rows = records(files, expect={"train": 2490, "test": 277}, **settings)
    train = [row for row in rows if row["split"] == "train"]
    assert sum(row["label"] == "yes" for row in train) == 1249
    assert sum(row["id"].endswith("-2") for row in train) == 2, "two pairs are the same"
    assert len({row["group"] for row in train}) == 2488
    by_index = records(files, record_id="index", **settings)
    assert by_index[0]["id"] == "train-0" and by_index[-1]["id"] == "test-276"
    message = fault(files, quoting="double", **settings)
    assert "train.tsv, line 52" in message and "quoting: none" in message


@needs_data
def test_mnli_and_afqmc_as_they_are_published():
    (mnli,) = (DATA / "mnli").glob("*.jsonl")
    rows = records(
        mnli,
        fields=["premise", "hypothesis"],
        label="label",
        labels={"entailment": "yes", "neutral": "maybe", "contradiction": "no"},
        expect={"all": 5000},
    )
    assert {row["label"] for row in rows} == {"yes", "maybe", "no"}
    afqmc = records(
        DATA / "afqmc" / "train.csv",
        fields=["sentence1", "sentence2"],
        label="label",
        labels={0: "no", 1: "yes"},
        expect={"all": 34334},
    )
    assert sum(row["label"] == "yes" for row in afqmc) == 10573
