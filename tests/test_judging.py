"""A judge's verdicts: read strictly, bought once, scored beside the key."""

import json
from pathlib import Path

import pytest
from asking import PRICE, endpoint, settled
from chat_server import chat_server

from snaketune.chat import waits
from snaketune.config.data import Judge
from snaketune.config.options import OptionsExtract
from snaketune.config.study import Study
from snaketune.extracting import answer_records
from snaketune.files import read_jsonl, write_jsonl
from snaketune.judged import agreement, agreements, cohens_kappa
from snaketune.judging import Settings, judge, replies_judged, verdict
from snaketune.option_kinds import by_kind, kinds
from snaketune.planning import Settings as PlanSettings
from snaketune.planning import plan
from snaketune.scoring import ScoreSettings, score
from snaketune.whole_datasets import whole_datasets

EXTRACT = OptionsExtract(kind="options")
PROMPT = {"user": "题目：{question}\n判断考生的答案是否正确。\n{letters}\n{reply}"}
SAMPLING = {"max_new_tokens": 64}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("正确", "right"),
        ("错误。", "wrong"),
        ("考生选了A，标准答案是AC。\n\n**错误**", "wrong"),
        ("判断：正确", "right"),
        ("最终判断为【错误】", "wrong"),
        ("Verdict: Right.", "right"),
        ("The key is C.\nincorrect", "wrong"),
        ("不正确", "wrong"),
        ("<think>看起来错误\n错误</think>\n正确", "right"),
        ("看起来错误</think>正确", "right"),
        # nonsense, half sentences, more than one verdict
        ("", None),
        ("<think>正确", None),
        ("正确\n不过也可以说错误", None),
        ("正确或错误", None),
        ("部分正确", None),
        ("答案正确吗？", None),
        ("今天天气很好", None),
        ("正确率100%", None),
    ],
)
def test_verdict(text, said):
    assert verdict(text) == said


@pytest.mark.parametrize(
    ("counts", "kappa"),
    [
        ((20, 5, 10, 15), 0.4),  # 50 grants read by two readers, a textbook's example
        ((45, 15, 25, 15), 0.130435),
        ((10, 0, 0, 10), 1.0),
        ((0, 10, 10, 0), -1.0),
        ((25, 25, 25, 25), 0.0),
    ],
)
def test_kappa(counts, kappa):
    assert cohens_kappa(*counts).kappa == pytest.approx(kappa, abs=1e-6)


def test_kappa_that_is_undefined():
    assert cohens_kappa(30, 0, 0, 0).kappa is None
    assert cohens_kappa(0, 0, 0, 0) == (None, None, None)


def test_kappa_agrees_with_statsmodels():
    from statsmodels.stats.inter_rater import cohens_kappa as theirs

    found = cohens_kappa(20, 5, 10, 15)
    assert found.kappa == pytest.approx(theirs([[20, 5], [10, 15]]).kappa)
    assert found.low < found.kappa < found.high


def _files(folder: Path, replies: list[str | None], golds: list[str | None]) -> tuple[Path, Path]:
    records, predictions = folder / "records.jsonl", folder / "predictions.jsonl"
    choices = json.dumps(["停车", "减速", "鸣号", "加速"], ensure_ascii=False)
    write_jsonl(
        records,
        [
            {
                "id": str(number),
                "fields": {"question": f"第{number}题", "choices": choices},
                "label": gold and {"letters": gold, "texts": ""},
                "group": str(number),
            }
            for number, gold in enumerate(golds)
        ],
    )
    write_jsonl(
        predictions,
        [
            {
                "id": str(number),
                "prompt": [],
                "responses": [] if reply is None else [{"text": reply}],
                "error": "too long" if reply is None else None,
            }
            for number, reply in enumerate(replies)
        ],
    )
    return records, predictions


def _settings(server, **more) -> Settings:
    return Settings(
        study="s",
        model="tuned",
        dataset="d",
        split="test",
        judge=Judge(endpoint="judge", prompt=PROMPT, sampling=SAMPLING),
        endpoint=endpoint(server, price=PRICE, **more),
    )


