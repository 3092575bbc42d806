"""Reasoning to learn from: a rule-based teacher, and what any teacher's text must hold."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from snaketune.conclusions import has_marker, reasoning_of
from snaketune.errors import UserError
from snaketune.files import digest

REASONS = ("empty", "no_conclusion", "wrong_conclusion", "mentions_label", "too_long")
"""Why a teacher's text is rejected."""

GIVEN_AWAY = re.compile(
    r"标签|标注|已知|给定的?(?:答案|结论|结果)|(?:正确|标准|参考|题目)(?:的)?答案|题目(?:给出|要求|说)"
    r"|(?:given|gold|correct|true) (?:label|answer)|ground truth|\blabel\b",
    re.IGNORECASE,
)
"""Words by which a teacher says that it was told the answer."""

FRAMES = (
    "推理过程：句子1问{one}，句子2问{two}，{why}。结论：{label}",
    "推理过程：句子1的意图是{one}；句子2的意图是{two}；对比：{why}。结论：{label}",
    "推理过程：句子1：{one}；句子2：{two}；{why}。\n结论：{label}",
)
"""Forms of the rule-based teacher's text, in the order that the yesorno study asks for."""
SHORT_FRAME = "推理过程：{why}。结论：{label}"
"""Where the others are longer than allowed; longer ones teach a tiny base to copy only."""

PRODUCT = re.compile("[花借][呗贝]|网商贷|备用金")
AMOUNT = re.compile(
    r"(?<![\d.])(\d+(?:\.\d+)?|[一二两三四五六七八九十百千万]+|[*＊]{3,}|<NUMBER>)"
    "(个月|期(?!间)|元|块|号|天|次|折|%)"
)
LONGEST_QUOTE = 16
SUBJECTS = {
    "自动扣款": "自动|代扣",
    "临时额度": "临时",
    "提额": "提额|提升|提高|涨|增加",
    "降额": "降额|降低|变少|变低",
    "额度": "额度",
    "利息": "利息|利率",
    "退款": "退款|退货|退的|退到|退回",
    "手机号": "手机|号码|换号",
    "分期": "分期|分成?[^，]{1,14}期",
    "提前还款": "提前|没到期|还清",
    "逾期": "逾期|过期|违约",
    "延期还款": "延期|延后|推迟|晚几天",
    "账单": "[账帐]单|明细",
    "关闭": "关闭|注销|停用|关掉|停掉",
    "开通": "开通|启用|激活",
    "还款": "还款|还钱|还",
    "借款": "借款|借钱|借(?![呗贝])",
    "付款": "付款|支付|用|刷",
}
"""What a customer asks about → words that tell; the first that is found counts."""
ACTS = {
    "取消": "取消|撤销|不要|不想",
    "收费": "手续费|服务费|收费",
    "失败": "失败|不成功|不通过|[用开付借还关]不[了上掉]|[没未](到账|显示|恢复)",
    "办理": "办理|申请",
}
"""What is the matter with it, likewise."""
CONTENT = re.compile(r"请问|你好|想问下?|麻烦|那个|谢谢|[\s，。？！,.?!、*＊]|<NUMBER>")


class Evidence(NamedTuple):
    """What the rules see in a sentence."""

    product: str
    aspect: str
    """Subject and act."""
    number: str
    """Empty where a number is blotted out, too."""
    quote: str
    """The sentence's own words from the product to the last of these, or else what was found."""


