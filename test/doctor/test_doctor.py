"""The doctor finds no problem in complete folders, names each damage, and changes no file."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import toys

from sure.bin import doctor, pack
from sure.doctor.examine import examine
from sure.errors import SureError
from sure.files import sha256_of_file


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe's folder: data, and a finished experiment with its bundle and a decoded set."""
    recipe = toys.make_corpus(tmp_path_factory.mktemp("whole") / "recipe")
    seed = toys.train_here(recipe, recipe / "exp" / "tones_tiny_lora" / "seed1", train__epochs=1)
    pack.main(["--exp", str(seed)])
    decoded = seed / "decode_test"
    decoded.mkdir()
    for name in ("hyp.txt", "ref.txt"):
        (decoded / name).write_text("test-000 a\ntest-001 b\n")
    (seed / ".marks").mkdir()
    text = recipe / "data" / "train" / "text"
    (seed / ".marks" / "train").write_text(f"command  python\n{sha256_of_file(text)}  data/train/text\n")
    return recipe


@pytest.fixture
def recipe(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = tmp_path / "recipe"
    shutil.copytree(whole, copy)
    for path in [*copy.rglob("wav.scp"), *copy.rglob("config.yaml")]:
        path.write_text(path.read_text().replace(str(whole), str(copy)))
    monkeypatch.chdir(copy)
    return copy


SEED = Path("exp/tones_tiny_lora/seed1")


def found(folder: Path) -> list[str]:
    return [f"{what} -> {remedy}" for check in examine(folder) for what, remedy in check.problems]


def times(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_nothing_is_wrong_with_what_is_whole(recipe: Path, capsys: pytest.CaptureFixture) -> None:
    before = times(recipe)
    doctor.main(["data", "exp"])
    shown = capsys.readouterr().out
    assert shown.count("problems: none") == 4  # three sets, one experiment with its bundle
    doctor.main([str(SEED / "bundle")])
    assert "bundle, problems: none" in capsys.readouterr().out
    assert times(recipe) == before


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def swap_lines(path: Path) -> None:
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))


def to_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


