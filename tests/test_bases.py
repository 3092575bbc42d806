"""Bases: what a model folder must have, source.json, manifests; downloads from a local hub."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hub_server import COMMIT, TOKEN, Hub, hub_of
from safetensors.numpy import save_file

from snaketune.bases import TINY, check_model_folder, locate, model_files
from snaketune.config.tuning import LocalBase, PretrainedBase, TinyBase
from snaketune.errors import UserError
from snaketune.files import read_json, sha256_file
from snaketune.folders import publish, read_manifest

SMALL = ["config.json", "generation_config.json", "merges.txt", "tokenizer.json"]
SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"


def make_model(folder: Path, shards: int = 1) -> Path:
    """A folder that has what a model needs, with weights that mean nothing."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "qwen3"}')
    (folder / "generation_config.json").write_text("{}")
    (folder / "tokenizer.json").write_text('{"model": {}}')
    (folder / "README.md").write_text("A card.")
    names = [f"model-{i + 1:05d}-of-{shards:05d}.safetensors" for i in range(shards)]
    if shards == 1:
        names = ["model.safetensors"]
    else:
        index = {"weight_map": {f"layer.{i}": name for i, name in enumerate(names)}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    rng = np.random.default_rng(0)
    for index, name in enumerate(names):
        tensor = rng.normal(size=(300, 400)).astype("float32")
        save_file({f"layer.{index}": tensor}, folder / name, metadata={"format": "pt"})
    return folder


def cut(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        file.truncate(size)


def test_a_whole_folder_passes_and_its_files_are_named(tmp_path):
    one = make_model(tmp_path / "one")
    assert check_model_folder(one) == [
        *("config.json", "generation_config.json", "model.safetensors", "tokenizer.json")
    ]
    three = check_model_folder(make_model(tmp_path / "three", shards=3))
    assert sum(name.endswith(".safetensors") for name in three) == 3
    assert "model.safetensors.index.json" in three


def test_code_counts_only_where_it_is_trusted():
    names = ["config.json", "model.safetensors", "modeling.py", "sub/model.safetensors", "x.bin"]
    assert model_files(names) == ["config.json", "model.safetensors"]
    assert "modeling.py" in model_files(names, trust_remote_code=True)


def weights(folder: Path) -> Path:
    return folder / "model.safetensors"


DAMAGE = {
    "no config": (lambda f: (f / "config.json").unlink(), "no config.json"),
    "broken config": (lambda f: cut(f / "config.json", 9), "config.json, line 1: not valid JSON"),
    "binary config": (lambda f: (f / "config.json").write_bytes(b"\xff\xfe"), "no JSON object"),
    "other config": (lambda f: (f / "config.json").write_text('{"a": 1}'), "no model_type"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "no tokenizer"),
    "broken tokenizer": (lambda f: cut(f / "tokenizer.json", 4), "tokenizer.json, line 1"),
    "no weights": (lambda f: weights(f).unlink(), "has no weights"),
    "bin weights": (
        lambda f: weights(f).rename(f / "pytorch_model.bin"),
        "weights as pytorch_model.bin; only safetensors",
    ),
    "cut in the data": (lambda f: cut(weights(f), 9000), "its header promises 480,"),
    "cut in the header": (lambda f: cut(weights(f), 40), "cut off or no safetensors"),
    "empty weights": (lambda f: cut(weights(f), 0), "cut off or no safetensors"),
    "too long": (
        lambda f: weights(f).write_bytes(weights(f).read_bytes() + b"\0"),
        "its header promises",
    ),
    "zeros": (lambda f: weights(f).write_bytes(bytes(500)), "no readable safetensors header"),
    "git lfs": (
        lambda f: weights(f).write_text("version https://git-lfs.github.com/spec/v1\noid x\n"),
        "git lfs pull",
    ),
    "adapter": (
        lambda f: (f / "config.json").rename(f / "adapter_config.json"),
        "is an adapter, not a base",
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_noticed_and_the_folder_named(tmp_path, kind):
    folder = make_model(tmp_path / "model")
    damage, message = DAMAGE[kind]
    damage(folder)
    with pytest.raises(UserError) as error:
        check_model_folder(folder)
    assert message in str(error.value)
    assert str(error.value).startswith(str(folder))


def test_a_missing_shard_and_a_cut_one_are_noticed(tmp_path):
    folder = make_model(tmp_path / "model", shards=3)
    second = folder / "model-00002-of-00003.safetensors"
    cut(second, 1000)
    with pytest.raises(UserError, match=r"model-00002-of-00003\.safetensors has 1,000 bytes"):
        check_model_folder(folder)
    second.unlink()
    with pytest.raises(UserError, match="lacks 1 of 3 weight files, model-00002"):
        check_model_folder(folder)


def test_a_missing_folder_and_a_file(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        check_model_folder(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is not a folder"):
        check_model_folder(tmp_path / "file")


def test_source_json_of_a_local_base(tmp_path, monkeypatch):
    folder = make_model(tmp_path / "models" / "mine")
    base = LocalBase(source="local", path=str(folder))
    monkeypatch.chdir(tmp_path)
    source = locate("mine", base)
    assert source["path"] == "models/mine" and source["source"] == "local"
    assert source["files"]["model.safetensors"] == {
        "bytes": weights(folder).stat().st_size,
        "sha256": sha256_file(weights(folder)),
    }
    assert "README.md" not in source["files"] and source["trust_remote_code"] is False
    (folder / "README.md").write_text("Another card.")
    assert locate("mine", base)["sha256"] == source["sha256"]
    (folder / "generation_config.json").write_text('{"top_p": 0.5}')
    assert locate("mine", base)["sha256"] != source["sha256"]
    monkeypatch.chdir(SCRIPTS)
    assert locate("mine", base)["path"] == str(folder)


def test_a_pretrained_base_lies_where_it_was_written(tmp_path):
    folder = make_model(tmp_path / "made")
    base = PretrainedBase(source="pretrain")
    assert locate("own", base, folder)["path"] == str(folder)
    with pytest.raises(UserError, match="--folder"):
        locate("own", base)


@pytest.mark.skipif(not (TINY / "config.json").exists(), reason="the tiny base is not built yet")
def test_the_tiny_base_is_found_from_any_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert locate("tiny", TinyBase(source="tiny"))["path"] == str(TINY)
    monkeypatch.chdir(TINY.parents[1])
    assert locate("tiny", TinyBase(source="tiny"))["path"] == "resources/tiny-base"


def published(tmp_path: Path) -> Path:
    publish(make_model(tmp_path / "partial"), tmp_path / "merged", {"model": "tuned"})
    return tmp_path / "merged"


def test_a_whole_manifest_passes(tmp_path):
    folder = published(tmp_path)
    assert read_manifest(folder)["files"]["config.json"]["bytes"] == 23
    assert (folder / "manifest.json").exists()


MANIFEST_DAMAGE = {
    "short": lambda folder: cut(weights(folder), 900),
    "missing": lambda folder: weights(folder).unlink(),
    "same length": lambda folder: weights(folder).write_bytes(
        bytes(weights(folder).stat().st_size)
    ),
    "manifest cut": lambda folder: cut(folder / "manifest.json", 50),
    "manifest empty": lambda folder: (folder / "manifest.json").write_text("{}"),
    "no manifest": lambda folder: (folder / "manifest.json").unlink(),
}


@pytest.mark.parametrize("kind", MANIFEST_DAMAGE)
def test_a_damaged_folder_loses_its_manifest(tmp_path, kind):
    folder = published(tmp_path)
    MANIFEST_DAMAGE[kind](folder)
    with pytest.raises(UserError, match="half-written or damaged; run the same command again"):
        read_manifest(folder)
    assert not (folder / "manifest.json").exists()


def script(name: str, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, SCRIPTS / f"{name}.py", *arguments]
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env={**kept, **environment}
    )


def test_locate_base_writes_source_json_or_one_line(tmp_path):
    folder = make_model(tmp_path / "model")
    settings = json.dumps({"name": "mine", "base": {"source": "local", "path": str(folder)}})
    out = tmp_path / "source.json"
    assert script("locate_base", "--settings", settings, "--out", out).returncode == 0
    assert read_json(out)["name"] == "mine"
    out.unlink()
    cut(weights(folder), 1000)
    done = script("locate_base", "--settings", settings, "--out", out)
    assert done.returncode == 1 and "cut off" in done.stderr and "Traceback" not in done.stderr
    assert not out.exists()


@pytest.fixture
def hub(tmp_path):
    folder = make_model(tmp_path / "on-the-hub")
    more = {"pytorch_bin": b"pickle", "modeling_py": b"import this", "merges_txt": b"a b"}
    with hub_of(folder, **more) as running:
        yield running


def environment(hub: Hub, tmp_path: Path, **more: str) -> dict[str, str]:
    return {"HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home"), **more}


def arguments(tmp_path: Path, **base: str | bool) -> list[str | Path]:
    settings = {"name": "theirs", "base": {"source": "hub", "id": "owner/model", **base}}
    folder, out = tmp_path / "bases" / "model", tmp_path / "bases" / "source.json"
    return ["--settings", json.dumps(settings), "--folder", folder, "--out", out]


@pytest.mark.slow
def test_download_takes_what_is_needed_and_records_the_commit(tmp_path, hub):
    done = script("download_base", *arguments(tmp_path), **environment(hub, tmp_path))
    assert done.returncode == 0, done.stderr
    source = read_json(tmp_path / "bases" / "source.json")
    assert source["id"] == "owner/model" and source["revision"] == COMMIT
    assert sorted(source["files"]) == [
        *SMALL[:3],
        "model.safetensors",
        *SMALL[3:],
    ]
    assert not any("main" in path for _, path in hub.asked), "the branch may move meanwhile"
    there = {path.name for path in (tmp_path / "bases" / "model").iterdir() if path.is_file()}
    assert there == set(source["files"])
    assert weights(Path(source["path"])).read_bytes() == hub.files["model.safetensors"]


@pytest.mark.slow
def test_a_second_download_fetches_nothing_and_drops_what_went(tmp_path, hub):
    run = ("download_base", *arguments(tmp_path))
    assert script(*run, **environment(hub, tmp_path)).returncode == 0
    stale = tmp_path / "bases" / "model" / "chat_template.jinja"
    stale.write_text("of an earlier revision")
    hub.asked.clear()
    assert script(*run, **environment(hub, tmp_path)).returncode == 0
    assert not [path for method, path in hub.asked if method == "GET" and "/resolve/" in path]
    assert not stale.exists()


@pytest.mark.slow
def test_code_comes_along_only_where_trusted(tmp_path, hub):
    trusted = arguments(tmp_path, trust_remote_code=True, revision=COMMIT)
    assert script("download_base", *trusted, **environment(hub, tmp_path)).returncode == 0
    source = read_json(tmp_path / "bases" / "source.json")
    assert "modeling.py" in source["files"] and source["trust_remote_code"] is True


@pytest.mark.slow
def test_a_killed_download_goes_on_where_it_stopped(tmp_path, hub):
    hub.stalls = "model.safetensors"
    command = [sys.executable, SCRIPTS / "download_base.py", *arguments(tmp_path)]
    first = subprocess.Popen(
        command, env={**os.environ, **environment(hub, tmp_path)}, stderr=subprocess.DEVNULL
    )
    assert hub.stalled.wait(180)
    folder = tmp_path / "bases" / "model"
    while not all((folder / name).exists() for name in SMALL):
        assert first.poll() is None
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert list(folder.rglob("*.incomplete"))
    hub.stalls = None
    hub.asked.clear()
    done = script("download_base", *arguments(tmp_path), **environment(hub, tmp_path))
    assert done.returncode == 0, done.stderr
    fetched = [path for method, path in hub.asked if method == "GET" and "/resolve/" in path]
    assert fetched == [f"/owner/model/resolve/{COMMIT}/model.safetensors"]
    assert weights(folder).read_bytes() == hub.files["model.safetensors"]
    assert not list(folder.rglob("*.incomplete"))


@pytest.mark.slow
def test_weights_that_are_not_the_hubs_are_refused(tmp_path, hub):
    run = ("download_base", *arguments(tmp_path))
    assert script(*run, **environment(hub, tmp_path)).returncode == 0
    ours = weights(tmp_path / "bases" / "model")
    data = bytearray(ours.read_bytes())
    data[-1] ^= 1
    ours.write_bytes(data)
    done = script(*run, **environment(hub, tmp_path))
    assert done.returncode == 1 and "is not the file that the hub has" in done.stderr
    ours.unlink()
    assert script(*run, **environment(hub, tmp_path)).returncode == 0


@pytest.mark.slow
def test_a_gated_model_opens_with_a_token_that_is_never_shown(tmp_path, hub):
    run = ("download_base", *arguments(tmp_path, id="owner/gated"))
    done = script(*run, **environment(hub, tmp_path))
    assert done.returncode == 1 and "owner/gated is gated" in done.stderr
    assert "HF_TOKEN" in done.stderr and "Traceback" not in done.stderr
    opened = script(*run, **environment(hub, tmp_path, HF_TOKEN=TOKEN))
    assert opened.returncode == 0, opened.stderr
    assert TOKEN not in opened.stderr + (tmp_path / "bases" / "source.json").read_text()


@pytest.mark.slow
def test_a_password_in_the_address_of_a_mirror_reaches_no_log(tmp_path, hub):
    address = hub.address.replace("//", "//user:secret@")
    run = ("download_base", *arguments(tmp_path), "--log", tmp_path / "log")
    done = script(*run, **{**environment(hub, tmp_path), "HF_ENDPOINT": address})
    assert done.returncode == 0, done.stderr
    log = (tmp_path / "log").read_text()
    assert "5 files" in log
    assert "secret" not in done.stdout + done.stderr + log


REFUSED = {
    "no such model": ({"id": "owner/nothing"}, 1, "owner/nothing is not found"),
    "no such revision": ({"revision": "v9"}, 1, "no revision 'v9'"),
    "no id": ({"id": "a/b/c"}, 1, "a/b/c is no hub id"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", REFUSED)
def test_what_the_hub_refuses_is_one_line(tmp_path, hub, kind):
    base, code, message = REFUSED[kind]
    done = script("download_base", *arguments(tmp_path, **base), **environment(hub, tmp_path))
    assert done.returncode == code and message in done.stderr, done.stderr
    assert "Traceback" not in done.stderr and not (tmp_path / "bases" / "source.json").exists()


@pytest.mark.slow
def test_weights_that_are_no_safetensors_are_refused_before_they_are_fetched(tmp_path, hub):
    hub.files["pytorch_model.bin"] = hub.files.pop("model.safetensors")
    done = script("download_base", *arguments(tmp_path), **environment(hub, tmp_path))
    assert done.returncode == 1 and "only safetensors are read" in done.stderr
    assert not [path for _, path in hub.asked if "/resolve/" in path]


@pytest.mark.slow
def test_a_hub_that_is_down_or_away_may_be_asked_later(tmp_path, hub):
    hub.status = 503
    down = script("download_base", *arguments(tmp_path), **environment(hub, tmp_path))
    assert down.returncode == 75 and "answered 503" in down.stderr, down.stderr
    away = {**environment(hub, tmp_path), "HF_ENDPOINT": "http://user:secret@127.0.0.1:9"}
    gone = script("download_base", *arguments(tmp_path), **away)
    assert gone.returncode == 75 and "cannot be reached" in gone.stderr, gone.stderr
    assert "HF_ENDPOINT" in gone.stderr and "secret" not in gone.stderr
    offline = script(
        "download_base", *arguments(tmp_path), **environment(hub, tmp_path), HF_HUB_OFFLINE="1"
    )
    assert offline.returncode == 75 and "HF_HUB_OFFLINE" in offline.stderr
    for done in (down, gone, offline):
        assert "Traceback" not in done.stderr
