"""Seeded generator of pairs of customer questions about 花呗 and 借呗: same meaning or not.

A question names its matter first and goes on in one of many ways, as people type:
花呗提额失败，国庆这阵子怎么办？ A family is all the ways to ask one thing: an intent about one
product in one scene (whose account, which bank card, which month, …), with one number where the
topic has one. Two sentences of a family mean the same. Those of neighbouring families do not: they
differ in the intent, also as done and undone, in the product or in the number alone, and all else
is equal. Neighbours share the scene, so topic and scene make the group, and no family stands on two
sides of a split.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from snaketune.config.sources import PairsSource
from snaketune.files import digest

PRODUCTS = ("花呗", "借呗")
DIFFERENCES = {"intent": 50, "product": 25, "number": 25}
"""What two sentences that differ differ in → how often it is drawn."""
NUMBERS = {"期": ("3", "6", "12"), "元": ("200", "500", "900")}
"""Unit → numbers that are drawn."""
STARS = ("***",) * 12 + ("****", "******", "*" * 12)
"""What blots out a number, with longer runs as rare as in real data."""
INTENTS = {
    "办理": ("办理", "申请"),
    "失败": ("失败", "不成功"),
    "取消": ("取消", "撤销"),
    "收费": ("手续费", "收费"),
}
"""Intent → names; what they are about is the topic's."""
OTHER_NAME = 0.1
"""How often an intent has the second of its names."""
ASKS = (
    *("怎么弄", "怎么办", "怎么处理", "咋弄", "要怎么操作", "想问一下", "求解答", "请帮忙看下"),
    *("麻烦讲讲", "有人知道吗", "请问怎么回事", "该找谁"),
)
"""What any question may end in without asking something else."""
ENDS = ("", "", "", "？", "？", "。", "，谢谢", "，急", "，在线等", "啊")


@dataclass(frozen=True)
class Topic:
    """What neighbouring families have in common: what is done, and where or when or with what.

    {n} in the matter is a number; `places` say the scene {s}.
    """

    matter: str
    scenes: tuple[str, ...]
    places: tuple[str, ...]


class Family(NamedTuple):
    """What a sentence asks."""

    topic: str
    scene: str
    product: str
    intent: str
    number: str | None


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


TOPICS = {
    "账号": Topic(
        "开通",
        _words("我爸 我妈 我弟 我妹 我老婆 我老公 我女朋友 我同学 我表哥 我室友 我同事 我小号"),
        ("{s}的账号", "{s}那个号", "是{s}的", "{s}在用"),
    ),
    "还款": Topic(
        "还{n}元",
        _words("工行卡 建行卡 农行卡 招行卡 中行卡 交行卡 邮政卡 浦发卡 民生卡 余额宝 零钱 工资卡"),
        ("用{s}", "从{s}", "走{s}", "{s}里的钱"),
    ),
    "账单": Topic(
        "分{n}期",
        _words("一月 二月 三月 四月 五月 六月 七月 八月 九月 十月 上个月 腊月"),
        ("{s}的", "{s}这笔", "是{s}的账", "{s}出的账单"),
    ),
    "付款": Topic(
        "付款",
        _words("美团 滴滴 饿了么 拼多多 携程 盒马 肯德基 加油站 药店 网吧 电影院 菜市场"),
        ("在{s}", "{s}那边", "{s}消费", "{s}的单子"),
    ),
    "额度": Topic(
        "提额",
        _words("国庆 春节 元旦 中秋 端午 五一 清明 元宵 七夕 双十一 双十二 暑假"),
        ("{s}", "{s}这阵子", "{s}那几天", "赶上{s}"),
    ),
    "借款": Topic(
        "借{n}元",
        _words("装修 买车 交房租 看病 交学费 旅游 结婚 进货 买家电 考驾照 搬家 开店"),
        ("{s}用", "为了{s}", "拿来{s}", "{s}要用"),
    ),
}
NUMBERED = [name for name, topic in TOPICS.items() if "{n}" in topic.matter]


def pairs_records(source: PairsSource) -> Iterator[dict]:
    """Yield `source.records` records with fields `sentence1` and `sentence2`.

    Of each pair it is drawn first whether it means the same (`source.same`) and whether a number
    is blotted out (`source.masked`), then topic, scene and families, each uniformly. A masked pair
    never differs in the number. The label is `source.labels["same" | "different"]`, the group is
    topic and scene. Exact duplicates occur, and are rare.
    """
    rng = random.Random(source.seed)
    for _ in range(source.records):
        same, masked = rng.random() < source.same, rng.random() < source.masked
        one = _family(rng, numbered=masked)
        other = one if same else _neighbour(rng, one, masked)
        stars = _stars(rng) if masked else ("", "")
        first = second = _said(rng, one, stars[0])
        while second == first:
            second = _said(rng, other, stars[1])
        label = source.labels["same" if same else "different"]
        yield _record(first, second, label, group=f"{one.topic} {one.scene}")


def _record(first: str, second: str, label: str, group: str) -> dict:
    """A record whose id follows from its content, so that it stays when others come or go."""
    fields = {"sentence1": first, "sentence2": second}
    name = f"pairs-{digest({'fields': fields, 'label': label})[:12]}"
    return {"id": name, "fields": fields, "label": label, "group": group}


def _family(rng: Random, numbered: bool) -> Family:
    topic = rng.choice(NUMBERED if numbered else list(TOPICS))
    scene, product = rng.choice(TOPICS[topic].scenes), rng.choice(PRODUCTS)
    numbers = _numbers(topic)
    return Family(
        topic, scene, product, rng.choice(list(INTENTS)), rng.choice(numbers) if numbers else None
    )


def _numbers(topic: str) -> tuple[str, ...]:
    """Numbers that a topic's matter may have."""
    _, number, unit = TOPICS[topic].matter.partition("{n}")
    return NUMBERS[unit] if number else ()


def _neighbour(rng: Random, family: Family, masked: bool) -> Family:
    """A family of the same scene that asks something else."""
    options = {
        "intent": [name for name in INTENTS if name != family.intent],
        "product": [name for name in PRODUCTS if name != family.product],
        "number": [n for n in _numbers(family.topic) if n != family.number and not masked],
    }
    kinds = {kind: DIFFERENCES[kind] for kind, found in options.items() if found}
    kind = rng.choices(list(kinds), list(kinds.values()))[0]
    return family._replace(**{kind: rng.choice(options[kind])})


def _stars(rng: Random) -> tuple[str, str]:
    """What stands for the number in each sentence; "" leaves it readable, in one at most."""
    hidden = rng.choice(("both", "both", "first", "second"))
    if hidden == "first":
        return rng.choice(STARS), ""
    return rng.choice(STARS) if hidden == "both" else "", rng.choice(STARS)


def _said(rng: Random, family: Family, stars: str) -> str:
    """A sentence of a family, written as customers write."""
    topic = TOPICS[family.topic]
    matter = topic.matter.format(n=stars or family.number)
    intent = INTENTS[family.intent][rng.random() < OTHER_NAME]
    place = rng.choice(topic.places).format(s=family.scene)
    comma = rng.choice(("，", "，", ""))
    return family.product + matter + intent + comma + place + rng.choice(ASKS) + rng.choice(ENDS)
