"""ModelScope, a hub that is near in China: a base's download, resumable and checked."""

import json
import logging
import os
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException, HTTPResponse
from pathlib import Path

from tqdm import tqdm

from snaketune.bases import check_weights_and_tokenizer, describe, model_files
from snaketune.config.tuning import ModelScopeBase
from snaketune.errors import TEMPORARY, UserError
from snaketune.files import sha256_file

log = logging.getLogger(__name__)

NEWEST = "master"
BLOCK = 1 << 20


def download(name: str, base: ModelScopeBase, folder: Path) -> dict:
    """Download a base into `folder` and describe it as source.json does.

    ModelScope names no commit, so that the hashes of the files say which ones they were. Complete
    files are kept after an interruption, and a cut-off one is gone on with. What another revision
    left behind is removed.

    Raises:
        UserError: no such model or revision, no access, no network (then with the exit code of a
            passing failure), no safetensors, or files that differ from those that were listed.
    """
    revision = base.revision or NEWEST
    hub = Repository(f"bases.{name}: {base.id}", base.id, revision)
    listed = hub.files()
    check_weights_and_tokenizer(list(listed), f"bases.{name}: {base.id} on ModelScope")
    wanted = model_files(list(listed), base.trust_remote_code)
    log.info("%s at %s: %d files.", base.id, revision, len(wanted))
    folder.mkdir(parents=True, exist_ok=True)
    for file in wanted:
        hub.fetch(file, folder / file, listed[file])
    for path in folder.iterdir():
        if path.is_file() and path.name not in wanted:
            path.unlink()
    return describe(name, base, folder, base.trust_remote_code, id=base.id, revision=revision)


class Repository:
    """A model of ModelScope at a revision.

    MODELSCOPE_DOMAIN chooses another address, MODELSCOPE_API_TOKEN opens private models.
    """

    def __init__(self, what: str, model: str, revision: str):
        self.what = what
        domain = os.environ.get("MODELSCOPE_DOMAIN") or "www.modelscope.cn"
        self.site = domain if "://" in domain else f"https://{domain}"
        self.url = f"{self.site}/api/v1/models/{urllib.parse.quote(model)}/repo"
        self.revision = revision

    def files(self) -> dict[str, dict]:
        """What the model consists of: `Size` and `Sha256` by the path of each file."""
        with self._open("/files", Recursive="True") as answer:
            try:
                rows = json.load(answer)["Data"]["Files"]
                return {row["Path"]: row for row in rows if row["Type"] != "tree"}
            except (ValueError, KeyError, TypeError):
                raise UserError(f"{self.what}: {self.site} is no ModelScope.", TEMPORARY) from None

    def fetch(self, file: str, path: Path, listed: dict) -> None:
        """Bring one file, unless it is there."""
        if path.is_file() and sha256_file(path) == listed["Sha256"]:
            return
        partial = path.with_name(f"{path.name}.incomplete")
        self._append(file, partial, listed["Size"])
        if sha256_file(partial) != listed["Sha256"]:
            partial.unlink()
            raise UserError(
                f"{self.what}: {file} is not the file that ModelScope lists. Run again.", TEMPORARY
            )
        partial.replace(path)

    def _append(self, file: str, partial: Path, size: int) -> None:
        """Bring what a partial file lacks."""
        have = partial.stat().st_size if partial.is_file() else 0
        if have >= size > 0:
            return
        with self._open("", start=have, FilePath=file) as answer:
            have = have if answer.status == 206 else 0  # a server may know no ranges
            with (
                partial.open("ab" if have else "wb") as out,
                tqdm(total=size, initial=have, desc=file, unit="B", unit_scale=True) as bar,
            ):
                while block := self._read(answer):
                    out.write(block)
                    bar.update(len(block))

    def _read(self, answer: HTTPResponse) -> bytes:
        try:
            return answer.read(BLOCK)
        except (OSError, HTTPException) as error:
            raise self._away(error) from None

    def _open(self, path: str, start: int = 0, **query: str) -> HTTPResponse:
        query = {"Revision": self.revision, **query}
        request = urllib.request.Request(f"{self.url}{path}?{urllib.parse.urlencode(query)}")
        if start:
            request.add_header("Range", f"bytes={start}-")
        if token := os.environ.get("MODELSCOPE_API_TOKEN"):
            request.add_header("Authorization", f"Bearer {token}")
            request.add_header("Cookie", f"m_session_id={token}")
        try:
            return urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as error:
            raise self._refused(error.code) from None
        except (OSError, HTTPException) as error:
            raise self._away(error) from None

    def _refused(self, status: int) -> UserError:
        if status in (401, 403):
            return UserError(
                f"{self.what} is not open to everyone. Set MODELSCOPE_API_TOKEN in the environment "
                "to a token that may read it."
            )
        if status == 404:
            return UserError(
                f"{self.what} is not found at {self.site}, or has no revision '{self.revision}'. "
                "Are id and revision right?"
            )
        code = TEMPORARY if status == 429 or status >= 500 else 1
        return UserError(f"{self.what}: {self.site} answered {status}. Run again later.", code)

    def _away(self, error: Exception) -> UserError:
        return UserError(
            f"{self.what}: {self.site} cannot be reached ({type(error).__name__}). Check the "
            "network and MODELSCOPE_DOMAIN, and run again: what is there already is kept. Or use "
            "source: hub or source: local.",
            TEMPORARY,
        )
