"""The whole workflow at demo scale: what it makes, and what it does not make a second time."""

import csv
import json
import os
import resource
import shutil
import signal
import time

import pytest
from workflow import DEMO, Project, hashes, rows

from snaketune.files import sha256_file

pytestmark = pytest.mark.slow
STUDY = "config/studies/weather.yaml"
RESULTS = f"{DEMO}/weather"


def test_tuning_teaches(demo):
    table = rows(demo)
    tuned, base = (table[m, "weather", "exact_match"] for m in ("tuned", "base"))
    assert float(tuned["accuracy"]) >= 0.90
    assert float(tuned["p_vs_base"]) < 0.01
    assert float(tuned["accuracy"]) > float(base["accuracy"])
    assert int(tuned["n"]) == int(base["n"]) > 500


def test_qlora_is_as_good_as_lora(demo):
    table = rows(demo)
    lora, qlora = (table[m, "weather", "exact_match"] for m in ("tuned", "tuned_qlora"))
    assert abs(float(lora["accuracy"]) - float(qlora["accuracy"])) <= 0.03


def test_test_cities_are_unseen(demo):
    data = demo.folder / RESULTS / "data/weather"
    groups = {
        split: {json.loads(line)["group"] for line in (data / f"{split}.jsonl").open()}
        for split in ("train", "validation", "test")
    }
    assert all(groups.values())
    assert not groups["train"] & (groups["test"] | groups["validation"])
    assert not groups["validation"] & groups["test"]


def test_results_are_there_to_look_at(demo):
    folder = demo.folder / RESULTS
    pages = ("accuracy.html", "overview.html", "answers.html", "../index.html")
    for name in (*pages, "accuracy.md", "figures/accuracy.svg", "figures/loss.svg"):
        assert (folder / name).stat().st_size > 500, name
    losses = list(csv.DictReader((folder / "adapters/lora/loss.csv").open()))
    assert float(losses[-1]["loss"] or losses[-2]["loss"]) < float(losses[0]["loss"])


def test_report_needs_no_network(changed):
    changed.snakemake("--report", "report.html", https_proxy="http://127.0.0.1:9")
    page = (changed.folder / "report.html").read_text(encoding="utf-8")
    text = page.split('<script id="results">', 1)[1].split("var results = ", 1)[1]
    shown, _ = json.JSONDecoder().raw_decode(text)
    found = {path.removeprefix(f"{RESULTS}/"): entry for path, entry in shown.items()}
    first = "results/demo/index.html"
    for name in (
        first,
        "overview.html",
        "accuracy.html",
        "figures/accuracy.svg",
        "figures/loss.svg",
    ):
        assert found[name]["caption"] and found[name]["labels"], name
        assert found[name]["data_uri"].startswith("data:"), name
    for name in ("data/weather/quality.json", "adapters/lora/metrics.json"):
        assert found[name]["caption"], name


def test_second_run_does_nothing(demo):
    assert "Nothing to be done" in demo.snakemake("--cores", "all")


def test_plan_is_quick(changed):
    """In seconds of the processor: a machine may be busy with other things."""
    for name in ("results", ".snaketune", ".snakemake"):
        shutil.rmtree(changed.folder / name)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    changed.snakemake("-n")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime - before.ru_utime < 30


def test_touching_and_commenting_re_runs_nothing(changed):
    for path in [*changed.folder.glob("scripts/**/*.py"), *changed.folder.glob("resources/**/*")]:
        if path.suffix == ".py":
            text = path.read_text(encoding="utf-8")
            path.write_text(text + "\n# A remark.\n", encoding="utf-8")
        path.touch()
    assert changed.plan() == {}


