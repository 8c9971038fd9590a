"""Stages 5 to 8 of transcription with beam search next to greedy decoding, and word timings, on a corpus of tones."""

import json
import shutil
from pathlib import Path

import pytest
import toys
from damage import replace

from sure.bin import align, decode, infer, ngram, pack, report, score, tokenize, train, tune_decode
from sure.data.data_dir import read_data_dir
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
    config = toys.write_config(corpus, corpus / "asr.yaml", task="asr", petl={"name": "full"}, **learning)
    tokenize.main(["--config", str(config)])
    train.main(["--config", str(config), "--exp", str(corpus / "exp/asr_moonshine_full/seed1")])
    return corpus


@pytest.fixture
def exp(trained, tmp_path, monkeypatch) -> Path:
    """A copy that a test may change, with the corpus as the current folder."""
    monkeypatch.chdir(trained)
    shutil.copytree(trained / "exp" / "asr_moonshine_full", tmp_path / "exp" / "asr_moonshine_full")
    return tmp_path / "exp" / "asr_moonshine_full" / "seed1"


def read(path: Path) -> dict:
    return json.loads(path.read_text())


def reported(exp: Path) -> str:
    report.main(["--out", str(exp / "report.md"), str(exp)])
    return toys.read(exp / "report.md")


def decoded(exp: Path, *words: str, name: str = "test_beam") -> bytes:
    """The hypotheses of stage 5."""
    decode.main(["--exp", str(exp), *words])
    return (exp / f"decode_{name}" / "hyp.txt").read_bytes()


def scored(exp: Path, *words: str, name: str = "test_beam") -> dict:
    """The result of stages 5 and 6."""
    decoded(exp, *words, name=name)
    score.main(["--exp", str(exp)])
    return read(exp / f"decode_{name}" / "result.json")


def tuned(exp: Path, *words: str, weights: str = "0.25", word_scores: str = "1") -> dict:
    tune_decode.main(["--exp", str(exp), "--weights", weights, "--word_scores", word_scores, BEAM, *words])
    return read(exp / "tuned_beam.json")


def test_two_decodings_have_folders_results_and_rows_of_their_own(exp, capsys):
    before = decoded(exp, name="test")
    chosen = tuned(exp, weights="0.25 0.5", word_scores="0 1")
    assert len(chosen["grid"]) == 4 and chosen["score"] == min(tried["score"] for tried in chosen["grid"])
    assert chosen["data"].endswith("data/dev")
    beam = scored(exp, BEAM)
    assert (exp / "decode_test" / "hyp.txt").read_bytes() == before
    assert (exp / "decode_test_beam" / "ref.txt").read_bytes() == (exp / "decode_test" / "ref.txt").read_bytes()
    greedy = read(exp / "decode_test" / "result.json")
    assert (greedy["decoding"], greedy["set"], greedy["decode"]) == ("greedy", "test", {"method": "greedy"})
    assert (beam["decoding"], beam["set"], beam["data"]) == ("beam", "test", greedy["data"])
    expected = {"weight": chosen["weight"], "word_score": chosen["word_score"], "order": 4}
    assert expected.items() <= beam["decode"].items() and len(beam["decode"]["ngram_sha256"]) == 64
    assert beam["dev_score"] == chosen["score"] and beam["decode_tuned_on"] == chosen["data"]
    assert greedy["dev_score"] == read(exp / "summary.json")["dev_score"]
    text = reported(exp)
    rows = [line.split("|")[1].strip() for line in text.splitlines() if line.startswith("| ")]
    assert rows == ["method", "---", "full, greedy", "full, beam"]
    assert "- decoding beam: method beam, beam 50, margin 15.0, min_probability 0.001, ngram train, order 4" in text
    assert f'tune_decode --exp "$exp" {BEAM}' in text and f'decode --exp "$exp" {BEAM}' in text
    pack.main(["--exp", str(exp)])
    scores = read(exp / "bundle" / "adapter.json")["scores"]
    assert scores["test_beam"]["decoding"] == "beam" and scores["test"]["decoding"] == "greedy"
    capsys.readouterr()
    score.main(["--exp", str(exp), "--sets", "test"])
    printed = [line.split(": ")[0] for line in capsys.readouterr().out.splitlines()]
    assert printed == [f"{exp} test", f"{exp} test, beam"]
    Experiment(exp).clear()
    assert not list(exp.glob("decode_*")) and not list(exp.glob("tuned_*"))


