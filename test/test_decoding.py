"""Stages 5 to 8 of transcriptions with a search beside greedy decoding, and word timings, on a corpus of tones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
import toys

from sure.bin import align, decode, infer, ngram, pack, report, score, tokenize, train, tune_decode
from sure.data.data_dir import read_data_dir
from sure.decode.text import load_language_resources, tuning_conditions
from sure.decode.trained import load_trained
from sure.errors import SureError
from sure.inference import Sure
from sure.models.experiment import Experiment

BEAM = "decode.method=beam"


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A corpus of words of tones with a trained experiment, exp/asr_moonshine_full/seed1."""
    corpus = toys.make_corpus(tmp_path_factory.mktemp("decoding") / "corpus")
    for path in corpus.glob("data/*/text"):  # two words a text
        lines = [line.split(" ", 1) for line in path.read_text().splitlines()]
        path.write_text("".join(f"{id} {text[0]} {text[1:]}".strip() + "\n" for id, text in lines))
    learning = {"train__epochs": 50, "train__batch_seconds": 1.0, "train__lr_adapter": 5e-3, "train__lr_head": 5e-3}
    config = toys.settings(corpus, task="asr", petl={"name": "full"}, **learning)
    (corpus / "asr.yaml").write_text(json.dumps(config))
    tokenize.main(["--config", str(corpus / "asr.yaml")])
    train.main(["--config", str(corpus / "asr.yaml"), "--exp", str(corpus / "exp" / "asr_moonshine_full" / "seed1")])
    return corpus


@pytest.fixture
def exp(trained, tmp_path, monkeypatch) -> Path:
    """A copy that a test may change, with the corpus as the current folder."""
    monkeypatch.chdir(trained)
    shutil.copytree(trained / "exp" / "asr_moonshine_full", tmp_path / "exp" / "asr_moonshine_full")
    return tmp_path / "exp" / "asr_moonshine_full" / "seed1"


def read(exp: Path, name: str) -> dict:
    return json.loads((exp / f"decode_{name}" / "result.json").read_text())


def test_two_decodings_stand_side_by_side(exp, tmp_path, capsys):
    decode.main(["--exp", str(exp)])
    before = (exp / "decode_test" / "hyp.txt").read_bytes()
    tune_decode.main(["--exp", str(exp), "--weights", "0.25 0.5", "--word_scores", "0 1", BEAM])
    tuned = json.loads((exp / "tuned_beam.json").read_text())
    assert len(tuned["grid"]) == 4 and tuned["score"] == min(tried["score"] for tried in tuned["grid"])
    assert tuned["data"].endswith("data/dev")
    decode.main(["--exp", str(exp), BEAM])
    assert (exp / "decode_test" / "hyp.txt").read_bytes() == before
    assert (exp / "decode_test_beam" / "ref.txt").read_bytes() == (exp / "decode_test" / "ref.txt").read_bytes()
    score.main(["--exp", str(exp)])
    greedy, beam = read(exp, "test"), read(exp, "test_beam")
    assert (greedy["decoding"], greedy["set"], greedy["decode"]) == ("greedy", "test", {"method": "greedy"})
    assert (beam["decoding"], beam["set"], beam["data"]) == ("beam", "test", greedy["data"])
    assert beam["decode"]["weight"] == tuned["weight"] and beam["decode"]["word_score"] == tuned["word_score"]
    assert beam["decode"]["order"] == 4 and len(beam["decode"]["ngram_sha256"]) == 64
    assert beam["dev_score"] == tuned["score"] and beam["decode_tuned_on"] == tuned["data"]
    summary = json.loads((exp / "summary.json").read_text())
    assert greedy["dev_score"] == summary["dev_score"]
    report.main(["--out", str(tmp_path / "report.md"), str(exp)])
    text = (tmp_path / "report.md").read_text()
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")][1:]
    assert [row for row in rows if row != "---"] == ["full, greedy", "full, beam"]
    assert "- decoding beam: method beam, beam 50, margin 15.0, min_probability 0.001, ngram train, order 4" in text
    assert f'tune_decode --exp "$exp" {BEAM}' in text and f'decode --exp "$exp" {BEAM}' in text
    pack.main(["--exp", str(exp)])
    scores = json.loads((exp / "bundle" / "adapter.json").read_text())["scores"]
    assert scores["test_beam"]["decoding"] == "beam" and scores["test"]["decoding"] == "greedy"
    capsys.readouterr()
    score.main(["--exp", str(exp), "--sets", "test"])
    assert [line.split(": ")[0] for line in capsys.readouterr().out.splitlines()] == [
        f"{exp} test",
        f"{exp} test, beam",
    ]


