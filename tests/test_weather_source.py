"""The generator of weather sentences: labels right by construction, seeded, as published."""

import datetime
import re
from collections import Counter
from pathlib import Path

import pytest

from snaketune.config.sources import WeatherSource
from snaketune.errors import UserError
from snaketune.weather import NEGATIVES, weather_records

CITIES = Path(__file__).resolve().parents[1] / "resources" / "cities" / "cities.csv"
WITH_YEAR = {"text": "{city}{year}年{month}月{day}日的天气", "date": "%Y-%m-%d"}
NO_YEAR = {"text": "你们{month}月{day}号去{city}玩吗？", "date": "%m-%d"}
YEAR_UNASKED = {"text": "{year}/{month}/{day} {city}", "date": "%m-%d"}


def source(**changed) -> WeatherSource:
    keys = {"kind": "weather", "cities": str(CITIES), "records": 400, "seed": 0}
    return WeatherSource.model_validate({**keys, "templates": [WITH_YEAR, NO_YEAR], **changed})


def drawn(**changed) -> list[dict]:
    return list(weather_records(source(**changed)))


def test_the_label_says_what_the_sentence_says():
    for record in drawn():
        sentence, label = record["fields"]["sentence"], record["label"]
        numbers = [int(number) for number in re.findall(r"\d+", sentence)]
        assert label["city"] in sentence
        assert [int(part) for part in label["date"].split("-")] == numbers
        assert re.fullmatch(r"(\d{4}-)?\d\d-\d\d", label["date"])
        assert ("年" in sentence) == (len(numbers) == 3)


def test_ranges_are_the_published_ones_and_both_ends_occur():
    dates = [r["label"]["date"] for r in drawn(records=4000, templates=[WITH_YEAR])]
    years, months, days = zip(*(map(int, date.split("-")) for date in dates), strict=True)
    assert set(years) == set(range(1998, 2026))
    assert set(months) == set(range(1, 13))
    assert set(days) == set(range(1, 29))


def test_templates_and_cities_are_drawn_uniformly():
    records = drawn(records=6740)
    cities = Counter(record["label"]["city"] for record in records)
    with_year = sum(len(record["label"]["date"]) == 10 for record in records)
    assert len(cities) == 337 and max(cities.values()) < 45
    assert abs(with_year - 3370) < 4 * (6740 / 4) ** 0.5


def test_calendar_days_reach_the_31st_and_stay_valid():
    dates = [r["label"]["date"] for r in drawn(last_day="calendar", templates=[WITH_YEAR])]
    days = {datetime.date.fromisoformat(date).day for date in dates}
    assert {29, 30, 31} <= days


def test_default_year_fills_only_sentences_without_a_year():
    records = drawn(
        default_year=2023, last_day="calendar", templates=[NO_YEAR, WITH_YEAR, YEAR_UNASKED]
    )
    for record in records:
        sentence, date = record["fields"]["sentence"], record["label"]["date"]
        if sentence.startswith("你们"):
            assert datetime.date.fromisoformat(date).year == 2023
        elif "/" in sentence:
            assert re.fullmatch(r"\d\d-\d\d", date)
        else:
            assert sentence.split("年")[0].endswith(date[:4])


def test_negatives_name_nothing_and_are_groups_of_their_own():
    records = drawn(negatives=150)
    negatives = [record for record in records if record["label"] == {"city": None, "date": None}]
    assert len(negatives) == 150 and len(records) == 400
    assert len({record["group"] for record in negatives}) == 150
    places = {record["label"]["city"] for record in drawn(records=5000)}
    for sentence in NEGATIVES:
        assert not re.search(r"\d|今天|明天|后天|月|日|号", sentence)
        assert not any(place.removesuffix("市") in sentence for place in places)


def test_negatives_leave_the_other_draws_alone():
    assert drawn(negatives=100)[:300] == drawn()[:300]


def test_the_same_seed_gives_the_same_records_and_another_does_not():
    assert drawn(negatives=50) == drawn(negatives=50)
    assert drawn(negatives=50) != drawn(negatives=50, seed=1)


def test_ids_follow_from_the_content():
    records = drawn(records=3000) + drawn(records=3000, seed=1)
    contents: dict[str, set] = {}
    for record in records:
        content = (record["fields"]["sentence"], str(record["label"]))
        contents.setdefault(record["id"], set()).add(content)
        assert re.fullmatch(r"weather-[0-9a-f]{12}", record["id"])
    assert all(len(same) == 1 for same in contents.values())
    assert len(contents) == len(set().union(*contents.values()))


def test_two_names_of_one_place_are_one_group(tmp_path):
    path = tmp_path / "cities.txt"
    path.write_text("110000 北京市\n110100 北京\n", encoding="utf-8")
    records = drawn(cities=str(path))
    assert {record["label"]["city"] for record in records} == {"北京市", "北京"}
    assert {record["group"] for record in records} == {"北京"}


def test_a_broken_city_list_stops_it(tmp_path):
    path = tmp_path / "cities.txt"
    path.write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="is empty"):
        drawn(cities=str(path))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"templates": [{"text": "{month}月{day}日的天气"}]}, "lacks {city}"),
        ({"years": [2025, 1998]}, "lies after"),
        ({"years": [0, 1998]}, "between 1 and 9999"),
        ({"negatives": 401}, "of only 400 records"),
    ],
)
def test_settings_that_cannot_work_are_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        source(**changed)
