"""Seeded generator of pairs of customer questions about 花呗 and 借呗: same meaning or not.

A family is all the ways to ask one thing: an intent about one product in one scene (whose account,
which bank card, which month, …), with one number where the intent has one. Two sentences of a
family mean the same. Those of neighbouring families do not: they differ in the intent, also as
can and cannot, in the product or in the number alone, and all else is equal. Neighbours share the
scene, so topic and scene make the group, and no family stands on two sides of a split.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from snaketune.config.sources import PairsSource
from snaketune.files import digest

PRODUCTS = {"花呗": ("花呗", "花呗", "蚂蚁花呗"), "借呗": ("借呗", "借呗", "蚂蚁借呗")}
"""Product → its names."""
DIFFERENCES = {"intent": 50, "product": 25, "number": 25}
"""What two sentences that differ differ in → how often it is drawn."""
NUMBERS = {
    "期": ("3", "6", "9", "12", "24"),
    "元": ("50", "88", "200", "350", "500", "800", "1000", "2600", "5000", "9000"),
}
"""Unit → numbers that are drawn."""
STARS = ("***",) * 12 + ("****", "******", "*" * 12)
"""What blots out a number, with longer runs as rare as in real data."""
POLITE = ("",) * 6 + ("请问", "你好，", "想问下", "那个，", "麻烦问下，")
ENDS = ("",) * 6 + ("？", "？", "。", "，谢谢", "，急")
SLOPPY = (("怎么", "咋"), ("吗", "嘛"), ("吗", "么"), ("账", "帐"), ("为什么", "为啥"))
SLOPPY_SHARE = 0.06
"""How often a sentence is written as people type it."""


@dataclass(frozen=True)
class Topic:
    """Scenes, and intents of which each has several wordings.

    In a wording {s} is the scene, {p} the product and {n} a number; all wordings of an intent have
    a number, with the same unit behind it, or none has.
    """

    scenes: tuple[str, ...]
    intents: dict[str, tuple[str, ...]]


class Family(NamedTuple):
    """What a sentence asks."""

    topic: str
    scene: str
    product: str
    intent: str
    number: str | None


def _scenes(words: str) -> tuple[str, ...]:
    return tuple(words.split())


TOPICS = {
    "账号": Topic(
        _scenes("我爸 我妈 我弟 我妹 我老婆 我老公 我女朋友 我同学 我表哥 我室友 我同事 我小号"),
        {
            "开通": (
                *("{s}的账号怎么开通{p}", "想给{s}开个{p}", "帮{s}开通{p}要怎么操作"),
                *("{s}的账号如何开通{p}", "在哪里给{s}开通{p}", "{s}想开{p}要什么步骤"),
            ),
            "开通失败": (
                *("为什么{s}开通不了{p}", "{s}的{p}一直开不了", "给{s}开{p}总是失败"),
                *("{p}不让{s}开通是什么原因", "{s}申请{p}不通过", "{s}怎么开不了{p}"),
            ),
            "关闭": (
                *("{s}的账号怎么关闭{p}", "想把{s}的{p}注销了", "{s}的{p}在哪里关"),
                *("{s}不想用{p}了要怎么关", "如何停掉{s}的{p}", "帮{s}把{p}关了"),
            ),
            "关闭失败": (
                *("{s}的{p}怎么关不掉", "{s}注销不了{p}", "为什么{s}不能关闭{p}"),
                *("给{s}停{p}总是失败", "{s}的{p}关不了是什么原因"),
            ),
            "换手机号": (
                *("{s}的{p}怎么换手机号", "{s}换号码了{p}怎么改", "如何更换{s}的{p}手机号"),
                *("{s}的{p}绑定的手机能换吗", "{s}的{p}想换个手机号码"),
            ),
        },
    ),
    "还款": Topic(
        _scenes(
            "工行卡 建行卡 农行卡 招行卡 中行卡 交行卡 邮政卡 浦发卡 民生卡 余额宝 零钱 工资卡"
        ),
        {
            "还款": (
                *("怎么用{s}还{p}", "{p}可以用{s}还款吗", "想拿{s}还{p}怎么操作"),
                *("{p}如何通过{s}还钱", "还{p}能用{s}吗", "{s}里的钱怎么还{p}"),
            ),
            "提前还款": (
                *("能用{s}提前还{p}吗", "{p}没到期想先用{s}还清", "{s}提前还{p}怎么弄"),
                *("想用{s}早点把{p}还完", "{p}没到日子可以用{s}提前还不"),
            ),
            "部分还款": (
                *("{p}想用{s}先还{n}元", "能不能用{s}只还{n}元{p}", "{s}还{p}能只还{n}元吗"),
                *("{p}先从{s}还{n}元可以吗", "用{s}部分还款{n}元{p}怎么弄"),
            ),
            "还款未到账": (
                *("用{s}还了{n}元{p}怎么没显示", "{s}还{p}的{n}元没到账"),
                *("{p}用{s}还了{n}元还说没还", "为什么{s}还了{n}元{p}没记录"),
                "{s}扣了{n}元{p}却没还上",
            ),
            "自动扣款": (
                *("怎么设置{p}从{s}自动扣款", "{p}想自动扣{s}", "如何打开{p}对{s}的自动还款"),
                *("想让{p}自动从{s}扣钱", "{p}自动用{s}还在哪里设置"),
            ),
            "取消自动扣款": (
                *("怎么取消{p}从{s}自动扣款", "{p}不要自动扣{s}", "如何关掉{p}对{s}的自动还款"),
                *("不想让{p}自动从{s}扣钱", "{p}别再自动扣{s}了，在哪里关"),
            ),
        },
    ),
    "账单": Topic(
        _scenes("一月 二月 三月 四月 五月 六月 七月 八月 九月 十月 上个月 腊月"),
        {
            "查账单": (
                *("{s}的{p}账单怎么看", "在哪里查{s}的{p}账单", "想看一下{s}{p}账单"),
                *("如何查询{s}{p}账单", "{s}{p}账单明细在哪"),
            ),
            "分期": (
                *("{s}的{p}账单能分{n}期吗", "想把{s}{p}分{n}期还", "{s}{p}怎么分{n}期"),
                *("如何给{s}{p}账单分{n}期", "{s}的{p}可以办{n}期分期不"),
            ),
            "取消分期": (
                *("{s}{p}分了{n}期怎么取消", "不想把{s}{p}分{n}期了", "{s}{p}的{n}期分期能撤销吗"),
                *("如何退掉{s}{p}的{n}期分期", "{s}{p}分{n}期点错了想取消"),
            ),
            "账单有误": (
                *("{s}的{p}账单怎么多了{n}元", "{s}{p}多出{n}元是什么", "{s}的{p}多收了我{n}元"),
                *("为什么{s}{p}账单多算{n}元", "{s}{p}账单平白多{n}元"),
            ),
            "延期还款": (
                *("{s}的{p}可以晚几天还吗", "{s}{p}还不上能延期吗", "想推迟还{s}的{p}"),
                *("{s}的{p}能不能缓几天", "{s}{p}账单怎么申请延后还"),
            ),
        },
    ),
    "付款": Topic(
        _scenes("美团 滴滴 饿了么 拼多多 携程 盒马 肯德基 加油站 药店 网吧 电影院 菜市场"),
        {
            "能否付款": (
                *("在{s}能用{p}付款吗", "{s}支持{p}吗", "{s}可以刷{p}不"),
                *("{s}买东西能不能用{p}", "{p}能在{s}用吗", "{s}收不收{p}"),
            ),
            "付款失败": (
                *("{s}为什么用不了{p}", "在{s}用{p}付款失败", "{p}在{s}付不了款"),
                *("{s}不让我用{p}", "怎么在{s}刷不了{p}"),
            ),
            "退款": (
                *("{s}退的{n}元会回到{p}吗", "在{s}用{p}付的{n}元退到哪", "{s}退款{n}元退到{p}不"),
                *("{s}退货的{n}元回{p}吗", "{p}付{s}的{n}元退款去哪里"),
            ),
            "退款未到账": (
                *("{s}退款{n}元{p}没收到", "{s}退的{n}元怎么没回{p}", "{s}退了{n}元，{p}没到账"),
                *("{p}一直没收到{s}退的{n}元", "{s}的{n}元退款{p}里没有"),
            ),
            "扣款疑问": (
                *("{s}为什么扣了我{p}{n}元", "{p}被{s}扣了{n}元是什么", "{s}怎么从{p}扣走{n}元"),
                *("没买东西{s}却扣{p}{n}元", "{p}少了{n}元说是{s}扣的"),
            ),
        },
    ),
    "额度": Topic(
        _scenes("国庆 春节 元旦 中秋 端午 五一 清明 元宵 七夕 双十一 双十二 暑假"),
        {
            "提额": (
                *("{s}能给{p}提额吗", "{s}想提高{p}额度", "{p}额度{s}怎么提升"),
                *("{s}{p}怎么提额", "如何在{s}涨{p}额度"),
            ),
            "查额度": (
                *("{s}{p}额度是多少", "怎么看{p}{s}的额度", "{p}额度{s}在哪里查"),
                *("想知道{s}{p}额度有多少", "{s}如何查看{p}额度"),
            ),
            "降额": (
                *("{s}{p}额度为什么变少", "{s}{p}怎么降额了", "{p}{s}额度被降低了"),
                *("我的{p}到{s}额度少了", "{p}额度{s}怎么变低了"),
            ),
            "临时额度": (
                *("{s}{p}有临时额度吗", "怎么领{p}{s}临时额度", "{p}{s}的临时额度在哪申请"),
                *("{s}想要{p}临时额度", "{s}会不会给{p}临时额度"),
            ),
            "额度未恢复": (
                *("{s}还了{p}额度没恢复", "{p}{s}还清了额度怎么没回来", "{s}还完{p}额度不恢复"),
                *("{s}{p}还款后额度没有回来", "为什么{p}{s}还了不恢复额度"),
            ),
        },
    ),
    "借款": Topic(
        _scenes("装修 买车 交房租 看病 交学费 旅游 结婚 进货 买家电 考驾照 搬家 开店"),
        {
            "利息": (
                *("{p}{n}元{s}利息多少", "{s}用{p}{n}元要多少利息", "用{p}{n}元{s}利息怎么算"),
                *("{s}从{p}借{n}元收多少利息", "想知道{p}{n}元{s}的利息"),
            ),
            "能否借款": (
                *("{s}能从{p}借{n}元吗", "想用{p}借{n}元{s}可以吗", "{p}可以借{n}元{s}不"),
                *("{s}要{n}元，{p}能借吗", "{p}借不借{n}元给我{s}"),
            ),
            "借款失败": (
                *("{s}为什么{p}借不出{n}元", "{p}借{n}元{s}失败了", "{s}用{p}借{n}元不通过"),
                *("{p}不让我借{n}元{s}", "{s}想借{n}元{p}却借不了"),
            ),
            "分期": (
                *("{s}用的{p}能分{n}期吗", "{p}{s}怎么分{n}期还", "{s}的钱{p}可以分{n}期不"),
                *("想把{s}的{p}分{n}期还", "{p}{s}如何分{n}期"),
            ),
        },
    ),
}


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
        texts = _wordings(rng, one, other)
        stars = _stars(rng, one, other) if masked else ("", "")
        first, second = (
            _said(rng, text, family, star)
            for text, family, star in zip(texts, (one, other), stars, strict=True)
        )
        label = source.labels["same" if same else "different"]
        yield _record(first, second, label, group=f"{one.topic} {one.scene}")


def _record(first: str, second: str, label: str, group: str) -> dict:
    """A record whose id follows from its content, so that it stays when others come or go."""
    fields = {"sentence1": first, "sentence2": second}
    name = f"pairs-{digest({'fields': fields, 'label': label})[:12]}"
    return {"id": name, "fields": fields, "label": label, "group": group}


def _unit(topic: str, intent: str) -> str | None:
    """Unit of an intent's number."""
    wording = TOPICS[topic].intents[intent][0]
    return wording[wording.index("{n}") + 3] if "{n}" in wording else None