def test_a_report_of_one_search_names_it_too(exp, tmp_path):
    decode.main(["--exp", str(exp), BEAM, "decode.name=fast", "decode.beam=5"])
    score.main(["--exp", str(exp)])
    report.main(["--out", str(tmp_path / "report.md"), str(exp)])
    assert "| full, fast |" in (tmp_path / "report.md").read_text()
    result = read(exp, "test_fast")
    assert result["decode"]["weight"] == 0.5 and result["decode_tuned_on"] is None and result["dev_score"] is None
    assert result["decode_overrides"] == [BEAM, "decode.name=fast", "decode.beam=5"]


def test_weights_that_are_given_win_over_tuned_ones(exp):
    tune_decode.main(["--exp", str(exp), "--weights", "0.25", "--word_scores", "1", BEAM])
    decode.main(["--exp", str(exp), BEAM, "decode.weight=0.9", "--sets", "dev"])
    score.main(["--exp", str(exp)])
    assert (read(exp, "dev_beam")["decode"]["weight"], read(exp, "dev_beam")["decode"]["word_score"]) == (0.9, 1.0)
    assert read(exp, "dev_beam")["dev_score"] is None  # it is not of these weights
    tune_decode.main(["--exp", str(exp), "--word_scores", "0 1", BEAM, "decode.weight=0.7"])
    assert [tried["weight"] for tried in json.loads((exp / "tuned_beam.json").read_text())["grid"]] == [0.7, 0.7]


def test_weights_tuned_for_something_else_are_refused(exp):
    tune_decode.main(["--exp", str(exp), "--weights", "0.25", "--word_scores", "1", BEAM])
    with pytest.raises(
        SureError, match=r"tuned_beam.json: .* order 4, now it is 2; .*decode.weight and decode.word_sc"
    ):
        decode.main(["--exp", str(exp), BEAM, "decode.order=2"])
    decode.main(["--exp", str(exp), BEAM, "decode.order=2", "decode.weight=0", "decode.word_score=0"])
    (exp / "tuned_beam.json").write_text("{")
    with pytest.raises(SureError, match="tuned_beam.json is not valid JSON .*run python -m sure.bin.tune_decode again"):
        decode.main(["--exp", str(exp), BEAM])


def test_tuning_gives_what_decoding_dev_gives(exp):
    tune_decode.main(["--exp", str(exp), "--weights", "0.4", "--word_scores", "0.3", BEAM])
    decode.main(["--exp", str(exp), BEAM, "--sets", "dev"])
    score.main(["--exp", str(exp)])
    assert read(exp, "dev_beam")["score"] == json.loads((exp / "tuned_beam.json").read_text())["score"]


def test_batch_mates_change_nothing(exp):
    found = set()
    for seconds in (0.1, 120):
        decode.main(["--exp", str(exp), BEAM, f"decode.batch_seconds={seconds}"])
        found.add((exp / "decode_test_beam" / "hyp.txt").read_bytes())
    assert len(found) == 1


