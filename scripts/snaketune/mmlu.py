"""General ability of models: lm-evaluation-harness asks, and what it gives is read and checked."""

import csv
import logging
from collections.abc import Iterable, Iterator
from math import sqrt
from pathlib import Path
from typing import Any

from snaketune.config.ability import Mmlu
from snaketune.config.common import Name, Strict
from snaketune.errors import UserError
from snaketune.files import digest
from snaketune.session import Tuned

log = logging.getLogger(__name__)

LETTERS = "ABCD"
DESCRIPTION = "The following are multiple choice questions (with answers) about {subject}.\n\n"
QUESTION = (
    "{{question.strip()}}\nA. {{choices[0]}}\nB. {{choices[1]}}\nC. {{choices[2]}}\n"
    "D. {{choices[3]}}\nAnswer:"
)
"""As the harness's own task `mmlu` has them."""


class Settings(Strict):
    """What mmlu.py gets of the config: models that share one set of weights."""

    study: Name
    mmlu: Mmlu
    models: dict[Name, Tuned]
    out: dict[Name, Path]
    """Receives the outcome of each model."""


def subjects_in(folder: Path) -> list[str]:
    """The subjects of a folder of CSV files, by their test parts."""
    found = sorted(path.name.removesuffix("_test.csv") for path in folder.glob("test/*_test.csv"))
    if not found:
        raise UserError(f"{folder}: no test/SUBJECT_test.csv in it. Mend mmlu.path.")
    return found


def read_questions(path: Path) -> list[dict[str, Any]]:
    """The questions of a CSV file in MMLU's form, as the harness's task has them.

    Raises:
        UserError: no such file, or a row that is not question, four options and a letter.
    """
    if not path.is_file():
        raise UserError(f"{path}: there is no such file. Each subject needs a dev and a test part.")
    questions = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        for row in reader:
            if len(row) != 6 or row[5].strip() not in list(LETTERS):
                raise UserError(
                    f"{path}, line {reader.line_num}: question, four options and one of A, B, C, "
                    "D are expected, without a header."
                )
            answer = LETTERS.index(row[5].strip())
            questions.append({"question": row[0], "choices": row[1:5], "answer": answer})
    return questions


def local_tasks(folder: Path, num_fewshot: int) -> Iterator[dict[str, Any]]:
    """Tasks for the harness, one a subject of a folder: those of its `mmlu` with other data."""
    for subject in subjects_in(folder):
        parts = {part: folder / part / f"{subject}_{part}.csv" for part in ("dev", "test")}
        held = {part: read_questions(path) for part, path in parts.items()}
        if len(held["dev"]) < num_fewshot:
            raise UserError(
                f"{parts['dev']}: {len(held['dev'])} examples, and mmlu.num_fewshot is "
                f"{num_fewshot}."
            )
        yield {
            "task": subject,
            "custom_dataset": _given(held),
            "test_split": "test",
            "fewshot_split": "dev",
            "fewshot_config": {"sampler": "first_n"},
            "output_type": "multiple_choice",
            "description": DESCRIPTION.format(subject=subject.replace("_", " ")),
            "doc_to_text": QUESTION,
            "doc_to_choice": list(LETTERS),
            "doc_to_target": "answer",
            "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
            "metadata": {"version": 1.0},
        }


def _given(held: dict[str, list[dict]]):
    def dataset(**_):
        from datasets import Dataset

        return {part: Dataset.from_list(questions) for part, questions in held.items()}

    return dataset


def outcome(found: dict[str, Any]) -> dict[str, Any]:
    """What the harness found of one model, question by question.

    Args:
        found: as `simple_evaluate` returns it, samples among it.

    Returns:
        `subjects` ({"subject", "n", "correct", "accuracy", "stderr"} each), the same over all
        questions (stderr pooled as the harness pools it), `right` ({subject: a text of 0 and 1}),
        and `asked_sha256`, which is equal for equal questions with equal examples.

    Raises:
        UserError: a task that is not scored by acc, or whose questions do not add up to its score.
    """
    subjects, right, asked = [], {}, []
    for name in sorted(found["samples"]):
        samples = sorted(found["samples"][name], key=lambda sample: sample["doc_id"])
        if not samples or any("acc" not in sample for sample in samples):
            raise UserError(f"mmlu.tasks: '{name}' is not scored by acc, so it cannot be compared.")
        hits = [int(sample["acc"]) for sample in samples]
        scored = found["results"][name]
        if abs(sum(hits) / len(hits) - scored["acc,none"]) > 1e-9:
            raise UserError(f"lm-evaluation-harness gives {name} another score than its samples.")
        subjects.append(
            {
                "subject": found["configs"][name].get("task_alias") or name,
                "n": len(hits),
                "correct": sum(hits),
                "accuracy": sum(hits) / len(hits),
                "stderr": scored["acc_stderr,none"],
            }
        )
        right[subjects[-1]["subject"]] = "".join(map(str, hits))
        asked += [
            [name, *(sample[key] for key in ("doc_id", "prompt_hash", "target_hash"))]
            for sample in samples
        ]
    n, correct = (sum(one[key] for one in subjects) for key in ("n", "correct"))
    return {
        "n": n,
        "correct": correct,
        "accuracy": correct / n,
        "stderr": pooled_stderr([(one["stderr"], one["n"]) for one in subjects]),
        "subjects": subjects,
        "right": right,
        "asked_sha256": digest(asked),
    }


def pooled_stderr(parts: list[tuple[float, int]]) -> float:
    """Standard error over all questions from those of the subjects and their sizes."""
    total = sum(n for _, n in parts)
    variance = sum((n - 1) * error**2 * n for error, n in parts) / (total - len(parts))
    return sqrt(variance / total)


def prompts_cut(samples: Iterable[list[dict]], tokens_of, longest: int) -> int:
    """How many prompts are longer than a model can see, so that their examples were cut."""
    prompts = {sample["arguments"][0][0] for part in samples for sample in part}
    # a token is a byte at least
    return sum(tokens_of(text) >= longest for text in prompts if len(text.encode()) >= longest)