def test_tuned_weights(exp):
    """The score of tuning is that of decoding; given weights win; weights of other settings are refused."""
    dev = [BEAM, "--sets", "dev"]
    assert tuned(exp, weights="0.4", word_scores="0.3")["score"] == scored(exp, *dev, name="dev_beam")["score"]
    result = scored(exp, *dev, "decode.weight=0.9", name="dev_beam")
    assert (result["decode"]["weight"], result["decode"]["word_score"]) == (0.9, 0.3)
    assert result["dev_score"] is None  # it is of other weights
    assert [tried["weight"] for tried in tuned(exp, "decode.weight=0.7", word_scores="0 1")["grid"]] == [0.7, 0.7]
    other = "tuned_beam.json: .* order 4, now it is 2; .*decode.weight and decode.word_sc"
    with pytest.raises(SureError, match=other):
        decode.main(["--exp", str(exp), BEAM, "decode.order=2"])
    decode.main(["--exp", str(exp), BEAM, "decode.order=2", "decode.weight=0", "decode.word_score=0"])
    fast = [BEAM, "decode.name=fast", "decode.beam=5"]  # has not been tuned
    result = scored(exp, *fast, name="test_fast")
    assert result["decode"]["weight"] == 0.5 and result["decode_tuned_on"] is None and result["dev_score"] is None
    assert result["decode_overrides"] == fast and "| full, fast |" in reported(exp)
    (exp / "tuned_beam.json").write_text("{")
    with pytest.raises(SureError, match="tuned_beam.json is not valid JSON .*run python -m sure.bin.tune_decode again"):
        decode.main(["--exp", str(exp), BEAM])
    with pytest.raises(SureError, match="add decode.method=beam"):
        tune_decode.main(["--exp", str(exp)])


def test_neither_the_batch_nor_the_source_of_the_ngrams_changes_the_hypotheses(exp, tmp_path):
    ngram.main(["--text", "data/train/text", "--out", str(tmp_path / "4.arpa")])
    found = [decoded(exp, BEAM, f"decode.batch_seconds={seconds}") for seconds in (0.1, 120)]
    found.append(decoded(exp, BEAM, "decode.name=file", f"decode.ngram={tmp_path / '4.arpa'}", name="test_file"))
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("lexicon", ["train", "words.txt"])
def test_a_lexicon_limits_the_words(exp, lexicon):
    Path("words.txt").write_text("a A\nbb B B\n\n")
    lines = decoded(exp, BEAM, f"decode.lexicon={lexicon}").decode().splitlines()
    texts = [utterance.text.split() for utterance in read_data_dir("data/train")]
    known = {word for text in texts for word in text} if lexicon == "train" else {"a", "bb"}
    assert {word for line in lines for word in line.split()[1:]} <= known


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["train.epochs=3"], "train.epochs=3: only decode.KEY=VALUE"),
        ([BEAM, "decode.ngram=nowhere.arpa"], "decode.ngram=nowhere.arpa: .*nowhere.arpa"),
        ([BEAM, "decode.lexicon=nowhere.txt"], "decode.lexicon=nowhere.txt"),
        ([BEAM, "decode.lexicon=empty.txt"], "decode.lexicon=empty.txt: no word"),
        ([BEAM, "decode.lexicon=upper.txt"], "decode.lexicon=upper.txt: .* none of its 2 words, for example 'AB'"),
        ([BEAM, "decode.name=a b"], "decode.name"),
        ([BEAM, "decode.name=greedy"], "decode.name=greedy"),
        ([BEAM, "--sets", "nowhere"], "--sets nowhere: no such set .* train, dev, test"),
        ([BEAM], "decode_test_beam is also the folder of the set test_beam.*decode.name"),
    ],
)
def test_one_clear_error(exp, overrides, words):
    Path("empty.txt").write_text("\n")
    Path("upper.txt").write_text("AB A B\nBA B A\n")
    if overrides == [BEAM]:  # a set that is named like a decoding
        shutil.copytree("data/test", "data/test_beam", dirs_exist_ok=True)
        replace(exp / "config.yaml", "  tests:\n", "  tests:\n  - data/test_beam\n")
    with pytest.raises(SureError, match=words):
        decode.main(["--exp", str(exp), *overrides])
    assert not list(exp.glob("decode_*"))


