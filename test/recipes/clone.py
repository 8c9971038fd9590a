"""A copy of the project, as users have it after installation, in which tests run recipes on miniature corpora."""

import csv
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import miniature
from file_server import FileServer
from small_project import ROOT, make_environment

EGS = ROOT / "egs"
ROWS = list(csv.DictReader((EGS / "recipes.csv").read_text().splitlines()))
CACHE = shutil.ignore_patterns("__pycache__")
MADE = shutil.ignore_patterns("__pycache__", "downloads", "data", "exp")

PIPES = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}


class Clone:
    def __init__(self, root: Path):
        self.root = root
        self.variables = {"OMP_NUM_THREADS": "1"}  # for run.sh
        for name in ("sure", "utils", "tools"):
            shutil.copytree(ROOT / name, root / name, ignore=CACHE)
        shutil.copy(ROOT / "pyproject.toml", root)
        make_environment(root, root / ".venv", "ark,convert,datasets,espeak,judges,phones,tts", sys.executable)

    def recipe(self, name: str, copy: str = "") -> Path:
        """A copy of a recipe without the files that it made."""
        return shutil.copytree(EGS / name, self.root / "egs" / (copy or name), ignore=MADE)

    def start(self, recipe: Path, *words: str, cwd: Path | None = None) -> subprocess.Popen:
        """The recipe's run.sh in a process group of its own."""
        variables = {name: text for name, text in os.environ.items() if name not in ("VIRTUAL_ENV", "CONDA_PREFIX")}
        command = ["bash", str(recipe / "run.sh"), *words]
        return subprocess.Popen(command, cwd=cwd, env=variables | self.variables, start_new_session=True, **PIPES)

    def run(self, recipe: Path, *words: str, cwd: Path | None = None) -> str:
        """The output of run.sh without its errors. It has to succeed."""
        process = self.start(recipe, *words, cwd=cwd)
        out, errors = process.communicate(timeout=900)
        assert process.returncode == 0, out + errors
        return out


def row_words(row: dict[str, str], recipe: Path, corpus: Path) -> list[str]:
    """Options for a line of recipes.csv, with its own and those of a tiny model."""
    words = ["--task", row["task"], *shlex.split(row["options"])]
    if row["task"] == "phoneme" and (corpus / "lexicon.txt").exists():  # in place of a package
        words += ["--lexicon", str(corpus / "lexicon.txt")]
    if row["task"] == "tts":
        words += ["--shape", "tiny"]
    elif "--backbone" not in words:
        words += ["--backbone", "tiny", "--weights", "random:moonshine"]
    return words + (["--corpus", str(corpus)] if miniature.is_manual(recipe / "sources.yaml") else [])


def serve(recipe: Path, corpus: Path, server: FileServer) -> list[str]:
    """Put the archives of a miniature corpus on a server, with their addresses in the recipe's sources."""
    plans = [] if miniature.is_manual(recipe / "sources.yaml") else sorted(recipe.glob("sources*.yaml"))
    return [path for plan in plans for path in miniature.serve_archives(plan, corpus, server)]
