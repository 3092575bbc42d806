"""Skills that are always answered right: copying, extraction, dates, lookup, options, lists."""

import json
from random import Random

from snaketune.tinybase import words as w
from snaketune.tinybase.example import LETTERS, Example, lettered, options, shuffled


def snippet(rng: Random) -> str:
    """A short piece of text of any script."""
    roll = rng.random()
    if roll < 0.35:
        return w.han(rng, 1, 7)
    if roll < 0.5:
        return "".join(rng.choices("0123456789", k=rng.randint(1, 8)))
    if roll < 0.6:
        return rng.choice(w.ZH_OBJECTS + w.ZH_COLOURS + w.ZH_JOBS)
    if roll < 0.7:
        return w.person(rng)
    if roll < 0.85:
        return " ".join(rng.choices(w.EN_OBJECTS + w.EN_COLOURS + w.EN_NAMES, k=rng.randint(1, 4)))
    if roll < 0.95:
        return "".join(rng.choices("abcdefghijklmnopqrstuvwxyzABCDEFGH-_.", k=rng.randint(2, 9)))
    return "".join(
        chr(rng.choice((0x1F600, 0x3400, 0xE0, 0x410)) + rng.randrange(60)) for _ in "ab"
    )


def distinct(rng: Random, count: int) -> list[str]:
    """Different snippets."""
    found: dict[str, None] = {}
    while len(found) < count:
        found[snippet(rng)] = None
    return list(found)


def repeat(rng: Random) -> Example:
    """Say a text again, whole or the part in quotation marks."""
    text = rng.choice(("", " ", "，")).join(distinct(rng, rng.randint(1, 5)))
    if rng.random() < 0.4:
        before, after = w.han(rng, 0, 8), w.han(rng, 0, 8)
        mark = rng.choice(("“{}”", '"{}"', "《{}》", "【{}】"))
        ask = rng.choice(
            ("引号或括号中的文字是什么？", "请抄写标记出来的部分。", "What is in the marks?")
        )
        return Example(f"{before}{mark.format(text)}{after}\n{ask}", text)
    ask = rng.choice(
        ("请原样复述：", "重复下面的文字：\n", "Repeat exactly: ", "抄写一遍：", "Copy: ")
    )
    return Example(ask + text, text)


def written_date(rng: Random, year: int | None, month: int, day: int) -> str:
    """A date as people write it."""
    styles = [
        "{m}月{d}日",
        "{m}月{d}号",
        "{m}月{d}日",
        "{m}月{d}号",
        "{m}-{d}",
        "{m:02}-{d:02}",
        "{m}/{d}",
        "{m:02}月{d:02}日",
    ]
    if year is None:
        return rng.choice(styles).format(m=month, d=day)
    if rng.random() < 0.75:
        return rng.choice(("{y}年{m}月{d}日", "{y}年{m}月{d}号")).format(y=year, m=month, d=day)
    return rng.choice(("{y}-{m}-{d}", "{y}/{m}/{d}", "{y}-{m:02}-{d:02}", "{y}.{m}.{d}")).format(
        y=year, m=month, d=day
    )


def a_date(rng: Random, with_year: float = 0.5) -> tuple[int | None, int, int]:
    """Year (or none), month and day."""
    year = rng.randint(1950, 2060) if rng.random() < with_year else None
    return year, rng.randint(1, 12), rng.randint(1, 31)


def iso(year: int | None, month: int, day: int) -> str:
    """The date with zero padding."""
    return f"{month:02}-{day:02}" if year is None else f"{year}-{month:02}-{day:02}"


def reformat_date(rng: Random) -> Example:
    """Write a date with zero padding."""
    date = a_date(rng)
    ask = rng.choice(
        (
            "把日期“{}”写成数字格式，补零。",
            "{} → 标准格式",
            "将{}转换为标准日期（月日各两位）。",
            "Write the date {} as numbers with zero padding.",
        )
    )
    return Example(ask.format(written_date(rng, *date)), iso(*date))


def pad_number(rng: Random) -> Example:
    """Pad numbers to two digits."""
    numbers = [rng.randint(0, 31) for _ in range(rng.randint(1, 4))]
    ask = rng.choice(("把下列数字补足两位：", "Pad to two digits: "))
    return Example(ask + ", ".join(map(str, numbers)), ", ".join(f"{n:02}" for n in numbers))


FIELDS = {
    "person": ("姓名", "name"), "phone": ("电话", "phone"), "product": ("商品", "product"),
    "price": ("价格", "price"), "place": ("地点", "place"), "date": ("日期", "date"),
    "time": ("时间", "time"), "city": ("城市", "city"), "company": ("公司", "company"),
}  # fmt: skip


