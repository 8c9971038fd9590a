"""Independent recogniser and speaker encoder on real speech; the encoder is compared with resemblyzer."""

import importlib.util
import sys

import jiwer
import pytest
import torch
from judges import fetch_encoder, fetch_resemblyzer
from published import fetch_speech

from sure.data.audio import read_audio
from sure.errors import SureError
from sure.score.synthesis import recogniser, speaker_encoder
from sure.score.synthesis.recogniser import Recogniser
from sure.score.synthesis.speaker_encoder import SpeakerEncoder
from sure.text.normalize import normalize

TEXT = "ever tried ever failed no matter try again fail again fail better"  # Beckett, in the recording


@pytest.fixture(scope="module")
def downloads(request):
    return request.config.cache.mkdir("downloads")


@pytest.fixture(scope="module")
def wave(downloads):
    return read_audio(fetch_speech(downloads))


@pytest.fixture(scope="module")
def judge():
    pytest.importorskip("moonshine_voice", reason="needs the extra judges")
    return Recogniser("en")


def test_recogniser_is_correct_and_repeatable(judge, wave):
    transcript = judge.transcribe(wave)
    assert jiwer.cer(TEXT, normalize(transcript, "en")) < 0.1
    part = judge.transcribe(wave[:40000])
    assert judge.transcribe(torch.zeros(8000)) is not None
    assert (judge.transcribe(wave), judge.transcribe(wave[:40000])) == (transcript, part)


@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.0, 10.0])
def test_encoder_equals_resemblyzer(seconds, wave, downloads, monkeypatch):
    encoder, audio = fetch_resemblyzer(downloads, monkeypatch)
    theirs = encoder.VoiceEncoder("cpu", verbose=False)
    part = wave[: round(seconds * 16000)]
    for scale in (1.0, 0.01):  # unchanged, and so quiet that it is amplified
        loud = audio.normalize_volume((scale * part).numpy(), -30, increase_only=True)
        wanted = torch.from_numpy(theirs.embed_utterance(loud))
        found = SpeakerEncoder(fetch_encoder(downloads))(scale * part)
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


def test_embedding_of_silence_is_zero(downloads):
    assert SpeakerEncoder(fetch_encoder(downloads))(torch.zeros(16000)).abs().sum() == 0


def test_errors_of_missing_packages_have_the_command_to_install_them(monkeypatch):
    monkeypatch.setitem(sys.modules, "moonshine_voice.transcriber", None)
    recogniser._load.cache_clear()
    with pytest.raises(SureError, match="recogniser is not installed: tools/install.sh --extras judges"):
        Recogniser("en")
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "resemblyzer" else find(name))
    speaker_encoder.installed_weights.cache_clear()
    with pytest.raises(SureError, match="encoder is not installed: pip install --no-deps resemblyzer==0.1.4"):
        SpeakerEncoder()


def test_unsupported_language_is_an_error():
    with pytest.raises(SureError, match="supports only en, not es"):
        Recogniser("es")


def test_damaged_weights_are_named(tmp_path):
    (tmp_path / "pretrained.pt").write_bytes(b"no weights")
    with pytest.raises(SureError, match="pretrained.pt does not have the weights of GE2E"):
        SpeakerEncoder(tmp_path / "pretrained.pt")
