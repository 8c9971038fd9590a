"""All shell files: shellcheck and length; and every recipe answers with its stages."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from pathlib import Path

import pytest
from small_project import ROOT

MADE = {"downloads", "data", "exp"}
RECIPES = sorted({path.parent.name for path in (ROOT / "egs").glob("*/run.sh")} - {"sure_benchmark"})  # runs the others
LONGEST = {"run.sh of a recipe": 60, "other": 120}


def scripts() -> list[str]:
    paths = [path for name in ("utils", "tools", "test", "egs") for path in (ROOT / name).rglob("*.sh")]
    paths = [path.relative_to(ROOT) for path in [*paths, ROOT / ".ci" / "run"]]
    return sorted(str(path) for path in paths if not MADE & set(path.parts))


def test_shellcheck_has_nothing_to_say():
    shellcheck = Path(sysconfig.get_path("scripts")) / "shellcheck"
    done = subprocess.run([shellcheck, "-x", *scripts()], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("script", scripts())
def test_a_script_is_one_thing(script):
    kind = "run.sh of a recipe" if script.startswith("egs/") else "other"
    assert len((ROOT / script).read_text().splitlines()) <= LONGEST[kind]


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_prints_its_commands(recipe):
    # needs no environment: a dry run has to work before anything is installed
    run = ROOT / "egs" / recipe / "run.sh"
    done = subprocess.run(
        ["bash", str(run), "--dry_run", "true", "--tag", "unused"],
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert [line.split()[2] for line in done.stdout.splitlines() if line.startswith("# stage ")] == list("12345678")
