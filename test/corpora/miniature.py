"""Miniature corpora of the recipes, on a server in place of the archives, or in a folder for --corpus.

test/corpora/<recipe>.py has `make(folder)`, which writes a corpus in the files of its publisher, and optionally ROOT,
the part of the folder that test/recipes prepares. A `lexicon.txt` there serves the recipe's phoneme task.
"""

import csv
import hashlib
import importlib
import io
import re
import shutil
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import yaml
from audio_files import write_audio
from file_server import FileServer


def make(recipe: str, folder: Path) -> Path:
    folder.mkdir(parents=True)
    importlib.import_module(recipe).make(folder)
    return folder


def root(recipe: str) -> str:
    return getattr(importlib.import_module(recipe), "ROOT", "")


def write_files(folder: Path, files: Mapping[str, str | bytes | np.ndarray], rate: int = 16000) -> None:
    """Write each file: a text in UTF-8, bytes, or samples in the audio format of its suffix."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, np.ndarray):
            write_audio(path, content, rate)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)


def encoded(samples: np.ndarray, **settings: str) -> bytes:
    """A recording in a format and sample type of soundfile."""
    file = io.BytesIO()
    soundfile.write(file, samples, 16000, **settings)
    return file.getvalue()


def lines(rows: Iterable[str]) -> str:
    return "".join(f"{row}\n" for row in rows)


def table(rows: Iterable[Iterable], **settings) -> str:
    """A table as text, by the csv module."""
    file = io.StringIO()
    csv.writer(file, **{"lineterminator": "\n"} | settings).writerows(rows)
    return file.getvalue()


def pack(archive: Path, folder: Path, *names: str) -> None:
    """Write a .tar or .tar.gz with these files and folders of `folder`, by default with all, as `./name`; or a .zip
    with all or one of them.
    """
    if archive.suffix == ".zip":
        shutil.make_archive(str(archive.with_suffix("")), "zip", folder, *names)
        return
    with tarfile.open(archive, "w:gz" if archive.suffix == ".gz" else "w") as file:
        for name in names or ["."]:
            file.add(folder / name, name)


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
    groups = [_archives(group["items"]) for item in items for group in item.get("any_of", [])]
    return sum(groups, [item for item in items if item.get("kind") == "archive"])


def _files(item: dict[str, Any], folder: Path) -> list[Path]:
    """The miniatures of an archive, one for each value of the options in its name."""
    return sorted(folder.glob(re.sub(r"\{\w+\}", "*", _name(item)))) if _name(item) else []


def _name(item: dict[str, Any]) -> str:
    return item["urls"][0].rpartition("/")[2]
