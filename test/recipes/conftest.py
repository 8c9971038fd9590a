"""Fixtures of the recipes' tests, for the recipe and the miniature corpus that the test module names.

RECIPE: the recipe. ROOT: the part of the miniature that the tests are about (default: all of it). `build(folder)`:
makes another miniature than test/corpora/<recipe>.py.
"""

from __future__ import annotations

import shutil
from itertools import count
from pathlib import Path

import miniature
import pytest

pytest.register_assert_rewrite("harness")
from harness import Case, Recipe, Result  # noqa: E402


@pytest.fixture(scope="module")
def recipe(request, tmp_path_factory) -> Recipe:
    name, folder = request.module.RECIPE, tmp_path_factory.mktemp("a corpus") / "unchanged"
    build = getattr(request.module, "build", None)
    build(folder) if build else miniature.make(name, folder)
    return Recipe(name, folder / getattr(request.module, "ROOT", ""))


@pytest.fixture
def corpus(recipe, tmp_path) -> Path:
    """A copy of the miniature corpus to change."""
    return shutil.copytree(recipe.corpus, tmp_path / "corpus" / recipe.corpus.name)


@pytest.fixture
def prepared(recipe, tmp_path, capsys):
    """`prepared(corpus, **options)`: a Result with all that was printed."""
    numbers = count()

    def prepare(corpus: Path = recipe.corpus, **options: str) -> Result:
        capsys.readouterr()
        result = recipe(corpus, tmp_path / f"out {next(numbers)}", **options)
        return Result(result.sets, result.left_out, capsys.readouterr().out)

    return prepare


@pytest.fixture
def check(recipe, corpus, tmp_path):
    """`check(case)`: the effect of a change. `check(change, given, **options)`: that a layout changes nothing."""

    def check(case: Case | object, given: str = "", **options: str) -> Result | None:
        if isinstance(case, Case):
            return recipe.check(case, corpus, tmp_path / "out")
        return recipe.check_layout(case, corpus, given, tmp_path / "out", **options)

    return check
