"""Every row of egs/recipes.csv, stages 1 to 8 in a copy of the project, on the miniature of its corpus.

A row that differs from an earlier one of its recipe and task in options of preparation alone ends after stage 3;
`test/run.sh -m "slow or not slow" test/recipes/test_rows.py` takes all rows to stage 8.
"""

from __future__ import annotations

import csv
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import miniature
import pytest
from file_server import serve
from small_project import ROOT, STAGES, make_environment

EGS = ROOT / "egs"
ROWS = list(csv.DictReader((EGS / "recipes.csv").read_text().splitlines()))
NO_CORPUS = {"TEMPLATE", "sure_benchmark"}
TINY = ("--backbone", "tiny", "--weights", "random:moonshine", "--petl", "lora", "--set", "train.epochs=1")
TINY_SYNTHESISER = ("--shape", "tiny", "--petl", "lora", "--set", "train.epochs=1")


def name_of(row: dict[str, str]) -> str:
    return "-".join([row["recipe"], row["task"], *row["options"].replace("--", "").split()])


def goes_to_the_end(row: dict[str, str]) -> bool:
    """The first row of its recipe and task, and rows with an option of later stages than 3."""
    same = [other for other in ROWS if all(other[name] == row[name] for name in ("recipe", "task"))]
    return row == same[0] or "--decode" in row["options"]


def test_every_task_of_every_recipe_has_a_row():
    recipes = {path.parent.name: path.parent for path in EGS.glob("*/run.sh")}
    tasks = {
        (name, conf.stem)
        for name, folder in recipes.items()
        if name not in NO_CORPUS
        for conf in folder.glob("conf/*.yaml")
        if conf.stem != "rates"
    }
    assert tasks == {(row["recipe"], row["task"]) for row in ROWS}
    assert {row["suite"] for row in ROWS} <= {"", "sure"}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("a new clone")
    for name in ("sure", "utils", "tools"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", root)
    make_environment(root, root / ".venv", "ark,convert,espeak,judges,phones,tts", sys.executable)
    return root


def run_row(project: Path, row: dict[str, str], last: int) -> tuple[subprocess.CompletedProcess, list, Path]:
    """The finished call, the requests to the server, and the recipe's folder."""
    recipe = project / "egs" / f"{name_of(row)} {last}"
    made = shutil.ignore_patterns("__pycache__", "downloads", "data", "exp")
    shutil.copytree(EGS / row["recipe"], recipe, ignore=made)
    corpus = miniature.make(row["recipe"], project / f"{name_of(row)} {last} corpus")
    tiny = TINY_SYNTHESISER if row["task"] == "tts" else TINY
    words = [*tiny, "--task", row["task"], "--stop_stage", str(last), *shlex.split(row["options"])]
    words += miniature.words(row["recipe"], row["task"], corpus)
    with serve() as server:
        if miniature.is_manual(recipe / "sources.yaml"):
            words += ["--corpus", str(corpus)]
        else:
            plans = sorted(recipe.glob("sources*.yaml"))
            archives = [path for plan in plans for path in miniature.serve_archives(plan, corpus, server)]
            server.break_after.append(len(server.files[archives[0]]) // 2)
        variables = {name: text for name, text in os.environ.items() if name not in ("VIRTUAL_ENV", "CONDA_PREFIX")}
        done = subprocess.run(
            ["bash", str(recipe / "run.sh"), *words],
            cwd=project,
            env=variables | {"OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=900,
        )
        return done, server.requests, recipe


@pytest.fixture(scope="module")
def runs(project, request) -> Iterator[Callable[[str, int], tuple]]:
    """Runs the rows of the selected tests, two at a time; waits for the row that is named, and its last stage."""
    named = {name_of(row): row for row in ROWS}
    wanted = [item.callspec.params for item in request.session.items if item.originalname == "test_row"]
    with ThreadPoolExecutor(2) as pool:
        futures: dict[tuple[str, int], Future] = {
            (each["row"], each["last"]): pool.submit(run_row, project, named[each["row"]], each["last"])
            for each in wanted
        }
        yield lambda row, last: futures[row, last].result()
        for future in futures.values():
            future.cancel()


CASES = [pytest.param(name_of(row), 8, marks=() if goes_to_the_end(row) else pytest.mark.slow) for row in ROWS]
CASES += [pytest.param(name_of(row), 3) for row in ROWS if not goes_to_the_end(row)]


@pytest.mark.parametrize("row, last", CASES)
def test_row(row, last, runs):
    done, requests, recipe = runs(row, last)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line for line in done.stdout.splitlines() if line.startswith("# stage")] == [
        f"# stage {number} {name}" for number, name in enumerate(STAGES[:last], 1)
    ]
    assert not requests or any(part for _, part in requests), "the broken download was not taken up where it broke"
    if last < 8:
        return
    table = next(iter((recipe / "exp").glob("*_results.md"))).read_text()
    assert "| lora" in table and table.strip() in done.stdout
    bundles = list(recipe.glob("exp/*/seed1/bundle"))
    assert len(bundles) == 1 and (bundles[0] / "adapter.safetensors").is_file()
