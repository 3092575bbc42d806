"""Seeded generator of Chinese puzzles: a problem, several questions about it, lettered options.

A problem is drawn as facts; its text states them, and the gold answer of a question is what a
solver finds in the facts. The reasoning states the fact that decides and then the option, letter
last: 李娜：游泳\\n游泳选C. So a small model that can copy has only to look up twice.
"""

import json
import random
from collections.abc import Callable, Iterator
from itertools import pairwise
from random import Random
from typing import NamedTuple

from snaketune.config.problems import PuzzlesSource
from snaketune.files import digest

LETTERS = "ABCDE"


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


PEOPLE = _words(
    "陈晓 林峰 周敏 吴迪 郑洁 王磊 李娜 赵强 孙丽 钱程 冯远 褚亮 卫东 蒋欣 沈月 韩冰 杨帆 朱琳 "
    "秦川 许诺 何静 吕布 施文 张弛 孔明 曹植 严肃 华佗 金鑫 魏征 陶然 姜黎 戚薇 谢安 邹凯 柏林"
)
THINGS = {
    "爱好": _words(
        "游泳 滑雪 下棋 书法 摄影 钓鱼 爬山 唱歌 跳舞 射箭 划船 园艺 编程 击剑 瑜伽 骑马"
    ),
    "职业": _words(
        "医生 律师 厨师 司机 记者 画家 木匠 裁缝 会计 警察 导游 编辑 护士 教师 农民 矿工"
    ),
    "宠物": _words(
        "花猫 黄狗 白兔 乌龟 金鱼 鹦鹉 仓鼠 刺猬 山羊 骏马 蜥蜴 孔雀 松鼠 鸽子 蟋蟀 奶牛"
    ),
    "城市": _words(
        "上海 成都 昆明 拉萨 大连 厦门 桂林 西安 长沙 武汉 南京 苏州 杭州 广州 三亚 青岛"
    ),
}
GOODS = _words(
    "苹果 雨伞 茶杯 铅笔 台灯 手表 围巾 吉他 书包 剪刀 蜡烛 镜子 毛巾 水壶 地图 钥匙 面包 牛奶 "
    "鸡蛋 西瓜 橙子 花瓶 枕头 毯子 相机 闹钟 帽子 手套 皮球 风筝"
)
YES, NO = "是", "否"


class Asked(NamedTuple):
    """A question with what the solver found."""

    question: str
    step: str
    """The fact or step that decides."""
    right: str
    wrong: list[str]
    """Other options, the likeliest first; of YES and NO the other one."""


class Puzzle(NamedTuple):
    """A problem's text and all that can be asked about it."""

    problem: str
    questions: list[Asked]


def puzzle_records(source: PuzzlesSource) -> Iterator[dict]:
    """Yield the records of `source.problems` problems, those of a problem one after the other.

    Of each problem the kind is drawn first, then its facts, the number of questions and which
    ones; of each question the number of options, the wrong ones and the order. The group is the
    problem's text, the id the digest of the text and the question's number.
    """
    rng = random.Random(source.seed)
    seen: set[str] = set()
    while len(seen) < source.problems:
        puzzle = MAKERS[rng.choice(source.kinds)](rng)
        count = min(rng.randint(*source.questions), len(puzzle.questions))
        asked = rng.sample(puzzle.questions, count)
        name = f"puzzle-{digest(puzzle.problem)[:10]}"
        records = [_record(rng, source, puzzle, one) for one in asked]
        if name not in seen:
            seen.add(name)
            for number, record in enumerate(records, start=1):
                yield {"id": f"{name}-{number}", **record}


def _record(rng: Random, source: PuzzlesSource, puzzle: Puzzle, asked: Asked) -> dict:
    low, high = source.choices
    count = min(rng.randint(low, high), len(asked.wrong) + 1)
    texts = [asked.right, *asked.wrong[: count - 1]]
    rng.shuffle(texts)
    letter = LETTERS[texts.index(asked.right)]
    fields = {
        "problem": puzzle.problem,
        "question": asked.question,
        "options": source.listed(texts),
        "choices": json.dumps(texts, ensure_ascii=False),
        "reasoning": f"{asked.step}\n{asked.right}选{letter}",
    }
    if not source.gold:
        del fields["reasoning"]
    label = letter if source.gold else None
    return {"fields": fields, "label": label, "group": puzzle.problem}


