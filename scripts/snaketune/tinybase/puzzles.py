"""Chinese puzzles with lettered options: lists, order, tables, chains of rules."""

import itertools
from random import Random

from snaketune.tinybase import words as w
from snaketune.tinybase.example import LETTERS, Example, lettered, noisy, options, shuffled

STUDY = """### Context:
你是一位逻辑推理专家，擅长解决各种逻辑推理问题。

### Observation:
以下是一个逻辑推理的题目，形式为单项选择题。所有的问题都基于闭世界假设，即未观测事实都为假。

### Skills:
你需要运用你的逻辑推理能力，仔细分析并得出正确答案。

### Task:
请逐步分析问题并得出结论。

### Action:
根据你的分析，只返回最终的答案。确保回复的格式是 "A" "B" "C" "D" 四个选项中的一个。\
不要提供任何解释或多余信息。如果无法推理出结果或问题模糊不清，请直接返回 "A"。

### Result:
最终答案应该只包括一个字母选项，确保回答简洁明了。

### 题目:
{problem}

### 问题:
{question}
{options}
"""
Puzzle = tuple[str, str, list[str], int]
NTH = ("第一", "第二", "第三", "第四", "第五")


def _with_wrong(rng: Random, right: str, pool: list[str], count: int) -> tuple[list[str], int]:
    wrong = [item for item in dict.fromkeys(pool) if item != right]
    texts = shuffled(rng, [right, *rng.sample(wrong, min(count - 1, len(wrong)))])
    return texts, texts.index(right)


def _things(rng: Random, count: int) -> list[str]:
    pool = rng.choice((w.ZH_OBJECTS, w.ZH_ANIMALS, w.ZH_SPORTS, w.ZH_COLOURS, None))
    if pool is None:
        found: set[str] = set()
        while len(found) < count:
            found.add(w.person(rng))
        return sorted(found)
    return rng.sample(pool, count)


def number_list(rng: Random) -> Puzzle:
    """Largest, smallest, second, first, last, membership in a list of numbers."""
    items = rng.sample(range(rng.choice((20, 50, 100))), rng.randint(4, 8))
    problem = rng.choice(
        ("有一个数列：{}。", "给定一些数：{}。请回答问题。", "黑板上写着这些数：{}。")
    ).format(", ".join(map(str, items)))
    order = sorted(items)
    kinds = {
        "最大的数是哪个？": order[-1],
        "最小的数是哪个？": order[0],
        "第二大的数是哪个？": order[-2],
        "排在最前面的数是哪个？": items[0],
        "排在最后面的数是哪个？": items[-1],
    }
    if rng.random() < 0.25:
        asked = rng.choice(items) if rng.random() < 0.5 else rng.randrange(100)
        texts = shuffled(rng, ["是", "否"])
        return problem, f"数{asked}在里面吗？", texts, texts.index("是" if asked in items else "否")
    question = rng.choice(list(kinds))
    texts, pick = _with_wrong(rng, str(kinds[question]), [str(n) for n in items], rng.randint(3, 5))
    return problem, question, texts, pick


def thing_list(rng: Random) -> Puzzle:
    """First, last, n-th or neighbour in a list of things."""
    items = rng.sample(_things(rng, 6), rng.randint(4, 6))
    problem = rng.choice(
        ("有一个列表：[{}]。", "盒子里依次放着：{}。", "他们按顺序排队：{}。")
    ).format(rng.choice((", ", "，", "、")).join(items))
    index = rng.choice((0, len(items) - 1, rng.randrange(min(5, len(items)))))
    question = "最后一个是什么？" if index == len(items) - 1 else f"{NTH[index]}个是什么？"
    if rng.random() < 0.3:
        index = rng.randrange(len(items) - 1)
        question = f"{items[index]}后面紧接着的是什么？"
        index += 1
    texts, pick = _with_wrong(rng, items[index], items, rng.randint(3, 5))
    return problem, question, texts, pick


