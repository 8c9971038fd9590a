"""The examples of docs/adding.md: its methods and its task in a model, its prepare.py with the rules of recipes."""

import importlib
import re
import shutil
import sys
from pathlib import Path

import harness
import models
import pytest
import test_methods

PAGE = (Path(__file__).parents[1] / "docs" / "adding.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"`sure/(\w+/\w+\.py)`, complete:\n```python\n(.*?)```", PAGE, re.DOTALL))
METHODS = [Path(name).stem for name in EXAMPLES if name.startswith("petl/")]


@pytest.fixture
def added(tmp_path, monkeypatch):
    """The examples, found as if they lay in sure/; the methods are rows of the contract tests."""
    for name, text in EXAMPLES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        package = importlib.import_module(f"sure.{path.parent.name}")
        monkeypatch.setattr(package, "__path__", list(dict.fromkeys([*package.__path__, str(path.parent)])))
    for name in METHODS:
        monkeypatch.setitem(models.METHODS, name, {"name": name})
    monkeypatch.setitem(models.GIVEN, "accent", ["scottish", "irish", "scottish", "welsh"])
    yield tmp_path / "folder"
    for name in EXAMPLES:
        sys.modules.pop(f"sure.{name.removesuffix('.py').replace('/', '.')}", None)


@pytest.mark.parametrize("method", METHODS)
def test_a_method_and_a_task(added, method):
    test_methods.test_starts_as_the_frozen_backbone(added, method, "wav2vec2")
    test_methods.test_trains_what_it_declares_and_nothing_else(added, method, "wav2vec2", "accent")
    test_methods.test_batch_mates_change_nothing(added, method, "wav2vec2")


def test_prepare(tmp_path, monkeypatch):
    """From a relative path and from the folder above."""
    [text] = re.findall(r"A complete `prepare.py`.*?\n```python\n(.*?)```", PAGE, re.DOTALL)
    files = {"transcripts.txt": "carl-1 on\nanna-1 off\nben-1 on\n"}
    files |= {f"wav/{name}/{name}-{number}.wav": "" for name in ("carl", "anna", "ben") for number in (1, 2)}
    for name, content in {"egs/mine/prepare.py": text, **{f"corpus/en/{k}": v for k, v in files.items()}}.items():
        harness.write(name, content)(tmp_path)
    monkeypatch.setattr(harness, "EGS", tmp_path / "egs")
    monkeypatch.chdir(tmp_path)
    recipe = harness.Recipe("mine", tmp_path / "corpus")
    result = recipe(Path("corpus"), tmp_path / "out")
    assert result.ids == {"train": ["carl-1"], "dev": ["anna-1"], "test": ["ben-1"]}
    assert result.reasons == {"recordings without a transcript": 3}
    shutil.copytree("corpus", "above/corpus")
    recipe.check(harness.layout((), ".."), tmp_path / "above" / "corpus", tmp_path / "out2")
    recipe.check(harness.Case(options={"lang": "fr"}, error="lang=fr: expected .* en, de$"), recipe.corpus, tmp_path)