def field_value(rng: Random, field: str) -> tuple[str, str]:
    """A value as written in the sentence, and as extraction gives it."""
    if field == "person":
        value = w.person(rng) if rng.random() < 0.7 else rng.choice(w.EN_NAMES)
    elif field == "phone":
        value = "1" + "".join(rng.choices("0123456789", k=rng.choice((7, 10))))
    elif field == "product":
        value = rng.choice(w.ZH_COLOURS) * rng.randint(0, 1) + rng.choice(w.ZH_OBJECTS)
    elif field == "price":
        value = str(rng.randint(1, 9999))
        return value + rng.choice(("元", "块", "元钱")), value
    elif field == "time":
        hour, minute = rng.randint(0, 23), rng.randint(0, 59)
        return f"{hour}点{minute}分", f"{hour:02}:{minute:02}"
    elif field == "date":
        date = a_date(rng)
        return written_date(rng, *date), iso(*date)
    elif field == "company":
        value = w.han(rng, 2, 4) + rng.choice(("公司", "集团", "银行", "超市"))
    else:
        value = w.place(rng)
    return value, value


PIECES = (
    "{}",
    "在{}",
    "{}的",
    "，{}",
    "。{}",
    "关于{}",
    "到{}去",
    "：{}；",
    " {} ",
    "（{}）",
    "和{}",
    "说{}吧",
    "是{}",
)


def extract(rng: Random) -> Example:
    """Named parts of a sentence as JSON, or one of them alone."""
    fields = rng.sample(list(FIELDS), rng.randint(1, 3))
    values = {field: field_value(rng, field) for field in fields}
    english = rng.random() < 0.4
    label = {field: FIELDS[field][1 if english else 0] for field in fields}
    if rng.random() < 0.35:
        sentence = rng.choice(("，", "；", "\n")).join(
            f"{FIELDS[f][0]}{rng.choice(('是', '：', '为'))}{values[f][0]}"
            for f in shuffled(rng, fields)
        )
    else:
        sentence = "".join(
            w.han(rng, 0, 4) + rng.choice(PIECES).format(values[f][0]) + w.han(rng, 0, 3)
            for f in shuffled(rng, fields)
        )
        sentence += rng.choice(("", "吗？", "。", "呢", "！", "怎么样？"))
    if len(fields) == 1 and rng.random() < 0.6:
        field = fields[0]
        ask = rng.choice(
            ("“{s}”中的{k}是什么？", "找出这句话里的{k}：{s}", "Find the {k} in this sentence: {s}")
        )
        return Example(ask.format(s=sentence, k=label[field]), values[field][1])
    keys = "、".join(label.values())
    frame = rng.choice(
        (
            "给定一句话：“{s}”，请提取{k}，输出JSON。",
            "{s}\n请从上面的话里识别{k}，生成JSON字符串，格式为{f}",
            "句子：{s}\n输出格式：{f}",
            "请你识别这句话中的{k}：“{s}”\n只返回JSON，格式{f}",
            "Extract {k} as JSON: {s}",
        )
    )
    shape = "{" + ",".join(f'"{name}":{FIELDS[f][0]}' for f, name in label.items()) + "}"
    answer = json.dumps({label[f]: values[f][1] for f in fields}, ensure_ascii=False)
    return Example(frame.format(s=sentence, k=keys, f=shape), answer)


def table(rng: Random) -> Example:
    """Look a value up by its key, or a key by its value."""
    count = rng.randint(2, 7)
    items = distinct(rng, 2 * count)
    keys, values = items[:count], items[count:]
    link = rng.choice(("={}", "：{}", " -> {}", "是{}", " | {}", " is {}"))
    rows = rng.choice(("\n", "；", "，", "; ")).join(
        key + link.format(value) for key, value in zip(keys, values, strict=True)
    )
    pick = rng.randrange(count)
    if rng.random() < 0.75:
        ask = rng.choice(("{}对应什么？", "问：{}？", "查表：{}", "What goes with {}?"))
        return Example(f"{rows}\n{ask.format(keys[pick])}", values[pick])
    ask = rng.choice(("哪一项对应{}？", "Which key has {}?"))
    return Example(f"{rows}\n{ask.format(values[pick])}", keys[pick])


def option_value(rng: Random) -> Example:
    """From option text to letter and back."""
    texts = distinct(rng, rng.randint(2, 5))
    pick = rng.randrange(len(texts))
    listed = options(rng, texts)
    if rng.random() < 0.25:
        ask = rng.choice(("选项{}的内容是什么？", "What is option {}?", "{}项写的是什么？"))
        return Example(f"{listed}\n{ask.format(LETTERS[pick])}", texts[pick])
    if rng.random() < 0.5:
        ask = rng.choice(
            ("哪个选项是“{}”？", "Which option says {}?", "请选出{}。", "应选{}，是哪一项？")
        )
        return Example(f"{listed}\n{ask.format(texts[pick])}", LETTERS[pick])
    ask = rng.choice(
        (
            "正确的是{}。\n",
            "The right one is {}.\n",
            "答案内容：{}\n",
            "{}\n以上是题目，请选择相同的一项。\n",
        )
    )
    return Example(ask.format(texts[pick]) + listed, LETTERS[pick])


