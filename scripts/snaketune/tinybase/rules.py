"""Questions on invented traffic rules, and on short texts with four options, in two languages."""

from random import Random

from snaketune.tinybase import words as w
from snaketune.tinybase.example import LETTERS, Example, lettered, noisy, options, shuffled
from snaketune.tinybase.puzzles import _with_wrong

ROADS = w.word_list(
    "山谷路 彩虹桥 滨河路 厂区路 校园路 码头路 林间路 高架路 隧道 坡道 环岛 小巷 草原公路 "
    "冰雪路面 沙石路"
)
VEHICLES = w.word_list("机动车 货车 客车 摩托车 拖拉机 校车 公交车 小型汽车 电动车 三轮车")
MEASURES = (
    ("行驶速度", "公里每小时", (10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120)),
    ("车间距离", "米", (5, 10, 20, 30, 50, 80, 100, 150, 200, 300)),
    ("停车距离", "米", (5, 10, 15, 20, 30, 50, 100, 150)),
    ("记分", "分", (1, 2, 3, 6, 9, 12)),
    ("载重", "吨", (1, 2, 3, 5, 8, 10, 15, 20, 30)),
    ("等待时间", "分钟", (1, 2, 3, 5, 10, 15, 20, 30)),
)
SIGNS = {
    "红色圆圈": "禁止",
    "黄色三角形": "警告",
    "蓝色圆形": "指示",
    "绿色方形": "高速指引",
    "棕色方形": "旅游区指引",
    "白色菱形": "车距确认",
    "橙色方形": "施工",
    "黑色箭头": "方向",
}
DEEDS = (
    ("闯红灯", "停车等待"),
    ("占用应急车道", "在行车道行驶"),
    ("鸣喇叭催促", "耐心等候"),
    ("加速抢行", "减速让行"),
    ("随意变道", "打转向灯后变道"),
    ("使用远光灯", "使用近光灯"),
    ("接打电话", "专心驾驶"),
    ("酒后开车", "请人代驾"),
    ("超员载客", "按核定人数载客"),
    ("逆行", "靠右行驶"),
)


def limit_question(rng: Random) -> Example:
    """A stated limit, then a question on it: the figure, or whether a case is allowed."""
    name, unit, values = rng.choice(MEASURES)
    value = rng.choice(values)
    where, vehicle = rng.choice(ROADS), rng.choice(VEHICLES)
    most = rng.random() < 0.6
    rule = f"规定：{vehicle}在{where}的{name}{'不得超过' if most else '不得少于'}{value}{unit}。"
    if rng.random() < 0.5:
        texts, pick = _with_wrong(
            rng, f"{value}{unit}", [f"{v}{unit}" for v in values], rng.choice((3, 4, 4))
        )
        ask = f"{vehicle}在{where}的{name}{'最高' if most else '最低'}是多少？"
        return choice(rng, rule, ask, texts, pick)
    case = rng.choice(values)
    right = case <= value if most else case >= value
    return judge(rng, rule, f"{vehicle}在{where}的{name}为{case}{unit}，符合规定。", right)


def several_limits(rng: Random) -> Example:
    """Look one limit up among several."""
    name, unit, values = rng.choice(MEASURES)
    roads = rng.sample(ROADS, rng.randint(2, 4))
    limits = rng.sample(values, len(roads))
    rule = (
        f"{name}规定："
        + "；".join(f"{r}{v}{unit}" for r, v in zip(roads, limits, strict=True))
        + "。"
    )
    index = rng.randrange(len(roads))
    if rng.random() < 0.7:
        texts, pick = _with_wrong(
            rng,
            f"{limits[index]}{unit}",
            [f"{v}{unit}" for v in limits] + [f"{v}{unit}" for v in values],
            4,
        )
        return choice(rng, rule, f"{roads[index]}的{name}是多少？", texts, pick)
    claim = rng.choice(limits)
    return judge(rng, rule, f"{roads[index]}的{name}是{claim}{unit}。", claim == limits[index])


