"""Chinese pairs of questions to a customer service: same meaning or not."""

from random import Random

from snaketune.tinybase.example import Example, noisy, options
from snaketune.tinybase.words import word_list

STUDY_SYSTEM = (
    "你是一位资深严谨的花呗金融客服，你的任务是判断客户的两句话在金融场景下语义是否相同。"
    "注意先严谨地重点分析并输出150字左右的这两句话的关键词、意图、主体和核心语义的异同。"
    "然后得出结论‘相同’或‘不相同’。\n"
)
SYSTEMS = (
    "你是一位{p}客服，请判断客户的两句话意思是否相同。",
    "你的任务是判断两句话语义是否相同，先分析再给出结论‘相同’或‘不相同’。",
    "你是严谨的客服，请比较两句话。",
)
# Services other than those of the study.
PRODUCTS = word_list(
    "校园卡 公交卡 会员卡 信用卡 储蓄卡 购物卡 加油卡 借书证 宽带 流量包 白鸽贷 青松贷 飞燕贷 "
    "小麦分期 云朵钱包 星星宝 月光宝 水费账户 电费账户 医保账户 停车月卡 健身卡 快递柜 红杉贷 "
    "海豚付 蜜蜂付 蓝鲸借 竹子借 石榴花"
)
# Each intent has several wordings; {p} is the service, {n} a number.
INTENTS = {
    "开通": (
        "怎么开通{p}",
        "{p}如何开通",
        "我想开通{p}",
        "{p}在哪里开通",
        "开通{p}要什么步骤",
        "为什么我开通不了{p}",
    ),
    "关闭": (
        "怎么关闭{p}",
        "{p}如何关掉",
        "我不想用{p}了，怎么关",
        "{p}可以注销吗",
        "帮我把{p}关了",
        "关闭{p}的办法",
    ),
    "还款": (
        "怎么还{p}的钱",
        "{p}如何还款",
        "我要还{p}",
        "{p}在哪里还钱",
        "{p}还款的办法",
        "还{p}怎么操作",
    ),
    "提前还款": (
        "{p}可以提前还吗",
        "能提前还清{p}吗",
        "{p}没到期先还行不行",
        "提前还{p}怎么弄",
        "我想早点把{p}还完",
    ),
    "逾期": (
        "{p}逾期了怎么办",
        "{p}晚还几天会怎样",
        "忘记还{p}了有影响吗",
        "{p}过期没还会怎么样",
        "{p}还晚了要罚钱吗",
    ),
    "提额": (
        "{p}怎么提高额度",
        "{p}额度能涨吗",
        "我想提升{p}的额度",
        "怎么样才能给{p}提额",
        "{p}额度太低怎么办",
    ),
    "降额": (
        "{p}额度为什么变少了",
        "我的{p}怎么降额了",
        "{p}额度被降低是什么原因",
        "{p}的额度怎么没以前多",
    ),
    "分期": (
        "{p}怎么分期",
        "{p}账单可以分期吗",
        "{p}能分{n}期吗",
        "我想把{p}分期付",
        "{p}如何办理分期",
    ),
    "账单日": ("{p}哪天出账单", "{p}账单日是几号", "{p}的账单什么时候出", "每月几号出{p}账单"),
    "还款日": ("{p}哪天还款", "{p}最晚几号还", "{p}的还款日是什么时候", "每月几号要还{p}"),
    "改绑": (
        "{p}怎么换手机号",
        "{p}绑定的手机号能改吗",
        "我换号了，{p}怎么改",
        "{p}如何更换手机号码",
    ),
    "密码": ("{p}密码忘了怎么办", "怎么找回{p}的密码", "{p}密码如何重置", "我不记得{p}密码了"),
    "退款": ("用{p}付的退款到哪", "{p}退款多久到账", "{p}退的钱什么时候到", "退款会退回{p}吗"),
    "不能用": ("{p}为什么不能用", "我的{p}用不了了", "{p}怎么付不了款", "{p}付款失败是什么原因"),
    "手续费": ("{p}手续费多少", "用{p}要收费吗", "{p}收多少手续费", "{p}要不要另外付钱"),
    "扣款": ("{p}扣了我{n}元是什么", "为什么{p}扣款{n}元", "{p}多扣了{n}元", "{p}怎么少了{n}元"),
    "转账": ("{p}能转给别人吗", "怎么把{p}里的{n}元转出去", "{p}里的钱能转出来吗", "{p}如何转账"),
    "条件": ("开通{p}有什么条件", "什么人能用{p}", "{p}有年龄要求吗", "怎样才符合{p}的条件"),
}
POLITE = ("", "", "", "请问", "你好，", "麻烦问下", "想问一下，", "亲，")
ENDS = ("", "", "？", "?", "呢", "啊", "，谢谢")


