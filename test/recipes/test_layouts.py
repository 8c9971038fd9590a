"""Every corpus behind links, and with what macOS leaves beside and around its files: the same data folders."""

from __future__ import annotations

import os
from pathlib import Path

import miniature
import pytest

from sure.data.data_dir import Utterance, read_data_dir
from sure.stages.prepare import load_prepare

EGS = Path(__file__).parents[2] / "egs"
RECIPES = sorted(path.parent.name for path in EGS.glob("*/prepare.py") if path.parent.name != "TEMPLATE")


def linked(corpus: Path, store: Path) -> Path:
    """A corpus with links for all its files and folders; what they lead to lies side by side in `store`."""
    places = {Path(folder): store / str(number) for number, (folder, *_) in enumerate(os.walk(corpus))}
    for folder, place in places.items():
        place.mkdir(parents=True)
        for path in folder.iterdir():
            (place / path.name).symlink_to(places.get(path, path))
    return places[corpus]


def leave_what_macos_leaves(corpus: Path) -> None:
    """A second file for each, beside it and in the folder that its archives have."""
    mirror = corpus / "__MACOSX"
    for folder in [Path(folder) for folder, *_ in os.walk(corpus, followlinks=True)]:
        names = [path.name for path in folder.iterdir() if path.is_file()]
        for place in (folder, mirror / folder.relative_to(corpus)):
            place.mkdir(parents=True, exist_ok=True)
            for name in names:
                (place / f"._{name}").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
        (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")


def said(out: Path) -> dict[str, list[tuple]]:
    def known(utterance: Utterance) -> tuple:
        place = Path(utterance.audio).name, utterance.start, utterance.end
        return utterance.id, *place, utterance.text, utterance.labels, utterance.speaker

    return {name: [known(utterance) for utterance in read_data_dir(out / name)] for name in ("train", "dev", "test")}


@pytest.mark.parametrize("recipe", RECIPES)
def test_links_and_what_macos_leaves_change_nothing(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr("sure.data.data_dir.audio_seconds", lambda path: 1.0)  # stage 2 measures, not prepare.py
    corpus = miniature.make(recipe, tmp_path / "corpus")
    other = linked(corpus, tmp_path / "store")
    leave_what_macos_leaves(other)
    prepare = load_prepare(EGS / recipe / "prepare.py")
    for given, out in ((corpus, "plain"), (other, "linked")):
        prepare(given, tmp_path / out)
    assert said(tmp_path / "linked") == said(tmp_path / "plain")
    reasons = [
        {line.partition("\t")[0] for line in (tmp_path / out / "left_out.txt").read_text().splitlines()}
        for out in ("plain", "linked")
    ]
    assert reasons[0] <= reasons[1] and all(len(said(tmp_path / "plain")[name]) for name in ("train", "dev", "test"))