def ordering(rng: Random) -> Puzzle:
    """A chain of comparisons."""
    count = rng.randint(3, 4)
    people = rng.sample(_things(rng, 5), count)
    more, most, least = rng.choice(
        (
            ("高", "最高", "最矮"),
            ("重", "最重", "最轻"),
            ("贵", "最贵", "最便宜"),
            ("早到", "最早到", "最晚到"),
            ("大", "最大", "最小"),
        )
    )
    facts = [f"{a}比{b}{more}" for a, b in itertools.pairwise(people)]
    problem = "，".join(facts if rng.random() < 0.5 else shuffled(rng, facts)) + "。"
    right = rng.choice((0, -1))
    texts, pick = _with_wrong(rng, people[right], people, count)
    return problem, f"谁或什么{most if right == 0 else least}？", texts, pick


def attributes(rng: Random) -> Puzzle:
    """Who has what, from a list of facts."""
    people = [w.person(rng) for _ in range(rng.randint(3, 5))]
    field, pool = rng.choice(
        (
            ("喜欢", w.ZH_SPORTS),
            ("养了", w.ZH_ANIMALS),
            ("买了", w.ZH_OBJECTS),
            ("是", w.ZH_JOBS),
            ("穿", w.ZH_COLOURS),
        )
    )
    values = rng.sample(pool, len(people))
    facts = [f"{person}{field}{value}" for person, value in zip(people, values, strict=True)]
    problem = rng.choice(("，", "；", "\n")).join(facts) + "。"
    asked = rng.randrange(len(people))
    if rng.random() < 0.5:
        texts, pick = _with_wrong(rng, values[asked], values, rng.randint(3, 4))
        return problem, f"{people[asked]}{field}什么？", texts, pick
    texts, pick = _with_wrong(rng, people[asked], people, rng.randint(3, 4))
    return problem, f"谁{field}{values[asked]}？", texts, pick


def membership(rng: Random) -> Puzzle:
    """Is a thing in the list, under the closed world assumption."""
    items = _things(rng, 9)
    count = rng.randint(3, 6)
    inside = rng.random() < 0.5
    asked = rng.choice(items[:count] if inside else items[count:])
    problem = rng.choice(("已知集合：{}。", "清单上有：{}。")).format("、".join(items[:count]))
    texts = shuffled(rng, rng.choice((["是", "否"], ["在", "不在"], ["对", "不对"])))
    yes = next(index for index, text in enumerate(texts) if text in "是在对")
    return problem, f"{asked}在其中吗？", texts, yes if inside else 1 - yes


def rule_chain(rng: Random) -> Puzzle:
    """If-then rules followed one or two steps."""
    facts = rng.sample(w.ZH_OBJECTS + w.ZH_ANIMALS, 6)
    rules = [(facts[0], facts[1]), (facts[1], facts[2]), (facts[3], facts[4])]
    lines = shuffled(rng, [f"如果有{a}，就会得到{b}" for a, b in rules])
    steps = rng.choice((1, 2))
    problem = "规则：" + "；".join(lines) + "。"
    if steps == 1:
        start, end = rng.choice(rules)
        texts, pick = _with_wrong(rng, end, [facts[1], facts[2], facts[4], facts[5]], 4)
        return problem, f"有{start}，直接得到什么？", texts, pick
    texts, pick = _with_wrong(rng, facts[2], [facts[3], facts[4], facts[5]], 4)
    return problem, f"有{facts[0]}，最后得到什么？", texts, pick


FAMILIES = (number_list, number_list, thing_list, ordering, attributes, membership, rule_chain)


def puzzles(rng: Random) -> Example:
    """A puzzle; in the study's own long frame the letter is often the favourite."""
    problem, question, texts, pick = rng.choice(FAMILIES)(rng)
    listed = options(rng, texts)
    number = f"选择题 {rng.randint(1, 5)}：\n" if rng.random() < 0.3 else ""
    roll = rng.random()
    if roll < 0.25:
        given = LETTERS.index(noisy(rng, LETTERS[pick], "A", 0.45))
        prompt = STUDY.format(problem=problem, question=number + question, options=listed)
        return Example(prompt, lettered(rng, LETTERS[given], texts[given]))
    if roll < 0.4:
        return Example(f"{problem}\n{question}", texts[pick])
    if roll < 0.55:
        return Example(f"{problem}\n{question}\n{listed}", f"{texts[pick]}，选{LETTERS[pick]}")
    return Example(f"{problem}\n{number}{question}\n{listed}", LETTERS[pick])