def say(rng: Random, intent: str, product: str, number: str, avoid: str = "") -> str:
    """One wording of an intent, unlike `avoid`."""
    while True:
        text = rng.choice(INTENTS[intent]).format(p=product, n=number)
        text = rng.choice(POLITE) + text + rng.choice(ENDS)
        if text != avoid:
            return text


def pair(rng: Random) -> tuple[str, str, bool, tuple[str, str], tuple[str, str]]:
    """Two sentences, whether they mean the same, and each one's product and intent."""
    intent, product = rng.choice(list(INTENTS)), rng.choice(PRODUCTS)
    number = rng.choice(("<NUMBER>", "***", str(rng.randint(1, 3000))))
    first = say(rng, intent, product, number)
    same = rng.random() < 0.4
    other_intent, other_product = intent, product
    if not same:
        roll = rng.random()
        if roll < 0.65:
            other_intent = rng.choice([name for name in INTENTS if name != intent])
        if roll >= 0.5:
            other_product = rng.choice([name for name in PRODUCTS if name != product])
    second = say(rng, other_intent, other_product, number, avoid=first)
    return first, second, same, (product, intent), (other_product, other_intent)


def reasoning(rng: Random, one: tuple[str, str], two: tuple[str, str], verdict: str) -> str:
    """A short comparison in words, ending in the verdict."""
    what = rng.choice(
        (
            "句子1问的是{}的{}，句子2问的是{}的{}",
            "句子1：{}，{}；句子2：{}，{}",
            "前者关于{}，意图是{}；后者关于{}，意图是{}",
        )
    ).format(*one, *two)
    if one == two:
        why = rng.choice(("主体和意图都一致", "两句意思一样", "没有差异"))
    elif one[0] == two[0]:
        why = rng.choice(("意图不同", "主体相同，意图不同"))
    elif one[1] == two[1]:
        why = rng.choice(("主体不同", "意图相同，主体不同"))
    else:
        why = "主体和意图都不同"
    return (
        f"推理过程：{what}，{why}。"
        + rng.choice(("", "\n"))
        + f"结论：{verdict}"
        + rng.choice(("", "。"))
    )


def pairs(rng: Random) -> Example:
    """The verdict bare or after reasoning; in the study's own frame often the favourite."""
    first, second, same, one, two = pair(rng)
    verdict = "相同" if same else "不相同"
    roll = rng.random()
    text = f"句子1：{first}\n句子2：{second}"
    if roll < 0.3:
        system = rng.choice((STUDY_SYSTEM, STUDY_SYSTEM, None))
        if system is None:
            text = "请判断这两句话的语意是否一致，并说明理由。\n" + text
        given = noisy(rng, verdict, "相同", 0.5)
        answers = (given, f"这两句话{given}。", f"结论：{given}", reasoning(rng, one, two, given))
        return Example(text, rng.choice(answers), system)
    if roll < 0.55:
        system = rng.choice((*SYSTEMS, None))
        return Example(
            text + rng.choice(("", "\n请先分析，再下结论。")),
            reasoning(rng, one, two, verdict),
            system and system.format(p=one[0]),
        )
    if roll < 0.65:
        which = rng.random() < 0.5
        asked, (product, intent) = (first, one) if which else (second, two)
        if rng.random() < 0.5:
            return Example(
                f"客户说：{asked}\n这句话的主体和意图是什么？", f"主体：{product}，意图：{intent}"
            )
        texts = [intent, *rng.sample([n for n in INTENTS if n != intent], 3)]
        rng.shuffle(texts)
        return Example(
            f"客户说：{asked}\n意图是哪一个？\n{options(rng, texts)}", "ABCD"[texts.index(intent)]
        )
    frame = rng.choice(
        (
            "“{}”和“{}”意思一样吗？",
            "句子1：{}\n句子2：{}\n是否同义？",
            "甲：{}\n乙：{}\n判断语义是否相同。",
        )
    )
    return Example(frame.format(first, second), verdict)
