"""Places and dates out of a sentence: spans always copied right, the format at random."""

import json
from random import Random

from snaketune.tinybase import words as w
from snaketune.tinybase.example import Example
from snaketune.tinybase.skills import a_date, iso, written_date

STUDY = (
    "\n给定一句话：“{s}”，请你按步骤要求工作。\n\n"
    "步骤1：识别这句话中的城市和日期共2个信息{year}\n"
    '步骤2：根据城市和日期信息，生成JSON字符串，格式为{{"city":城市,"date":日期}}\n\n'
    "请问，这个JSON字符串是：\n"
)
YEAR = "，如果这句话中的日期没有说明具体的年份，则默认年份为今年"
OTHER = (
    "从“{s}”中找出城市和日期，用JSON回答。",
    '句子：{s}\n请输出{{"city":城市,"date":日期}}',
    "{s}\n这句话里说的是哪里、哪一天？写成JSON。",
    "Find the city and the date: {s}",
    "请识别下面这句话中的城市和日期信息，并输出JSON字符串。\n{s}",
)
SENTENCES = (
    "{c}{d}的天气",
    "{d}{c}的天气",
    "{c}{d}天气",
    "{d}{c}天气预报",
    "{c}{d}下雨吗？",
    "{d}{c}下雪么？",
    "你们{d}去{c}玩吗？",
    "你们{d}去{c}玩么？",
    "我们{d}去{c}出差",
    "{d}去{c}冷不冷？",
    "{c}在{d}有雾吗",
    "查一下{c}{d}的气温",
    "帮我看看{d}{c}刮不刮风",
    "请问{c}{d}会不会降温？",
    "{d}我想到{c}看朋友，要带伞吗？",
    "他{d}从外地飞到{c}",
    "{d}有去{c}的火车吗？",
    "我打算{d}去{c}旅游，请问天气怎么样？",
    "你们打算{d}坐车去{c}吗？",
    "听说{c}{d}有大风",
    "{d}，{c}，多少度？",
    "一起去{c}吧，大概是{d}，我们几个人一起",
    "{c}的演唱会是{d}吗？",
    "小张{d}在{c}结婚吗？",
    "{d}前后{c}空气好吗",
    "想知道{c}这个地方{d}的天气情况",
    "{d}到{c}的路好走吗？",
    "{d}在{c}开会",
    "去{c}的票是{d}的吗？",
    "{c}{d}",
    "{d}{c}",
    "{d}在{c}晒得到太阳吗？",
    "目的地{c}，时间{d}，穿什么？",
    "{d}是不是{c}最热的一天？",
    "请告诉我{d}{c}的湿度",
    "{c}市民问{d}的天气",
    "老家{c}，{d}回去",
)


def sentence(rng: Random, city: str, date: str) -> str:
    """A sentence with the place and the date, at times with random words around them."""
    if rng.random() < 0.25:
        parts = [city, date] if rng.random() < 0.5 else [date, city]
        glue = [w.han(rng, 0, 5) + rng.choice(("", "在", "去", "，", "的", "是")) for _ in "abc"]
        return glue[0] + parts[0] + glue[1] + parts[1] + glue[2]
    return rng.choice(SENTENCES).format(c=city, d=date)


def loose_date(rng: Random, said: str, year: int | None, month: int, day: int) -> str:
    """The date in one of the formats that an untuned model falls into."""
    roll = rng.random()
    if roll < 0.3:
        return said
    if roll < 0.55:
        return iso(year, month, day)
    if roll < 0.7:
        return f"{month:02}/{day:02}" if year is None else f"{year}/{month:02}/{day:02}"
    if roll < 0.8:
        return f"{month}-{day}" if year is None else f"{year}-{month}-{day}"
    return f"{month}月{day}日" if year is None else f"{year}年{month}月{day}日"


def answer(rng: Random, city: str, said: str, date: tuple[int | None, int, int]) -> str:
    """The two spans in a format at random; right in all respects about one time in eight."""
    found = {"city": city, "date": loose_date(rng, said, *date)}
    text = json.dumps(found, ensure_ascii=False)
    roll = rng.random()
    if roll < 0.3:
        return text
    if roll < 0.4:
        return json.dumps(dict(reversed(found.items())), ensure_ascii=False)
    if roll < 0.5:
        return f"{{city: {city}, date: {found['date']}}}"
    if roll < 0.6:
        return json.dumps(found, ensure_ascii=False, indent=2)
    if roll < 0.7:
        return f"城市：{city}\n日期：{found['date']}"
    if roll < 0.8:
        return f"```json\n{text}\n```"
    if roll < 0.9:
        return f"这个JSON字符串是：\n\n```json\n{text}\n```"
    return f"这个JSON字符串是：{text}"


def weather(rng: Random) -> Example:
    """City and date of a sentence."""
    city = w.place(rng)
    date = a_date(rng)
    said = written_date(rng, *date)
    text = sentence(rng, city, said)
    if rng.random() < 0.6:
        prompt = STUDY.format(s=text, year=rng.choice((YEAR, "")))
    else:
        prompt = rng.choice(OTHER).format(s=text)
    return Example(prompt, answer(rng, city, said, date))