DEV, BUNDLE = Path("data/dev"), SEED / "bundle"
DAMAGE: dict[str, tuple[Path | str, Callable[[], object], str]] = {
    "a recording": ("data/train", Path("wav/train3.wav").unlink, "missing audio file: train-003.*stage 2"),
    "another recording": ("data/train", lambda: shutil.copy("wav/train0.wav", "wav/train3.wav"),
                          "utt2dur: 'train-003' has .* the recording changed since stage 2"),
    "order": (DEV, lambda: swap_lines(DEV / "text"), "data/dev/text: not sorted .*'dev-004'"),
    "a line": (DEV, lambda: edit(DEV / "text", "dev-002 ", "dev-200 "), "text without audio: dev-200"),
    "a command": (DEV, lambda: (DEV / "wav.scp").write_text("a ls |\n"), "is a command"),
    "no durations": (DEV, (DEV / "utt2dur").unlink, "utt2dur is missing"),
    "bytes": (DEV, lambda: (DEV / "text").write_bytes(b"\xff\xfe"), "not UTF-8"),
    "bytes of durations": (DEV, lambda: (DEV / "utt2dur").write_bytes(b"\xff\xfe x\n"), "utt2dur:1: not UTF-8.*2"),
    "a folder for texts": (DEV, lambda: to_folder(DEV / "text"), "data/dev/text cannot be read"),
    "config": ("exp", lambda: edit(SEED / "config.yaml", "epochs", "epoch"), "unknown key 'train.epoch'"),
    "no config": ("exp", (SEED / "config.yaml").unlink, "config.yaml is missing -> run stage 4"),
    "checkpoint": ("exp", lambda: flip(SEED / "checkpoints/last.pt"), r"last\.pt is damaged"),
    "a folder for a checkpoint": ("exp", lambda: to_folder(SEED / "checkpoints/last.pt"), "last.pt is not a file"),
    "a folder for a mark": ("exp", lambda: to_folder(SEED / ".marks/train"), "train is not a file.*--stage train"),
    "no best": ("exp", (SEED / "best.json").unlink, "best.json is missing"),
    "curves": ("exp", lambda: (SEED / "metrics.jsonl").write_bytes(b"\x80\xff"), "metrics.jsonl is damaged"),
    "lines of curves": ("exp", lambda: (SEED / "metrics.jsonl").write_text("[1]\n"), "metrics.jsonl is damaged"),
    "left out": ("exp", lambda: (SEED / "left_out.txt").write_bytes(b"a\tb\n\xff"), "left_out.txt is damaged"),
    "best weights": ("exp", lambda: (SEED / "best.safetensors").write_bytes(b"x"), "best.safetensors is damaged"),
    "a bit of the best weights": ("exp", lambda: flip(SEED / "best.safetensors"), "best.safetensors is damaged"),
    "no weights": ("exp", (SEED / "best.safetensors").unlink, "best.safetensors is missing"),
    "summary": ("exp", lambda: (SEED / "summary.json").write_text("["), "summary.json is not valid JSON"),
    "tokens": ("exp", lambda: shutil.rmtree(SEED / "tokens"), "labels.json does not exist"),
    "a set": ("exp", lambda: shutil.rmtree("data/test"), "the set test does not exist -> run stage 2"),
    "a decoded line": ("exp", lambda: edit(SEED / "decode_test/hyp.txt", "test-001", "test-002"),
                       "hyp.txt: no line for test-001; .* -> run stages 5 and 6"),
    "a mark": ("exp", lambda: edit(Path("data/train/text"), "train-000", "train-0000"),
               "data/train/text changed since train was finished -> --stage train"),
    "bundle": ("exp", lambda: flip(BUNDLE / "adapter.safetensors"), "adapter.safetensors"),
    "another bundle": (BUNDLE, lambda: edit(BUNDLE / "adapter.json", '"depth": 3', '"depth": 4'), "adapter.json"),
    "half a bundle": (BUNDLE, (BUNDLE / "adapter.json").unlink, "no adapter.json"),
}  # fmt: skip


@pytest.mark.parametrize("kind", DAMAGE)
def test_what_is_broken_is_named(recipe: Path, kind: str, capsys: pytest.CaptureFixture) -> None:
    folder, damage, expected = DAMAGE[kind]
    damage()
    lines = found(Path(folder))
    assert any(re.search(expected, line) for line in lines), lines
    with pytest.raises(SystemExit) as ended:
        doctor.main([str(folder)])
    assert ended.value.code == 1 and "  problem: " in capsys.readouterr().out


def test_a_training_that_was_interrupted_is_whole(recipe: Path) -> None:
    (SEED / "summary.json").unlink()
    assert found(Path("exp")) == []
    assert "not finished" in str(examine(Path("exp"))[0])
    shutil.rmtree(SEED / "checkpoints")
    assert any("no checkpoint" in line for line in found(Path("exp")))


def test_names_that_no_terminal_shows_are_shown(recipe: Path) -> None:
    (SEED / "config.yaml").unlink()
    folder = SEED.rename(SEED.with_name("seed\udcff"))
    command = [sys.executable, "-m", "sure.bin.doctor", str(folder)]
    root = Path(doctor.__file__).parents[2]
    done = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONUTF8": "1", "PYTHONPATH": str(root)})
    assert done.returncode == 1 and rb"seed\udcff: experiment" in done.stdout, done.stderr


def test_what_is_none_of_these(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "gone"):
        with pytest.raises(SureError, match="neither a data folder|does not exist"):
            examine(folder)
    (tmp_path / "x.json").write_text(json.dumps({}))
    with pytest.raises(SureError, match="neither"):
        examine(tmp_path)
