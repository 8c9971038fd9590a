"""Promises of egs/iemocap/prepare.py, on a miniature of the corpus and on other layouts of it."""

import json
import shutil
from pathlib import Path

import miniature
import pytest
import torch

from sure.data.data_dir import Utterance, read_data_dir
from sure.errors import SureError
from sure.stages.prepare import load_prepare

prepare = load_prepare(Path(__file__).parents[2] / "egs" / "iemocap" / "prepare.py")
SETS = ("train", "dev", "test")


@pytest.fixture(scope="module")
def miniature_corpus(tmp_path_factory) -> Path:
    return miniature.make("iemocap", tmp_path_factory.mktemp("iemocap") / "a corpus")


@pytest.fixture
def corpus(miniature_corpus, tmp_path) -> Path:
    """One to change: IEMOCAP_full_release."""
    shutil.copytree(miniature_corpus / "IEMOCAP_full_release", tmp_path / "IEMOCAP_full_release")
    return tmp_path / "IEMOCAP_full_release"


def prepared(corpus: Path, out: Path, **options) -> dict[str, dict[str, Utterance]]:
    assert [folder.name for folder in prepare(corpus, out, **options)] == list(SETS)
    return {name: {u.id: u for u in read_data_dir(out / name)} for name in SETS}


def left_out(out: Path) -> list[tuple[str, str]]:
    return [tuple(line.split("\t")) for line in (out / "left_out.txt").read_text().splitlines()]


def ids(found: dict[str, dict[str, Utterance]]) -> dict[str, list[str]]:
    return {name: list(utterances) for name, utterances in found.items()}


def sessions(utterances: dict[str, Utterance]) -> set[str]:
    return {id[:5] for id in utterances}


def test_four_classes_of_three_one_and_one_session(miniature_corpus, tmp_path):
    found = prepared(miniature_corpus, tmp_path)
    assert {name: sessions(found[name]) for name in SETS} == {
        "train": {"Ses01", "Ses02", "Ses03"}, "dev": {"Ses04"}, "test": {"Ses05"},
    }  # fmt: skip
    assert {id: (u.labels["label"], u.speaker) for id, u in found["dev"].items()} == {
        "Ses04M_impro01_F000": ("neu", "Ses04F"),
        "Ses04M_impro01_F001": ("hap", "Ses04F"),
        "Ses04M_impro01_M000": ("hap", "Ses04M"),  # excited
        "Ses04M_script02_2_F000": ("ang", "Ses04F"),
        "Ses04M_script02_2_M000": ("sad", "Ses04M"),
        "Ses04M_script02_2_M001": ("neu", "Ses04M"),
    }
    counts = [sum(reason.endswith(tag) for reason, _ in left_out(tmp_path)) for tag in ("fru", "xxx", "oth")]
    assert counts == [5, 5, 1] and len(left_out(tmp_path)) == 11


def test_eleven_classes_are_the_tags(miniature_corpus, tmp_path):
    found = prepared(miniature_corpus, tmp_path, classes="11")
    assert {u.labels["label"] for u in found["train"].values()} == {"ang", "exc", "fru", "hap", "neu", "sad", "xxx"}
    assert found["test"]["Ses05F_impro01_M002"].labels == {"label": "oth"}
    assert [len(found[name]) for name in SETS] == [24, 8, 9] and left_out(tmp_path) == []


@pytest.mark.parametrize("fold", "12345")
def test_folds(miniature_corpus, tmp_path, fold):
    found = prepared(miniature_corpus, tmp_path, fold=fold)
    assert sessions(found["test"]) == {f"Ses0{fold}"}
    assert not sessions(found["train"] | found["dev"]) & {f"Ses0{fold}"}
    assert [len(found[name]) for name in SETS] == [19, 5, 6]
    assert not found["train"].keys() & found["dev"].keys()


def test_dev_of_a_fold_is_what_random_split_makes_of_a_list(miniature_corpus, tmp_path):
    wavs = sorted(
        str(path.relative_to(miniature_corpus)) for path in miniature_corpus.rglob("sentences/wav/*/Ses*.wav")
    )
    usable = ("F000", "F001", "M000", "_2_M001")
    listed = [wav for wav in wavs if "Session3" not in wav and Path(wav).stem.endswith(usable)][::-1]
    listed = [wav for wav in listed if not wav.endswith("impro01_M001.wav")]
    (tmp_path / "meta_data/Session3").mkdir(parents=True)
    content = {"labels": {}, "meta_data": [{"path": wav, "label": "neu"} for wav in listed]}
    (tmp_path / "meta_data/Session3/train_meta_data.json").write_text(json.dumps(content))
    torch.manual_seed(0)  # as s3prl does
    length = int((1 - 0.2) * len(listed))
    train, dev = torch.utils.data.random_split(listed, [length, len(listed) - length])
    found = prepared(miniature_corpus, tmp_path / "out", fold="3", lists=str(tmp_path / "meta_data"))
    assert list(found["dev"]) == sorted(Path(wav).stem for wav in dev)
    assert list(found["train"]) == sorted(Path(wav).stem for wav in train)
    assert ids(found) != ids(prepared(miniature_corpus, tmp_path / "by name", fold="3"))


