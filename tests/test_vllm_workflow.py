"""Studies that vLLM answers for, in process and served, from data to answers."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
import yaml
from conformance import BARE, GREEDY, question
from tuning import SCRIPTS, Study, run
from workflow import DEMO, Project

from snaketune.files import read_json, read_jsonl

pytestmark = [pytest.mark.vllm, pytest.mark.slow]

TINY = SCRIPTS.parent / "resources/tiny-base"


def small_study(project: Project) -> None:
    """The weather study with less of all, whose base and adapter vLLM holds together, and whose
    merged model it serves."""
    path = project.folder / "config/studies/weather.yaml"
    study = yaml.safe_load(path.read_text(encoding="utf-8"))
    study = {key: value for key, value in study.items() if key not in ("scales", "published")}
    for name in ("extended", "handwritten"):
        del study["datasets"][name]
    study["datasets"]["weather"]["source"]["records"] = 200
    del study["adapters"]["qlora"]
    study["adapters"]["lora"]["training"] |= {"max_steps": 6, "eval_steps": 6, "save_steps": 6}
    study |= {
        "engine": "vllm",
        "models": {
            "base": {"base": "tiny"},
            "tuned": {"adapter": "lora", "merge": False},
            "served": {"adapter": "lora", "serve": {"program": "vllm"}},
        },
        "evaluations": [{"dataset": "weather", "split": "test"}],
    }
    text = yaml.safe_dump(json.loads(json.dumps(study)), allow_unicode=True, sort_keys=False)
    (project.folder / "config/studies/sky.yaml").write_text(text, encoding="utf-8")
    project.change("config/config.yaml", "studies", value=["sky"])


def test_a_study_is_answered_in_process_and_by_a_server_of_its_own(tmp_path):
    project = Project.copied(tmp_path / "project")
    small_study(project)
    folder = project.folder / DEMO / "sky"
    places = {m: f"{DEMO}/sky/answers/{m}/weather/test.jsonl" for m in ("base", "tuned", "served")}
    project.snakemake("--cores", "2", *places.values())
    answers = {model: list(read_jsonl(project.folder / at)) for model, at in places.items()}
    assert len({len(rows) for rows in answers.values()}) == 1 and len(answers["base"]) > 20
    texts = {model: [row["text"] for row in rows] for model, rows in answers.items()}
    equal = sum(one == other for one, other in zip(texts["tuned"], texts["served"], strict=True))
    assert equal >= 0.9 * len(texts["tuned"]) and texts["tuned"] != texts["base"]
    metrics = {
        model: read_json(folder / f"predictions/{model}/weather/test.metrics.json")
        for model in places
    }
    assert metrics["tuned"]["session"]["models"] == 2 and metrics["tuned"]["versions"]["vllm"]
    said = (project.folder / DEMO / "logs/sky/predict/base.log").read_text(encoding="utf-8")
    assert "tiny+lora on weather/test: 0 from the journal" in said and "Done in" in said
    assert metrics["served"]["server"]["program"] == "vllm"
    assert metrics["served"]["model_id"] == "tiny+lora"
    # what is answered is not asked again, and no server starts for it
    (folder / "predictions/served/weather/test.jsonl").unlink()
    project.snakemake("--cores", "2", f"{DEMO}/sky/predictions/served/weather/test.jsonl")
    again = read_json(folder / "predictions/served/weather/test.metrics.json")
    assert again["generated"] == 0 and again["server"]["startup_seconds"] is None


def served(tmp_path, program: str, records: int = 12, **sampling) -> tuple[list[str], Study]:
    """The command that asks the shipped base through a server."""
    tiny = Study(tmp_path, TINY, validation=records)
    settings = {
        "sampling": GREEDY | {"max_new_tokens": 32} | sampling,
        "models": {"base": BARE},
        "questions": [question(tmp_path, tiny.validation)],
        "serve": {"program": program, "concurrency": 4},
    }
    words = [sys.executable, str(SCRIPTS / "predict.py"), "--settings", json.dumps(settings)]
    words += ["--base", str(tiny.source), "--journal", str(tmp_path / "journal")]
    return [*words, "--threads", "1", "--log", str(tmp_path / "predict.log")], tiny


def test_transformers_serve_answers_as_transformers_does(tmp_path):
    from snaketune.engines.transformers_engine import open_engines
    from snaketune.predicting import predict
    from snaketune.session import Session

    words, tiny = served(tmp_path, "transformers")
    run(words)
    got = [row["responses"][0] for row in read_jsonl(tmp_path / "base-d.jsonl")]
    here = [question(tmp_path, tiny.validation, dataset="here")]
    asked = {"sampling": GREEDY | {"max_new_tokens": 32}, "models": {"base": BARE}}
    asked = Session.model_validate({**asked, "questions": here})
    engine = open_engines(read_json(tiny.source), asked)["base"]
    predict(engine, asked.questions[0], asked.sampling, tmp_path / "journal")
    expected = [row["responses"][0] for row in read_jsonl(tmp_path / "base-here.jsonl")]
    assert {response["model_id"] for response in got} == {"tiny"}
    assert [r["text"] for r in got] == [r["text"] for r in expected]


def descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@pytest.mark.parametrize("program", ["vllm", "transformers"])
def test_a_killed_job_leaves_no_server(tmp_path, program):
    words, _ = served(
        tmp_path, program, 500, temperature=1.0, responses_per_record=20, max_new_tokens=400
    )
    job = subprocess.Popen(words, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 500
        while not list((tmp_path / "journal").glob("*/*.jsonl")):
            assert job.poll() is None, (tmp_path / "predict.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        left = descendants(psutil.Process(job.pid))
        assert len(left) >= 2, "a guard and a server"
        words_seen = " ".join(word for process in left for word in process.cmdline())
        keys = [process.environ().get("VLLM_API_KEY") for process in left]
        assert all(key not in words_seen for key in keys if key) and "--api-key" not in words_seen
        assert program == "transformers" or any(keys)
    finally:
        os.kill(job.pid, signal.SIGKILL)
        job.wait()
    _, alive = psutil.wait_procs(left, timeout=200)
    assert not alive
