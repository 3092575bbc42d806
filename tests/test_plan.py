"""The plan: what is going to be asked and paid is what then is, and nobody is asked for it."""

import copy
import json
import subprocess
import sys

import pytest
import yaml
from asking import PRICE, endpoint, settled
from chat_server import chat_server
from test_served_models import PROMPT, SAMPLING, STUDY, records, session
from tuning import SCRIPTS
from workflow import DEMO, Project

from snaketune.config.data import Distill
from snaketune.distilling import Settings as DistillSettings
from snaketune.distilling import distill
from snaketune.engines.openai_engine import OpenAIEngine
from snaketune.files import read_json, read_jsonl, write_jsonl
from snaketune.planning import Settings, as_text, estimated_tokens, plan
from snaketune.predicting import predict

pytestmark = pytest.mark.slow

NO_KEY = "the environment variable KEY_THAT_IS_NOWHERE is not set"
TEACHER_PROMPT = {"user": '句子1：{one}\n句子2：{two}\n已知标签是："{label}"。请解释。'}


def planned(folder, *jobs: dict) -> dict:
    return plan(Settings.model_validate({"jobs": jobs}), folder / "journal", folder / "ledger")


def predict_job(server, rows, **more) -> dict:
    address = endpoint(server, price=PRICE, **more).model_dump(mode="json")
    return {
        **{"study": "s", "purpose": "predict", "dataset": "d", "split": "test", "model": "served"},
        **{"endpoint": {"name": "address", "endpoint": address}, "sampling": SAMPLING},
        **{"prompt": PROMPT, "records": str(rows)},
    }


def ask(server, folder, rows, **more) -> None:
    asked = session(server, folder, rows, price=PRICE, **more)
    engine = OpenAIEngine("address", asked.endpoint.endpoint, folder / "ledger", {})
    predict(engine, asked.questions[0], asked.sampling, folder / "journal")


def test_what_is_planned_to_be_asked_is_asked_and_costs_no_more(tmp_path):
    rows = records(tmp_path / "r.jsonl", 20)
    with chat_server() as server:
        before = planned(tmp_path, predict_job(server, rows))
        assert server.stats()["requests"] == 0 and not (tmp_path / "journal").exists()
        ask(server, tmp_path, rows)
        stats = server.stats()
        after = planned(tmp_path, predict_job(server, rows))
    (job,) = before["jobs"]
    assert (job["records"], job["in_journal"]) == (20, 0)
    assert (job["requests"], job["responses"]) == (19, 38) == (stats["requests"], stats["choices"])
    spent = sum(line["cost"] for line in settled(tmp_path / "ledger"))
    assert spent < job["cost"] <= job["cost_at_most"], "without answers yet, replies of full length"
    (job,) = after["jobs"]
    assert (job["in_journal"], job["requests"], job["responses"]) == (38, 0, 0)
    assert job["cost"] == job["cost_at_most"] == 0
    assert after["endpoints"][0]["spent"] == pytest.approx(spent)


def test_answers_that_are_there_make_the_rest_better_known(tmp_path):
    half, whole = records(tmp_path / "half.jsonl", 20), records(tmp_path / "whole.jsonl", 60)
    with chat_server() as server:
        ask(server, tmp_path, half)
        (job,) = planned(tmp_path, predict_job(server, whole))["jobs"]
        ask(server, tmp_path, whole)
    assert (job["in_journal"], job["requests"]) == (38, 40)
    paid = settled(tmp_path / "ledger")[19:]
    assert job["prompt_tokens"] == pytest.approx(sum(p["prompt_tokens"] for p in paid), rel=0.05)
    replies = sum(line["completion_tokens"] for line in paid)
    assert job["completion_tokens"] == pytest.approx(replies, rel=0.05)


def test_a_teachers_texts_are_found_and_further_attempts_count_at_most(tmp_path):
    rows = records(tmp_path / "r.jsonl", 12)
    write_jsonl(rows, [row | {"label": row["label"] if i else None} for i, row in
                       enumerate(read_jsonl(rows))])  # fmt: skip
    how = {"sampling": {"temperature": 0.7, "max_new_tokens": 64}, "attempts": 3}
    with chat_server() as server:
        job = predict_job(server, rows) | how
        job |= {"purpose": "distill", "model": None, "prompt": TEACHER_PROMPT, "label": True}
        (first,) = planned(tmp_path, job)["jobs"]
        teacher = Distill.model_validate({"teacher": "address", "prompt": TEACHER_PROMPT, **how})
        settings = DistillSettings(
            study="s", dataset="d", distill=teacher, labels=["不相同", "相同"],
            endpoint=endpoint(server, price=PRICE),
        )  # fmt: skip
        files = [tmp_path / f"{name}.json" for name in ("kept", "rejected", "metrics")]
        distill(settings, rows, *files, tmp_path / "journal", tmp_path / "ledger")
        (then,) = planned(tmp_path, job)["jobs"]
    assert (first["records"], first["responses"], first["requests"]) == (11, 11, 11)
    assert first["completion_tokens_at_most"] == 3 * 11 * 64
    assert (then["in_journal"], then["responses"], then["cost"]) == (11, 0, 0)
    bought = len(settled(tmp_path / "ledger"))
    assert then["completion_tokens_at_most"] == (3 * 11 - bought) * 64
    greedy = job | {"sampling": {"max_new_tokens": 64}}
    (job,) = planned(tmp_path, greedy)["jobs"]
    assert job["completion_tokens_at_most"] == 11 * 64, "at temperature 0 one text is all"


