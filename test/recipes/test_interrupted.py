"""Download and preparation, killed again and again, end in the bytes of an undisturbed run."""

from __future__ import annotations

import csv
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import miniature
import pytest
from file_server import FileServer, serve
from small_project import ROOT, make_environment

EGS = ROOT / "egs"
RECIPES = {row["recipe"]: row for row in csv.DictReader((EGS / "recipes.csv").read_text().splitlines())}
QUICK = ("asterisk",)
KILLS = 4


def start(recipe: Path, corpus: Path, *words: str) -> subprocess.Popen:
    if miniature.is_manual(recipe / "sources.yaml"):
        words += ("--corpus", str(corpus))
    variables = {name: text for name, text in os.environ.items() if name not in ("VIRTUAL_ENV", "CONDA_PREFIX")}
    return subprocess.Popen(
        ["bash", str(recipe / "run.sh"), *words],
        env=variables | {"OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def finish(process: subprocess.Popen) -> None:
    out, _ = process.communicate(timeout=300)
    assert process.returncode == 0, out


def seconds_until_killed(process: subprocess.Popen, seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def made(recipe: Path) -> dict[str, bytes]:
    """All files that stages 1 to 3 write for later stages, without the path of the recipe."""
    files = [path for top in ("downloads/corpus", "data") for path in sorted((recipe / top).rglob("*"))]
    own = str(recipe).encode()
    return {
        str(path.relative_to(recipe)): path.read_bytes().replace(own, b"RECIPE")
        for path in files
        if path.is_file()
        and not {".marks", ".fetched", "logs", "log"} & set(path.parts)
        and not path.name.startswith("mark_")  # of features: a digest of what they are made of, places included
    }


@pytest.fixture
def server():
    with serve() as running:
        yield running


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in RECIPES]
)
def test_the_same_bytes_after_any_number_of_kills(tmp_path, server: FileServer, name):
    root = tmp_path / "a new clone"
    for part in ("sure", "utils", "tools"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    make_environment(root, root / ".venv", "ark,convert,espeak,judges,phones,tts", sys.executable)
    corpus = miniature.make(name, tmp_path / "corpus")
    task = RECIPES[name]["task"]
    model = ("--shape", "tiny") if task == "tts" else ("--backbone", "tiny", "--weights", "random:moonshine")
    words = ("--task", task, *RECIPES[name]["options"].split(), *model, "--stop_stage", "tokenize")
    words += tuple(miniature.words(name, task, corpus))
    recipes = [root / "egs" / kind for kind in ("undisturbed", "disturbed")]
    for recipe in recipes:
        shutil.copytree(EGS / name, recipe, ignore=shutil.ignore_patterns("__pycache__", "downloads", "data", "exp"))
        if not miniature.is_manual(recipe / "sources.yaml"):
            archives = miniature.serve_archives(recipe / "sources.yaml", corpus, server)
    finish(start(recipes[0], corpus, *words))
    if server.files:
        server.pause.set()  # the first one hangs half way through an archive
        server.break_after.append(len(server.files[archives[0]]) // 2)
    moments = random.Random(name)
    for _ in range(KILLS):
        seconds_until_killed(start(recipes[1], corpus, *words), moments.uniform(1, 6))
        server.pause.clear()
    finish(start(recipes[1], corpus, *words))
    assert made(recipes[0]) == made(recipes[1]) and made(recipes[0])