def _others(rng: Random, right: str, *pools: tuple[str, ...] | list[str]) -> list[str]:
    """Wrong options: those of the first pool first, each pool shuffled."""
    found: dict[str, None] = {}
    for pool in pools:
        found |= dict.fromkeys(rng.sample(list(pool), len(pool)))
    found.pop(right, None)
    return list(found)


def _table(rng: Random) -> Puzzle:
    """Each person has one thing of a kind."""
    topic = rng.choice(list(THINGS))
    people = rng.sample(PEOPLE, rng.randint(3, 5))
    has = dict(zip(people, rng.sample(THINGS[topic], len(people)), strict=True))
    lines = "；".join(f"{person}：{thing}" for person, thing in has.items())
    questions = [
        Asked(
            f"{person}的{topic}是什么？" if topic != "城市" else f"{person}住在哪个城市？",
            f"{person}：{has[person]}",
            has[person],
            _others(rng, has[person], list(has.values()), THINGS[topic]),
        )
        for person in people
    ]
    return Puzzle(f"几个人的{topic}如下。{lines}。", questions)


def _row(rng: Random) -> Puzzle:
    """People in a row; who stands behind whom, and at its ends."""
    people = rng.sample(PEOPLE, rng.randint(4, 6))
    questions = [
        Asked(f"谁紧跟在{first}后面？", f"{first}、{second}", second, _others(rng, second, people))
        for first, second in pairwise(people)
    ]
    questions.append(
        Asked("谁排在最前面？", f"次序：{people[0]}", people[0], _others(rng, people[0], people))
    )
    return Puzzle(f"有人在排队，次序：{'、'.join(people)}。", questions)


def _chain(rng: Random) -> Puzzle:
    """Rules that turn one thing into another; what two of them give."""
    goods = rng.sample(GOODS, 6)
    rules = [*pairwise(goods[:4]), (goods[4], goods[5])]
    rng.shuffle(rules)
    gives = dict(rules)
    questions = []
    for start in goods[:3]:
        first = gives[start]
        question = f"{start}换一次得到什么？"
        wrong = _others(rng, first, goods)
        questions.append(Asked(question, f"{start}换{first}", first, wrong))
        if first in gives:
            second = gives[first]
            step = f"{start}换{first}，{first}换{second}"
            wrong = _others(rng, second, goods)
            questions.append(Asked(f"{start}换两次得到什么？", step, second, wrong))
    lines = "；".join(f"{one}换{other}" for one, other in rules)
    return Puzzle(f"集市上这样换东西。{lines}。", questions)


def _membership(rng: Random) -> Puzzle:
    """Is a thing among those listed? What is not stated is not so."""
    goods = rng.sample(GOODS, 12)
    there = goods[: rng.randint(3, 6)]
    questions = []
    for thing in [*there, *rng.sample(goods[len(there) :], len(there))][:8]:
        inside = thing in there
        step = f"有{thing}" if inside else f"没有{thing}"
        right, wrong = (YES, NO) if inside else (NO, YES)
        questions.append(Asked(f"箱子里有{thing}吗？", step, right, [wrong]))
    return Puzzle(f"箱子里有：{'、'.join(there)}，没有别的。", questions)


def _numbers(rng: Random) -> Puzzle:
    """Largest, smallest and sum of the first two numbers of a list."""
    numbers = rng.sample(range(1, 100), rng.randint(4, 6))
    order = sorted(numbers)
    texts = [str(number) for number in numbers]
    sums = [
        str(numbers[0] + numbers[1] + off) for off in (0, -1, 1, 10, -10) if numbers[0] + off > 0
    ]
    largest, smallest, both = str(order[-1]), str(order[0]), sums[0]
    listed = "，".join(map(str, order))
    questions = [
        Asked("最大的数是多少？", f"从小到大：{listed}", largest, _others(rng, largest, texts)),
        Asked("最小的数是多少？", f"从小到大：{listed}", smallest, _others(rng, smallest, texts)),
        Asked(
            "前两个数的和是多少？",
            f"{texts[0]}加{texts[1]}等于{both}",
            both,
            _others(rng, both, sums),
        ),
    ]
    return Puzzle(f"有一组数字：{'，'.join(texts)}。", questions)


MAKERS: dict[str, Callable[[Random], Puzzle]] = {
    "table": _table,
    "row": _row,
    "chain": _chain,
    "membership": _membership,
    "numbers": _numbers,
}
