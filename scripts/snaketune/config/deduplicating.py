"""Which questions of a bank count as one."""

from typing import Literal

from pydantic import Field, model_validator

from snaketune.config.common import Strict

SYNONYMS = (
    *(("驾驶人", "驾驶员"), ("驾驶人", "司机"), ("机动车", "汽车"), ("机动车", "车辆")),
    *(("应该", "应当"), ("应该", "须"), ("可以", "能够"), ("可以", "可"), ("禁止", "不准")),
    *(("禁止", "严禁"), ("不能", "不得"), ("不能", "不可"), ("怎样", "如何"), ("怎样", "怎么")),
    *(("什么", "何种"), ("什么", "哪种"), ("什么", "啥"), ("多少", "几"), ("下列", "以下")),
    *(("下列", "下面"), ("减速", "降低车速"), ("通过", "经过"), ("通过", "驶过")),
    *(("立即", "立刻"), ("立即", "马上"), ("路段", "路面"), ("属于", "是"), ("遇到", "遇")),
    *(("或者", "或"), ("以及", "和"), ("以及", "及"), ("需要", "要"), ("必须", "务必")),
    *(("表示", "意思是"), ("含义", "意思"), ("含义", "意义"), ("最高时速", "最高速度")),
    *(("最高时速", "时速上限"), ("至少", "最少"), ("看到", "见到"), ("行驶", "行进")),
    *(("行驶", "行车"), ("标志", "标识"), ("注意", "留意"), ("处罚", "惩罚"), ("选项", "说法")),
)
"""Pairs of words that driving-test sites write for each other."""


class Deduplication(Strict):
    """Which questions of a bank count as one, and what happens to those that contradict."""

    near: float = Field(0.8, gt=0, le=1)
    """Jaccard similarity (pairs of neighbouring characters of the stems) from which two different
    questions stay in one split."""
    candidates: float = Field(0.55, gt=0, le=1)
    """Similarity of stems from which two questions are looked at at all."""
    synonyms: list[tuple[str, str]] = list(SYNONYMS)
    """Words that mean the same; a stated list replaces the one that ships."""
    conflicts: Literal["drop", "keep"] = "drop"
    """One question with several answers. drop: none of them stays. keep: one of each answer stays,
    all in one split."""

    @model_validator(mode="after")
    def _ordered(self) -> "Deduplication":
        if self.candidates > self.near:
            raise ValueError("candidates: is above near, so near ones would not be seen")
        for one, other in self.synonyms:
            if not one or not other:
                raise ValueError("synonyms: an empty word")
        return self