def test_the_bound_is_the_one_that_the_budget_uses(tmp_path):
    """Of one request a record the ledger holds the same at most, to the last digit."""
    rows = records(tmp_path / "r.jsonl", 8)
    with chat_server() as server:
        job = predict_job(server, rows) | {"sampling": {"max_new_tokens": 128}}
        (row,) = planned(tmp_path, job)["jobs"]
        ask(server, tmp_path, rows, sampling={"max_new_tokens": 128})
    sent = [
        json.loads(line)
        for file in (tmp_path / "ledger").glob("*.jsonl")
        for line in file.read_text("utf-8").splitlines()
        if "sent" in json.loads(line)
    ]
    assert row["cost_at_most"] == pytest.approx(sum(line["at_most"] for line in sent))


def test_the_account_says_what_is_left_and_when_it_will_not_do(tmp_path):
    rows = records(tmp_path / "r.jsonl", 20)
    with chat_server() as server:
        ask(server, tmp_path, records(tmp_path / "few.jsonl", 5))
        found = planned(tmp_path, predict_job(server, rows, budget=0.02))
        enough = planned(tmp_path, predict_job(server, rows, budget=10))
    spent = sum(line["cost"] for line in settled(tmp_path / "ledger"))
    (account,) = found["endpoints"]
    assert account["left"] == pytest.approx(0.02 - spent) and account["stops_at_budget"]
    assert not enough["endpoints"][0]["stops_at_budget"]
    assert "address: may reach its budget" in as_text(found)
    assert "may reach" not in as_text(enough)


def test_a_variable_without_its_key_is_named(tmp_path):
    rows = records(tmp_path / "r.jsonl", 3)
    job = predict_job("http://127.0.0.1:9/v1", rows, api_key_env="KEY_THAT_IS_NOWHERE")
    found = planned(tmp_path, job)
    assert NO_KEY in found["endpoints"][0]["key_fault"] and NO_KEY in as_text(found)
    unkeyed = planned(tmp_path, predict_job("http://127.0.0.1:9/v1", rows))
    assert unkeyed["endpoints"][0]["key_fault"] is None and "not set" not in as_text(unkeyed)


def test_tokens_are_estimated_by_kind_of_character():
    assert estimated_tokens("花呗") == pytest.approx(1.2 + 4)
    assert estimated_tokens("credit") == pytest.approx(1.8 + 4)


def test_the_command_prints_a_table_and_writes_json(tmp_path):
    rows = records(tmp_path / "r.jsonl", 4)
    settings = {"jobs": [predict_job("http://127.0.0.1:9/v1", rows)]}
    script = [sys.executable, str(SCRIPTS / "plan.py"), "--out", str(tmp_path / "plan.json")]
    folders = ["--journal", str(tmp_path / "journal"), "--ledger", str(tmp_path / "ledger")]

    def printed(settings) -> str:
        command = [*script, *folders, "--settings", json.dumps(settings)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    text = printed(settings)
    assert "s: predict d/test, served = address" in text and "CNY" in text
    assert read_json(tmp_path / "plan.json")["jobs"][0]["requests"] == 3
    assert "No study of this run asks a model" in printed({"jobs": []})


@pytest.mark.slow
def test_the_workflow_plans_what_its_teacher_is_then_asked(tmp_path):
    project = Project.copied(tmp_path)
    records(project.folder / "pairs.jsonl", 41)
    with chat_server() as server:
        study = copy.deepcopy(STUDY)
        address = {"base_url": server.address, "model": "m", "price": PRICE}
        keyed = {"model": "n", "api_key_env": "KEY_THAT_IS_NOWHERE"}
        study |= {"endpoints": {"one": address, "two": address | keyed}}
        study["datasets"]["pairs"] |= {
            "split": {"train": 0.5, "validation": 0, "test": 0.5},
            "distill": {"teacher": "one", "prompt": TEACHER_PROMPT, "splits": ["train"]},
        }
        text = yaml.safe_dump(study, allow_unicode=True)
        (project.folder / "config/studies/taught.yaml").write_text(text, encoding="utf-8")
        project.change("config/config.yaml", "studies", value=["taught"])
        project.snakemake("plan", "--cores", "2")
        before = read_json(project.folder / DEMO / "plan.json")
        assert server.stats()["requests"] == 0
        printed = project.snakemake(f"{DEMO}/taught/cot/pairs/train.jsonl", "--cores", "2")
        assert f"endpoint two: {NO_KEY}" in printed, "before the job that needs it begins"
        printed = project.snakemake("plan", "--cores", "2")
    assert "taught: distill pairs/train, one" in printed
    after = read_json(project.folder / DEMO / "plan.json")
    counts = [[(job["purpose"], job["in_journal"], job["requests"]) for job in plan["jobs"]]
              for plan in (before, after)]  # fmt: skip
    asked = [("predict", 0, 20), ("predict", 0, 20)]
    assert counts == [[("distill", 0, 20), *asked], [("distill", 20, 0), *asked]]
    assert [NO_KEY in (row["key_fault"] or "") for row in after["endpoints"]] == [False, True]
    assert after["endpoints"][0]["spent"] > 0
