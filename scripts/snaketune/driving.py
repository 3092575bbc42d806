"""Seeded generator of driving-test questions, as one or several sites would have them.

The rules are those of no country: each family has facts that map a case (a road, a deed, a sign)
to a figure or a meaning, drawn from the seed. A fact is asked in many ways: by options, as a claim
that may be wrong, or several cases at once. So what tuning taught by other questions about a fact
answers one that it has not met. Figures are only looked up and compared for being equal, never
ordered. An explanation states the facts that decide.

Some questions have a picture that decides; no text answers them. Their stems are all alike.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from random import Random

from snaketune.config.driving import DrivingSettings
from snaketune.errors import UserError
from snaketune.files import digest
from snaketune.questions import JUDGE_OPTIONS, Question


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


@dataclass(frozen=True)
class Family:
    """Facts of one kind. In stems `{c}` is a case, `{w}` the scene, `{v}` a value."""

    cases: tuple[str, ...]
    values: tuple[str, ...]
    fact: str
    """States a fact shortly, in an explanation."""
    asks: tuple[str, ...]
    claims: tuple[str, ...]
    several: tuple[str, ...]
    """Ask which of four cases have the value."""

    def first(self, cases: int) -> "Family":
        """The family with only so many cases."""
        return replace(self, cases=self.cases[:cases])


FAMILIES = {
    "limit": Family(
        _words(
            "滨河路 山谷道 彩虹桥 校园 码头 涵洞 环岛 胡同 "
            "林间路 高架桥 厂区 草原道 沙石路 集市街 堤坝 盘山道"
        ),
        _words("25 40 58 73"),
        "{c}限速{v}公里",
        (
            "{w}在{c}行驶，最高时速是多少公里？",
            "{c}上{w}不能超过多少公里的时速？",
            "{w}经过{c}时限速几公里？",
        ),
        ("{w}在{c}的最高时速是{v}公里。", "经过{c}，{w}限速{v}公里。"),
        ("{w}走下面哪些路限速{v}公里？",),
    ),
    "points": Family(
        _words(
            "闯红灯 逆行 超员 接电话 压实线 遮挡号牌 酒驾 乱停车 "
            "强行超车 不系安全带 占应急道 不让行人 乱鸣喇叭 开远光灯 乱变道 拖车过快"
        ),
        _words("1 3 6 9"),
        "{c}记{v}分",
        ("{w}{c}，一次记多少分？", "对{c}的{w}，每次要记几分？", "因{c}被查，{w}该记的分是？"),
        ("{w}{c}，一次记{v}分。", "查到{c}，对{w}每次记{v}分。"),
        ("{w}有下面哪些行为会记{v}分？",),
    ),
    "distance": Family(
        _words(
            "消防站 学校 医院 桥头 弯道 陡坡 路口 水井 "
            "加油站 公交站 铁路口 人行横道 急救站 窄巷 收费站 岗亭"
        ),
        _words("10 35 62 88"),
        "{c}留{v}米",
        (
            "{w}停在{c}旁，至少相距多少米？",
            "离{c}多少米{w}才可以停？",
            "{c}附近，{w}要留出几米？",
        ),
        ("{w}停在{c}旁至少要相距{v}米。", "距{c}{v}米以外，{w}才可以停。"),
        ("{w}停在下面哪些地方要留{v}米？",),
    ),
    "sign": Family(
        _words(
            "红圈白马 红圈黑树 红圈白伞 蓝底白鹿 蓝底白船 蓝底白月 黄底黑羊 黄底黑塔 "
            "黄底黑浪 绿底白星 绿底白帆 绿底白花 棕底白山 棕底白桥 白底蓝鸟 白底红叶"
        ),
        _words("禁止驶入 注意落石 允许掉头 进入景区"),
        "{c}表示{v}",
        ("{w}看到{c}的标志，它表示什么？", "{c}的标志告诉{w}什么？", "画着{c}的牌子对{w}是何意？"),
        ("{w}看到的{c}标志表示{v}。", "画着{c}的牌子告诉{w}：{v}。"),
        ("{w}遇到下面哪些标志表示{v}？",),
    ),
}
TIMES = ("", "清晨", "夜间", "雨季", "周末", "节日", "春运", "降温后")
DRIVERS = _words(
    "轿车 大货车 摩托手 拖拉机 出租司机 校巴 快递员 新手 教练 代驾 油罐车 洒水车 老张 搬家工 "
    "电瓶车 三轮摩托 救护人员 房车"
)
PICTURE_STEMS = ("这个标志是何含义？", "图中标志表示什么？")
LETTERS = 4
"""Options of a question that is none to be judged."""
KINDS = {"single": 55, "judge": 33, "multi": 12}
"""Type → how often it is drawn."""
SYNONYMS = (
    ("行驶", "行进"),
    ("最高时速", "时速上限"),
    ("不能超过", "不得超过"),
    ("至少", "最少"),
    ("下面", "下列"),
    ("看到", "见到"),
    ("表示", "意思是"),
    ("经过", "路过"),
    ("可以", "能够"),
    ("何含义", "什么含义"),
)
"""What a site may write in place of the bank's words."""
FULL_WIDTH = str.maketrans("0123456789", "０１２３４５６７８９")
HALF_WIDTH = str.maketrans("，。？：；", ",.?:;")