@dataclass(frozen=True)
class RulesTeacher:
    """The rule-based teacher: no model, only words and numbers that it finds in two sentences.

    It is told the label, as the yesorno study's teacher is, and words the differences, or what is
    common, by a list of key words of customer service; what it writes is no chain of thought of
    anybody. One text for a record, always the same; records differ in the form.
    """

    negative: str
    positive: str
    max_chars: int = 100

    def __call__(self, record: dict) -> str:
        """A text in the study's form (推理过程：… 结论：…) for a record of two sentences.

        Raises:
            UserError: the record has not two fields of text, or neither of the two labels.
        """
        one, two = _two_texts(record)
        label = record["label"]
        if label not in (self.negative, self.positive):
            raise UserError(
                f"record {record['id']}: its label is {label!r}; the rule-based teacher knows "
                f"{self.positive} and {self.negative}. Map the labels with source.labels."
            )
        seen, other = evidence(one), evidence(two)
        quoted = _clipped(one), _clipped(two)
        why = _reason(seen, other, quoted, agree=label == self.positive)
        # by the content, not by Python's hash, which is another in each process
        frame = random.Random(digest(record["fields"])).choice(FRAMES)
        text = frame.format(one=seen.quote, two=other.quote, why=why, label=label)
        if len(text) <= self.max_chars:
            return text
        return SHORT_FRAME.format(why=why.partition("，一说")[0], label=label)


def evidence(sentence: str) -> Evidence:
    """Product, subject, act and number of a sentence by its words; "" for what is not found."""
    product, amount = PRODUCT.search(sentence), AMOUNT.search(sentence)
    subject, said = _first(SUBJECTS, sentence)
    act, done = _first(ACTS, sentence)
    number = amount.group() if amount and amount.group()[0] not in "*＊<" else ""
    name = product.group().replace("贝", "呗") if product else ""
    quote = f"{name}{subject + act or _clipped(sentence)}{number}"
    if product and (said or done):
        end = max(found.end() for found in (said, done, amount) if found)
        words = sentence[product.start() : end]
        if "，" not in words and len(product.group()) < len(words) <= LONGEST_QUOTE:
            quote = words
    return Evidence(name, subject + act, number, quote)


def _first(named: dict[str, str], sentence: str) -> tuple[str, re.Match | None]:
    """The first name whose words are in a sentence, and where."""
    for name, words in named.items():
        if found := re.search(words, sentence):
            return name, found
    return "", None


def reject_reason(
    text: str, record: dict, read: Callable[[str], str | None], max_chars: int | None = 100
) -> str | None:
    """Why a teacher's text may not be learnt from, one of `REASONS`; None if it may.

    Args:
        text: what the teacher wrote.
        record: the record that it was written for, with its label.
        read: the reader of conclusions, as `conclusions.conclusion_reader` makes it.
        max_chars: characters that the text may have; None: any number.
    """
    text = text.strip()
    if not text:
        return "empty"
    if "推理过程" not in text or not has_marker(text):
        return "no_conclusion"
    concluded = read(text)
    if concluded is None:
        return "no_conclusion"
    if concluded != record["label"]:
        return "wrong_conclusion"
    own = reasoning_of(text)
    for field in record["fields"].values():
        own = own.replace(str(field), "")
    if GIVEN_AWAY.search(own):
        return "mentions_label"
    if max_chars is not None and len(text) > max_chars:
        return "too_long"
    return None


def _two_texts(record: dict) -> tuple[str, str]:
    texts = list(record["fields"].values())
    if len(texts) != 2 or not all(isinstance(text, str) for text in texts):
        raise UserError(
            f"record {record['id']}: the rule-based teacher compares two texts, but the record has "
            f"the fields {', '.join(record['fields'])}. Name two fields, or take another teacher."
        )
    return texts[0], texts[1]


def _reason(one: Evidence, two: Evidence, quoted: tuple[str, str], agree: bool) -> str:
    """What is alike and what differs, as far as it goes with the label."""
    parts = {"产品": one.product != two.product, "意图": one.aspect != two.aspect}
    parts["数字"] = bool(one.number and two.number) and one.number != two.number
    differ = [name for name, differs in parts.items() if differs]
    if agree:
        return "说法不同，问的是一件事" if differ else "没有不同"
    if differ:
        return f"不同在{'、'.join(differ)}"
    if quoted[0] == quoted[1]:
        return "不同在细节"
    return f"不同在细节，一说{quoted[0]}，一说{quoted[1]}"


def _clipped(text: str, longest: int = 10) -> str:
    words = CONTENT.sub("", PRODUCT.sub("", text)).removeprefix("蚂蚁")
    return f"“{words[:longest]}{'…' if len(words) > longest else ''}”"
