"""Recipe tests as tables: the sets that a recipe makes of its miniature corpus (`expected/<recipe>.txt`), and changes
to the corpus, each with its whole effect on these sets.
"""

import os
import runpy
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest import mock

import pytest

from sure.data.data_dir import Utterance, read_data_dir
from sure.errors import SureError
from sure.stages.prepare import load_prepare, parse_options

EGS = Path(__file__).parents[2] / "egs"
SETS = ("train", "dev", "test")
Change = Callable[[Path], object]
NO_OPTIONS: dict[str, str] = {}


@dataclass(frozen=True)
class Result:
    """What prepare.py made."""

    sets: dict[str, dict[str, Utterance]]
    left_out: list[tuple[str, str]]  # reason, item; paths are relative to the corpus
    printed: str = ""

    def of(self, attribute: str) -> dict[str, Any]:
        """id -> audio, text, speaker or labels."""
        return {id: getattr(one, attribute) for found in self.sets.values() for id, one in found.items()}

    @property
    def set_of(self) -> dict[str, str]:
        return {id: name for name, found in self.sets.items() for id in found}

    @property
    def ids(self) -> dict[str, list[str]]:
        return {name: list(found) for name, found in self.sets.items()}

    @property
    def reasons(self) -> Counter:
        return Counter(reason for reason, _ in self.left_out)

    def lines(self, corpus: Path) -> list[str]:
        """The whole result as in `expected/<recipe>.txt`: the columns set, id, audio, speaker, and text or labels."""
        lines = [line.rstrip() for line in self.printed.splitlines() if not line.startswith("  listed in")]
        for name, utterances in self.sets.items():
            for one in utterances.values():
                audio = os.path.relpath(one.audio, corpus)
                times = "" if one.end is None else f" {one.start:.2f}-{one.end:.2f}"
                target = one.text if one.text is not None else " ".join(f"{k}={v}" for k, v in one.labels.items())
                lines.append("\t".join([name, one.id, audio + times, one.speaker or "", target]).rstrip())
        for reason in dict.fromkeys(reason for reason, _ in self.left_out):
            items = [item for other, item in self.left_out if other == reason]
            lines.append(f"left out\t{reason}\t{'; '.join(items)}")
        return lines


def expected(recipe: str) -> dict[str, list[str]]:
    """Options -> the lines of the result. Lines before the first options are comments. No file: none, no options."""
    path = Path(__file__).parent / "expected" / f"{recipe}.txt"
    text = path.read_text(encoding="utf-8") if path.is_file() else "## options:"
    parts = [part.split("\n") for part in text.split("## options:")[1:]]
    return {options.strip(): [line for line in lines if line] for options, *lines in parts}


@dataclass
class Case:
    """A change to the corpus and its whole effect: sets, texts and so on that are not named here stay as they were.

    sets, texts, labels, speakers: id -> value of utterances that are new or have another one. audio: id -> end of the
    path. left_out: reason -> the items, sorted, or their number; not_left_out: no longer. given: the folder of
    --corpus, below the corpus. error: in place of all this. only_places: what is left out may have other paths.
    """

    change: Change | Sequence[Change] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    gone: str | Iterable[str] = ()
    sets: Mapping[str, str] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    speakers: Mapping[str, str] = field(default_factory=dict)
    audio: Mapping[str, str] = field(default_factory=dict)
    left_out: Mapping[str, Any] = field(default_factory=dict)
    not_left_out: Mapping[str, Any] = field(default_factory=dict)
    given: str = ""
    error: str = ""
    only_places: bool = False


def layout(change: Change | Sequence[Change] = (), given: str = "", options: Mapping[str, str] = NO_OPTIONS) -> Case:
    """Other places and names of the files: the same utterances, and as many left out for each reason."""
    return Case(change, options, given=given, only_places=True)