def driving_questions(settings: DrivingSettings, source: str) -> list[Question]:
    """The questions of a site; the same for the same settings.

    Args:
        settings: which bank, which part of it, and in which words.
        source: the site's name.
    """
    site = Random(f"{settings.seed}/{settings.variant}/site")
    held = []
    for question in bank(settings):
        if site.random() < settings.share:
            held.append(_as_site_has_it(question, settings.variant, site))
    for place in sorted(site.sample(range(len(held)), min(settings.conflicts, len(held)))):
        held[place] = _contradicted(held[place], site)
    return [
        question.model_copy(
            update={"id": f"{source}-{number}", "source": source, "source_id": str(number)}
        )
        for number, question in enumerate(held, start=1 + 1000 * settings.variant)
    ]


def bank(settings: DrivingSettings) -> Iterator[Question]:
    """Yield all questions of a bank, no two alike."""
    rng = Random(f"{settings.seed}/bank")
    families = {name: family.first(settings.cases) for name, family in FAMILIES.items()}
    facts = {name: _facts(family, rng) for name, family in families.items()}
    seen: set[str] = set()
    tries = 0
    while len(seen) < settings.questions:
        tries += 1
        if tries > 100 * settings.questions:
            raise UserError(
                f"questions: {settings.cases} cases a family are not enough for "
                f"{settings.questions:,} different questions. Lower questions, or raise cases."
            )
        if rng.random() < settings.pictures:
            made = _picture(rng)
        else:
            name = rng.choice(list(families))
            kind = rng.choices(list(KINDS), list(KINDS.values()))[0]
            made = MAKERS[kind](families[name], facts[name], rng)
        key = digest([made["stem"], sorted(made["options"]), made.get("media")])
        if key not in seen:
            seen.add(key)
            number = str(len(seen))
            yield Question(id=f"bank-{number}", source="bank", source_id=number, **made)


def _facts(family: Family, rng: Random) -> dict[str, str]:
    """Case → value; every value has about as many cases."""
    values = [family.values[i % len(family.values)] for i in range(len(family.cases))]
    return dict(zip(family.cases, rng.sample(values, len(values)), strict=True))


def _scene(rng: Random) -> str:
    return rng.choice(TIMES) + rng.choice(DRIVERS)


def _single(family: Family, facts: dict[str, str], rng: Random) -> dict:
    case, scene = rng.choice(family.cases), _scene(rng)
    right = facts[case]
    wrong = rng.sample([value for value in family.values if value != right], LETTERS - 1)
    return {
        "stem": rng.choice(family.asks).format(c=case, w=scene),
        "options": rng.sample([right, *wrong], LETTERS),
        "answer": [right],
        "type": "single",
        "explanation": family.fact.format(c=case, v=right) + "。",
    }


def _judge(family: Family, facts: dict[str, str], rng: Random) -> dict:
    case, scene = rng.choice(family.cases), _scene(rng)
    right = claimed = facts[case]
    if rng.random() < 0.5:
        claimed = rng.choice([value for value in family.values if value != right])
    return {
        "stem": rng.choice(family.claims).format(c=case, w=scene, v=claimed),
        "options": list(JUDGE_OPTIONS),
        "answer": [JUDGE_OPTIONS[claimed != right]],
        "type": "judge",
        "explanation": family.fact.format(c=case, v=right) + "。",
    }


def _multi(family: Family, facts: dict[str, str], rng: Random) -> dict:
    value, scene = rng.choice(family.values), _scene(rng)
    fitting = [case for case in family.cases if facts[case] == value]
    right = rng.sample(fitting, min(len(fitting), rng.choice((2, 2, 3))))
    others = [case for case in family.cases if facts[case] != value]
    options = rng.sample([*right, *rng.sample(others, LETTERS - len(right))], LETTERS)
    said = [family.fact.format(c=case, v=facts[case]) for case in options]
    return {
        "stem": rng.choice(family.several).format(w=scene, v=value),
        "options": options,
        "answer": [case for case in options if case in right],
        "type": "multi",
        "explanation": "，".join(said) + "。",
    }


def _picture(rng: Random) -> dict:
    family = FAMILIES["sign"]
    options = rng.sample(family.values, LETTERS)
    return {
        "stem": rng.choice(PICTURE_STEMS),
        "options": options,
        "answer": [rng.choice(options)],
        "type": "single",
        "media": f"sign-{rng.randrange(10_000):04d}.jpg",
        "explanation": "看图中的标志。",
    }


MAKERS: dict[str, Callable[[Family, dict[str, str], Random], dict]] = {
    "single": _single,
    "judge": _judge,
    "multi": _multi,
}


def _as_site_has_it(question: Question, variant: int, site: Random) -> Question:
    if not variant:
        return question
    stem = question.stem
    found = [pair for pair in SYNONYMS if pair[0] in stem]
    if found and site.random() < 0.3:
        stem = stem.replace(*site.choice(found))
    if site.random() < 0.3:
        stem = stem.translate(HALF_WIDTH)
    wide = site.random() < 0.2
    options = [text.translate(FULL_WIDTH) if wide else text for text in question.options]
    right = [options[question.options.index(text)] for text in question.answer]
    stem = stem.translate(FULL_WIDTH) if wide else stem
    stem = f" {stem}" if site.random() < 0.1 else stem
    if question.type != "judge":
        options = site.sample(options, len(options))
    return question.model_copy(
        update={
            "stem": stem,
            "options": options,
            "answer": [text for text in options if text in right],
        }
    )


def _contradicted(question: Question, site: random.Random) -> Question:
    """The question with one wrong option as its answer."""
    wrong = [text for text in question.options if text not in question.answer]
    return question.model_copy(update={"answer": [site.choice(wrong)]})
