"""Split records into train, validation and test; records of one group stay together.

Or leave each in the split that its source names, with the setting "given"; `held_out` then draws
validation records from the training split. In the splits that
`mask` names, runs of stars become <NUMBER>.
"""

import argparse
import logging
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from pydantic import BaseModel

from snaketune import cli
from snaketune.config.resolve import validated
from snaketune.config.splits import HeldOut, Split
from snaketune.files import json_line, jsonl_lines, read_json, read_jsonl, whole, write_json
from snaketune.masking import mask_record
from snaketune.records import SPLITS, content_digest
from snaketune.splitting import Outline, check_labels, hold_out, quality, split

log = logging.getLogger(__name__)


class Settings(BaseModel):
    """The script's slice of the config."""

    split: Split | Literal["given"] = Split()
    held_out: HeldOut | None = None
    mask: list[Literal["train", "validation", "test"]] = []
    labels: list[str] | None = None
    """Labels that the records may have; null: any."""


def main(args: argparse.Namespace) -> None:
    """Write the splits and quality.json; the settings are a `Settings`."""
    settings = validated(Settings, args.settings, "settings")
    facts = read_json(args.facts)
    check_labels(facts, settings.labels)
    records = Outline(read_jsonl(args.clean))
    homes = split(records, settings.split)
    if settings.held_out:
        homes = hold_out(records, homes, settings.held_out)
    paths = {name: getattr(args, name) for name in SPLITS}
    masked = _write(args.clean, records, homes, paths, settings.mask)
    report = quality(records, homes, read_json(args.counts), facts, masked)
    for name, counts in report["splits"].items():
        text = "%s: %d records, %d groups, %d with masked numbers."
        log.info(text, name, counts["records"], counts["groups"], counts["masked"])
    if report["leakage"]["prompts"]:
        mend = "give records with equal fields one group"
        log.warning(
            "%d contents stand in more than one split%s.",
            report["leakage"]["prompts"],
            ", as the source gives them" if settings.split == "given" else f": {mend}",
        )
    write_json(args.quality, report)


def _write(
    clean: Path, records: Outline, homes: list[str], paths: dict[str, Path], mask: list[str]
) -> Counter[str]:
    """Write each line of `clean` to the file of its home, without the name of its split.

    Masked records differ less than before: their contents in `records` become the masked ones.

    Returns:
        Split → records of it in which a number was masked.
    """
    masked: Counter[str] = Counter()
    with ExitStack() as stack:
        partial = {name: stack.enter_context(whole(path)) for name, path in paths.items()}
        files = {name: stack.enter_context(partial[name].open("wb")) for name in paths}
        for index, (home, (_, line, record)) in enumerate(
            zip(homes, jsonl_lines(clean), strict=True)
        ):
            named = [record.pop(key) for key in ("split", "stratum") if key in record]
            marks = 0
            if home in mask:
                record, marks = mask_record(record)
            if marks:
                masked[home] += 1
                records.contents[index] = content_digest(record)
            if named or marks:
                line = json_line(record)
            files[home].write(line + b"\n")
    return masked


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = cli.parser(__doc__)
    parser.add_argument("--clean", type=Path, required=True, help="records to read, JSON lines")
    parser.add_argument("--counts", type=Path, required=True, help="counts that `clean` wrote")
    parser.add_argument("--facts", type=Path, required=True, help="facts of the source")
    parser.add_argument("--train", type=Path, required=True, help="records to train on, to write")
    parser.add_argument("--validation", type=Path, required=True, help="validation records")
    parser.add_argument("--test", type=Path, required=True, help="held-out records")
    parser.add_argument("--quality", type=Path, required=True, help="JSON file of counts to write")
    return parser


if __name__ == "__main__":
    cli.run(main, arguments().parse_args())
