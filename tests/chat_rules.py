"""What the local chat server replies: rules in place of a model."""

import hashlib
import json
import random

RULES = ("reasons", "label", "echo", "judge")
"""reasons ends with a conclusion (the label that the prompt gives, but for one time in ten);
label is that word alone; echo repeats the last message; judge says whether the last
message's two last words are the same, and nonsense one time in ten."""


def digest(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def reply_text(rule: str, body: dict, index: int) -> str:
    """The reply to a request, the same for the same messages, seed and index of the choice."""
    messages = body["messages"]
    drawn = [body.get("seed"), index] if body.get("temperature", 1) else []
    draw = random.Random(digest([messages, drawn]))
    schema = body.get("response_format", {}).get("json_schema", {}).get("schema")
    if schema:
        return json.dumps(instance(schema, draw), ensure_ascii=False)
    text = messages[-1]["content"]
    if rule == "echo":
        return text
    if rule == "judge":
        *_, key, given = text.split()
        said = "正确" if key == given else "错误"
        doubt = draw.random() < 0.1
        return (
            f"<think>正确\n还是错误？</think>标准答案是{key}。\n{'两者都有道理' if doubt else said}"
        )
    label = draw.choice(["相同", "不相同"])
    if rule == "label":
        return label
    for given in ("不相同", "相同"):  # the label that a teacher is told, wrong one time in ten
        if f"“{given}”" in text or f'"{given}"' in text:
            label = given if draw.random() < 0.9 else {"相同": "不相同"}.get(given, "相同")
            break
    return f"推理过程：句子1问的是一件事，句子2也问一件事，比较两者的主体和意图。\n结论：{label}"


def instance(schema: dict, draw: random.Random) -> object:
    """A value that a JSON schema of objects, arrays, enums and plain types allows."""
    if "enum" in schema:
        return draw.choice(schema["enum"])
    kind = schema.get("type", "object")
    if kind == "object":
        return {key: instance(part, draw) for key, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [instance(schema["items"], draw)]
    plain = {"string": "text", "integer": 1, "number": 0.5, "boolean": True, "null": None}
    return plain[kind]
