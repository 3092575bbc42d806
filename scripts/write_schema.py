"""Write the JSON schemas of the config files, which editors read for completion and checks."""

import argparse
import copy
import json
from pathlib import Path

from snaketune import cli
from snaketune.config import sweeps
from snaketune.config.run import Run
from snaketune.config.study import Study
from snaketune.files import write_json
from snaketune.settings import Stated


def run_schema() -> dict:
    """Schema of config/config.yaml and its like."""
    return _titled(Run.model_json_schema(), "Snaketune run")


def study_schema() -> dict:
    """Schema of config/studies/*.yaml.

    A study and each entry of its `scales` are parts of one whole, so neither needs every key.
    """
    schema = _optional(Study.model_json_schema())
    definitions = schema.pop("$defs")
    _allow_sweeps(definitions)
    definitions["PartOfStudy"] = copy.deepcopy(schema)
    schema["properties"]["scales"] = {
        "description": "What each scale lays over the keys above: demo, paper, your own.",
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/PartOfStudy"},
    }
    return _titled({**schema, "$defs": definitions}, "Snaketune study")


def _allow_sweeps(definitions: dict) -> None:
    """A list may stand for any one setting of an adapter, and `seeds` for its seed."""
    for name in ("Adapter", *map(str.capitalize, sweeps.PARTS)):
        properties = definitions[name]["properties"]
        for key in properties.keys() - set(sweeps.PARTS):
            said = {
                k: properties[key].pop(k) for k in ("description", "title") if k in properties[key]
            }
            several = {"type": "array", "items": properties[key], "minItems": 1}
            properties[key] = {**said, "anyOf": [properties[key], several]}
    definitions["Adapter"]["properties"][sweeps.SEEDS] = {
        "description": "Values of training.seed, an adapter each; results are averaged over them.",
        "type": "array",
        "items": {"type": "integer"},
        "minItems": 1,
    }


def _optional(schema: dict) -> dict:
    text = json.dumps(schema)
    return json.loads(text, object_hook=lambda part: _without_required(part))


def _without_required(part: dict) -> dict:
    if isinstance(part.get("required"), list):
        part.pop("required")
    return part


def _titled(schema: dict, title: str) -> dict:
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": title}


def stated_schema() -> dict:
    """Schema of config/published/*.yaml."""
    return _titled(Stated.model_json_schema(), "What a study's text states")


def main(args: argparse.Namespace) -> None:
    write_json(args.config / "schema.json", run_schema())
    write_json(args.config / "study.schema.json", study_schema())
    write_json(args.config / "published.schema.json", stated_schema())


if __name__ == "__main__":
    parser = cli.parser(__doc__)
    parser.add_argument("--config", type=Path, default=Path("config"), help="folder of the schemas")
    cli.run(main, parser.parse_args())
