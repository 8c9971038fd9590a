"""All shell files: shellcheck and length; and every recipe prints its stages."""

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest
from small_project import ROOT, SHELL

MADE = {"downloads", "data", "exp"}
RECIPES = sorted({path.parent.name for path in (ROOT / "egs").glob("*/run.sh")} - {"sure_benchmark"})  # runs the others
FOLDERS = ("utils", "tools", "test", "egs", ".ci")
SCRIPTS = [path.relative_to(ROOT) for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.sh"))]
SCRIPTS = [Path(".ci", "run"), *(path for path in SCRIPTS if not MADE & set(path.parts))]


def test_shellcheck_finds_nothing():
    """In shared files with what they source; in recipes alone, as each would check all shared files once more.

    Running each recipe shows that the files exist which it sources (test_rows.py).
    """
    shellcheck = Path(sysconfig.get_path("scripts")) / "shellcheck"
    recipes = [path for path in SCRIPTS if path.parts[0] == "egs"]
    shared = [path for path in SCRIPTS if path not in recipes]
    for words, scripts in (["-x"], shared), (["--norc", "--exclude=SC1091,SC2034,SC2154"], recipes):
        done = subprocess.run([shellcheck, *words, *scripts], cwd=ROOT, capture_output=True, text=True)
        assert scripts and done.returncode == 0, done.stdout + done.stderr


def test_a_script_has_one_purpose():
    lines = {path: len((ROOT / path).read_text().splitlines()) for path in SCRIPTS}
    assert not {path: count for path, count in lines.items() if count > (60 if path.parts[0] == "egs" else 120)}


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_prints_its_commands(recipe):
    # needs no environment: a dry run has to work before anything is installed
    command = ["bash", str(ROOT / "egs" / recipe / "run.sh"), "--dry_run", "true", "--tag", "unused"]
    done = subprocess.run(command, env={"PATH": os.environ["PATH"]}, capture_output=True, **SHELL)
    assert done.returncode == 0, done.stderr
    assert [line.split()[2] for line in done.stdout.splitlines() if line.startswith("# stage ")] == list("12345678")
