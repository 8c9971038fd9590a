"""From a corpus to a bundle in one call, from the command line and from Python."""

import json
import sys
from pathlib import Path

import datasets
import numpy as np
import pytest
import soundfile
import toys
import yaml
from hub_server import on_loopback

import sure
from sure.bin import adapt, download
from sure.corpus.memory import read_rows
from sure.corpus.sets import read_sets
from sure.data.data_dir import read_data_dir
from sure.errors import SureError
from sure.petl.bundle import read_bundle
from sure.report.card import About, write_card
from sure.stages.adapt import USUAL

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "egs" / "TEMPLATE" / "sources.yaml"
SETTINGS = {"train.epochs": 4, "train.threads": 1, "train.batch_seconds": 4, "petl.rank": 2}


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A folder with a table of 40 recordings, each of a tone that is its label."""
    folder = tmp_path_factory.mktemp("work")
    lines = ["audio\tlabel"]
    for index in range(40):
        label = "abcd"[index % 4]
        soundfile.write(folder / f"{index}.wav", toys.tones(label * (2 + index % 3)), toys.RATE)
        lines.append(f"{index}.wav\t{label}")
    (folder / "corpus.tsv").write_text("\n".join(lines) + "\n")
    return folder


def train(work: Path, **changes: object) -> Path:
    given = {"backbone": "tiny", "weights": "random:moonshine", "task": "intent", "settings": SETTINGS}
    return sure.train(work / "corpus.tsv", out=work / "out", **{**given, **changes})


@pytest.fixture(scope="module")
def bundle(work):
    """The bundle that the command makes."""
    words = "--backbone tiny --weights random:moonshine --task intent --json --set".split()
    words += [f"{key}={value}" for key, value in SETTINGS.items()]
    with pytest.MonkeyPatch.context() as patch:
        shown = []
        patch.setattr(adapt, "print_json", shown.append)
        adapt.main([str(work / "corpus.tsv"), "--out", str(work / "out"), *words])
    (done,) = shown
    assert done["bundle"] == str(work / "out/exp/intent_tiny_lora_random/seed1/bundle")
    assert [one["utterances"] for one in done["results"]] == [4]
    return Path(done["bundle"])


@pytest.mark.parametrize(("words", "message"), [
    ("--set train.epochs", "--set train.epochs: expected NAME=VALUE, such as train.epochs=3"),
    ("--set train.epochs=1 seed=2 train.epochs=3", "--set has train.epochs=1 and train.epochs=3; pass one of them"),
    ("--columns text=a text=b", "--columns has text=a and text=b; pass one of them"),
])  # fmt: skip
def test_wrong_and_repeated_names_are_refused(words, message):
    with pytest.raises(SureError, match=message):
        adapt.main(["corpus.tsv", "--out", "out", "--backbone", "tiny", *words.split()])


def test_the_bundle_is_used_and_the_same_call_in_python_repeats_nothing(bundle, work, capsys):
    files = [str(work / f"{index}.wav") for index in range(8)]
    assert sum(found == "abcd"[index % 4] for index, found in enumerate(sure.Sure.load(bundle).predict(files))) > 4
    sets = {
        name: {one.id for one in read_data_dir(work / "out/data/intent" / name)} for name in ("train", "dev", "test")
    }
    assert {name: len(ids) for name, ids in sets.items()} == {"train": 32, "dev": 4, "test": 4}
    assert len(set.union(*sets.values())) == 40
    before = {path: path.stat().st_mtime_ns for path in (work / "out").rglob("*") if path.suffix != ".log"}
    assert train(work) == bundle
    changed = [path.name for path, time in before.items() if path.is_file() and path.stat().st_mtime_ns != time]
    assert set(changed) <= {"command.txt", "corpus.sha256", ".lock"}
    assert "sure.train(" in (bundle.parent / "command.txt").read_text()


def test_another_corpus_or_config_is_not_mixed_with_a_finished_training(bundle, work):
    with pytest.raises(SureError, match="begun with another config: petl.rank: was 2, is 3"):
        train(work, settings={**SETTINGS, "petl.rank": 3})
    table = work / "corpus.tsv"
    before = table.read_text()
    table.write_text(before.replace("0.wav\ta\n", "", 1))
    try:
        with pytest.raises(SureError, match="was trained on another corpus"):
            train(work)
    finally:
        table.write_text(before)
    assert train(work) == bundle


def test_the_card_has_scores_data_and_no_folders_of_this_machine(bundle, work):
    card = write_card(read_bundle(bundle), About("me/tones", "mit", "maker/base"))
    assert str(work.parent) not in card and " --out out " in card
    metadata = yaml.safe_load(card.split("---")[1])
    (result,) = metadata["model-index"][0]["results"]
    score = json.loads((bundle.parent / "decode_test" / "result.json").read_text())
    assert result["metrics"][0] == {"type": "accuracy", "value": score["score"], "name": "accuracy %"}
    low, high = score["accuracy_interval"]
    assert f"{score['score']:.2f} [{low:.2f}, {high:.2f}]" in card
    assert "- data/intent/train: 32 utterances" in card
    assert f"{sum(path.stat().st_size for path in bundle.iterdir()):,} bytes" in card


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "emotions"}, "task='emotions': expected one of asr, "),
        ({"backbone": "moonshine", "weights": ""}, "backbone='moonshine' needs weights"),
        ({"backbone": "nothing", "weights": ""}, "neither weights nor a family"),
        ({"petl": "lara"}, "did you mean 'lora'"),
        ({"head": "attention"}, "head='attention': expected ctc or decoder"),
        ({"on_bad_utterance": "keep"}, "expected stop or skip"),
        ({"settings": {"train.epoch": 1}}, "epoch"),
    ],
)
def test_a_mistake_is_named_before_anything_is_written(tmp_path, work, changes, message):
    given = {"out": tmp_path / "none", "backbone": "tiny", "weights": "random", "task": "intent"}
    with pytest.raises(SureError, match=message):
        sure.train(work / "corpus.tsv", **{**given, **changes})
    assert not (tmp_path / "none" / "data").exists()


def test_settings_are_those_of_the_template():
    for task, settings in USUAL.items():
        conf = yaml.safe_load((ROOT / f"egs/TEMPLATE/conf/{task}.yaml").read_text())
        rates = {key: float(rate) for key, rate in conf["train"].items() if key.startswith("lr")}
        assert settings["train"] == {**conf["train"], **rates}
        assert settings.get("backbone", {}).get("layers") == conf["backbone"].get("layers")


# --- forms of a corpus --------------------------------------------------------------------------------------------


def wave(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-0.5, 0.5, 8000).astype(np.float32)


def written(parts: dict, folder: Path) -> dict[str, int]:
    for name, part in parts.items():
        part.write(folder / name)
    return {name: len((folder / name / "wav.scp").read_text().splitlines()) for name in parts}


def test_a_list_of_recordings_in_memory_is_written_once(tmp_path):
    rows = [(wave(index), "yes" if index % 2 else "no way", f"speaker {index % 12}") for index in range(24)]
    parts = read_sets(rows, "label", tmp_path / "audio")
    assert written(parts, tmp_path) == {"train": 20, "dev": 2, "test": 2}
    speakers = {name: {one.speaker for one in read_data_dir(tmp_path / name)} for name in parts}
    assert sum(map(len, speakers.values())) == len(set.union(*speakers.values())) == 12
    one = read_data_dir(tmp_path / "dev")[0]
    assert np.array_equal(soundfile.read(one.audio, dtype="float32")[0], wave(int(one.id.split("-")[1])))
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "audio").iterdir()}
    again = read_sets(rows, "label", tmp_path / "audio")
    assert {name: part.digest for name, part in again.items()} == {name: part.digest for name, part in parts.items()}
    assert before == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "audio").iterdir()}
    rows[3] = (wave(99), *rows[3][1:])
    assert any(part.digest != parts[name].digest for name, part in read_sets(rows, "label", tmp_path / "audio").items())


def test_a_dataset_has_undecoded_recordings_and_names_of_labels(tmp_path, work):
    files = [str(work / f"{index}.wav") for index in range(6)]
    labels = datasets.ClassLabel(names=["left", "right"])
    made = datasets.Dataset.from_dict({"audio": files, "label": [0, 1] * 3})
    made = made.cast_column("audio", datasets.Audio()).cast_column("label", labels)
    whole = datasets.DatasetDict({"train": made, "validation": made.select(range(2))})
    parts = read_sets(whole, "label", tmp_path / "audio")
    assert written(parts, tmp_path) == {"train": 6, "dev": 2}
    assert [one.labels["label"] for one in read_data_dir(tmp_path / "dev")] == ["left", "right"]
    renamed = made.rename_columns({"label": "class"}).add_column("label", [9] * 6)
    part = read_sets({"train": renamed, "dev": renamed}, "label", tmp_path / "audio", {"label": "class"})["train"]
    assert part.digest == parts["train"].digest
    content = {"bytes": Path(files[0]).read_bytes(), "path": "x.wav"}
    (one,) = read_rows([{"audio": content, "text": "a b"}], "train", "text", tmp_path / "audio")
    assert Path(one.audio).read_bytes() == content["bytes"] and one.audio.endswith(".wav") and one.text == "a b"
    with pytest.raises(SureError, match="no column 'text'; it has audio, label; name it: columns="):
        read_sets({"train": made, "dev": made}, "text", tmp_path / "audio")


def test_a_dataset_on_the_hub(tmp_path, work, monkeypatch):
    content = [{"bytes": (work / f"{index}.wav").read_bytes(), "path": f"{index}.wav"} for index in range(6)]
    made = datasets.Dataset.from_dict({"audio": content, "sentence": ["aa"] * 6})
    made.cast_column("audio", datasets.Audio(decode=False)).to_parquet(tmp_path / "x.parquet")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "datasets")
    with on_loopback(tmp_path / "cache") as hub:
        monkeypatch.setattr(datasets.config, "HF_ENDPOINT", hub.url)
        files = {f"data/{name}-0.parquet": (tmp_path / "x.parquet").read_bytes() for name in ("train", "validation")}
        hub.add("datasets/maker/corpus", files)
        hub.add("datasets/maker/scripted", {"scripted.py": b"raise SystemExit"})
        parts = read_sets("hf://maker/corpus", "text", tmp_path / "audio", {"text": "sentence"})
        assert written(parts, tmp_path) == {"train": 6, "dev": 6}
        for name, message in (
            ("hf://maker/corpus/default:other", "cannot be read .*other.*; correct the name, config or split"),
            ("hf://maker/none", "hf://maker/none cannot be read|maker/none is neither"),
            ("hf://maker/scripted", "hf://maker/scripted cannot be read .*scripts"),
            ("hf:///nowhere", "hf:///nowhere: /nowhere is not a folder"),
            ("hf://corpus", "expected hf://owner/name"),
        ):
            with pytest.raises(SureError, match=message):
                read_sets(name, "text", tmp_path / "audio")
        call = ["--sources", str(SOURCES), "--out", str(tmp_path / "downloads"), "--columns", "text=sentence"]
        download.main([*call, "--corpus", "hf://maker/corpus"])
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
        before = len(hub.requests)
        download.main([*call, "--corpus", "hf://maker/corpus"])
        assert len(hub.requests) == before
    assert (tmp_path / "downloads" / "corpus.txt").read_text() == "hf://maker/corpus\ttext=sentence\n"
    sets = {name: len(read_data_dir(tmp_path / "downloads" / "corpus" / name)) for name in ("train", "dev", "test")}
    assert sets == {"train": 5, "dev": 6, "test": 1}
    with pytest.raises(SureError, match="'words' is not NAME=COLUMN"):
        download.main([*call[:-1], "words=sentence", "--corpus", "hf://maker/corpus"])
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(SureError, match="needs the package datasets: tools/install.sh --extras datasets"):
        read_sets("hf://maker/corpus", "text", tmp_path / "audio")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([("a.wav", "x")], "1 recordings cannot be divided"),
        ([("a.wav",)] * 9, "data, row 0: found tuple; expected pairs"),
        ([{"audio": "a.wav", "label": "x"}] * 9, "data, row 0: the task needs text"),
        ([{"text": "x"}], "data, row 0: there is no audio"),
        ({"train": [], "dev": []}, "train: no rows"),
        ({"dev": []}, "no set 'train'"),
        ({"train": [], "devel": []}, "the set 'devel'"),
        ("none.tsv", "none.tsv does not exist; expected a table"),
        (7, "the corpus is int; expected a table"),
    ],
)
def test_an_unusable_corpus_is_named(tmp_path, data, message):
    with pytest.raises(SureError, match=message):
        read_sets(data, "text", tmp_path)
