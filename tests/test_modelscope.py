"""Bases from ModelScope, which a server on the loopback stands in for."""

import hashlib
import json
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from snaketune.config.tuning import ModelScopeBase
from snaketune.errors import UserError
from snaketune.modelscope import download

HEADER = b'{"w":{"dtype":"F32","shape":[500],"data_offsets":[0,2000]}}'
FILES = {
    "config.json": b'{"model_type": "qwen3"}',
    "tokenizer.json": b'{"model": {}}',
    "README.md": b"A card.",
    "model.safetensors": struct.pack("<Q", len(HEADER)) + HEADER + bytes(range(250)) * 8,
    "modeling.py": b"print()",
}


class Site(ThreadingHTTPServer):
    """Serves `owner/model` at revisions master and v1; `asked` collects what was asked for.

    `cut` ends the weights early; with `status` every request gets that status.
    """

    daemon_threads = True
    status, cut, ranges = 0, False, True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = dict(FILES)
        self.asked: list[str] = []
        self.token = ""


class _Handler(BaseHTTPRequestHandler):
    server: Site

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def do_GET(self) -> None:
        site, url = self.server, urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        site.token = self.headers.get("Authorization", "")
        known = url.path.startswith("/api/v1/models/owner/model/repo")
        if site.status:
            self.answer(site.status)
        elif not known or query["Revision"] not in ("master", "v1"):
            self.answer(404)
        elif url.path.endswith("/files"):
            rows = [
                {"Path": n, "Type": "blob", "Size": len(d), "Sha256": hashlib.sha256(d).hexdigest()}
                for n, d in site.files.items()
            ]
            rows.append({"Path": "figures", "Type": "tree", "Size": 0, "Sha256": ""})
            self.answer(200, json.dumps({"Code": 200, "Data": {"Files": rows}}).encode())
        else:
            name, asked_range = query["FilePath"], self.headers.get("Range")
            site.asked.append(f"{name} {asked_range or ''}".strip())
            data = site.files[name]
            start = int(asked_range[6:-1]) if asked_range and site.ranges else 0
            end = 1000 if site.cut and name == "model.safetensors" else len(data)
            self.answer(206 if start else 200, data[start:end], len(data) - start)

    def answer(self, status: int, body: bytes = b"", length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def site(monkeypatch):
    with Site() as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        monkeypatch.setenv("MODELSCOPE_DOMAIN", f"http://127.0.0.1:{running.server_port}")
        monkeypatch.delenv("MODELSCOPE_API_TOKEN", raising=False)
        yield running
        running.shutdown()


def base(**more) -> ModelScopeBase:
    return ModelScopeBase(source="modelscope", id="owner/model", **more)


def test_what_is_needed_is_taken_and_written_down(site, tmp_path):
    source = download("theirs", base(), tmp_path / "model")
    needed = ["config.json", "model.safetensors", "tokenizer.json"]
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == needed
    assert source["source"] == "modelscope"
    assert source["id"] == "owner/model"
    assert source["revision"] == "master"
    weights = hashlib.sha256(FILES["model.safetensors"]).hexdigest()
    assert source["files"]["model.safetensors"]["sha256"] == weights


def test_a_second_download_brings_only_what_is_new(site, tmp_path):
    download("theirs", base(), tmp_path)
    (tmp_path / "old.json").write_text("{}")
    site.asked.clear()
    site.files["config.json"] = b'{"model_type": "qwen2"}'
    download("theirs", base(revision="v1"), tmp_path)
    assert site.asked == ["config.json"]
    assert not (tmp_path / "old.json").exists()


@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_that_was_cut_off_is_gone_on_with(site, tmp_path, ranges):
    site.cut, site.ranges = True, ranges
    with pytest.raises(UserError, match=r"is not the file|cannot be reached"):
        download("theirs", base(), tmp_path)
    (tmp_path / "model.safetensors.incomplete").write_bytes(FILES["model.safetensors"][:1000])
    site.cut = False
    download("theirs", base(), tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == FILES["model.safetensors"]
    assert "model.safetensors bytes=1000-" in site.asked


def test_code_comes_along_only_where_it_is_trusted(site, tmp_path):
    download("theirs", base(trust_remote_code=True, revision="v1"), tmp_path)
    assert (tmp_path / "modeling.py").is_file()


def test_a_token_is_sent_and_never_shown(site, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("MODELSCOPE_API_TOKEN", "ms-sesame")
    download("theirs", base(), tmp_path)
    assert site.token == "Bearer ms-sesame"
    site.status = 403
    with pytest.raises(UserError, match="MODELSCOPE_API_TOKEN") as caught:
        download("theirs", base(), tmp_path)
    assert "sesame" not in str(caught.value) + caplog.text


@pytest.mark.parametrize(
    ("settings", "status", "says", "code"),
    [
        ({"revision": "v9"}, 0, "no revision 'v9'", 1),
        ({}, 503, "answered 503", 75),
        ({}, 400, "answered 400", 1),
    ],
)
def test_what_it_refuses_is_one_message(site, tmp_path, settings, status, says, code):
    site.status = status
    with pytest.raises(UserError, match=says) as caught:
        download("theirs", base(**settings), tmp_path)
    assert caught.value.exit_code == code


def test_no_network_may_pass(site, tmp_path, monkeypatch):
    monkeypatch.setenv("MODELSCOPE_DOMAIN", "http://127.0.0.1:9")
    with pytest.raises(UserError, match="cannot be reached") as caught:
        download("theirs", base(), tmp_path)
    assert caught.value.exit_code == 75
