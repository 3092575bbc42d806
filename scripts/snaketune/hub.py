"""The Hugging Face hub: what its failures mean, and a base's download, resumable and pinned."""

import logging
from pathlib import Path
from urllib.parse import urlsplit

from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    HTTPError,  # of the HTTP library that the hub's client stands on
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import ModelInfo

from snaketune.bases import check_weights_and_tokenizer, describe, model_files
from snaketune.config.tuning import HubBase
from snaketune.errors import TEMPORARY, UserError

log = logging.getLogger(__name__)

HUB_ERRORS = (
    *(HTTPError, HFValidationError, OfflineModeIsEnabled, LocalEntryNotFoundError),
    ConnectionError,
)


def download(name: str, base: HubBase, folder: Path) -> dict:
    """Download a base into `folder` and describe it as source.json does.

    The revision is resolved to a commit first, and that commit is what is downloaded and
    recorded. After an interruption the files that were complete are kept. What an earlier revision
    or a killed download left behind is removed. Sizes and, where the hub keeps them, SHA-256 are
    compared.

    Raises:
        UserError: no such repository or revision, no access, no network (then with the exit code
            of a passing failure), no safetensors, or files that differ from the hub's.
    """
    try:
        info = HfApi().model_info(base.id, revision=base.revision, files_metadata=True)
        names = [file.rfilename for file in info.siblings or []]
        check_weights_and_tokenizer(names, f"bases.{name}: {base.id} on the hub")
        wanted = model_files(names, base.trust_remote_code)
        log.info("%s at commit %s: %d files.", base.id, info.sha, len(wanted))
        for partial in folder.rglob("*.incomplete"):
            partial.unlink()
        snapshot_download(base.id, revision=info.sha, local_dir=folder, allow_patterns=wanted)
    except HUB_ERRORS as error:
        instead = "copy the folder here from elsewhere and use source: local"
        raise explained(error, f"bases.{name}: {base.id}", base.revision, instead) from None
    for path in folder.iterdir():
        if path.is_file() and path.name not in wanted:
            path.unlink()
    trusted = base.trust_remote_code
    source = describe(name, base, folder, trusted, id=base.id, revision=info.sha)
    _compare(source["files"], info, folder)
    return source


def _compare(files: dict, info: ModelInfo, folder: Path) -> None:
    for theirs in info.siblings or []:
        ours = files.get(theirs.rfilename)
        if ours is None:
            continue
        same_size = theirs.size in (None, ours["bytes"])
        if not same_size or (theirs.lfs and theirs.lfs.sha256 != ours["sha256"]):
            raise UserError(
                f"{folder / theirs.rfilename} is not the file that the hub has. Delete it and run "
                "again."
            )


def explained(error: Exception, what: str, revision: str | None, instead: str) -> UserError:
    """What a failure of the hub means to the user, with the exit code of a passing one if it is.

    The error's own text is left out, for it may hold addresses with passwords.

    Args:
        error: one of HUB_ERRORS.
        what: key and id of what was asked for.
        revision: the revision that was asked for.
        instead: what works without the hub.
    """
    address = urlsplit(constants.ENDPOINT)
    hub = f"the hub at {address.scheme}://{address.netloc.rpartition('@')[2]}"
    later = (
        "Check the network and HF_ENDPOINT (a mirror), HF_TOKEN (access) and HF_HUB_OFFLINE in the "
        f"environment, and run again: files that are complete are kept. Or {instead}."
    )
    if isinstance(error, HFValidationError):
        return UserError(f"{what} is no hub id, which looks like owner/name.")
    if isinstance(error, GatedRepoError):
        return UserError(
            f"{what} is gated. Accept its terms on its page at {hub}, then set HF_TOKEN in the "
            "environment to a token that may read it."
        )
    if isinstance(error, RevisionNotFoundError):
        return UserError(f"{what} has no revision '{revision}' at {hub}.")
    if isinstance(error, RepositoryNotFoundError):
        return UserError(
            f"{what} is not found at {hub}. Is the id right? A private one needs HF_TOKEN in the "
            "environment; HF_ENDPOINT chooses a mirror."
        )
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        return UserError(f"{what}: {hub} answered {status}. {later}", _exit_code(status))
    return UserError(
        f"{what}: {hub} cannot be reached ({type(error).__name__}). {later}", TEMPORARY
    )


def _exit_code(status: int) -> int:
    return TEMPORARY if status == 429 or status >= 500 else 1
