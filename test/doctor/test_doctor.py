"""The doctor finds no problem in complete folders, names each damage, and changes no file."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import toys
from damage import flip, replace, to_folder

from sure.bin import doctor, pack
from sure.doctor.examine import examine
from sure.errors import SureError
from sure.files import sha256_of_file

SEED = Path("exp/tones_tiny_lora/seed1")


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe's folder: data, and a finished experiment with its bundle and a decoded set."""
    recipe = toys.make_corpus(tmp_path_factory.mktemp("complete") / "recipe")
    seed = toys.train_here(recipe, recipe / SEED, train__epochs=1)
    pack.main(["--exp", str(seed)])
    for folder in (seed / "decode_test", seed / ".marks"):
        folder.mkdir()
    for name in ("hyp.txt", "ref.txt"):
        (seed / "decode_test" / name).write_text("test-000 a\ntest-001 b\n")
    digest = sha256_of_file(recipe / "data" / "train" / "text")
    (seed / ".marks" / "train").write_text(f"command  python\n{digest}  data/train/text\n")
    return recipe


@pytest.fixture
def recipe(complete: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = Path(shutil.copytree(complete, tmp_path / "recipe"))
    for path in [*copy.rglob("wav.scp"), *copy.rglob("config.yaml")]:
        path.write_text(path.read_text().replace(str(complete), str(copy)))
    monkeypatch.chdir(copy)
    return copy


def found(folder: str) -> list[str]:
    return [f"{what} -> {remedy}" for check in examine(Path(folder)) for what, remedy in check.problems]


def times(folder: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_complete_folders_have_no_problems(recipe: Path, capsys: pytest.CaptureFixture) -> None:
    before = times(recipe)
    doctor.main(["data", "exp"])
    shown = capsys.readouterr().out
    assert shown.count("problems: none") == 4  # three sets, one experiment with its bundle
    doctor.main([str(SEED / "bundle")])
    assert "bundle, problems: none" in capsys.readouterr().out
    assert times(recipe) == before


def write(content: bytes):
    return lambda path: path.write_bytes(content)


def swap_lines(path: Path) -> None:
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))


# file or folder, its damage, and the problem that is found in data, or in exp
DATA_DAMAGES = [
    ("wav/train3.wav", Path.unlink, "missing audio file: train-003.*stage 2"),
    ("wav/train3.wav", lambda path: shutil.copy("wav/train0.wav", path),
     "utt2dur: 'train-003' has .* the recording changed since stage 2"),
    ("data/dev/text", swap_lines, "data/dev/text: not sorted .*'dev-004'"),
    ("data/dev/text", lambda path: replace(path, "dev-002 ", "dev-200 "), "text without audio: dev-200"),
    ("data/dev/text", write(b"\xff\xfe"), "not UTF-8"),
    ("data/dev/text", to_folder, "data/dev/text cannot be read"),
    ("data/dev/wav.scp", write(b"a ls |\n"), "is a command"),
    ("data/dev/utt2dur", Path.unlink, "utt2dur is missing"),
    ("data/dev/utt2dur", write(b"\xff\xfe x\n"), "utt2dur:1: not UTF-8.*2"),
]  # fmt: skip
EXPERIMENT_DAMAGES = [
    (SEED / "config.yaml", lambda path: replace(path, "epochs", "epoch"), "unknown key 'train.epoch'"),
    (SEED / "config.yaml", Path.unlink, "config.yaml is missing -> run stage 4"),
    (SEED / "checkpoints/last.pt", flip, r"last\.pt is damaged"),
    (SEED / "checkpoints/last.pt", to_folder, "last.pt is not a file"),
    (SEED / ".marks/train", to_folder, "train is not a file.*--stage train"),
    (SEED / "best.json", Path.unlink, "best.json is missing"),
    (SEED / "metrics.jsonl", write(b"\x80\xff"), "metrics.jsonl is damaged"),
    (SEED / "metrics.jsonl", write(b"[1]\n"), "metrics.jsonl is damaged"),
    (SEED / "left_out.txt", write(b"a\tb\n\xff"), "left_out.txt is damaged"),
    (SEED / "best.safetensors", write(b"x"), "best.safetensors is damaged"),
    (SEED / "best.safetensors", flip, "best.safetensors is damaged"),
    (SEED / "best.safetensors", Path.unlink, "best.safetensors is missing"),
    (SEED / "summary.json", write(b"["), "summary.json is not valid JSON"),
    (SEED / "tokens", shutil.rmtree, "labels.json does not exist"),
    ("data/test", shutil.rmtree, "the set test does not exist -> run stage 2"),
    (SEED / "decode_test/hyp.txt", lambda path: replace(path, "test-001", "test-002"),
     "hyp.txt: no line for test-001; .* -> run stages 5 and 6"),
    ("data/train/text", lambda path: replace(path, "train-000", "train-0000"),
     "data/train/text changed since train was finished -> --stage train"),
    (SEED / "bundle/adapter.safetensors", flip, "adapter.safetensors"),
    (SEED / "bundle/adapter.json", Path.unlink, "no adapter.json"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("folder", "place", "damage", "problem"),
    [*(("data", *row) for row in DATA_DAMAGES), *(("exp", *row) for row in EXPERIMENT_DAMAGES)],
)
def test_each_damage_is_named(recipe: Path, folder: str, place, damage, problem: str, capsys) -> None:
    damage(Path(place))
    lines = found(folder)
    assert any(re.search(problem, line) for line in lines), lines
    with pytest.raises(SystemExit) as ended:
        doctor.main([folder])
    assert ended.value.code == 1 and "  problem: " in capsys.readouterr().out


def test_bundles_are_known_by_each_of_their_files(recipe: Path) -> None:
    replace(SEED / "bundle/adapter.json", '"depth": 3', '"depth": 4')
    assert "adapter.json" in found(SEED / "bundle")[0]
    (SEED / "bundle/adapter.json").unlink()
    assert "no adapter.json" in found(SEED / "bundle")[0]


def test_an_interrupted_training_is_no_problem(recipe: Path) -> None:
    (SEED / "summary.json").unlink()
    assert found("exp") == []
    assert "not finished" in str(examine(Path("exp"))[0])
    shutil.rmtree(SEED / "checkpoints")
    assert any("no checkpoint" in line for line in found("exp"))


def test_names_that_are_not_valid_text_are_printed(recipe: Path) -> None:
    (SEED / "config.yaml").unlink()
    folder = SEED.rename(SEED.with_name("seed\udcff"))
    command = [sys.executable, "-m", "sure.bin.doctor", str(folder)]
    root = Path(doctor.__file__).parents[2]
    done = subprocess.run(command, capture_output=True, env={**os.environ, "PYTHONUTF8": "1", "PYTHONPATH": str(root)})
    assert done.returncode == 1 and rb"seed\udcff: experiment" in done.stdout, done.stderr


def test_other_folders_are_errors(tmp_path: Path) -> None:
    with pytest.raises(SureError, match="does not exist"):
        examine(tmp_path / "gone")
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(SureError, match="neither a data folder"):
        examine(tmp_path)