def numbers(rng: Random, count: int) -> list[int]:
    """Different whole numbers of like size."""
    top = rng.choice((10, 20, 20, 50, 100, 1000))
    return rng.sample(range(top + 1), min(count, top))


NTH = ("第一", "第二", "第三", "第四", "第五")


def list_question(rng: Random) -> Example:
    """Largest, smallest, n-th, last, count, order or membership in a short list."""
    numeric = rng.random() < 0.6
    items = numbers(rng, rng.randint(3, 8)) if numeric else distinct(rng, rng.randint(3, 7))
    text = (
        "[" + ", ".join(map(str, items)) + "]" if rng.random() < 0.6 else "，".join(map(str, items))
    )
    roll = rng.random()
    if roll < 0.2:
        inside = rng.random() < 0.5
        asked = (
            rng.choice(items)
            if inside
            else next(
                x
                for x in (numbers(rng, 1)[0] if numeric else snippet(rng) for _ in range(99))
                if x not in items
            )
        )
        chinese = rng.random() < 0.6
        ask = f"{asked}在其中吗？" if chinese else f"Is {asked} in the list?"
        return Example(
            f"列表：{text}\n{ask}",
            ("是", "否")[not inside] if chinese else ("yes", "no")[not inside],
        )
    if roll < 0.5 or not numeric:
        index = rng.choice((0, -1, rng.randrange(min(5, len(items)))))
        ask = {0: "第一个", -1: "最后一个"}.get(index, NTH[index] + "个")
        return Example(f"列表：{text}\n{ask}元素是什么？", str(items[index]))
    order = sorted(items)
    kinds = (("最大", order[-1]), ("最小", order[0]), ("第二大", order[-2]), ("第二小", order[1]))
    word, value = rng.choice(kinds)
    if roll < 0.6:
        return Example(f"从小到大排列：{text}", ", ".join(map(str, order)))
    return Example(f"列表：{text}\n{word}的数是多少？", str(value))


def compare_numbers(rng: Random) -> Example:
    """Which of two numbers is larger, and is one within a limit."""
    left, right = numbers(rng, 2)
    if rng.random() < 0.2:
        right = left
    roll = rng.random()
    if roll < 0.35:
        ask = f"{left}和{right}，" + rng.choice(("哪个大？", "较大的是？"))
        return Example(ask, "一样大" if left == right else str(max(left, right)))
    word, holds = rng.choice(
        (
            ("大于", left > right), ("小于", left < right), ("不超过", left <= right),
            ("至少是", left >= right), ("等于", left == right), ("多于", left > right),
        )
    )  # fmt: skip
    if roll < 0.8:
        return Example(f"{left}{word}{right}吗？", "是" if holds else "否")
    return Example(f"判断：{left}{word}{right}。", "正确" if holds else "错误")


def same_text(rng: Random) -> Example:
    """Are two texts equal; if not, where do they differ."""
    parts = distinct(rng, rng.randint(2, 6))
    other = list(parts)
    pick = rng.randrange(len(parts))
    equal = rng.random() < 0.5
    if not equal:
        other[pick] = next(x for x in (snippet(rng) for _ in range(99)) if x not in parts)
    glue = rng.choice((" ", "，", "、"))
    first, second = glue.join(parts), glue.join(other)
    roll = rng.random()
    if roll < 0.3:
        answer = "相同" if equal else f"不同：{parts[pick]}变成了{other[pick]}"
        return Example(f"甲：{first}\n乙：{second}\n找出不同之处。", answer)
    if roll < 0.7:
        frame = rng.choice(
            (
                "句子1：{}\n句子2：{}\n两句一样吗？",
                "“{}”和“{}”相同吗？",
                "甲：{}\n乙：{}\n是否相同？",
            )
        )
        return Example(frame.format(first, second), "相同" if equal else "不相同")
    frame = rng.choice(('Is "{}" the same as "{}"?', "A: {}\nB: {}\nSame?"))
    return Example(frame.format(first, second), "yes" if equal else "no")


def choose_skill(rng: Random) -> Example:
    """A list or comparison question asked with lettered options."""
    roll = rng.random()
    if roll < 0.6:
        items = numbers(rng, rng.randint(2, 5))
        order = sorted(items)
        word, value = rng.choice((("最大", order[-1]), ("最小", order[0]), ("第二大", order[-2])))
        shown = shuffled(rng, items)
        ask = f"数字有：{', '.join(map(str, items))}。{word}的是哪个？\n"
        texts = [str(n) for n in shown]
        pick = shown.index(value)
    else:
        items = distinct(rng, rng.randint(3, 5))
        index = rng.randrange(len(items))
        texts = shuffled(rng, items)
        ask = f"名单：{'、'.join(items)}。排在{NTH[index]}位的是？\n"
        pick = texts.index(items[index])
    return Example(ask + options(rng, texts), lettered(rng, LETTERS[pick], texts[pick], bare=0.9))
