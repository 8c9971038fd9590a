"""The doctor finds no problem in complete folders, names each damage, and changes no file."""

import os
import re
import shutil
from pathlib import Path

import pytest
import toys
from damage import flip, replace, to_folder

from sure.bin import doctor, pack
from sure.errors import SureError
from sure.files import replace_file, sha256_of_file
from sure.recipe.inputs import DIGESTS, digest_of_folder, read_recording, recording_tables

SEED = Path("exp/tones_tiny_lora/seed1")
BUNDLE = str(SEED / "bundle")


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe's folder: data, and a finished experiment with its bundle and a decoded set."""
    recipe = toys.make_corpus(tmp_path_factory.mktemp("complete") / "recipe")
    seed = toys.train_here(recipe, recipe / SEED, train__epochs=1)
    pack.main(["--exp", str(seed)])
    for name in ("hyp.txt", "ref.txt"):
        replace_file(seed / "decode_test" / name, "test-000 a\ntest-001 b\n")
    digest = sha256_of_file(recipe / "data" / "train" / "text")
    replace_file(recipe / "downloads/corpus/a.tsv", "a")
    mark = f"digest {digest_of_folder(str(recipe / 'downloads/corpus'))}  recipe/downloads/corpus\n"
    replace_file(recipe / ".marks/data.prepare", mark)  # the dataset is `data`
    recordings = {str(path): read_recording(str(path)) for path in recipe.glob("wav/train*.wav")}
    replace_file(recipe / "data/train" / DIGESTS, recording_tables(recordings)[DIGESTS])
    replace_file(seed / ".marks" / "train", f"command  python\n{digest}  data/train/text\n")
    return recipe