@pytest.mark.parametrize("lexicon", ["train", "file"])
def test_a_lexicon_limits_the_words(exp, tmp_path, lexicon):
    (tmp_path / "words.txt").write_text("a A\nbb B B\n\n")
    name = "train" if lexicon == "train" else str(tmp_path / "words.txt")
    decode.main(["--exp", str(exp), BEAM, f"decode.lexicon={name}"])
    said = {
        word for line in (exp / "decode_test_beam" / "hyp.txt").read_text().splitlines() for word in line.split()[1:]
    }
    texts = [utterance.text.split() for utterance in read_data_dir("data/train")]
    assert said <= ({word for text in texts for word in text} if lexicon == "train" else {"a", "bb"})
    config, model = load_trained(Experiment(exp), [BEAM, f"decode.lexicon={name}"])
    assert tuning_conditions(config.decode, load_language_resources(config, model))["lexicon"] == name


def test_an_ngram_file_is_that_of_the_training_texts(exp, tmp_path):
    ngram.main(["--text", "data/train/text", "--out", str(tmp_path / "4.arpa")])
    decode.main(["--exp", str(exp), BEAM])
    decode.main(["--exp", str(exp), BEAM, "decode.name=file", f"decode.ngram={tmp_path / '4.arpa'}"])
    assert (exp / "decode_test_beam/hyp.txt").read_text() == (exp / "decode_test_file/hyp.txt").read_text()
    records = [json.loads((exp / f"decode_test_{name}/decoding.json").read_text()) for name in ("beam", "file")]
    assert records[0]["settings"]["ngram_sha256"] == records[1]["settings"]["ngram_sha256"]


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["train.epochs=3"], "train.epochs=3: only decode.KEY=VALUE"),
        ([BEAM, "decode.ngram=nowhere.arpa"], "decode.ngram=nowhere.arpa: .*nowhere.arpa"),
        ([BEAM, "decode.lexicon=nowhere.txt"], "decode.lexicon=nowhere.txt"),
        ([BEAM, "decode.lexicon=empty.txt"], "decode.lexicon=empty.txt: no word"),
        (
            [BEAM, "decode.lexicon=other_case.txt"],
            "decode.lexicon=other_case.txt: .* none of its 2 words, for example 'AB'",
        ),
        (
            [BEAM, "decode.ngram=other_case.arpa"],
            "decode.ngram=other_case.arpa: .* none of its 2 words",
        ),
        (["decode.methd=beam"], "decode.methd"),
        ([BEAM, "decode.name=a b"], "decode.name"),
        ([BEAM, "decode.name=greedy"], "decode.name=greedy"),
        ([BEAM, "--sets", "nowhere"], "--sets nowhere"),
    ],
)
def test_one_clear_error(exp, overrides, words):
    Path("empty.txt").write_text("\n")
    Path("other_case.txt").write_text("AB A B\nBA B A\n")
    Path("other_case_lines.txt").write_text("AB BA\nBA\n")
    ngram.main(["--lines", "other_case_lines.txt", "--out", "other_case.arpa"])
    with pytest.raises(SureError, match=words):
        decode.main(["--exp", str(exp), *overrides])
    assert not list(exp.glob("decode_*"))


def test_greedy_has_nothing_to_tune(exp):
    with pytest.raises(SureError, match="add decode.method=beam"):
        tune_decode.main(["--exp", str(exp)])


def test_a_set_that_is_named_like_a_decoding(exp):
    shutil.copytree("data/test", "data/test_beam", dirs_exist_ok=True)
    config = (exp / "config.yaml").read_text()
    folder = config.partition("tests:\n  - ")[2].split("\n")[0]
    (exp / "config.yaml").write_text(config.replace(f"- {folder}", f"- {folder}\n  - {folder}_beam"))
    with pytest.raises(SureError, match="decode_test_beam is also the folder of the set test_beam.*decode.name"):
        decode.main(["--exp", str(exp), BEAM])


def test_training_again_leaves_nothing_of_the_decodings(exp):
    decode.main(["--exp", str(exp), BEAM])
    (exp / "tuned_beam.json").write_text("{}")
    Experiment(exp).clear()
    assert not list(exp.glob("decode_*")) and not list(exp.glob("tuned_*"))


