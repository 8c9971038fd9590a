"""Whole recognisers: training by cross entropy on the recogniser's own tokens, through every stage."""

import json
from dataclasses import replace

import pytest
import soundfile
import torch
import toys
from safetensors.torch import load_file

from sure.bin import decode, doctor, infer, pack, score, tokenize
from sure.data.data_dir import Utterance, read_data_dir, write_data_dir
from sure.errors import SureError
from sure.inference import Sure

CHANGES = {
    "task": "transcription",
    "backbone": {"name": "whisper", "weights": "random:toy", "padding": "masked"},
    "petl": {"name": "lora", "rank": 4},
    "head": {},
    "train__lr_adapter": 1e-2,
    "decode__generation": {"max_tokens": 10},
}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """An experiment after stages 3 to 6 and 8."""
    folder = tmp_path_factory.mktemp("recipe")
    for name, count in (("train", 24), ("dev", 6), ("test", 7)):
        toys.make_set(folder, name, count)
    tokenize.main(["--config", str(toys.write_config(folder, folder / "transcription.yaml", **CHANGES))])
    exp = toys.train_here(folder, folder / "exp" / "transcription" / "seed1", **CHANGES)
    for stage in (decode, score, pack):
        stage.main(["--exp", str(exp)])
    return exp


def test_it_learns_and_is_scored(trained):
    lines = toys.read_lines(trained)
    losses = [line["train_loss"] for line in lines]
    assert losses == sorted(losses, reverse=True) and losses[-1] < 0.8 * losses[0]
    assert lines[-1]["dev_token_accuracy"] > lines[0]["dev_token_accuracy"]
    result = json.loads((trained / "decode_test" / "result.json").read_text())
    assert result["task"] == "transcription" and result["score"] == result["wer"] and result["utterances"] == 7


def test_its_bundle_writes_the_same_text_alone_and_in_a_batch(trained, capsys):
    sure = Sure.load(trained / "bundle")
    files = [trained.parents[2] / "wav" / f"test{index}.wav" for index in range(7)]
    lines = [line.partition(" ")[2] for line in toys.read(trained / "decode_test" / "hyp.txt").splitlines()]
    assert any(lines) and sure.predict(files) == lines == [sure.predict([file])[0] for file in files]
    infer.main([str(trained / "bundle"), str(files[0])])
    assert capsys.readouterr().out == f"{files[0]}\t{lines[0]}\n"
    doctor.main([str(trained)])


def test_other_sets_are_decoded_in_the_languages_of_their_utterances(trained):
    """Of one language, which the result names; of several; and of none, which have the language of the training."""
    sure, folder = Sure.load(trained / "bundle"), trained.parents[2]
    spoken = read_data_dir(folder / "data" / "test")
    codes = {"one": ["es"] * 7, "two": ["es", "en"] * 3 + ["es"], "none": [None] * 7}
    sets = [folder / "other" / name for name in codes]
    for data in sets:
        write_data_dir(data, [replace(one, language=code) for one, code in zip(spoken, codes[data.name], strict=True)])
    decode.main(["--exp", str(trained), "--sets", *map(str, sets)])
    score.main(["--exp", str(trained)])
    results = {}
    for name, languages in codes.items():
        decoded = trained / f"decode_{name}_other"
        waves = [sure.read(one.audio) for one in spoken]
        texts = [
            sure.model.hypotheses(wave[None], torch.tensor([len(wave)]), language)[0]
            for wave, language in zip(waves, languages, strict=True)
        ]
        assert [line.partition(" ")[2] for line in toys.read(decoded / "hyp.txt").splitlines()] == texts
        results[name] = json.loads((decoded / "result.json").read_text())
    assert [(one["language"], one["training_language"]) for one in results.values()] == [
        *(("es", "en"), ("en", "en"), ("en", "en"))
    ]
    assert len({toys.read(trained / f"decode_{name}_other" / "hyp.txt") for name in codes}) == 3


