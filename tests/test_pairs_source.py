"""The generator of question pairs: labels and shares by construction, families on one side."""

import re
from collections import Counter, defaultdict
from itertools import combinations

from snaketune.config.sources import PairsSource
from snaketune.pairs import INTENTS, NUMBERS, PRODUCTS, TOPICS, pairs_records

LABELS = {"same": "相同", "different": "不相同"}


def drawn(**changed) -> list[dict]:
    keys = {"kind": "pairs", "records": 3000, "labels": LABELS}
    return list(pairs_records(PairsSource.model_validate({**keys, **changed})))


def parsed(sentence: str, group: str) -> tuple[str, str, str | None]:
    """Product, intent and number (or its stars) of a sentence, read back without the generator."""
    product, rest = sentence[:2], sentence[2:]
    assert product in PRODUCTS
    number = re.search(r"(\d+|\*+)(?=[期元])", rest)
    if number:
        rest = rest.replace(number.group(), "{n}", 1)
    matter = TOPICS[group.split()[0]].matter
    assert rest.startswith(matter)
    rest = rest.removeprefix(matter)
    (intent,) = (key for key, names in INTENTS.items() if rest.startswith(names))
    return product, intent, number.group() if number else None


def test_labels_hold_by_what_the_sentences_say():
    kinds = Counter()
    for record in drawn():
        (p1, i1, n1), (p2, i2, n2) = (
            parsed(text, record["group"]) for text in record["fields"].values()
        )
        hidden = "*" in f"{n1}{n2}"
        if record["label"] == LABELS["same"]:
            assert (p1, i1) == (p2, i2) and (n1 == n2 or hidden), record
            assert record["fields"]["sentence1"] != record["fields"]["sentence2"]
        else:
            differ = {"product": p1 != p2, "intent": i1 != i2}
            differ["number"] = n1 != n2 and not hidden and i1 == i2
            kinds.update([name for name, is_so in differ.items() if is_so])
            # a near miss: exactly one thing is another
            assert sum(differ.values()) == 1, record
    assert min(kinds.values()) > 100 and len(kinds) == 3


def test_shares():
    records = drawn(records=5000)
    same = sum(record["label"] == "相同" for record in records)
    masked = sum("***" in "".join(record["fields"].values()) for record in records)
    assert abs(same - 0.31 * 5000) < 4 * (0.31 * 0.69 * 5000) ** 0.5
    assert abs(masked - 0.1 * 5000) < 4 * (0.1 * 0.9 * 5000) ** 0.5


def test_shares_at_their_ends():
    assert {r["label"] for r in drawn(records=200, same=1)} == {"相同"}
    assert {r["label"] for r in drawn(records=200, same=0)} == {"不相同"}
    assert all("***" in str(r["fields"]) for r in drawn(records=300, masked=1))
    assert not any("*" in str(r["fields"]) for r in drawn(records=300, masked=0))


def test_runs_of_stars_have_several_lengths():
    fields = [str(record["fields"]) for record in drawn(masked=1)]
    runs = Counter(len(run) for text in fields for run in re.findall(r"\*+", text))
    assert set(runs) == {3, 4, 6, 12} and runs.most_common(1)[0][0] == 3
    both = sum(len(re.findall(r"\*+", text)) == 2 for text in fields)
    assert 0 < both < len(fields)


def test_a_family_has_one_group():
    groups = defaultdict(set)
    for record in drawn():
        scene = record["group"].split()[1]
        assert all(scene in text for text in record["fields"].values())
        for text in record["fields"].values():
            groups[text].add(record["group"])
    assert {len(found) for found in groups.values()} == {1}
    assert len({record["group"] for record in drawn()}) == 72


def test_no_scene_stands_inside_another():
    """Else a family's sentences could be told for another's."""
    scenes = [scene for topic in TOPICS.values() for scene in topic.scenes]
    assert not any(a in b or b in a for a, b in combinations(scenes, 2))


def test_numbers_scenes_and_names_are_unlike():
    names = [name for both in INTENTS.values() for name in both]
    assert not any(a in b or b in a for a, b in combinations(names, 2))
    for topic in TOPICS.values():
        assert topic.matter.partition("{n}")[2] in {"", *NUMBERS}
        assert all("{s}" in place for place in topic.places)


def test_same_seed_same_records_and_ids_by_content():
    assert drawn(seed=3) == drawn(seed=3)
    assert drawn(seed=3) != drawn(seed=4)
    records = drawn()
    content = {(r["id"], *r["fields"].values(), r["label"]) for r in records}
    assert len(content) == len({r["id"] for r in records}) > 2950


def test_length_and_prefix_do_not_tell_the_label():
    """What a model could learn without comparing: the share of `same` by the first words."""
    by_start = defaultdict(list)
    for record in drawn(records=6000):
        start = record["fields"]["sentence1"][:2]
        by_start[start].append(record["label"] == "相同")
    shares = [sum(found) / len(found) for found in by_start.values() if len(found) > 150]
    assert shares and all(0.18 < share < 0.46 for share in shares)
