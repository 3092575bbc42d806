"""Model folders: moved into place file by file, with a manifest that tells whole from half."""

import os
from collections.abc import Iterable
from pathlib import Path

from snaketune.errors import UserError
from snaketune.files import digest, read_json, sha256_file, write_json

MANIFEST = "manifest.json"


def move(source: Path, target: Path) -> None:
    """Move a file into place, readable as the umask allows: safetensors writes for the owner."""
    umask = os.umask(0)
    os.umask(umask)
    source.chmod(0o666 & ~umask)
    source.replace(target)


def publish(partial: Path, out: Path, facts: dict) -> dict:
    """Move all files of `partial` into `out`, then write the manifest that makes them a model.

    Args:
        partial: folder on the same file system, removed at the end.
        out: the model folder; an older manifest goes first, so that no mixture passes as whole.
        facts: what else the manifest says.

    Returns:
        The manifest: the facts, `files` (`{name: {"bytes", "sha256"}}`) and `sha256` over these.
    """
    out.mkdir(parents=True, exist_ok=True)
    (out / MANIFEST).unlink(missing_ok=True)
    files = list_files(partial, sorted(path.name for path in partial.iterdir()))
    for name in files:
        move(partial / name, out / name)
    partial.rmdir()
    manifest = {**facts, "files": files, "sha256": digest(files)}
    write_json(out / MANIFEST, manifest)
    return manifest


def list_files(folder: Path, names: Iterable[str]) -> dict[str, dict]:
    """Size and hash of files of a folder."""
    return {
        name: {"bytes": (folder / name).stat().st_size, "sha256": sha256_file(folder / name)}
        for name in names
    }


def read_manifest(folder: Path) -> dict:
    """Manifest of a model folder that a rule made, every file compared with it byte for byte.

    Returns:
        The manifest, `{…, "files": {name: {"bytes", "sha256"}}}`.

    Raises:
        UserError: the manifest or a file of it is missing or not as it was written. The manifest
            is removed, so that the rule that declares it runs again.
    """
    path = Path(folder) / MANIFEST
    try:
        manifest = read_json(path)
        check_files(Path(folder), manifest["files"], f"model {folder}", path)
        if list_files(Path(folder), manifest["files"]) != manifest["files"]:
            raise UserError("the bytes of a file are not those that were written")
        return manifest
    except (UserError, OSError, UnicodeDecodeError, KeyError, TypeError, AttributeError) as error:
        path.unlink(missing_ok=True)
        raise UserError(
            f"{folder} is half-written or damaged; run the same command again and it is rebuilt. "
            f"({error})"
        ) from None


def read_source(path: Path) -> dict:
    """A base's source.json, its files checked.

    Raises:
        UserError: a file is missing or has another size than when the base was located.
    """
    source = read_json(path)
    check_files(Path(source["path"]), source["files"], f"base '{source['name']}'", path)
    return source


def check_files(folder: Path, files: dict, what: str, listed_in: Path) -> None:
    """Check a model folder against its list of files, `{name: {"bytes", "sha256"}}`."""
    for name, facts in files.items():
        path = folder / name
        size = path.stat().st_size if path.is_file() else None
        if size != facts["bytes"]:
            found = "is missing" if size is None else f"has {size} bytes, not {facts['bytes']}"
            raise UserError(
                f"{what}: {path} {found}; the folder is half-written or was changed. "
                f"Delete {listed_in} and run again."
            )


def adapter_digest(folder: Path, quantization: dict | None) -> str:
    """SHA-256 over what an adapter does to a base: its weights and config, the 4-bit settings."""
    names = ("adapter_model.safetensors", "adapter_config.json")
    return digest([sha256_file(Path(folder) / name) for name in names] + [quantization])