def _judge(server, folder: Path, records: Path, predictions: Path, **more) -> tuple[dict, dict]:
    paths = [folder / name for name in ("verdicts.jsonl", "metrics.json", "journal", "ledger")]
    found = judge(_settings(server, **more), records, predictions, *paths)
    return found, {row["id"]: row for row in read_jsonl(paths[0])}


def test_what_is_judged(tmp_path):
    replies = ["<think>B?</think> A", "<think>B", None, "B", ""]
    cases = replies_judged(*_files(tmp_path, replies, ["A", "A", "A", None, "A"]))
    assert [(record["id"], reply) for record, reply in cases] == [("0", "A")]


@pytest.mark.slow
def test_judged_once_and_scored_beside_the_key(tmp_path):
    golds = ["A", "AC", "B", "D"] * 20
    replies = ["A", "AC", "C", "D"] * 19 + ["<think>A</think>A", None, "", "D"]
    records, predictions = _files(tmp_path, replies, golds)
    job = _settings("http://127.0.0.1:9/v1").model_dump(mode="json")
    with chat_server(rule="judge") as server:
        address = {"name": "judge", "endpoint": {**job["endpoint"], "base_url": server.address}}
        planned = plan(
            PlanSettings.model_validate(
                {
                    "jobs": [
                        {
                            **{"study": "s", "purpose": "judge", "dataset": "d", "split": "test"},
                            **{"model": "tuned", "endpoint": address, "sampling": SAMPLING},
                            **{"prompt": PROMPT, "records": str(records), "reply_tokens": 30},
                            "predictions": str(path),
                        }
                        for path in (predictions, tmp_path / "not yet")
                    ]
                }
            ),
            tmp_path / "journal",
            tmp_path / "ledger",
        )
        found, verdicts = _judge(server, tmp_path, records, predictions)
        again, _ = _judge(server, tmp_path, records, predictions)
        assert server.stats()["requests"] == 78 == planned["jobs"][0]["requests"]
    assert planned["jobs"][1]["requests"] == 80
    assert planned["jobs"][0]["cost_at_most"] < planned["jobs"][1]["cost_at_most"]
    assert (again["generated"], again["right"]) == (0, found["right"])
    assert found["right"] + found["wrong"] + found["unparsed"] == found["records"] == 78
    assert found["unparsed"] > 0 and found["wrong"] > 0, "one in ten replies is nonsense"
    assert verdicts["0"]["text"].startswith("<think>正确\n还是错误？</think>")
    lines = settled(tmp_path / "ledger")
    assert {line["purpose"] for line in lines} == {"judge"}
    assert found["prompt_tokens"] == sum(line["prompt_tokens"] for line in lines)

    answers = tmp_path / "answers.jsonl"
    write_jsonl(answers, answer_records(records, predictions, EXTRACT))
    settings = ScoreSettings(
        study="s", model="tuned", dataset="d", split="test", baseline="tuned", extract=EXTRACT
    )
    judgements = tmp_path / "verdicts.jsonl"
    made = score(settings, answers, answers, judgements=judgements, baseline_judgements=judgements)
    exact, _, judged = made["metrics"]
    assert exact["correct"] == 59 and judged["n"] == 80
    assert judged["correct"] == found["right"] <= 59
    assert judged["errors"] == 1 and judged["unparsed"] == found["unparsed"] + 1
    agreed = made["judge"]
    assert (agreed["against"], agreed["n"]) == ("exact", found["right"] + found["wrong"])
    assert agreed["kappa"] == 1.0 and agreed["no_verdict"] == found["unparsed"] + 2
    (block,) = agreements([made], ["tuned"])
    assert block.rows[0][:5] == ["tuned", "exact", str(agreed["n"]), "100.0", "1.00 [1.00, 1.00]"]