def test_a_model_of_all_languages_finds_the_language_of_a_recording(trained):
    sure, one = Sure.load(trained / "bundle"), Sure.load(trained / "bundle")
    task = sure.model.task
    task.__init__(task.Config(), trained / "bundle", "all")
    for each in (sure, one):  # without this, the toy finds the language of its training
        rows, languages = each.backbone.decoder.tokens.weight.data, task.tokens.languages
        rows[languages["fr"]] = 3 * rows[languages["en"]]
    file = trained.parents[2] / "wav" / "test1.wav"
    (found,) = sure.transcribe(file)
    assert found.language == one.transcribe(file, "auto")[0].language == "fr"
    wave = sure.read(file)
    assert sure.predict(file) == one.model.hypotheses(wave[None], torch.tensor([len(wave)]), found.language)
    assert sure.transcribe(file, "en")[0].language == "en"


def test_a_linear_probe_scores_the_recogniser_as_it_is(trained):
    folder = trained.parents[2]
    changes = {**CHANGES, "petl": {"name": "linear_probe"}, "decode__generation": {"max_tokens": 2}}
    changes["backbone"] = {"name": "whisper", "weights": "random:toy"}
    exp = toys.train_here(folder, folder / "exp" / "untouched" / "seed1", **changes)
    decode.main(["--exp", str(exp)])
    summary = json.loads((exp / "summary.json").read_text())
    assert summary["trained_parameters"] == 0 and summary["epochs"] == 1 and load_file(exp / "best.safetensors") == {}
    assert "padding: as_trained" in toys.read(exp / "config.yaml")
    assert "prefix cache of the dev set: depth the whole encoder" in toys.read(exp / "train.log")
    assert toys.read(exp / "decode_test" / "hyp.txt") != toys.read(trained / "decode_test" / "hyp.txt")


def test_long_recordings_have_transcripts_in_every_format(trained, capsys):
    """Segments follow each other over the whole recording; formats and words have the same texts and times."""
    sure = Sure.load(trained / "bundle")
    folder = trained.parents[2] / "wav"
    long = torch.cat([sure.read(folder / f"test{number % 7}.wav") for number in range(60)])
    (found,) = sure.transcribe(long, words=True)
    assert len(long) / 16000 > 30 and len(found.segments) > 1 and found.language == "en"
    assert [one.start for one in found.segments[1:]] == [one.end for one in found.segments[:-1]]
    assert [word.word for one in found.segments for word in one.words] == found.text.split()
    assert sure.predict(long) == [" ".join(sure.model.task.text(one.tokens) for one in found.segments)]
    file = str(folder / "long.wav")
    soundfile.write(file, long.numpy(), 16000)

    def shown(*options):
        infer.main([str(trained / "bundle"), file, *options])
        return capsys.readouterr().out

    (timed,) = sure.transcribe(long, "es", timestamps=True)
    assert timed.language == "es"
    times = shown("--timestamps", "--language", "es").splitlines()
    assert times == [f"{file}\t{one.start:.3f}\t{one.end:.3f}\t{one.text}" for one in timed.segments]
    assert json.loads(shown("--format", "json"))["text"] == found.text
    (first, *_) = json.loads(shown("--format", "json", "--beam", "3"))["segments"]
    scores = [first["score"], *(one["score"] for one in first["alternatives"])]
    assert len(scores) == 3 and scores == sorted(scores, reverse=True)
    assert shown("--format", "vtt").startswith("WEBVTT\n") and " --> " in shown("--format", "srt")
    assert len(shown("--timings").splitlines()) == len(found.text.split())
    with pytest.raises(SureError, match="no language 'xx'"):
        sure.transcribe(long, "xx")
    with pytest.raises(SureError, match="expected one audio file, found 2"):
        infer.main([str(trained / "bundle"), file, file, "--format", "srt"])


def test_it_continues_to_the_same_weights_bit_for_bit(trained):
    folder = trained.parents[2]
    exp = folder / "exp" / "continued" / "seed1"
    for words in (("--part", "1/3"), ()):
        toys.train_here(folder, exp, *words, **CHANGES)
    toys.assert_same(exp, trained)


def test_long_texts_are_named(trained):
    task = Sure.load(trained / "bundle").model.task
    short, long = (task.target(Utterance("u", "", text=text)) for text in ("ab", 500 * "ab"))
    assert task.fits(torch.tensor([9, 9]), [short, long]).tolist() == [True, False]
    assert short.tolist()[-1] == task.tokens.end and task.text(short.tolist()[task.prompt_length : -1]) == "ab"
