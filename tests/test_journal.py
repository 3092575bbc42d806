"""The journal of responses: nothing finished is lost, nothing torn is believed."""

import json

import pytest

from snaketune.config.tuning import Sampling
from snaketune.journal import Journal, response_key


def test_a_batch_is_found_again_by_another_process(tmp_path):
    with Journal(tmp_path) as journal:
        journal.add({"a": {"text": "一"}, "b": {"text": "\n"}})
        assert "a" in journal
    again = Journal(tmp_path)
    assert again["a"] == {"text": "一"} and again["b"] == {"text": "\n"} and len(again) == 2


def test_a_batch_is_one_line_on_the_disk_before_add_returns(tmp_path):
    journal = Journal(tmp_path)
    journal.add({"a": {"text": "1"}, "b": {"text": "2"}})
    (file,) = tmp_path.glob("*.jsonl")
    lines = file.read_text(encoding="utf-8").splitlines()
    assert [set(json.loads(line)["responses"]) for line in lines] == [{"a", "b"}]
    assert json.loads(lines[0])["time"] > 1.7e9


@pytest.mark.parametrize("cut", [1, 2, 6, 40])
def test_a_torn_last_line_is_skipped_and_breaks_no_later_write(tmp_path, cut):
    with Journal(tmp_path) as journal:
        journal.add({"a": {"text": "一"}})
        journal.add({"b": {"text": "二二"}})
    (file,) = tmp_path.glob("*.jsonl")
    whole = file.read_bytes()
    file.write_bytes(whole[:-cut])
    with Journal(tmp_path) as again:
        # only the line break lost: the line itself is whole
        assert ("b" in again) == (cut == 1)
        again.add({"c": {"text": "三"}})
    third = Journal(tmp_path)
    assert "a" in third and "c" in third
    assert file.read_bytes() == whole[:-cut], "another process's file is never written"


def test_two_writers_side_by_side(tmp_path):
    with Journal(tmp_path) as one, Journal(tmp_path) as two:
        one.add({"a": {"text": "1"}})
        two.add({"b": {"text": "2"}})
        one.add({"c": {"text": "3"}})
    assert len(list(tmp_path.glob("*.jsonl"))) == 2
    assert len(Journal(tmp_path)) == 3


def test_a_reader_leaves_no_file(tmp_path):
    with Journal(tmp_path / "none") as journal:
        assert len(journal) == 0
    assert not (tmp_path / "none").exists()


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
    assert response_key("m", [1], greedy, 0) != response_key("m", [1], Sampling(dtype="float32"), 0)


def test_keys_of_journals_from_before_the_penalty_are_still_found():
    """Written by the code of then, for `response_key("m", [1, 2], …, 0)`."""
    greedy = "45c84188ea119c9494209fe754ca36ce5631d7ea02bc179bbc1bda6be603b5a2"
    drawn = "b4ce1192995fcef0eac08cd54bd7a2a47cb7e9499791618020ebdb7dc1ad00d1"
    assert response_key("m", [1, 2], Sampling(), 0) == greedy
    assert response_key("m", [1, 2], Sampling(temperature=0.7, seed=1), 0) == drawn
    for sampling, old in ((Sampling(), greedy), (Sampling(temperature=0.7, seed=1), drawn)):
        penalised = sampling.model_copy(update={"repetition_penalty": 1.1})
        assert response_key("m", [1, 2], penalised, 0) != old
