"""The generator of premises and hypotheses: relations checked by reading its sentences again."""

import json
import math
import re
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from snaketune.config.resolve import load_study
from snaketune.config.sources import NliSource
from snaketune.files import write_jsonl
from snaketune.leaks import LeakSettings, check_leaks
from snaketune.nli import ATTEMPTS, DEEDS, FAMILIES, TRADES, nli_records
from snaketune.splitting import Outline, split
from snaketune.tinybase.nli import FAMILIES as CORPUS

ROOT = Path(__file__).resolve().parents[1]
RELATIONS = {relation: relation for relation in ("entailment", "neutral", "contradiction")}
TWO = {"entailment": "yes", "neutral": "no", "contradiction": "no"}
BASE_FORM = {**TRADES, **DEEDS}


def drawn(**changed) -> list[dict]:
    keys = {"kind": "nli", "records": 3000, "labels": RELATIONS, "seed": 0}
    return list(nli_records(NliSource.model_validate({**keys, **changed})))


def of_family(name: str, **changed) -> list[tuple[str, str, str]]:
    """Premise, hypothesis and relation of a family's records."""
    found = [r for r in drawn(**changed) if r["group"].split()[0] == name]
    assert len(found) > 100
    return [(r["fields"]["premise"], r["fields"]["hypothesis"], r["label"]) for r in found]


def undenied(sentence: str) -> tuple[str, bool]:
    """A sentence without its denial, and whether it had one."""
    found = re.fullmatch(r"(.*) did not (\w+) (.*)", sentence)
    if not found:
        return sentence, False
    past = next(past for past, verb in BASE_FORM.items() if verb == found[2])
    return f"{found[1]} {past} {found[3]}", True


def judged(known: bool | None, denied: bool) -> str:
    if known is None:
        return "neutral"
    return "entailment" if known != denied else "contradiction"


def test_attempts_say_what_came_of_them():
    known = {
        verb: {"done": True, "open": None, "undone": False}[k]
        for k in ATTEMPTS
        for verb in ATTEMPTS[k]
    }
    for premise, hypothesis, relation in of_family("attempt"):
        name, verb, did, colour, thing, origin = re.fullmatch(
            r"(\w+) (\w+) to (\w+) the (\w+) (\w+) from the (\w+)\.", premise
        ).groups()
        claim, denied = undenied(hypothesis)
        past = claim.split()[1]
        assert BASE_FORM[past] == did
        assert claim in (
            f"{name} {past} the {colour} {thing}.",
            f"{name} {past} the {thing} from the {origin}.",
        )
        assert judged(known[verb], denied) == relation


def test_pairs_name_both_either_or_neither():
    words = {"Either": None, "Neither": False}
    for premise, hypothesis, relation in of_family("pair"):
        one, two, deed = re.fullmatch(
            r"(?:Either |Neither )?(\w+) (?:and|or|nor) (\w+) (.*)", premise
        ).groups()
        claim, denied = undenied(hypothesis)
        assert claim in (f"{one} {deed}", f"{two} {deed}")
        assert judged(words.get(premise.split()[0], True), denied) == relation


def test_counts_are_right_for_every_number_that_the_premise_allows():
    holds = {
        "more than": lambda n, limit: n > limit,
        "at least": lambda n, limit: n >= limit,
        "fewer than": lambda n, limit: n < limit,
        "at most": lambda n, limit: n <= limit,
    }

    def numbers(sentence: str) -> set[int]:
        claim, denied = undenied(sentence)
        word, limit = re.search(r"(more than|at least|fewer than|at most) (\d+)", claim).groups()
        return {n for n in range(200) if holds[word](n, int(limit)) != denied}

    for premise, hypothesis, relation in of_family("count"):
        known, claimed = numbers(premise), numbers(hypothesis)
        overlap = "neutral" if known & claimed else "contradiction"
        assert relation == ("entailment" if known <= claimed else overlap)


def test_quantities_hold_in_every_crowd():
    crowd = 4
    holds = {
        "all": lambda n: n == crowd,
        "each": lambda n: n == crowd,
        "some": lambda n: n > 0,
        "at least one": lambda n: n > 0,
        "not all": lambda n: n < crowd,
        "none": lambda n: n == 0,
        "not one": lambda n: n == 0,
    }
    for premise, hypothesis, relation in of_family("crowd"):
        (known, who), (claimed, whom) = (
            text.split(" of the ") for text in (premise.lower(), hypothesis.lower())
        )
        outcomes = {holds[claimed](n) for n in range(crowd + 1) if holds[known](n)}
        assert who == whom
        assert relation == judged(outcomes.pop() if len(outcomes) == 1 else None, denied=False)


def test_labels_follow_the_map_and_the_shares():
    shares = {"entailment": 2, "neutral": 1, "contradiction": 1}
    records = drawn(records=8000, shares=shares)
    counts = Counter(record["label"] for record in records)
    for relation, share in shares.items():
        assert counts[relation] == 2000 * share
    assert {r["label"] for r in drawn(labels=TWO)} == {"yes", "no"}
    only = drawn(shares={"neutral": 1}, labels={"neutral": "maybe"}, records=200)
    assert {record["label"] for record in only} == {"maybe"}


def test_exactly_as_many_records_as_asked_for():
    assert [len(drawn(records=n)) for n in (1, 2, 77)] == [1, 2, 77]