@pytest.mark.slow
def test_a_judge_that_fails_or_is_cut_decides_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(waits, "FIRST", 0.01)
    records, predictions = _files(tmp_path, ["A"] * 6, ["A"] * 6)
    with chat_server(rule="judge", fault={"length": 1.0}) as server:
        found, _ = _judge(server, tmp_path, records, predictions)
    assert (found["unparsed"], found["right"]) == (6, 0)
    with chat_server(rule="judge", fault={"503": 0.5}) as server:
        found, verdicts = _judge(server, tmp_path, records, predictions, model="other", attempts=1)
    failed = [row for row in verdicts.values() if row["error"]]
    assert 0 < found["error"] == len(failed) < 6
    assert all("503" in row["error"] and row["verdict"] is None for row in failed)


def test_agreement_of_a_strict_key_and_a_mild_judge():
    rows = [{"id": str(number)} for number in range(5)]
    verdicts = ("right", "right", "wrong", "wrong", None)
    judgements = {str(number): {"verdict": said} for number, said in enumerate(verdicts)}
    found = agreement("exact", rows, [True, False, False, True, True], judgements)
    counts = ("both_right", "only_judge", "only_key", "both_wrong", "n", "no_verdict")
    assert [found[key] for key in counts] == [1, 1, 1, 1, 4, 1]
    assert (found["agreement"], found["kappa"]) == (0.5, 0.0)


def test_kinds_of_questions():
    golds = ["A", "AC", "ABC", "B"]
    reads = [[{"letters": "A"}], [{"letters": "A"}], [{"letters": "BD"}], []]
    rows = [{"label": gold, "read": read} for gold, read in zip(golds, reads, strict=True)]
    one, several = by_kind(rows)
    assert one == {"kind": "one", "n": 2, "exact": 1, "partial": 1, "jaccard": 0.5}
    assert (several["n"], several["exact"], several["partial"]) == (2, 0, 1)
    assert several["jaccard"] == pytest.approx((1 / 2 + 1 / 4) / 2)
    made = {"dataset": "d", "split": "test", "model": "m", "by_kind": [one, several]}
    (block,) = kinds([made], ["m"])
    assert block.rows[1] == ["m", "several right options", "2", "0.0", "50.0", "37.5"]


def test_over_the_bank():
    def row(model, split, n, correct):
        names = {"model": model, "dataset": "bank", "split": split, "metric": "exact"}
        return {**names, "n": n, "correct": correct, "unparsed": 1, "errors": 0}

    rows = [row("tuned", "train", 70, 70), row("tuned", "test", 20, 10)]
    assert whole_datasets(rows) == []
    rows += [row("tuned", "validation", 10, 0), row("base", "test", 20, 1)]
    (block,) = whole_datasets(rows)
    assert block.rows == [["tuned", "exact", "80.0 [71.1, 86.7]", "100", "80", "3", "0"]]


STUDY = {
    "title": "t",
    "prompts": {"p": {"user": "{question}"}},
    "datasets": {
        "d": {
            "source": {
                **{"kind": "file", "path": "x", "fields": ["question", "choices"]},
                "label": ["letters", "texts"],
            },
            "prompt": "p",
            "extract": {"kind": "options"},
            "judge": {"endpoint": "qwen-max", "prompt": PROMPT},
        }
    },
    "endpoints": {"qwen-max": {"base_url": "http://127.0.0.1:9/v1", "model": "qwen-max"}},
    "models": {"base": {"base": "tiny"}},
    "baseline": "base",
    "evaluations": [{"dataset": "d"}],
    "published": [{"model": "base", "dataset": "d", "metric": "judged", "value": 0.5}],
}


def _study(**judge) -> Study:
    changed = json.loads(json.dumps(STUDY))
    changed["datasets"]["d"]["judge"] |= judge
    return Study.model_validate(changed)


def test_config_of_a_judge():
    assert _study().datasets["d"].metric_names() == ["exact", "partial", "judged"]
    with pytest.raises(ValueError, match=r"judge\.endpoint: no endpoint 'qwen'\. Did you mean"):
        _study(endpoint="qwen")
    with pytest.raises(ValueError, match="no endpoint 'rules'"):
        _study(endpoint="rules")
    with pytest.raises(ValueError, match=r"no \{reply\} in it, so nothing would be judged"):
        _study(prompt={"user": "{question} {letters}"})
    with pytest.raises(ValueError, match=r"has no \{answr\}"):
        _study(prompt={"user": "{answr} {reply}"})