def test_new_scoring_code_scores_again_and_generates_nothing(changed):
    path = changed.folder / "scripts/snaketune/scoring.py"
    path.write_text(path.read_text(encoding="utf-8") + "\nREMARK = 1\n", encoding="utf-8")
    planned = changed.plan()
    assert planned["score_weather"] == planned["score_nli"] == 1
    late = {
        "score_weather",
        "score_nli",
        "score_yesorno",
        "score_logic",
        "score_jiakao",
        "draw_votes",
        "tabulate_votes",
        "compare_models",
        "tabulate_scores",
        "draw_accuracy",
        "draw_grid",
        "write_cards_weather",
        "write_cards_jiakao",
        "describe_study",
        "summarise",
    }
    assert set(planned) <= late


def test_one_recipe_value_retrains_one_adapter(changed):
    changed.change(STUDY, "adapters", "lora", "training", "learning_rate", value=1e-3)
    assert changed.plan() == {
        "write_recipe": 1,
        "train_adapter": 1,
        "inspect_adapter": 1,
        "merge_adapter": 1,
        "predict_weather_tuned": 1,
        "extract_and_vote": 2,
        "score_weather": 1,
        "compare_models": 1,
        "tabulate_scores": 1,
        "draw_accuracy": 1,
        "draw_loss": 1,
        "write_cards_weather": 1,
        "describe_study": 1,
        "browse_answers": 1,
        "summarise": 1,
    }
    assert "adapter=qlora" not in changed.snakemake("-n")


@pytest.mark.parametrize(
    ("lost", "rule"),
    [
        ("raw/weather.jsonl", "synthesise"),
        ("data/weather/quality.json", "split"),
        ("merged/tuned/parity.json", "merge_adapter"),
        ("predictions/tuned/weather/test.jsonl", "predict_weather_tuned"),
        ("quality.json", "check_leaks"),
        ("adapters/lora/tensors.csv", "inspect_adapter"),
    ],
)
def test_what_a_failed_job_took_away_is_made_again(changed, lost, rule):
    (changed.folder / RESULTS / lost).unlink()
    assert changed.plan().get(rule) == 1


def test_new_title_draws_again_only(changed):
    changed.change(STUDY, "title", value="Weather")
    assert changed.plan() == {
        "check_leaks": 1,
        "inspect_adapter": 2,
        "tabulate_scores": 1,
        "draw_accuracy": 1,
        "draw_loss": 1,
        "write_cards_weather": 1,
        "describe_study": 1,
        "browse_answers": 1,
        "summarise": 1,
    }


def test_light_jobs_do_not_import_torch(changed, tmp_path):
    trap = tmp_path / "trap/torch"
    trap.mkdir(parents=True)
    (trap / "__init__.py").write_text("raise SystemExit('torch was imported')\n")
    trapped = {"PYTHONPATH": str(trap.parent)}
    fresh = Project.copied(tmp_path / "fresh")
    fresh.snakemake("--cores", "all", "--until", "split", "locate_base", "write_recipe", **trapped)
    assert (fresh.folder / RESULTS / "adapters/lora/recipe.yaml").is_file()
    late = ("check_leaks", "inspect_adapter", "extract_and_vote", "score_weather", "score_nli")
    late += ("score_yesorno", "score_logic", "draw_votes", "tabulate_votes", "write_submission")
    late += ("compare_models", "tabulate_scores", "draw_accuracy", "draw_grid", "draw_loss")
    late += ("write_cards_weather",)
    late += ("describe_study", "browse_answers", "summarise")
    late += ("score_jiakao", "show_duplicates", "tabulate_mmlu")
    changed.snakemake("--cores", "all", "--forcerun", *late, **trapped)
    printed = fresh.snakemake("--cores", "all", "--until", "merge_adapter", fails=True, **trapped)
    assert "torch was imported" in printed


def test_two_runs_agree_byte_for_byte(demo, tmp_path_factory):
    """Weather's second run is the killed one below; yesorno trains as logic and answers as it."""
    again = Project.copied(tmp_path_factory.mktemp("again"))
    studies = ("nli", "logic", "jiakao")
    again.snakemake(*studies, f"{DEMO}/yesorno/cot/pairs/train.jsonl", "--cores", "all")
    data, made = "data/**/*.jsonl", ("*/*/*.safetensors", "predictions/**/*.jsonl", "accuracy.csv")
    wanted = dict.fromkeys(studies, (data, *made))
    wanted["yesorno"] = (data, "cot/*/train*.jsonl")
    for study, kinds in wanted.items():
        first = hashes(demo, *kinds, study=study)
        assert len(first) > 4
        assert hashes(again, *kinds, study=study) == first


