"""How vLLM is set up, as far as that can be seen without it."""

import json
import sys
from types import ModuleType

import pytest
from conformance import BARE, GREEDY
from tuning import SCRIPTS, Study
from workflow import Project

from snaketune.errors import UserError
from snaketune.files import read_json, write_json

pytestmark = pytest.mark.slow  # the engine's module imports torch

TINY = SCRIPTS.parent / "resources/tiny-base"


def fake_vllm(monkeypatch, device_type: str) -> None:
    package, platforms = ModuleType("vllm"), ModuleType("vllm.platforms")
    platforms.current_platform = ModuleType("platform")
    platforms.current_platform.device_type = device_type
    monkeypatch.setitem(sys.modules, "vllm", package)
    monkeypatch.setitem(sys.modules, "vllm.platforms", platforms)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name == "vllm")
    for name in ("ENABLE_V1_MULTIPROCESSING", "NO_USAGE_STATS", "CONFIGURE_LOGGING"):
        monkeypatch.setenv(f"VLLM_{name}", "0")  # what is set here is unset at the end
    monkeypatch.setenv("VLLM_CPU_OMP_THREADS_BIND", "nobind")


def test_without_vllm_and_without_a_device_it_says_what_to_do(monkeypatch):
    from snaketune.engines.vllm_engine import check_vllm

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"vLLM is not installed here.*gpu\.lock.*sdm conda"):
        check_vllm()
    fake_vllm(monkeypatch, "")
    with pytest.raises(UserError, match=r"finds no device.*machine\.gpu") as raised:
        check_vllm()
    assert raised.value.exit_code == 75, "elsewhere, or later, the same may go through"
    fake_vllm(monkeypatch, "cuda")
    assert check_vllm() == "cuda"


@pytest.mark.parametrize(
    ("wanted", "given", "heads", "together"),
    [
        *((None, 0, 12, 1), (None, 1, 12, 1), (None, 4, 12, 4), (None, 8, 12, 6)),
        *((2, 2, 12, 2), (1, 4, 12, 1), (None, 3, 16, 2)),
    ],
)
def test_the_gpus_that_the_job_was_given_hold_the_model_together(wanted, given, heads, together):
    from snaketune.engines.vllm_engine import parallel

    assert parallel(wanted, given, heads) == together


def test_gpus_that_are_not_there_are_not_taken():
    from snaketune.engines.vllm_engine import parallel

    with pytest.raises(UserError, match="4 GPUs are wanted, and the job was given 2"):
        parallel(4, 2, 12)
    with pytest.raises(UserError, match="5 does not divide the model's 12 heads"):
        parallel(5, 8, 12)


def session(**more):
    from snaketune.session import Session

    settings = {"sampling": GREEDY, "models": {"base": BARE}, "questions": [], **more}
    return Session.model_validate(settings)


def test_settings_reach_vllm_with_the_gpus_that_are_seen(tmp_path, monkeypatch):
    import torch

    from snaketune.engines.vllm_engine import open_engines

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    source = read_json(Study(tmp_path, TINY).source)
    settings = {"max_model_len": 300, "gpu_memory_utilization": 0.5, "enforce_eager": True}
    engine = open_engines(source, session(engine="vllm", vllm=settings))["base"]
    engine.weights.device = "cuda"
    found = engine.weights._arguments()
    assert found | settings == found and found["tensor_parallel_size"] == 2
    assert found["dtype"] == "float32" and found["max_num_seqs"] == 64
    assert "kv_cache_memory_bytes" not in found and "enable_lora" not in found
    assert engine.refusal([0] * 300, session().sampling) is not None
    engine.weights.device = "cpu"
    assert engine.weights._arguments()["kv_cache_memory_bytes"] == 1024**3


def test_ranks_are_rounded_up_to_those_that_vllm_knows(tmp_path):
    from snaketune.engines.vllm_engine import largest_rank

    folders = [tmp_path / str(rank) for rank in (4, 24, 600)]
    for folder in folders:
        write_json(folder / "adapter_config.json", {"r": int(folder.name)})
    assert largest_rank(folders[:2]) == 32
    with pytest.raises(UserError, match=r"600: vLLM takes adapters up to rank 512"):
        largest_rank(folders)


def test_vllm_names_its_answers_apart_from_those_of_transformers(tmp_path):
    from snaketune.engines import transformers_engine, vllm_engine

    source = read_json(Study(tmp_path, TINY).source)
    modules = (transformers_engine, vllm_engine)
    one, other = (module.open_engines(source, session())["base"] for module in modules)
    assert one.model_sha256 != other.model_sha256 and one.model_id == other.model_id
    assert one.encode([{"role": "user", "content": "三亚"}]) == other.encode(
        [{"role": "user", "content": "三亚"}]
    )


@pytest.mark.parametrize("program", ["vllm", "transformers"])
def test_a_server_is_told_all_but_its_key(tmp_path, monkeypatch, program):
    from snaketune.engines.own_server_engine import KEY, open_engine

    for name in ("NO_PROXY", "no_proxy", KEY):
        monkeypatch.setenv(name, "")
    fake_vllm(monkeypatch, "cuda")
    source = read_json(Study(tmp_path, TINY).source)
    asked = session(serve={"program": program, "concurrency": 3}, vllm={"max_model_len": 300})
    engine = open_engine(source, asked, None, None, threads=2)
    try:
        command, environment = engine._server.command, engine._server.environment
        joined = " ".join(command)
        assert "--host 127.0.0.1 --port 0" in joined and "--dtype float32" in joined
        assert environment["OMP_NUM_THREADS"] == "2" and KEY not in environment
        assert engine.endpoint.concurrency == 3
        if program == "vllm":
            assert "--max-model-len 300" in joined and "--no-enforce-eager" in joined
            key = environment["VLLM_API_KEY"]
            assert len(key) > 30 and key not in joined and engine.endpoint.api_key_env == KEY
        else:
            told = json.loads(engine.endpoint.extra_body["generation_config"])
            assert told["do_sample"] is False and told["max_new_tokens"] == 12
    finally:
        engine.close()


def test_models_of_one_base_are_one_job_of_vllm_and_a_served_one_is_another(tmp_path):
    project = Project.copied(tmp_path / "project")
    file = "config/studies/weather.yaml"
    project.change("config/config.yaml", "studies", value=["weather"])
    project.change(file, "engine", value="vllm")
    project.change(file, "models", "tuned", "merge", value=False)
    project.change(file, "models", "tuned_qlora", value={"adapter": "qlora", "serve": {}})
    plan = project.plan()
    jobs = {rule for rule in plan if rule.startswith("predict")}
    assert jobs == {"predict_weather_base", "predict_weather_tuned_qlora"}
    project.change(file, "models", "tuned", "engine", value="transformers")
    assert "predict_weather_tuned" in project.plan()
