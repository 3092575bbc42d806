"""What a script's code says, apart from comments and layout, so that only a real change re-runs."""

import ast
import hashlib
from functools import cache
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[1]


@cache
def code_of(script: str) -> str:
    """12 hex digits over scripts/`script`.py and every snaketune module that it imports.

    Comments, docstrings and formatting do not count. Rules behind the last generation carry it as
    a parameter. Earlier ones do not: what they make again would retrain adapters and buy answers
    again, and an upgrade must not throw away days of work.
    """
    seen = modules_of(script)
    text = "\n".join(f"{path.relative_to(SCRIPTS)} {seen[path]}" for path in sorted(seen))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def modules_of(script: str) -> dict[Path, str]:
    """What scripts/`script`.py and every snaketune module say that it imports, in functions too."""
    seen: dict[Path, str] = {}
    waiting = [SCRIPTS / f"{script}.py"]
    while waiting:
        path = waiting.pop()
        if path not in seen:
            seen[path], imported = _read(path)
            waiting.extend(imported)
    return seen


@cache
def _read(path: Path) -> tuple[str, list[Path]]:
    """What a file says, and the snaketune files that it imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return ast.dump(_without_docstrings(tree)), _imported(tree)


def _without_docstrings(tree: ast.Module) -> ast.Module:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [part for part in body if not _is_string(part)]
    return tree


def _is_string(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _imported(tree: ast.Module) -> list[Path]:
    """Files of the snaketune modules that a module names in its import statements."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    paths = (
        SCRIPTS / f"{name.replace('.', '/')}" for name in names if name.startswith("snaketune")
    )
    files = [
        p.with_suffix(".py") if p.with_suffix(".py").is_file() else p / "__init__.py" for p in paths
    ]
    return [file for file in files if file.is_file()]
