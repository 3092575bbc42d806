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

PRODUCT = re.compile("[花借][呗贝]|网商贷|备用金")
NUMBER = re.compile(
    r"(?<![\d.])(\d+(?:\.\d+)?|[一二两三四五六七八九十百千万]+)(个月|期|元|块|号|天|次|折|%)"
)
ASPECTS = {
    "取消自动扣款": "(取消|关掉|关闭|不要|不想|别).*(自动|代扣)|(自动|代扣).*(取消|关掉|关闭)",
    "自动扣款": "自动|代扣",
    "取消分期": "(取消|撤销|退掉|不想|不要).*(分|期)|分.*(取消|撤销|退掉)",
    "手续费": "手续费|服务费",
    "利息": "利息|利率|日息",
    "退款未到账": "退.*(没|未)|(没|未).*退",
    "退款": "退款|退货|退的|退到|退回",
    "换手机号": "手机|号码|换号",
    "临时额度": "临时",
    "额度未恢复": "(额度|还).*((没|未|不).{0,3}(恢复|回来))",
    "降额": "(降|变少|变低|少了|减少).*额(?!宝)|额(?!宝).*(降|变少|变低|少了|低了)",
    "提额": "(提|涨|升|增).*额(?!宝)|额(?!宝).*(提|涨|升|增)|提到|涨到",
    "额度": "额度",
    "还款未到账": "(还|扣)了?.*(没|未|不).{0,3}(显示|到账|记录|成功|还上|入账)|还说没还",
    "延期还款": "延期|延后|推迟|晚几天|缓几天|宽限",
    "提前还款": "提前|早点|没到期|没到日子|还清",
    "部分还款": r"(只|先|部分).*还|先从.*还",
    "逾期": "逾期|过期|违约",
    "账单有误": "(?<!多)多[了出收算]|平白多",
    "分期": "分期|分.{1,12}期|期还",
    "扣款疑问": "扣",
    "账单": "账单|帐单|明细",
    "关闭失败": "(关|注销|停|取消).*(失败|不掉|不了)|(不能|不了|不掉).*(关闭|注销)",
    "关闭": "关闭|注销|停掉|停用|关了|怎么关|咋关|哪里关|要怎么关|不想用|解约",
    "开通失败": "(开|申请).*(不了|不通过|失败|不成功)|(不让|不能|开不了).*(开|申请)",
    "开通": "开通|申请|激活|开个|想开",
    "借款失败": "借(?![呗贝]).*(不出|不了|失败|不通过)|不让.*借(?![呗贝])",
    "还款": "还款|还钱|怎么还|咋还|还[花借]呗|还蚂蚁|还",
    "能否借款": "借款|借钱|能借|可以借|借不借|借(?![呗贝])",
    "付款失败": "失败|用不了|付不了|刷不了|不让.*用|(?<!能)不能用|使用不了",
    "能否付款": "支持|能用|可以用|可以刷|能不能用|收不收|付款|支付|使用|用",
}
"""What a customer asks about → words that tell; the first that is found counts."""
_ASPECTS = {name: re.compile(pattern) for name, pattern in ASPECTS.items()}
CONTENT = re.compile(r"请问|你好|想问下?|麻烦|那个|谢谢|[\s，。？！,.?!、*＊]|<NUMBER>")


class Evidence(NamedTuple):
    """What the rules see in a sentence."""

    product: str
    aspect: str
    number: str

    def said(self, sentence: str) -> str:
        """The evidence in words; where no subject is found, the sentence's own."""
        return f"{self.product}{self.aspect or _clipped(sentence)}{self.number}"


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
        agree = label == self.positive
        why = _common(seen, other) if agree else _difference(seen, other, one, two)
        # by the content, not by Python's hash, which is another in each process
        frame = random.Random(digest(record["fields"])).choice(FRAMES)
        for form in (frame, SHORT_FRAME):
            text = form.format(one=seen.said(one), two=other.said(two), why=why, label=label)
            if len(text) <= self.max_chars:
                break
        return text


def evidence(sentence: str) -> Evidence:
    """Product, subject and number of a sentence by its words; "" for what is not found.

    A number blotted out by stars or a mark is none.
    """
    product = PRODUCT.search(sentence)
    aspect = next((name for name, words in _ASPECTS.items() if words.search(sentence)), "")
    number = NUMBER.search(sentence)
    name = product.group().replace("贝", "呗") if product else ""
    return Evidence(name, aspect, number.group() if number else "")


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


def _common(one: Evidence, two: Evidence) -> str:
    if one == two:
        return "意图一致"
    if one.aspect == two.aspect and one.product == two.product:
        return "说法略异，意图一致"
    return "说法不同，问的是一件事"


def _difference(one: Evidence, two: Evidence, first: str, second: str) -> str:
    if one.product and two.product and one.product != two.product:
        return "产品不同"
    if one.aspect != two.aspect:
        return "意图不同"
    if one.number and two.number and one.number != two.number:
        return "数字不同"
    quoted = _clipped(first), _clipped(second)
    if quoted[0] == quoted[1]:
        return "所问的细节不同"
    return f"细节不同，一说{quoted[0]}，一说{quoted[1]}"


def _clipped(text: str, longest: int = 10) -> str:
    words = CONTENT.sub("", PRODUCT.sub("", text)).removeprefix("蚂蚁")
    return f"“{words[:longest]}{'…' if len(words) > longest else ''}”"