def ctm(path: Path) -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = {}
    for line in path.read_text().splitlines():
        id, channel, *rest = line.split()
        assert channel == "1"
        found.setdefault(id, []).append(rest)
    return found


def test_words_are_timed_where_their_tones_are(exp, tmp_path):
    """A tone lasts .12 s with .05 s behind it, the first begins at .05 s: times within a frame's view of that."""
    align.main([str(exp), "--data", "data/test", "--out", str(tmp_path / "test.ctm")])
    found, late = ctm(tmp_path / "test.ctm"), []
    for utterance in read_data_dir("data/test"):
        words = utterance.text.split()
        assert [row[2] for row in found[utterance.id]] == words
        for place, (start, duration, _, confidence) in enumerate(found[utterance.id]):
            true = 0.05 + 0.17 * sum(map(len, words[:place]))
            late.append(abs(float(start) - true))
            assert 0 <= float(start) and float(start) + float(duration) <= utterance.seconds + 0.001
            assert 0 < float(confidence) <= 1
    assert sorted(late)[len(late) // 2] < 0.12


def test_what_cannot_be_aligned_is_named_and_the_rest_is_written(exp, tmp_path, capsys):
    folder = tmp_path / "data"
    shutil.copytree("data/test", folder)
    lines = (folder / "text").read_text().splitlines()
    lines[0] = f"{lines[0].split()[0]} {'abcd' * 60}"
    lines[1] = f"{lines[1].split()[0]} zulu"
    (folder / "text").write_text("\n".join(lines) + "\n")
    with pytest.raises(SystemExit) as stopped:
        align.main([str(exp), "--data", str(folder), "--out", str(tmp_path / "test.ctm")])
    said = capsys.readouterr()
    assert stopped.value.code == 1 and "5 of 7 utterances" in said.out
    assert "error: test-000: 240 tokens need 240 frames, there are" in said.err
    assert "error: test-001: 'z'" in said.err
    assert sorted(ctm(tmp_path / "test.ctm")) == [f"test-00{index}" for index in range(2, 7)]


def test_a_bundle_aligns_and_times_alike(exp, tmp_path, capsys):
    pack.main(["--exp", str(exp)])
    for trained, name in ((exp, "exp"), (exp / "bundle", "bundle")):
        align.main([str(trained), "--data", "data/test", "--out", str(tmp_path / f"{name}.ctm")])
    assert (tmp_path / "exp.ctm").read_text() == (tmp_path / "bundle.ctm").read_text() != ""
    files = [f"wav/test{index}.wav" for index in range(7)]
    sure = Sure.load(exp / "bundle")
    timings = sure.timings(files)
    assert [" ".join(word.word for word in words) for words in timings] == sure.predict(files)
    capsys.readouterr()
    infer.main([str(exp / "bundle"), "--timings", *files])
    expected = [
        f"{file}\t{word.start:.3f}\t{word.duration:.3f}\t{word.word}\t{word.confidence:.3f}"
        for file, words in zip(files, timings, strict=True)
        for word in words
    ]
    assert expected and capsys.readouterr().out.splitlines() == expected


def test_a_classifier_has_no_words(trained, tmp_path, monkeypatch):
    monkeypatch.chdir(trained)
    toys.train_here(trained, tmp_path / "language", train__epochs=1)
    pack.main(["--exp", str(tmp_path / "language")])
    with pytest.raises(SureError, match="the task language has no words to align"):
        align.main([str(tmp_path / "language"), "--data", "data/test", "--out", "x.ctm"])
    with pytest.raises(SureError, match="the task language, which does not offer timings; use predict"):
        Sure.load(tmp_path / "language" / "bundle").timings([torch.zeros(16000)])
    with pytest.raises(SureError, match="decode.method=beam: the task language has greedy"):
        decode.main(["--exp", str(tmp_path / "language"), BEAM])