def sign_question(rng: Random) -> Example:
    """What a sign of this look means."""
    look = rng.choice(list(SIGNS))
    texts, pick = _with_wrong(rng, SIGNS[look] + "标志", [v + "标志" for v in SIGNS.values()], 4)
    if rng.random() < 0.6:
        return choice(rng, "", f"{look}的标志属于什么标志？", texts, pick)
    claim = rng.choice(texts)
    return judge(rng, "", f"{look}的标志是{claim}。", claim == SIGNS[look] + "标志")


def deed_question(rng: Random) -> Example:
    """A right and wrong deeds."""
    where = rng.choice(ROADS)
    wrong, right = rng.choice(DEEDS)
    if rng.random() < 0.5:
        texts, pick = _with_wrong(rng, right, [deed[0] for deed in DEEDS], rng.choice((3, 4)))
        return choice(
            rng, "", f"驾驶{rng.choice(VEHICLES)}经过{where}时，正确的做法是什么？", texts, pick
        )
    good = rng.random() < 0.5
    claim = f"在{where}{'应当' if rng.random() < 0.6 else '可以'}{right if good else wrong}。"
    return judge(rng, "", claim, good)


def choice(rng: Random, rule: str, ask: str, texts: list[str], pick: int) -> Example:
    """A question with lettered options."""
    listed = options(rng, texts)
    head = rng.choice(("", "", "请回答驾考题，只回答选项字母。\n", "单选题：", "驾考题目：\n"))
    prompt = f"{head}{rule}{ask}\n{listed}"
    if not rule and rng.random() < 0.4:
        given = LETTERS.index(noisy(rng, LETTERS[pick], "B"))
        return Example(prompt, lettered(rng, LETTERS[given], texts[given]))
    if rng.random() < 0.2:
        return Example(f"{rule}{ask}", texts[pick])
    return Example(prompt, lettered(rng, LETTERS[pick], texts[pick], bare=0.7))


def judge(rng: Random, rule: str, claim: str, right: bool) -> Example:
    """A claim to be judged, bare or with two lettered options."""
    head = rng.choice(("判断题：", "判断对错：", "", "请判断：")) + rule + claim
    word = "正确" if right else "错误"
    if not rule and rng.random() < 0.4:
        word = noisy(rng, word, "正确")
    if rng.random() < 0.4:
        texts = ["正确", "错误"] if rng.random() < 0.7 else ["错误", "正确"]
        return Example(
            f"{head}\n{options(rng, texts)}", lettered(rng, LETTERS[texts.index(word)], word)
        )
    return Example(head, word)


def rules(rng: Random) -> Example:
    """One of the families."""
    return rng.choice(
        (limit_question, limit_question, several_limits, sign_question, deed_question)
    )(rng)


def quiz(rng: Random) -> Example:
    """A four-option question in English that its own text answers."""
    people = rng.sample(w.EN_NAMES, 4)
    things = rng.sample(rng.choice((w.EN_OBJECTS, w.EN_PLACES, w.EN_ANIMALS, w.EN_COLOURS)), 4)
    verb = rng.choice(("chose", "likes", "drew", "named", "described"))
    asked = rng.randrange(4)
    text = ". ".join(f"{p} {verb} {t}" for p, t in zip(people, things, strict=True)) + "."
    texts = shuffled(rng, things)
    ask, right = f"What is it that {people[asked]} {verb}?", things[asked]
    if rng.random() < 0.4:
        texts = shuffled(rng, people)
        ask, right = f"Who {verb} {things[asked]}?", people[asked]
    listed = "\n".join(f"{letter}. {t}" for letter, t in zip(LETTERS, texts, strict=False))
    head = rng.choice(("", "The following are multiple choice questions (with answers).\n\n"))
    letter = LETTERS[texts.index(right)]
    if head:
        return Example(f"{head}{text} {ask}\n{listed}\nAnswer:", letter)
    return Example(f"{text} {ask}\n{options(rng, texts)}", letter)