def test_a_list_and_a_corpus_that_differ(miniature_corpus, tmp_path):
    (tmp_path / "Session1").mkdir()
    names = [
        "Ses02M_impro01_F000",
        "Ses02M_impro01_F001",
        "Ses02M_impro01_M000",
        "Ses03F_impro01_F000",
        "Ses02M_gone_F000",
    ]
    content = {"meta_data": [{"path": f"somewhere/{name}.wav"} for name in names]}
    (tmp_path / "Session1/train_meta_data.json").write_text(json.dumps(content))
    found = prepared(miniature_corpus, tmp_path / "out", fold="1", lists=str(tmp_path))
    assert set(names) - {"Ses02M_gone_F000"} >= found["train"].keys() | found["dev"].keys()
    reasons = [reason for reason, _ in left_out(tmp_path / "out")]
    assert reasons.count("utterances that s3prl's list does not have") == 20
    assert ("utterances of s3prl's list that the corpus does not have", "Ses02M_gone_F000") in left_out(
        tmp_path / "out"
    )


def test_other_places_and_what_is_not_read(corpus, tmp_path):
    wanted = ids(prepared(corpus, tmp_path / "one"))
    for session in sorted(corpus.glob("Session*")):
        session.rename(session.with_name(session.name.lower()))
        shutil.rmtree(tmp_path / "gone", ignore_errors=True)
        shutil.move(corpus / session.name.lower() / "dialog" / "transcriptions", tmp_path / "gone")
    assert ids(prepared(corpus.parent, tmp_path / "two")) == wanted
    assert ids(prepared(corpus, tmp_path / "three")) == wanted


def test_evaluations_and_recordings_that_do_not_match(corpus, tmp_path):
    session = corpus / "Session1"
    name = "Ses01F_impro01"
    (session / f"sentences/wav/{name}/{name}_F000.wav").unlink()
    shutil.copy(session / f"sentences/wav/{name}/{name}_F001.wav", session / f"sentences/wav/{name}/{name}_F009.wav")
    with open(session / f"dialog/EmoEvaluation/{name}.txt", "a") as file:
        file.write(
            f"[1.0 - 2.0]\t{name}_F001\tsad\t[1, 1, 1]\n[1.0 - 2.0]\tunknown\n[1.0 - 2.0]\t{name}_F002\tfun\t[]\n"
        )
    found = prepared(corpus, tmp_path / "out")
    assert not {f"{name}_F000", f"{name}_F001", f"{name}_F009"} & found["train"].keys()
    reasons = {(reason, Path(item).stem) for reason, item in left_out(tmp_path / "out")}
    assert reasons >= {
        ("evaluations without a recording", f"{name}_F000"),
        ("recordings without an evaluation", f"{name}_F009"),
        ("utterances with two different tags", f"{name}_F001"),
    }
    assert sum(reason == "evaluations that cannot be read" for reason, _ in reasons) == 2


def test_what_is_missing_is_named(corpus, tmp_path):
    with pytest.raises(SureError, match=r"not found: Session2, Session3, Session4, Session5, each with dialog/EmoEv"):
        prepare(corpus / "Session1", tmp_path / "out")
    shutil.rmtree(corpus / "Session4/sentences/wav")
    with pytest.raises(SureError, match=r"Session4/sentences/wav: no such folder"):
        prepare(corpus, tmp_path / "out")
    shutil.rmtree(corpus / "Session3/dialog/EmoEvaluation")
    with pytest.raises(SureError, match=r"Session3/dialog/EmoEvaluation: no such folder"):
        prepare(corpus, tmp_path / "out")
    shutil.copytree(corpus / "Session1", corpus / "copy" / "Session1")
    with pytest.raises(SureError, match="session 1 is in .* and in .*give --corpus one of them"):
        prepare(corpus, tmp_path / "out")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"task": "asr"}, "task=asr"), ({"classes": "5"}, "classes=5: .* 4 and 11"), ({"fold": "6"}, "fold=6"),
        ({"lists": "x"}, "say fold=1"), ({"lists": "x", "fold": "1", "classes": "11"}, "classes=4"),
        ({"lists": "nowhere", "fold": "1"}, r"cannot read nowhere/Session1/train_meta_data\.json"),
    ],
)  # fmt: skip
def test_unusable_options(miniature_corpus, tmp_path, options, message):
    with pytest.raises(SureError, match=message):
        prepare(miniature_corpus, tmp_path / "out", **options)
    assert not (tmp_path / "out" / "train").exists()


def test_a_list_that_is_none(miniature_corpus, tmp_path):
    (tmp_path / "Session1").mkdir()
    for content in ("[]", "{", '{"meta_data": [{}]}'):
        (tmp_path / "Session1/train_meta_data.json").write_text(content)
        with pytest.raises(SureError, match=r"train_meta_data\.json: expected s3prl's list"):
            prepare(miniature_corpus, tmp_path / "out", fold="1", lists=str(tmp_path))


def test_published_counts_of_every_split(miniature_corpus, tmp_path, capsys):
    published = {}
    for fold in ("", *"12345"):
        prepare(miniature_corpus, tmp_path / "out", fold=fold)
        lines = capsys.readouterr().out.splitlines()
        published[fold] = [int(line.rpartition(" ")[2]) for line in lines if "published for the full corpus" in line]
    assert published[""] == [3259, 1031, 1241]
    assert all(sum(counts) == 5531 for counts in published.values())
    assert [counts[2] for fold, counts in published.items() if fold] == [1085, 1023, 1151, 1031, 1241]
