"""What all parts of the config share: strict models and names."""

import difflib
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

NAME = r"^[a-z0-9][a-z0-9_.-]*$"
Name = Annotated[str, StringConstraints(pattern=NAME)]
"""A name in config, paths and tables: lower-case letters, digits, dot, hyphen, underscore."""


class Strict(BaseModel):
    """A model that refuses unknown keys and names the nearest known one."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, data: Any) -> Any:
        if isinstance(data, dict):
            unknown = [str(key) for key in data if key not in cls.model_fields]
            if unknown:
                raise ValueError("; ".join(_say_unknown(key, cls.model_fields) for key in unknown))
        return data


def _say_unknown(key: str, known: Any) -> str:
    near = difflib.get_close_matches(key, list(known), n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(known)}"
    return f"unknown key '{key}'; {hint}"


def nearest(name: str, known: Any) -> str:
    """A hint for a dangling reference: the nearest known name, and all there are."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"Did you mean '{near[0]}'? " if near else ""
    return f"{hint}Known: {', '.join(names) if names else 'none'}."


def check_json_schema(where: str, schema: dict | None) -> None:
    """Raise a ValueError for what is no JSON schema; None is none."""
    if schema is None:
        return
    from jsonschema import Draft202012Validator, SchemaError  # which the jobs have no use for

    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        place = ".".join([where, *map(str, error.path)])
        raise ValueError(f"{place}: no JSON schema: {error.message}") from None
