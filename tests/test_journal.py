"""The journal of responses: nothing finished is lost, nothing torn is believed."""

import json
import tracemalloc

import pytest

from snaketune import journal as journals
from snaketune.config.tuning import Sampling
from snaketune.journal import Journal, response_key

A, B, C = (letter * 64 for letter in "abc")


def test_a_batch_is_found_again_by_another_process(tmp_path):
    with Journal(tmp_path) as journal:
        journal.add({A: {"text": "一"}, B: {"text": "\n"}})
        assert A in journal
    again = Journal(tmp_path)
    assert again[A] == {"text": "一"} and again[B] == {"text": "\n"} and len(again) == 2


def test_a_batch_is_one_line_on_the_disk_before_add_returns(tmp_path):
    journal = Journal(tmp_path)
    journal.add({A: {"text": "1"}, B: {"text": "2"}})
    (file,) = tmp_path.glob("*.jsonl")
    lines = file.read_text(encoding="utf-8").splitlines()
    assert [set(json.loads(line)["responses"]) for line in lines] == [{A, B}]
    assert json.loads(lines[0])["time"] > 1.7e9


@pytest.mark.parametrize("cut", [1, 2, 6, 40])
def test_a_torn_last_line_is_skipped_and_breaks_no_later_write(tmp_path, cut):
    with Journal(tmp_path) as journal:
        journal.add({A: {"text": "一"}})
        journal.add({B: {"text": "二二"}})
    (file,) = tmp_path.glob("*.jsonl")
    whole = file.read_bytes()
    file.write_bytes(whole[:-cut])
    with Journal(tmp_path) as again:
        # only the line break lost: the line itself is whole
        assert (B in again) == (cut == 1)
        again.add({C: {"text": "三"}})
    third = Journal(tmp_path)
    assert A in third and C in third
    assert file.read_bytes() == whole[:-cut], "another process's file is never written"


def test_two_writers_side_by_side(tmp_path):
    with Journal(tmp_path) as one, Journal(tmp_path) as two:
        one.add({A: {"text": "1"}})
        two.add({B: {"text": "2"}})
        one.add({C: {"text": "3"}})
    assert len(list(tmp_path.glob("*.jsonl"))) == 2
    assert len(Journal(tmp_path)) == 3


def test_a_reader_leaves_no_file(tmp_path):
    with Journal(tmp_path / "none") as journal:
        assert len(journal) == 0
    assert not (tmp_path / "none").exists()


def test_lines_of_earlier_releases_are_read_to_the_byte(tmp_path):
    """A line as the code of then wrote it; its texts look like the frame around them."""
    odd = {"text": '"responses":{"' + A + '":{}}}\u2028\\"}}', "note": [{"a": "二"}, None]}
    batch = {"time": 1.5, "responses": {B: odd, C: {"text": ""}}}
    line = json.dumps(batch, ensure_ascii=False, separators=(",", ":"))
    (tmp_path / "old.jsonl").write_text(line + "\n" + line.replace("二", "两") + "\n", "utf-8")
    with Journal(tmp_path) as journal:
        assert len(journal) == 2 and A not in journal
        assert journal[B] == {**odd, "note": [{"a": "两"}, None]} and journal[C] == {"text": ""}
        journal.add({A: odd})
        assert journal[A] == odd
    assert Journal(tmp_path)[A] == odd


def test_what_is_not_there_is_not_found(tmp_path):
    with Journal(tmp_path) as journal:
        journal.add({A: {}})
        assert B not in journal
        with pytest.raises(KeyError):
            journal[B]


def test_responses_of_many_files_are_found_with_few_of_them_open(tmp_path, monkeypatch):
    monkeypatch.setattr(journals, "MOST_OPEN", 3)
    keys = [f"{number:064x}" for number in range(10)]
    for number, key in enumerate(keys):
        with Journal(tmp_path) as journal:
            journal.add({key: {"text": str(number)}})
    with Journal(tmp_path) as again:
        assert [again[key]["text"] for key in keys * 2] == [str(n) for n in range(10)] * 2
        assert len(again._open) <= 3


def test_memory_holds_places_and_no_texts(tmp_path):
    with Journal(tmp_path) as journal:
        tracemalloc.start()
        for start in range(0, 2000, 100):
            rows = {f"{n:064x}": {"text": "长" * 1000} for n in range(start, start + 100)}
            journal.add(rows)
        del rows
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert held / 2000 < 400


def test_the_key_is_what_decides_the_response():
    drawn = Sampling(temperature=0.7, seed=1, responses_per_record=5)
    key = response_key("m", [1, 2], drawn, 0)
    assert key == response_key("m", [1, 2], drawn.model_copy(update={"batch_size": 1}), 0)
    assert key == response_key("m", [1, 2], drawn.model_copy(update={"responses_per_record": 9}), 0)
    others = [
        response_key("n", [1, 2], drawn, 0),
        response_key("m", [1, 3], drawn, 0),
        response_key("m", [1, 2], drawn, 1),
        *(
            response_key("m", [1, 2], drawn.model_copy(update={name: value}), 0)
            for name, value in (("seed", 2), ("top_p", 0.9), ("top_k", 4), ("max_new_tokens", 9))
        ),
    ]
    assert len({key, *others}) == 8


def test_settings_that_greedy_decoding_ignores_do_not_count():
    greedy = Sampling()
    assert response_key("m", [1], greedy, 0) == response_key("m", [1], Sampling(seed=3, top_k=2), 0)
    single = Sampling(dtype="float32")
    assert response_key("m", [1], greedy, 0) != response_key("m", [1], single, 0)
    assert response_key("m", [1], greedy, 0, True) == response_key("m", [1], single, 0, True)


def test_keys_of_journals_from_before_penalty_and_schema_are_still_found():
    """Written by the code of then, for `response_key("m", [1, 2], …, 0)`."""
    greedy = "45c84188ea119c9494209fe754ca36ce5631d7ea02bc179bbc1bda6be603b5a2"
    drawn = "b4ce1192995fcef0eac08cd54bd7a2a47cb7e9499791618020ebdb7dc1ad00d1"
    assert response_key("m", [1, 2], Sampling(), 0) == greedy
    assert response_key("m", [1, 2], Sampling(temperature=0.7, seed=1), 0) == drawn
    for sampling, old in ((Sampling(), greedy), (Sampling(temperature=0.7, seed=1), drawn)):
        for name, value in (("repetition_penalty", 1.1), ("response_schema", {"type": "object"})):
            changed = sampling.model_copy(update={name: value})
            assert response_key("m", [1, 2], changed, 0) != old
