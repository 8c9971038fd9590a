"""Recordings in memory: every usual form is the same waveform as the file, or an error that names the recording."""

import io
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
import torch
from audio_files import tone, write_audio

from sure.data.audio import read_audio
from sure.data.waveform import load_recording, recordings
from sure.errors import SureError


@pytest.fixture
def file(here) -> Path:
    return write_audio(here / "a.wav", INTEGERS)


INTEGERS = np.round(tone(0.5) * 32768).astype(np.int16)
FLOATS = INTEGERS / 32768
FORMS = {
    "path": lambda file: file,
    "text": str,
    "bytes": Path.read_bytes,
    "bytearray": lambda file: bytearray(file.read_bytes()),
    "open file": lambda file: io.BytesIO(file.read_bytes()),
    "int16": lambda file: INTEGERS,
    "big-endian int16": lambda file: INTEGERS.astype(">i2"),
    "int32": lambda file: INTEGERS.astype(np.int32) << 16,
    "float64": lambda file: FLOATS,
    "list": lambda file: FLOATS.tolist(),
    "int16 tensor": lambda file: torch.from_numpy(INTEGERS),
    "tensor with gradient": lambda file: torch.tensor(FLOATS, requires_grad=True),
    "reversed view": lambda file: FLOATS[::-1].copy()[::-1],
    "read-only view of every second value": lambda file: np.broadcast_to(np.repeat(FLOATS, 2), (24000 - 8000,))[::2],
    "one channel": lambda file: FLOATS[None],
    "channels last": lambda file: np.stack([FLOATS, FLOATS], axis=1),
    "channels first": lambda file: torch.tensor(np.stack([INTEGERS, INTEGERS])),
    "pair": lambda file: (FLOATS, 16000),
    "pair, rate first": lambda file: (np.int64(16000), INTEGERS),
    "dictionary": lambda file: {"path": None, "array": FLOATS, "sampling_rate": 16000},
    "dictionary of transformers": lambda file: {"raw": FLOATS, "sampling_rate": 16000.0},
    "dictionary with bytes": lambda file: {"bytes": file.read_bytes(), "path": "elsewhere.wav"},
    "dictionary with a path": lambda file: {"bytes": None, "path": str(file)},
    "soundfile": lambda file: soundfile.SoundFile(file),
    "torchcodec": lambda file: SimpleNamespace(data=torch.tensor(FLOATS)[None].float(), sample_rate=16000),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_the_waveform_of_the_file(file, form):
    wave, clipped = load_recording(FORMS[form](file), "x")
    assert torch.equal(wave, read_audio(file)) and wave.dtype == torch.float32 and not clipped


def test_a_rate_is_followed_and_8_bits_are_centred(here):
    path = write_audio(here / "a.wav", INTEGERS, 44100)
    assert torch.equal(load_recording((INTEGERS, 44100), "x")[0], read_audio(path))
    assert load_recording(np.array([0, 128, 192], np.uint8), "x")[0].tolist() == [-1, 0, 0.5]


def test_clipping_is_said(here):
    loud = np.float32(3 * tone(0.5))
    wave, clipped = load_recording(loud, "x")
    assert clipped and wave.abs().max() == 1.0 and loud.max() > 1.4
    peaks = np.float32(FLOATS)
    for peak, said in ((1.05, False), (1.5, True)):
        peaks[7] = peak
        assert load_recording(peaks, "x")[1] is said


@pytest.mark.parametrize(("array", "said"), [
    (INTEGERS.astype(np.int32), "16 bits"), (INTEGERS.astype(np.int32) << 8, "24 bits"),
    (INTEGERS.astype(np.int32) << 16, ""), (INTEGERS, ""), (np.zeros(99, np.int32), ""),
], ids=["16 bits in 32", "24 bits in 32", "32", "16", "zeros"])  # fmt: skip
def test_samples_of_16_or_24_bits_in_a_wider_type_are_warned_about(caplog, array, said):
    load_recording(array, "recording 7")
    assert f"recording 7: all values of this int32 are within {said}" in caplog.text if said else not caplog.text


ONE = [b"", "a.wav", Path("a.wav"), (FLOATS, 16000), {"path": "a.wav"}, FLOATS, torch.zeros(9), io.BytesIO()]


@pytest.mark.parametrize("one", ONE, ids=lambda one: type(one).__name__)
def test_one_recording_needs_no_list(one):
    assert len(list(recordings(one))) == 1 and len(list(recordings(iter([one, one])))) == 2


def test_an_array_of_samples_by_channels_is_one_recording_as_no_row_of_8_samples_is_one():
    (stereo,) = recordings(np.stack([FLOATS, FLOATS], axis=1))
    assert np.allclose(load_recording(stereo, "x")[0], FLOATS)


def test_rows_of_an_array_and_items_of_an_iterable_are_recordings():
    assert len(list(recordings(torch.zeros(3, 16000)))) == 3
    assert list(recordings(("a.wav", "b.wav"))) == ["a.wav", "b.wav"] and list(recordings([])) == []
    for other in (None, 3, 0.5):
        with pytest.raises(SureError, match=f"found {type(other).__name__}; a recording is a file; a waveform"):
            list(recordings(other))


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (np.array(0.5), "shape"), (io.StringIO("x"), "open as text; open it with mode 'rb'"),
        (torch.zeros(9).to_sparse(), "expected a file"),
        (np.ma.masked_less(FLOATS, 0), "masked"),
        (("a.wav", 8000), "which has its own"), ({"array": FLOATS, "sampling_rate": 1, "sample_rate": 2}, "one rate"),
        (None, "found NoneType"), (0.5, "shape"), ("", "missing|not a file"), ({"array": FLOATS}, "sampling_rate"),
        ({}, "keys"), ([1, 2, 3], "int64 has no usual scale"), (FLOATS * 32768, "peak"), (np.zeros(0), "empty"),
        (b"", "empty"), (b"not audio", "unreadable"), (np.zeros((100, 100)), r"shape \[100, 100\]"),
        (np.full(99, np.nan), "not finite"), (np.array(["a"]), "expected a file"),
        ([[0.0], [0.0, 0.1]], "expected a file"), (np.zeros(99, bool), "bool"), (np.zeros(99, complex), "complex"),
        (np.full(99, 1e300), "not finite"), ((FLOATS, 0), "0 Hz"), ((FLOATS, True), "True"),
        ((FLOATS, 44100.5), "whole number"), ((FLOATS, float("nan")), "nan"), ((1, 2), "int64"),
        (object(), "found object"), (np.stack([FLOATS, -FLOATS]), "cancel out"),
    ],
)  # fmt: skip
def test_other_values_are_one_error_with_the_name(here, bad, words):
    with pytest.raises(SureError, match=words) as error:
        load_recording(bad, "recording 7")
    assert "recording 7" in str(error.value) or bad == ""