class Recipe:
    """A recipe's prepare.py, called as stage 2 does it, and a miniature corpus that never changes."""

    def __init__(self, name: str, corpus: Path):
        self.folder = EGS / name
        self.prepare = load_prepare(self.folder / "prepare.py")
        self.parts = self.prepare.__globals__
        self.corpus = corpus
        self._unchanged: dict[str, Result] = {}

    def __call__(self, corpus: Path, out: Path, **options) -> Result:
        """Prepare a corpus. Every recording has to be there, with an absolute path."""
        words = [f"{name}={value}" for name, value in options.items()]
        folders = self.prepare(corpus, out, **parse_options(self.prepare, words))
        names = [*SETS, *(folder.name for folder in folders[3:])]
        assert folders == [out / name for name in names]
        with mock.patch("sure.data.data_dir.audio_seconds", return_value=1.0):  # stage 2 measures, not prepare.py
            sets = {name: {one.id: one for one in read_data_dir(out / name)} for name in names}
        for utterances in sets.values():
            assert all(Path(one.audio).is_absolute() and Path(one.audio).is_file() for one in utterances.values())
        lines = (out / "left_out.txt").read_text(encoding="utf-8").replace(f"{Path(corpus).absolute()}/", "")
        return Result(sets, [tuple(line.split("\t", 1)) for line in lines.splitlines()])

    def unchanged(self, **options: str) -> Result:
        """What it makes of the miniature corpus; computed once."""
        key = str(sorted(options.items()))
        if key not in self._unchanged:
            out = self.corpus.parent / f"unchanged {len(self._unchanged)}"
            self._unchanged[key] = self(self.corpus, out, **options)
        return self._unchanged[key]

    def check(self, case: Case, corpus: Path, out: Path) -> None:
        """Change `corpus`, a copy of the miniature, and compare the result with the effect that the case names."""
        for change in [case.change] if callable(case.change) else case.change:
            change(corpus)
        given = below(corpus, case.given)
        if case.error:
            with pytest.raises(SureError, match=case.error):
                self(given, out, **case.options)
            assert not any((out / name).exists() for name in SETS)
            return
        before, after = self.unchanged(**case.options), self(given, out, **case.options)
        old, new, labels = before.set_of, after.set_of, {id: {"label": label} for id, label in case.labels.items()}
        assert old.keys() - new.keys() == set(case.gone.split() if isinstance(case.gone, str) else case.gone)
        assert {id: name for id, name in new.items() if old.get(id) != name} == dict(case.sets)
        for attribute, changed in (("text", case.texts), ("labels", labels), ("speaker", case.speakers)):
            old, new = before.of(attribute), after.of(attribute)
            differing = {id: value for id, value in new.items() if id in old and old[id] != value}
            assert differing | {id: new.get(id) for id in changed} == dict(changed), attribute
        for id, end in case.audio.items():
            assert after.of("audio")[id].endswith(end)
        if case.only_places:
            assert after.reasons == before.reasons
        else:
            lines = Counter(before.left_out), Counter(after.left_out)
            _compare(lines[1] - lines[0], case.left_out)
            _compare(lines[0] - lines[1], case.not_left_out)


def _compare(lines: Counter, expected: Mapping[str, Any]) -> None:
    assert {reason for reason, _ in lines} == expected.keys()
    for reason, value in expected.items():
        items = sorted(item for other, item in lines.elements() if other == reason)
        assert (len(items) if isinstance(value, int) else items) == ([value] if isinstance(value, str) else value)


def load_make_splits(recipe: Recipe, monkeypatch: pytest.MonkeyPatch) -> Callable:
    monkeypatch.setitem(sys.modules, "prepare", SimpleNamespace(**recipe.parts))
    monkeypatch.setattr(sys, "path", [*sys.path])
    return runpy.run_path(str(recipe.folder / "splits" / "make_splits.py"))["make_splits"]


def below(corpus: Path, given: str) -> Path:
    return Path(os.path.normpath(corpus / given))  # `..` is the folder above


def table(cases: Mapping[str, Any]) -> Any:
    """Parametrise a test with a table: name of the case -> case."""
    return pytest.mark.parametrize("case", list(cases.values()), ids=list(cases))


def changes(cases: Mapping[str, Case]) -> Callable:
    """A test of all cases, which the test module has to name."""

    @table(cases)
    def test(recipe, corpus, tmp_path, case):
        recipe.check(case, corpus, tmp_path / "out")

    return test


def remove(*names: str) -> Change:
    """Files or folders."""

    def change(corpus: Path) -> None:
        for path in (corpus / name for name in names):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    return change


def write(name: str, content: str | bytes = b"") -> Change:
    return edit(name, lambda _: content.encode() if isinstance(content, str) else content)


def append(name: str, content: str | bytes) -> Change:
    return edit(name, lambda before: before + (content.encode() if isinstance(content, str) else content))


def replace(name: str, old: str, new: str) -> Change:
    """In a file or, with a pattern such as `*/*.tsv`, in all of them."""
    return edit(name, lambda before: before.replace(old.encode(), new.encode()))


def edit(name: str, function: Callable[[bytes], bytes]) -> Change:
    """Rewrite a file, which need not exist, or all files of a pattern."""

    def change(corpus: Path) -> None:
        paths = sorted(corpus.glob(name)) if "*" in name else [corpus / name]
        assert paths, f"no {name} in {corpus}"
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(function(path.read_bytes() if path.exists() else b""))

    return change


def copy(source: str, target: str) -> Change:
    """A file or folder."""
    return lambda corpus: _place(shutil.copytree if (corpus / source).is_dir() else shutil.copy, corpus, source, target)


def move(source: str, target: str) -> Change:
    return lambda corpus: _place(shutil.move, corpus, source, target)


def _place(function: Callable, corpus: Path, source: str, target: str) -> None:
    (corpus / target).parent.mkdir(parents=True, exist_ok=True)
    function(corpus / source, corpus / target)


def rename(pattern: str, new: Callable[[str], str]) -> Change:
    """Other names for all files and folders of a pattern, the deepest first."""

    def change(corpus: Path) -> None:
        paths = sorted(corpus.glob(pattern), key=lambda path: (-len(path.parts), path))
        assert paths, f"no {pattern} in {corpus}"
        for path in paths:
            path.rename(path.with_name(new(path.name)))

    return change