NUMBERED = [name for name, topic in TOPICS.items() if any(_unit(name, i) for i in topic.intents)]


def _family(rng: Random, numbered: bool) -> Family:
    topic = rng.choice(NUMBERED if numbered else list(TOPICS))
    intents = [i for i in TOPICS[topic].intents if not numbered or _unit(topic, i)]
    scene, product = rng.choice(TOPICS[topic].scenes), rng.choice(list(PRODUCTS))
    return _with_number(rng, Family(topic, scene, product, rng.choice(intents), None))


def _with_number(rng: Random, family: Family, *taken: str | None) -> Family:
    unit = _unit(family.topic, family.intent)
    if unit is None:
        return family
    return family._replace(number=rng.choice([n for n in NUMBERS[unit] if n not in taken]))


def _neighbour(rng: Random, family: Family, masked: bool) -> Family:
    """A family of the same scene that asks something else."""
    kinds = dict(DIFFERENCES)
    if family.number is None or masked:
        kinds.pop("number")
    kind = rng.choices(list(kinds), list(kinds.values()))[0]
    if kind == "number":
        return _with_number(rng, family, family.number)
    if kind == "product":
        return family._replace(product=next(p for p in PRODUCTS if p != family.product))
    intent = rng.choice([i for i in TOPICS[family.topic].intents if i != family.intent])
    other, unit = family._replace(intent=intent), _unit(family.topic, intent)
    if family.number and unit == _unit(family.topic, family.intent):
        return other  # the number is the same, so that it alone gives nothing away
    return _with_number(rng, other._replace(number=None))


def _wordings(rng: Random, one: Family, other: Family) -> tuple[str, str]:
    """A wording of each; of one family two different ones."""
    first = rng.choice(TOPICS[one.topic].intents[one.intent])
    pool = TOPICS[other.topic].intents[other.intent]
    if one == other:
        pool = tuple(wording for wording in pool if wording != first)
    return first, rng.choice(pool)


def _stars(rng: Random, one: Family, other: Family) -> tuple[str, str]:
    """What stands for the number in each sentence, "" for itself; the first has one."""
    hidden = rng.choice(("both", "both", "first", "second"))
    if other.number is None or hidden == "first":
        return rng.choice(STARS), ""
    return rng.choice(STARS) if hidden == "both" else "", rng.choice(STARS)


def _said(rng: Random, wording: str, family: Family, stars: str) -> str:
    """A wording filled in and written as customers write."""
    if rng.random() < SLOPPY_SHARE:
        wording = wording.replace(*rng.choice(SLOPPY))
    text = wording.format(
        s=family.scene, p=rng.choice(PRODUCTS[family.product]), n=stars or family.number
    )
    return rng.choice(POLITE) + text + rng.choice(ENDS)
