"""Seeded generator of the weather study's records: sentence templates × cities × dates."""

import calendar
import datetime
import logging
import random
from collections.abc import Iterator

from snaketune.cities import read_cities
from snaketune.config.sources import WeatherSource
from snaketune.files import digest
from snaketune.places import place_name

log = logging.getLogger(__name__)

_WHO = ("你们", "他们", "孩子们", "同事们", "老师", "爷爷", "小李", "邻居", "司机", "游客")
_DOES = (
    *("喜欢下雪吗？", "出门带伞了吗？", "怕不怕打雷？", "看天气预报吗？", "爱晒太阳吗？"),
    *("下雨的时候在家做什么？", "为什么总说天气不好？", "觉得刮风舒服吗？", "冷了要加衣服吗？"),
    *("怎么看云识天气？", "用哪个软件查天气？", "去哪里玩都行吗？", "坐火车还是坐飞机？"),
    *("晒衣服了没有？", "见过彩虹吗？", "想学看天气图吗？", "关窗户了吗？", "热得睡不着吗？"),
)
_WEATHER = ("大雾", "台风", "雷阵雨", "暴雪", "沙尘暴", "冰雹", "高温", "寒潮", "霜冻", "雾霾")
_ABOUT = (
    *("是怎么形成的？", "有什么危害？", "能提前预报吗？", "和季节有关系吗？", "预警分几种颜色？"),
    *("的时候航班会取消吗？", "的时候适合跑步吗？", "用英语怎么说？", "会影响庄稼吗？"),
    *("要停课吗？", "来了怎么办？", "可怕吗？", "的时候开车要注意什么？", "是什么样的天气？"),
)
NEGATIVES = tuple(
    start + end
    for starts, ends in ((_WHO, _DOES), (_WEATHER, _ABOUT))
    for start in starts
    for end in ends
)
"""Sentences about weather and travel that name neither a city nor a date."""


def weather_records(source: WeatherSource) -> Iterator[dict]:
    """Yield `source.records` records with field `sentence` and label `{"city", "date"}`.

    As in the published script, template, city, year, month and day are drawn uniformly, in this
    order, so exact duplicates occur. The group is the city's canonical name (北京 and 北京市 are
    one group), so that a split by group keeps test cities out of training. The last
    `source.negatives` records have both parts of the label null and are groups of their own; when
    more are asked for than there are different sentences, sentences repeat. A city list that
    cannot be read is a UserError.
    """
    found = read_cities(source.cities)
    cities = found.names
    dropped = ", ".join(f"{count} × {reason}" for reason, count in found.dropped.items())
    log.info("%s: %d places; dropped: %s.", source.cities, len(cities), dropped or "none")
    rng = random.Random(source.seed)
    for _ in range(source.records - source.negatives):
        yield _drawn(source, cities, rng)
    sentences = list(NEGATIVES)
    random.Random(f"{source.seed} negatives").shuffle(sentences)
    for index in range(source.negatives):
        sentence = sentences[index % len(sentences)]
        yield _record(sentence, {"city": None, "date": None}, group=sentence)


def _drawn(source: WeatherSource, cities: list[str], rng: random.Random) -> dict:
    template = rng.choice(source.templates)
    city = rng.choice(cities)
    year = rng.randint(*source.years)
    month = rng.randint(1, 12)
    filled = source.default_year is not None and "{year" not in template.text
    if filled:
        year = source.default_year
    last = calendar.monthrange(year, month)[1] if source.last_day == "calendar" else 28
    day = rng.randint(1, last)
    sentence = template.text.format(city=city, year=year, month=month, day=day)
    date = datetime.date(year, month, day).isoformat()
    if template.date == "%m-%d" and not filled:
        date = date.removeprefix(f"{year:04d}-")
    label = {"city": city, "date": date}
    return _record(sentence, label, group=place_name(city))


def _record(sentence: str, label: dict, group: str) -> dict:
    """A record whose id follows from its content, so that it stays when others come or go."""
    fields = {"sentence": sentence}
    name = f"weather-{digest({'fields': fields, 'label': label})[:12]}"
    return {"id": name, "fields": fields, "label": label, "group": group}
