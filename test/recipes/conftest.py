"""Fixtures of the recipes' tests; in test_<recipe>_prepare.py, for that recipe."""

import shutil
from functools import cache
from itertools import count
from pathlib import Path

import miniature
import pytest

pytest.register_assert_rewrite("harness")
from harness import Recipe  # noqa: E402


@pytest.fixture(scope="session")
def recipe_of(tmp_path_factory):
    """`recipe_of(name)`: a Recipe with its miniature corpus, made once."""

    @cache
    def make(name: str) -> Recipe:
        return Recipe(name, miniature.make(name, tmp_path_factory.mktemp(name) / "a corpus") / miniature.root(name))

    return make


@pytest.fixture
def recipe(request, recipe_of) -> Recipe:
    return recipe_of(request.path.stem.removeprefix("test_").removesuffix("_prepare"))


@pytest.fixture
def corpus(recipe, tmp_path) -> Path:
    """A copy of the miniature corpus to change."""
    return shutil.copytree(recipe.corpus, tmp_path / "corpus" / recipe.corpus.name)


@pytest.fixture
def prepared(recipe, tmp_path):
    """`prepared(corpus, **options)`: the Result."""
    numbers = count()
    return lambda corpus=recipe.corpus, **options: recipe(corpus, tmp_path / f"out {next(numbers)}", **options)
