"""Code that a result was computed with: the commit, and a digest of each file that a model uses."""

import ast
import hashlib
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import sure
from sure.errors import some_of

ROOT = Path(sure.__file__).parent
# Parts of `sure` whose code decides what a model computes. Those for reading data, scores and reports do not count.
PARTS = ("sure.backbones", "sure.frames", "sure.generation", "sure.models", "sure.petl", "sure.tasks")
DIGITS = 12  # of each digest


def git_hash() -> str:
    """The commit of this code, with `-dirty` if it has local changes or untracked files; `unknown` without one."""
    try:
        commit = _git("describe", "--always", "--abbrev=12", "--exclude=*", "--dirty")
        untracked = _git("ls-files", "--others", "--", ".", ":!*.pyc")  # those that .gitignore names, too
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit}-dirty" if untracked and not commit.endswith("-dirty") else commit


def _git(*words: str) -> str:
    done = subprocess.run(["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def code_of(modules: Iterable[str], parts: tuple[str, ...] = PARTS) -> dict[str, str]:
    """A digest of each file of these parts that the modules are or import, by its path: `petl/lora.py`."""
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in found and module.startswith(parts) and (path := _file_of(module)):
            found[module] = path
            waiting += _imports(path)
    return {str(path.relative_to(ROOT)): _digest(path) for path in sorted(found.values())}


def describe_changes(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """The names of files whose digests differ; empty if there are none, or `before` is, as in earlier versions."""
    names = before.keys() | now.keys() if before else ()
    return some_of(sorted(f"sure/{name}" for name in names if before.get(name) != now.get(name)))


def _file_of(module: str) -> Path | None:
    path = ROOT.joinpath(*module.split(".")[1:]).with_suffix(".py")
    return path if path.is_file() else None


@cache
def _imports(path: Path) -> tuple[str, ...]:
    return tuple(_imported(ast.parse(path.read_bytes())))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (node.module, *(f"{node.module}.{name.name}" for name in node.names))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:DIGITS]
