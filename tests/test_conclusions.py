"""What a reply concludes, and what the published parser makes of it."""

import pytest

from snaketune.conclusions import anywhere_published_reader, conclusion_reader

SAME, DIFFERENT = "相同", "不相同"
TABLE = [
    # reply, its conclusion, the published reading
    ("推理过程：都问提额。结论：相同", SAME, SAME),
    ("推理过程：意图有别。结论：不相同", DIFFERENT, DIFFERENT),
    # quirk Y9, one by one
    ("结论：并非不相同", SAME, DIFFERENT),
    ("结论：两句不完全相同", DIFFERENT, SAME),
    ("推理过程：关键词不相同，但意图一致。\n结论：相同", SAME, DIFFERENT),
    ("结论：一致", SAME, DIFFERENT),
    ("结论：不一致", DIFFERENT, DIFFERENT),
    ("结论：不同", DIFFERENT, DIFFERENT),
    # synonyms, denials, and denials of them
    ("结论：一样。", SAME, DIFFERENT),
    ("结论：不一样", DIFFERENT, DIFFERENT),
    ("结论：不是相同的", DIFFERENT, SAME),
    ("结论：不是语义相同的两句话", DIFFERENT, SAME),
    ("结论：不能认为两句相同", DIFFERENT, SAME),
    ("结论：并不相同", DIFFERENT, DIFFERENT),
    ("结论：不尽相同", DIFFERENT, SAME),
    ("结论：不可能相同", DIFFERENT, SAME),
    ("结论：看似相同，实则不同", DIFFERENT, SAME),
    ("结论：不是不一样", SAME, DIFFERENT),
    ("结论：没有不同", SAME, DIFFERENT),
    ("结论：没有区别", SAME, DIFFERENT),
    ("结论：基本相同", SAME, SAME),
    ("结论：完全不同", DIFFERENT, DIFFERENT),
    ("结论：两句话不具有相同含义", DIFFERENT, SAME),
    ("结论：两句话不具备相同的语义", DIFFERENT, SAME),
    ("结论：不存在相同意图", DIFFERENT, SAME),
    ("结论：不应视为相同", DIFFERENT, SAME),
    ("结论：不宜判为相同", DIFFERENT, SAME),
    ("结论：不可判定为相同", DIFFERENT, SAME),
    ("结论：很难说相同", DIFFERENT, SAME),
    ("结论：不认为两句相同", DIFFERENT, SAME),
    ("结论：语义不再相同", DIFFERENT, SAME),
    ("结论：不能认为这两句话相同", DIFFERENT, SAME),
    ("结论：没有什么不同", SAME, DIFFERENT),
    ("结论：没有任何不同", SAME, DIFFERENT),
    ("结论：没有本质不同", SAME, DIFFERENT),
    ("结论：不同说法，同一意图，相同", SAME, SAME),
    ("结论：不同的表达，相同的意思", SAME, SAME),
    # a denial of a form that is not known decides nothing
    ("结论：未见得就相同", None, SAME),
    ("结论：勿将两句当作相同", None, SAME),
    # where the conclusion is
    ("先写结论：相同。再想一想，意图有别。结论：不相同", DIFFERENT, DIFFERENT),
    ("**结论：** **不相同**", DIFFERENT, DIFFERENT),
    ("结论:\n相同\n", SAME, SAME),
    ("结论是‘不相同’。", DIFFERENT, DIFFERENT),
    ("结论：相同。理由是产品不相同也不要紧", SAME, DIFFERENT),
    ("结论：不相同，虽然产品相同", DIFFERENT, DIFFERENT),
    ("结论：虽然产品相同，但语义不相同", DIFFERENT, DIFFERENT),
    ("结论：两句有相同点，但意图不一致", DIFFERENT, SAME),
    ("结论：尽管有不同之处，语义相同", SAME, SAME),
    ("产品不相同。因此两句话语义相同。", SAME, DIFFERENT),
    ("意图一致，所以相同", SAME, SAME),
    ("综上所述，两句话不一致", DIFFERENT, DIFFERENT),
    ("不相同", DIFFERENT, DIFFERENT),
    ("这两句话相同。", SAME, SAME),
    # as a heading
    ("## 推理过程\n产品不相同。\n\n## 结论\n\n相同", SAME, DIFFERENT),
    ("### 三、结论 ###\n两句话语义不相同。", DIFFERENT, DIFFERENT),
    ("分析：产品相同。\n**结论**\n**不相同**", DIFFERENT, DIFFERENT),
    ("分析：产品不相同。\r\n# 最终结论\r\n一致", SAME, DIFFERENT),
    ("产品不相同。\n【结论】相同", SAME, DIFFERENT),
    ("产品不相同。\n结论\n相同", SAME, DIFFERENT),
    ("## 结论\n先看产品。\n结论：相同", SAME, SAME),
    ("产品相同。\n## 结论\n", None, SAME),
    ("得出结论前，先看产品。\n两句相同，还要再看。", None, SAME),
    # nothing is concluded
    ("", None, DIFFERENT),
    ("我不知道", None, DIFFERENT),
    ("结论：", None, DIFFERENT),
    ("推理过程：产品相同，结论：", None, SAME),
    ("推理过程：句子1问还款", None, DIFFERENT),
    ("推理过程：产品相同", None, SAME),
    ("结论：相同或不相同", None, DIFFERENT),
    ("结论：‘相同’还是‘不相同’", None, DIFFERENT),
    ("结论：无法判断是否相同", None, SAME),
    ("结论：未必相同", None, SAME),
    ("结论：相同吗？", None, SAME),
    ("句子1的产品相同。句子2的意图不相同。还要再看一看。", None, DIFFERENT),
]


@pytest.mark.parametrize(("text", "concluded", "published"), TABLE)
def test_truth_table(text, concluded, published):
    assert conclusion_reader(DIFFERENT, SAME)(text) == concluded
    assert anywhere_published_reader(DIFFERENT, SAME)(text) == published


@pytest.mark.parametrize("label", [SAME, DIFFERENT])
@pytest.mark.parametrize("reply", ["结论：{}", "结论：{}。", "结论：\n{}", "结论：两句话语义{}。"])
def test_every_plain_form_of_both_labels(label, reply):
    assert conclusion_reader(DIFFERENT, SAME)(reply.format(label)) == label


def test_other_labels_and_synonyms():
    read = conclusion_reader("no", "yes", {"nope": "no"})
    assert read("结论：yes") == "yes" and read("结论：No.") == "no" and read("结论：nope") == "no"
    assert read("结论：I know") is None and read("结论：相同") is None