def aligned(trained: Path, data: str | Path = "data/test") -> list[list[str]]:
    """The rows of a CTM file."""
    align.main([str(trained), "--data", str(data), "--out", str(trained / "test.ctm")])
    return [line.split() for line in (trained / "test.ctm").read_text().splitlines()]


def test_words_have_the_times_of_their_tones(exp):
    """A tone lasts .12 s with .05 s after it, the first begins at .05 s; times are exact within a frame's context."""
    rows, late = iter(aligned(exp)), []
    for utterance in read_data_dir("data/test"):
        words = utterance.text.split()
        for place, word in enumerate(words):
            id, channel, start, duration, found, confidence = next(rows)
            assert (id, channel, found) == (utterance.id, "1", word)
            late.append(abs(float(start) - 0.05 - 0.17 * sum(map(len, words[:place]))))
            assert 0 <= float(start) and float(start) + float(duration) <= utterance.seconds + 0.001
            assert 0 < float(confidence) <= 1
    assert not list(rows) and sorted(late)[len(late) // 2] < 0.12


def test_transcripts_that_cannot_be_aligned_are_named_and_the_others_are_written(exp, tmp_path, capsys):
    folder = shutil.copytree("data/test", tmp_path / "data")
    lines = (folder / "text").read_text().splitlines()[2:]
    (folder / "text").write_text("\n".join([f"test-000 {'abcd' * 60}", "test-001 zulu", *lines]) + "\n")
    with pytest.raises(SystemExit) as stopped:
        aligned(exp, folder)
    printed = capsys.readouterr()
    assert stopped.value.code == 1 and "5 of 7 utterances" in printed.out
    assert "error: test-000: 240 tokens need 240 frames, there are" in printed.err
    assert "error: test-001: 'z'" in printed.err
    assert {line.split()[0] for line in toys.read(exp / "test.ctm").splitlines()} == {
        f"test-00{n}" for n in range(2, 7)
    }


def test_a_bundle_aligns_and_times_as_its_experiment(exp, capsys):
    pack.main(["--exp", str(exp)])
    assert aligned(exp) == aligned(exp / "bundle") != []
    files = [f"wav/test{index}.wav" for index in range(7)]
    sure = Sure.load(exp / "bundle")
    timings = sure.timings(files)
    assert [" ".join(word.word for word in words) for words in timings] == sure.predict(files)
    found = sure.transcribe(files, words=True)
    assert [str(one) for one in found] == sure.predict(files) and {one.language for one in found} == {"en"}
    assert [[word for segment in one.segments for word in segment.words] for one in found] == timings
    with pytest.raises(SureError, match="timestamps and beam are for recognisers with a decoder"):
        sure.transcribe(files, timestamps=True)
    capsys.readouterr()
    infer.main([str(exp / "bundle"), "--timings", *files])
    rows = [
        [file, f"{word.start:.3f}", f"{word.duration:.3f}", word.word, f"{word.confidence:.3f}"]
        for file, words in zip(files, timings, strict=True)
        for word in words
    ]
    assert [line.split("\t") for line in capsys.readouterr().out.splitlines()] == rows
