"""What the studies' texts state, set beside the config: the check, and the document of it.

`config/published/{study}.yaml` lists every setting that a study's text states with the place where
it stands in the resolved config. What the config really has there is looked up, never written by
hand.
"""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from snaketune.config.common import Name, Strict, nearest
from snaketune.config.resolve import read_study, read_yaml, study_of, validated
from snaketune.errors import UserError

SCALE = "paper"
NUMBER = re.compile(r"((?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?)(%?)")
LONGEST = 70
"""Characters of a value that a table shows."""


class Place(Strict):
    """A place in a resolved study, and what must be there."""

    at: str
    """Keys with slashes between them; in a list a number, or what tells an entry from the others:
    `model, dataset, metric` of a published number, `dataset, split` of an evaluation."""
    value: Any


class Setting(Strict):
    """One setting that a study's text states."""

    quote: str
    """Where the text states it, word by word."""
    elsewhere: bool = False
    """The quote is of a source that the text names, not of the text itself."""
    at: str | None = None
    """As in `Place`; without it `why` says why there is no counterpart."""
    value: Any = None
    """What the config must have there."""
    means: str = ""
    """How the text's value becomes ours, where they are not plainly the same."""
    corrected: Place | None = None
    """The same as corrected, where the text contradicts itself; both are in the config."""
    switch: dict[str, Any] = {}
    """Values to set, by place, for the other choice."""
    why: str = ""

    @model_validator(mode="after")
    def _one_of_two(self) -> "Setting":
        if (self.at is None) == (not self.why):
            raise ValueError(f"'{self.quote}': state a place (at), or why there is none")
        return self

    @model_validator(mode="after")
    def _same_number(self) -> "Setting":
        number = isinstance(self.value, int | float) and not isinstance(self.value, bool)
        if number and not self.means and not any(map(self._is_value, numbers(self.quote))):
            raise ValueError(f"'{self.quote}': has no {self.value:g}; `means` says how it does")
        return self

    def _is_value(self, number: float) -> bool:
        return math.isclose(number, self.value)


class Part(Strict):
    """What one part of a text states."""

    place: str
    """Heading in the text."""
    settings: list[Setting] = Field(min_length=1)


class Stated(Strict):
    """Every setting that a study's text states."""

    study: Name
    parts: list[Part]

    def settings(self) -> Iterator[Setting]:
        for part in self.parts:
            yield from part.settings


def read_stated(path: Path) -> Stated:
    """Read a file of config/published."""
    return validated(Stated, read_yaml(path), str(path))


def numbers(text: str) -> list[float]:
    """All numbers in a text; per cent as shares."""
    return [
        float(number.replace(",", "")) / (100 if sign else 1)
        for number, sign in NUMBER.findall(text)
    ]


def look_up(study: dict, at: str) -> Any:
    """The value at a place of a resolved study.

    Raises:
        UserError: there is no such place; says what there is instead.
    """
    found: Any = study
    for key in at.split("/"):
        if isinstance(found, list):
            known = {_name(entry, index): entry for index, entry in enumerate(found)}
        else:
            known = found if isinstance(found, dict) else {}
        if key not in known:
            raise UserError(f"{at}: no '{key}' there. {nearest(key, known)}")
        found = known[key]
    if at.startswith(("published/", "evaluations/")):
        found = found["value" if "value" in found else "split"]
    return found


def _name(entry: Any, index: int) -> str:
    keys = ("model", "dataset", "metric") if "metric" in entry else ("dataset", "split")
    if isinstance(entry, dict) and set(keys) <= entry.keys():
        return ", ".join(entry[key] for key in keys)
    return str(index)


def differences(stated: Stated, study: dict) -> Iterator[str]:
    """Where the config has another value than it must, a sentence each."""
    for setting in stated.settings():
        places = [Place(at=setting.at, value=setting.value)] if setting.at else []
        for place in places + ([setting.corrected] if setting.corrected else []):
            found = look_up(study, place.at)
            if found != place.value:
                yield f"{stated.study}: {place.at} is {found!r}, not {place.value!r}"


def published_study(path: Path, switch: dict[str, Any] | None = None) -> dict:
    """A study at paper scale, checked, with some values set as if its file had them."""
    data = read_study(path, SCALE)
    for at, value in (switch or {}).items():
        data = _laid(data, at.split("/"), value)
    return study_of(data, path).model_dump(mode="json")


def _laid(data: Any, keys: list[str], value: Any) -> dict:
    """A copy of `data` with one value set."""
    known = data if isinstance(data, dict) else {}
    inner = _laid(known.get(keys[0]), keys[1:], value) if len(keys) > 1 else value
    return {**known, keys[0]: inner}


# --- the document

HEAD = """\
# Settings · 设置

<!-- Made by `make settings` from config/published/ and the resolved paper scale. -->

What the studies' texts state, and what `config/paper.yaml` has. A row is one statement. The values
on the right were looked up in the config when this file was made, and a test compares both. Without
a remark the value is the text's. “Corrected” stands in the config beside what is published; “other
choice” names the value to change.

各项研究的文字所陈述的设置，与 `config/paper.yaml` 的对照。每行是一处陈述；右侧的值在生成本文件时从
配置中查得，并有测试核对。没有说明的，值与原文相同。“corrected”与已发表的做法并存于配置中；
“other choice”写明要改哪个值。
"""
COLUMNS = "| in the text · 原文 | here · 本项目 | remark · 说明 |\n|---|---|---|\n"


def document(folder: Path, studies: Path) -> str:
    """The document of all files in `folder`, looked up in the studies of that folder."""
    parts, total = [], 0
    for path in sorted(folder.glob("*.yaml")):
        stated = read_stated(path)
        study = published_study(studies / f"{stated.study}.yaml")
        settings = list(stated.settings())
        total += len(settings)
        without = sum(setting.at is None for setting in settings)
        parts.append(
            f"\n## {stated.study}\n\n{len(settings)} statements, {without} without a counterpart. "
            f"{len(settings)} 处陈述，其中 {without} 处没有对应。\n"
        )
        for part in stated.parts:
            rows = "".join(_row(setting, study) for setting in part.settings)
            parts.append(f"\n### {part.place}\n\n{COLUMNS}{rows}")
    counted = f"\n{total} statements in all. 共 {total} 处陈述。\n"
    return HEAD + counted + "".join(parts)


def _row(setting: Setting, study: dict) -> str:
    remarks = [setting.means] if setting.means else []
    if setting.corrected:
        remarks.append(f"corrected: {_looked_up(study, setting.corrected.at)}")
    if setting.switch:
        values = ", ".join(f"{_code(at)}: {_code(_text(v))}" for at, v in setting.switch.items())
        remarks.append(f"other choice: {values}")
    if setting.why:
        remarks.append(setting.why)
    here = _looked_up(study, setting.at) if setting.at else "–"
    return f"| {_code(setting.quote)} | {here} | {'; '.join(remarks)} |\n"


def _looked_up(study: dict, at: str) -> str:
    return f"{_code(at)}: {_code(_text(look_up(study, at)))}"


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = text.replace("\n", "\\n")
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _code(text: str) -> str:
    """Code in a cell of a table."""
    ticks = "``" if "`" in text else "`"
    blank = " " if "`" in text else ""
    return f"{ticks}{blank}{text}{blank}{ticks}".replace("|", "\\|")
