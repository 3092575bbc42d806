"""A hub on the loopback: the few addresses that huggingface_hub and datasets ask for."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TOKEN = "hf_open_sesame"


class Hub(ThreadingHTTPServer):
    """Serves `owner/model` and the dataset `owner/data` at revisions main and COMMIT.

    The model and the dataset `owner/gated` open to those with TOKEN; the dataset's facts to all.
    `files` are the files of all of them; `asked` collects (method, path); a GET of `stalls` sends
    half of the file and then nothing until `go_on` is set; with `status` every request gets that
    status.
    """

    daemon_threads = True

    def __init__(self, files: dict[str, bytes]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = files
        self.asked: list[tuple[str, str]] = []
        self.stalls: str | None = None
        self.stalled, self.go_on = threading.Event(), threading.Event()
        self.status: int | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def listed(self, sha_key: str, name_key: str) -> list[dict]:
        """The files as the API lists them; safetensors are LFS files, with their SHA-256."""
        rows = []
        for name, data in self.files.items():
            row = {"type": "file", name_key: name, "size": len(data), "oid": etag(data)}
            if name.endswith(".safetensors"):
                sha = hashlib.sha256(data).hexdigest()
                row["lfs"] = {sha_key: sha, "size": len(data), "pointerSize": 134}
            rows.append(row)
        return rows

    def tree(self, folder: str) -> list[dict]:
        """Files and folders directly in `folder`, which is "" or ends with a slash."""
        inside = [row for row in self.listed("oid", "path") if row["path"].startswith(folder)]
        names = [row["path"].removeprefix(folder).split("/") for row in inside]
        folders = sorted({folder + name[0] for name in names if len(name) > 1})
        return [
            *(row for row, name in zip(inside, names, strict=True) if len(name) == 1),
            *({"type": "directory", "path": path, "oid": etag(b"")} for path in folders),
        ]


def etag(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        hub, path = self.server, self.path.split("?")[0]
        hub.asked.append((self.command, self.path))
        parts = path.strip("/").split("/")
        is_api = parts[:1] == ["api"]
        is_data = "datasets" in parts[:2]
        start = is_api + (is_api or is_data)
        repository, rest = "/".join(parts[start : start + 2]), parts[start + 2 :]
        if hub.status:
            self.answer(hub.status)
        elif repository not in ("owner/data" if is_data else "owner/model", "owner/gated"):
            self.answer(404, {"X-Error-Code": "RepoNotFound"})
        elif (
            repository == "owner/gated"
            and not (is_data and is_api)
            and self.headers.get("Authorization") != f"Bearer {TOKEN}"
        ):
            self.answer(403, {"X-Error-Code": "GatedRepo"})
        elif len(rest) > 1 and rest[1] not in ("main", COMMIT):
            self.answer(404, {"X-Error-Code": "RevisionNotFound"})
        elif is_api and rest[:1] == ["tree"]:
            self.answer_json(hub.tree("".join(f"{part}/" for part in rest[2:])))
        elif is_api:
            siblings = hub.listed("sha256", "rfilename")
            self.answer_json({"id": repository, "sha": COMMIT, "siblings": siblings})
        elif "/".join(rest[2:]) not in hub.files:
            self.answer(404, {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
        else:
            self.answer_file("/".join(rest[2:]))

    def answer_json(self, value: object) -> None:
        self.answer(200, {"Content-Type": "application/json"}, json.dumps(value).encode())

    def answer_file(self, name: str) -> None:
        data = self.server.files[name]
        headers = {"ETag": f'"{etag(data)}"', "X-Repo-Commit": COMMIT}
        self.answer(200, headers, data, stall=name == self.server.stalls)

    def answer(
        self, status: int, headers: dict | None = None, body: bytes = b"", stall: bool = False
    ) -> None:
        self.send_response(status)
        for key, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        half = len(body) // 2 if stall else len(body)
        self.wfile.write(body[:half])
        self.wfile.flush()
        if stall:
            self.server.stalled.set()
            self.server.go_on.wait(60)
            self.wfile.write(body[half:])


@contextmanager
def hub_with(files: dict[str, bytes]) -> Iterator[Hub]:
    """A hub that serves these files."""
    hub = Hub(files)
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.go_on.set()
        hub.shutdown()
        hub.server_close()


@contextmanager
def hub_of(folder: Path, **more: bytes) -> Iterator[Hub]:
    """A hub that serves the files of a folder and some `more`, by name with _ for a dot."""
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    more_files = {name.replace("_", "."): data for name, data in more.items()}
    with hub_with({**files, **more_files}) as hub:
        yield hub