def test_a_premise_has_one_group_and_up_to_three_hypotheses():
    groups, hypotheses = defaultdict(set), defaultdict(set)
    for record in drawn():
        groups[record["fields"]["premise"]].add(record["group"])
        hypotheses[record["fields"]["premise"]].add(record["fields"]["hypothesis"])
    assert {len(found) for found in groups.values()} == {1}
    sizes = Counter(len(found) for found in hypotheses.values())
    assert all(sizes[size] > 100 for size in (1, 2, 3))


def test_no_content_has_two_labels_and_few_come_twice():
    contents = defaultdict(set)
    for record in drawn(records=6000):
        contents[(record["fields"]["premise"], record["fields"]["hypothesis"])].add(record["label"])
    assert {len(labels) for labels in contents.values()} == {1}
    assert len(contents) > 5900


def test_the_same_seed_gives_the_same_records_and_another_does_not():
    assert drawn(records=200) == drawn(records=200)
    assert drawn(records=200) != drawn(records=200, seed=1)
    assert all(re.fullmatch(r"nli-[0-9a-f]{12}", r["id"]) for r in drawn(records=50))


def test_sentences_begin_large_and_end_with_a_full_stop():
    for record in drawn():
        for text in record["fields"].values():
            assert re.fullmatch(r"[A-Z][A-Za-z0-9 ,']*[a-z]\.", text)
            assert not re.search(r"\ba [aeiou]|\ban [^aeiou]|  ", text)


def test_the_hypothesis_alone_tells_little():
    """Naive Bayes on words and pairs of words, against 1/3 by chance."""
    records = drawn(records=9000)
    train, test = records[:7000], records[7000:]

    def features(record: dict) -> set:
        words = re.sub(r"\d+", "#", record["fields"]["hypothesis"].lower()).split()
        return {*words, *pairwise(words), len(words)}

    seen, counts = Counter(r["label"] for r in train), defaultdict(Counter)
    for record in train:
        counts[record["label"]].update(features(record))

    def guess(record: dict) -> str:
        return max(
            seen,
            key=lambda label: (
                math.log(seen[label])
                + sum(
                    math.log((counts[label][f] + 1) / (seen[label] + 2)) for f in features(record)
                )
            ),
        )

    right = sum(guess(record) == record["label"] for record in test)
    assert right / len(test) < 0.5
    denied = re.compile(r"\b(not|no|none|neither|fewer)\b", re.IGNORECASE)
    for relation in RELATIONS:
        texts = [r["fields"]["hypothesis"] for r in records if r["label"] == relation]
        assert 0.35 < sum(bool(denied.search(text)) for text in texts) / len(texts) < 0.65


def test_the_base_was_trained_on_none_of_the_pairs():
    rng, learnt = Random(5), set()
    for _ in range(60_000):
        premise, hypothesis, _ = rng.choice(CORPUS)(rng)
        learnt.add((f"{premise}.".lower(), f"{hypothesis}.".lower()))
    for record in drawn(records=6000):
        premise, hypothesis = record["fields"]["premise"], record["fields"]["hypothesis"]
        assert (premise.lower(), hypothesis.lower()) not in learnt


def test_the_demo_has_no_leak_within_or_across_its_datasets(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    datasets = load_study(Path("config/studies/nli.yaml"), "demo").datasets
    paths = {}
    for name, dataset in datasets.items():
        records = list(nli_records(dataset.source))
        homes = split(Outline(records), dataset.split)
        for part in ("train", "test"):
            paths[name, part] = str(tmp_path / f"{name}-{part}.jsonl")
            kept = [r for r, home in zip(records, homes, strict=True) if home == part]
            write_jsonl(paths[name, part], kept)
    report = check_leaks(
        LeakSettings.model_validate(
            {
                "title": "nli",
                "training": [{"dataset": n, "path": paths[n, "train"]} for n in datasets],
                "evaluation": [
                    {"dataset": n, "split": "test", "path": paths[n, "test"]} for n in datasets
                ],
            }
        )
    )
    assert [pair["exact"] for pair in report["pairs"]] == [0, 0, 0, 0]
    assert all(pair["near"] <= 0.05 * pair["n"] for pair in report["pairs"])


@pytest.mark.parametrize(
    ("source", "labels"),
    [
        ({"kind": "nli", "records": 90, "labels": RELATIONS, "seed": 3}, set(RELATIONS)),
        (
            {
                "kind": "weather",
                "cities": "resources/cities/cities.csv",
                "records": 90,
                "seed": 3,
                "templates": [{"text": "{city}{month}月{day}日的天气"}],
            },
            set(),
        ),
    ],
)
def test_the_script_serves_every_generated_kind(tmp_path, source, labels):
    command = [sys.executable, "scripts/synthesise.py", "--out", tmp_path / "raw.jsonl"]
    command += ["--settings", json.dumps({"source": source, "dataset": "d"})]
    subprocess.run([*command, "--facts", tmp_path / "raw.json"], cwd=ROOT, check=True)
    facts = json.loads((tmp_path / "raw.json").read_text(encoding="utf-8"))
    assert len((tmp_path / "raw.jsonl").read_text(encoding="utf-8").splitlines()) == 90
    assert (facts["kind"], facts["seed"], facts["rows"]) == (source["kind"], 3, {"all": 90})
    assert set(facts["labels"]) == labels
    assert sum(facts["labels"].values()) == (90 if labels else 0)


def test_every_family_is_drawn():
    families = Counter(record["group"].split()[0] for record in drawn())
    assert set(families) == {family.__name__ for family in FAMILIES}
    assert min(families.values()) > 200
