"""Miniature corpora of the recipes, on a server in place of the archives, or in a folder for --corpus."""

from __future__ import annotations

import hashlib
import importlib.util
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml
from file_server import FileServer

CORPORA = Path(__file__).parent


def make(recipe: str, folder: Path) -> Path:
    """Write a corpus in the files of its publisher: `make(folder)` of test/corpora/<recipe>.py."""
    folder.mkdir(parents=True)
    _module(recipe).make(folder)
    return folder


def words(recipe: str, task: str, folder: Path) -> list[str]:
    """Options that a task needs: `words(folder, task)` of test/corpora/<recipe>.py, if it has that function."""
    module = _module(recipe)
    return module.words(folder, task) if hasattr(module, "words") else []


def _module(recipe: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"miniature_{recipe}", CORPORA / f"{recipe}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def is_manual(sources: Path) -> bool:
    """Whether users download the corpus themselves and pass its folder."""
    return any(item.get("kind") == "manual" for item in yaml.safe_load(sources.read_text())["items"])


def serve_archives(sources: Path, folder: Path, server: FileServer) -> list[str]:
    """Put the archives of `folder` on the server, and their addresses and sums into a copy of sources.yaml.

    All other entries stay. Among alternatives, the one with archives is taken. Archives without a miniature are left
    out. Returns the paths on the server.
    """
    plan = yaml.safe_load(sources.read_text())
    plan["items"] = [item for item in _archives(plan["items"]) if _files(item, folder)]
    assert plan["items"], f"none of the archives of {sources} is in {folder}"
    for item in plan["items"]:
        files = _files(item, folder)
        server.files |= {f"/{file.name}": file.read_bytes() for file in files}
        if [file.name for file in files] == [_name(item)]:  # one file, not one for each language
            content = files[0].read_bytes()
            item |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            item.pop("md5", None)
        item["urls"] = [f"{server.url}/gone/{_name(item)}", f"{server.url}/{_name(item)}"]
    sources.write_text(yaml.safe_dump(plan, sort_keys=False))
    return list(server.files)


def _archives(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for item in items:
        for group in item.get("any_of", []):
            found += _archives(group["items"])
        if item.get("kind") == "archive":
            found.append(item)
    return found


def _files(item: dict[str, Any], folder: Path) -> list[Path]:
    """The miniatures of an archive, one for each value of the options in its name."""
    return sorted(folder.glob(re.sub(r"\{\w+\}", "*", _name(item)))) if _name(item) else []


def _name(item: dict[str, Any]) -> str:
    return item["urls"][0].rpartition("/")[2]