@pytest.fixture
def recipe(complete: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    copy = Path(shutil.copytree(complete, tmp_path / "recipe"))
    for path in [*copy.rglob("wav.scp"), *copy.rglob(DIGESTS), *copy.rglob("config.yaml")]:
        path.write_text(path.read_text().replace(str(complete), str(copy)))
    monkeypatch.chdir(copy)
    return copy


def test_complete_folders_have_no_problems_and_do_not_change(recipe: Path, capsys: pytest.CaptureFixture) -> None:
    before = {path: path.stat().st_mtime_ns for path in recipe.rglob("*")}
    doctor.main(["data", "exp", BUNDLE])
    shown = capsys.readouterr().out
    assert shown.count("problems: none") == 5  # three sets, one experiment with its bundle, and the bundle
    assert "bundle, problems: none" in shown
    assert {path: path.stat().st_mtime_ns for path in recipe.rglob("*")} == before


def write(content: bytes):
    return lambda path: path.write_bytes(content)


def same_time(path: Path) -> None:
    before = path.stat()
    flip(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


# folder to check, file or folder in it, its damage, and the problem that is found
@pytest.mark.parametrize(("folder", "place", "damage", "problem"), [
    ("data", "wav/train3.wav", Path.unlink, "missing audio file: train-003.*stage 2"),
    ("data", "wav/train3.wav", lambda path: shutil.copy("wav/train0.wav", path),
     "utt2dur: 'train-003' has .* the recording changed since stage 2"),
    ("data", "wav/train3.wav", same_time, "train3.wav: its content changed since stage 2 -> restore the recording"),
    ("data", "downloads/corpus/a.tsv", write(b"b"), "downloads/corpus changed since prepare was finished"),
    ("data", "data/dev/text", lambda path: replace(path, "dev-000 ", "dev-900 "), "not sorted .*'dev-900'"),
    ("data", "data/dev/text", lambda path: replace(path, "dev-002 ", "dev-200 "), "text without audio: dev-200"),
    ("data", "data/dev/text", write(b"\xff\xfe"), "not UTF-8"),
    ("data", "data/dev/text", to_folder, "data/dev/text cannot be read"),
    ("data", "data/dev/wav.scp", write(b"a ls |\n"), "is a command"),
    ("data", "data/dev/utt2dur", Path.unlink, "utt2dur is missing"),
    ("data", "data/dev/utt2dur", write(b"\xff\xfe x\n"), "utt2dur:1: not UTF-8.*2"),
    ("exp", "data/test", shutil.rmtree, "the set test does not exist -> run stage 2"),
    ("exp", "data/train/text", lambda path: replace(path, "train-000", "train-0000"),
     "data/train/text changed since train was finished -> --stage train"),
    ("exp", SEED / "config.yaml", lambda path: replace(path, "epochs", "epoch"), "unknown key 'train.epoch'"),
    ("exp", SEED / "config.yaml", Path.unlink, "config.yaml is missing -> run stage 4"),
    ("exp", SEED / "checkpoints/last.pt", flip, r"last\.pt is damaged"),
    ("exp", SEED / "checkpoints/last.pt", to_folder, "last.pt is not a file"),
    ("exp", SEED / ".marks/train", to_folder, "train is not a file.*--stage train"),
    ("exp", SEED / "best.json", Path.unlink, "best.json is missing"),
    ("exp", SEED / "metrics.jsonl", write(b"\x80\xff"), "metrics.jsonl is damaged"),
    ("exp", SEED / "metrics.jsonl", write(b"[1]\n"), "metrics.jsonl is damaged"),
    ("exp", SEED / "left_out.txt", write(b"a\tb\n\xff"), "left_out.txt is damaged"),
    ("exp", SEED / "best.safetensors", write(b"x"), "best.safetensors is damaged"),
    ("exp", SEED / "best.safetensors", flip, "best.safetensors is damaged"),
    ("exp", SEED / "best.safetensors", Path.unlink, "best.safetensors is missing"),
    ("exp", SEED / "summary.json", write(b"["), "summary.json is not valid JSON"),
    ("exp", SEED / "tokens", shutil.rmtree, "labels.json does not exist"),
    ("exp", SEED / "decode_test/hyp.txt", lambda path: replace(path, "test-001", "test-002"),
     "hyp.txt: no line for test-001; .* -> run stages 5 and 6"),
    ("exp", SEED / "bundle/adapter.safetensors", flip, "adapter.safetensors"),
    (BUNDLE, SEED / "bundle/adapter.json", lambda path: replace(path, '"depth": 3', '"depth": 4'), "adapter.json"),
    (BUNDLE, SEED / "bundle/adapter.json", Path.unlink, "no adapter.json"),
])  # fmt: skip
def test_each_damage_is_named(recipe: Path, folder: str, place, damage, problem: str, capsys) -> None:
    damage(Path(place))
    with pytest.raises(SystemExit) as ended:
        doctor.main([folder])
    found = re.findall("  problem: (.*(?:\n    -> .*)?)", capsys.readouterr().out)
    assert ended.value.code == 1
    assert any(re.search(problem, re.sub("\n *", " ", each)) for each in found), found


def test_an_interrupted_training_is_no_problem(recipe: Path, capsys: pytest.CaptureFixture) -> None:
    (SEED / "summary.json").unlink()
    doctor.main(["exp"])
    assert re.search("problems: none\n.*not finished", capsys.readouterr().out)
    for place in ("best.safetensors", "decode_test/hyp.txt"):  # the remedies work while it is unfinished
        (SEED / place).write_bytes(b"x")
    with pytest.raises(SystemExit):
        doctor.main(["exp"])
    shown = capsys.readouterr().out
    assert re.search("best.safetensors is damaged\n    -> run the same command again: training continues", shown)
    assert re.search("hyp.txt.*\n    -> finish the training first", shown) and "--stage train" not in shown
    shutil.rmtree(SEED / "checkpoints")
    with pytest.raises(SystemExit):
        doctor.main(["exp"])
    assert "has no checkpoint" in capsys.readouterr().out


def test_names_that_are_not_valid_text_are_printed(recipe: Path, capfd: pytest.CaptureFixture) -> None:
    (SEED / "config.yaml").unlink()
    folder = SEED.rename(SEED.with_name("seed\udcff"))
    with pytest.raises(SystemExit):
        doctor.main([str(folder)])
    assert r"seed\udcff: experiment" in capfd.readouterr().out


def test_other_folders_are_errors(here: Path) -> None:
    Path("x.json").write_text("{}")
    for folder, message in (("gone", "does not exist"), (".", "neither a data folder")):
        with pytest.raises(SureError, match=message):
            doctor.main([folder])