def test_killed_run_goes_on_and_ends_the_same(demo, tmp_path_factory):
    killed = Project.copied(tmp_path_factory.mktemp("killed"))
    process = killed.start("weather", "--cores", "all")
    checkpoints = killed.folder / ".snaketune/checkpoints"
    deadline = time.monotonic() + 1500
    while not list(checkpoints.glob("*/checkpoint-*/trainer_state.json")):
        assert process.poll() is None and time.monotonic() < deadline, "no checkpoint came"
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert not list((killed.folder / RESULTS).glob("adapters/*/adapter_model.safetensors"))
    killed.snakemake("--unlock")
    killed.snakemake("weather", "--cores", "all")
    metrics = [
        json.loads((killed.folder / RESULTS / f"adapters/{name}/metrics.json").read_text())
        for name in ("lora", "qlora")
    ]
    assert any(m["resumed_from_step"] for m in metrics)
    kinds = ("adapters/*/*.safetensors", "predictions/**/*.jsonl")
    assert hashes(killed, *kinds) == hashes(demo, *kinds)


def test_damaged_weights_are_noticed_and_rebuilt(changed):
    weights = changed.folder / RESULTS / "merged/tuned/model.safetensors"
    whole = sha256_file(weights)
    weights.write_bytes(weights.read_bytes()[:100_000])
    shutil.rmtree(changed.folder / RESULTS / "predictions/tuned")
    shutil.rmtree(changed.folder / ".snaketune")
    printed = changed.snakemake("--cores", "all", fails=True)
    assert "half-written or damaged" in printed
    changed.snakemake("--cores", "all")
    assert sha256_file(weights) == whole


def test_a_base_is_pretrained_by_its_rule(tmp_path):
    project = Project.copied(tmp_path)
    settings = {"steps": 400, "copy_steps": 400, "decay_steps": 20, "log_steps": 10}
    project.change(STUDY, "bases", value={"mini": {"source": "pretrain", "settings": settings}})
    project.snakemake("--cores", "all", "results/demo/bases/mini/source.json")
    base = project.folder / "results/demo/bases/mini"
    assert json.loads((base / "source.json").read_text())["path"] == "results/demo/bases/mini/model"
    losses = [float(row["loss"]) for row in csv.DictReader((base / "model/loss.csv").open())]
    assert losses[-1] < losses[0] / 2


def test_bad_config_starts_nothing(changed):
    changed.change(STUDY, "adapters", "lora", "basis", value="tiny")
    printed = changed.snakemake("--cores", "all", fails=True)
    assert "adapters.lora: unknown key 'basis'; did you mean 'base'?" in printed
    assert "Traceback" not in printed
    assert "Building DAG" not in printed


def test_own_city_list_by_one_value(tmp_path):
    project = Project.copied(tmp_path)
    lines = [f"{i}={name}" for i, name in enumerate(["青岛", "三亚", "大理", "敦煌", "市辖区"])]
    (tmp_path / "my cities.txt").write_bytes("\n".join(lines).encode("gbk"))
    project.change(STUDY, "datasets", "weather", "source", "cities", value="my cities.txt")
    project.snakemake("--cores", "all", "--until", "split")
    text = (project.folder / RESULTS / "data/weather/train.jsonl").read_text(encoding="utf-8")
    assert {json.loads(line)["label"]["city"] for line in text.splitlines()} < {
        "青岛", "三亚", "大理", "敦煌",
    }  # fmt: skip
    quality = json.loads((project.folder / RESULTS / "data/weather/quality.json").read_text())
    assert quality["leakage"]["groups"] == 0
