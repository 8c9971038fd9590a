"""The audio reader: every format, rate and channel count; segments; damaged files."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import torch
import torchaudio
from audio_files import tone, write_audio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sure.data import ark, audio
from sure.data.audio import AudioError, audio_seconds, decode, read_audio
from sure.errors import SureError


def similarity(a: np.ndarray, b: np.ndarray) -> float:
    """The largest normalised cross-correlation over all shifts: codecs delay the signal."""
    size = len(a) + len(b)
    product = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
    return float(product.max() / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".aiff", ".au", ".w64"])
def test_lossless_formats_are_read_exactly(here: Path, suffix: str) -> None:
    samples = np.round(tone() * 32768) / 32768
    wave = read_audio(write_audio(here / f"x{suffix}", samples))
    assert wave.dtype == torch.float32 and wave.ndim == 1
    assert np.array_equal(wave.numpy(), samples.astype(np.float32))


@pytest.mark.parametrize("suffix", [".ogg", ".mp3", ".g722", ".m4a", ".mp4"])
def test_lossy_formats_are_similar_to_the_original(here: Path, suffix: str) -> None:
    samples = tone(2.0)
    wave = read_audio(write_audio(here / f"x{suffix}", samples)).numpy()
    assert abs(len(wave) - len(samples)) < 0.2 * 16000
    assert similarity(wave, samples) > 0.98
    assert similarity(wave, samples[::-1]) < 0.5


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_other_rates_become_16_khz_as_torchaudio_resamples(here: Path, rate: int, suffix: str) -> None:
    path = write_audio(here / f"x{suffix}", tone(0.7, rate), rate)
    stored = torch.from_numpy(soundfile.read(path, dtype="float32")[0])
    expected = torchaudio.functional.resample(stored, rate, 16000).clamp(-1, 1)
    assert torch.equal(read_audio(path), expected)
    assert len(expected) == math.ceil(len(stored) * 16000 / rate)
    first, last = rate // 4, rate // 2  # a segment is cut before it is resampled
    expected = torchaudio.functional.resample(stored[first:last], rate, 16000).clamp(-1, 1)
    assert torch.equal(read_audio(path, first / rate, last / rate), expected)


def test_rates_without_a_common_divisor_need_no_gigabytes(here: Path) -> None:
    path = write_audio(here / "x.wav", tone(0.5, 44099), 44099)
    close = torchaudio.functional.resample(torch.from_numpy(tone(0.5, 44100)).float(), 44100, 16000)
    assert similarity(read_audio(path).numpy(), close.numpy()) > 0.99


def test_m4a_at_48_khz_stereo(here: Path) -> None:
    left = tone(1.0, 48000)
    wave = read_audio(write_audio(here / "x.m4a", np.stack([left, left], axis=1), 48000))
    assert similarity(wave.numpy(), tone(1.0)) > 0.95


def test_channels_are_averaged(here: Path) -> None:
    wave = read_audio(write_audio(here / "x.wav", np.stack([tone(seed=seed) for seed in range(3)], axis=1)))
    stored = soundfile.read(here / "x.wav", dtype="float32")[0]
    assert np.allclose(wave.numpy(), stored.mean(axis=1), atol=1e-7)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), suffix=st.sampled_from([".wav", ".flac", ".ogg"]))
def test_a_segment_is_the_same_samples_as_the_whole(here: Path, data: st.DataObject, suffix: str) -> None:
    path = here / f"whole{suffix}"
    if not path.exists():
        write_audio(path, tone(1.0, 8000), 8000)
    whole, rate = decode(path)
    first = data.draw(st.integers(0, len(whole) - 2))
    last = data.draw(st.integers(first + 1, len(whole)))
    part, _ = decode(path, first / rate, last / rate)
    assert np.array_equal(part, whole[first:last])


@pytest.mark.parametrize("suffix", [".wav", ".ogg"])
def test_a_segment_may_pass_the_end_a_little_and_no_more(here: Path, suffix: str) -> None:
    path = write_audio(here / f"x{suffix}", tone(1.0))
    assert len(read_audio(path, 0.5, 1.05)) == 8000
    for start, end in ((0.5, 1.2), (1.0, 1.05), (2.0, None)):
        with pytest.raises(SureError, match=r"past the end.*1\.000 s"):
            read_audio(path, start, end)


def test_audio_seconds(here: Path) -> None:
    assert audio_seconds(write_audio(here / "x.wav", tone(1.25, 8000), 8000)) == 1.25
    assert audio_seconds(write_audio(here / "x.g722", tone(1.25))) == 1.25


def test_samples_stay_within_one(here: Path) -> None:
    soundfile.write(here / "x.wav", np.array([1.4, -1.4, 0.5] * 100), 16000, subtype="FLOAT")
    assert read_audio(here / "x.wav").abs().max() == 1.0


def test_audio_in_an_archive(here: Path) -> None:
    integers = (tone() * 32767).astype(np.int16)
    place = ark.write_ark("wav.ark", [("a", (16000, integers))]).read_text().split()[1]
    assert np.array_equal(read_audio(place).numpy(), integers.astype(np.float32) / 32768)
    assert len(read_audio(place, 0.25, 0.5)) == 4000


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".m4a", ".mp4"])
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_truncated_files_are_refused_by_name(here: Path, suffix: str, share: float) -> None:
    path = write_audio(here / f"cut{suffix}", tone(5.0))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(AudioError, match=rf"cut\{suffix}: (truncated|unreadable|empty) audio file"):
        read_audio(path)


def test_an_m4a_cut_between_two_packets_is_truncated(here: Path) -> None:
    path = write_audio(here / "x.m4a", tone(5.0))
    with av.open(str(path)) as container:
        packets = [packet.pos + packet.size for packet in container.demux() if packet.size]
    path.write_bytes(path.read_bytes()[: packets[len(packets) // 2]])
    with pytest.raises(AudioError, match=r"truncated audio file: 2\.\d+ of the 5\.\d+ seconds"):
        read_audio(path)


def with_size(size: int) -> Callable[[bytes], bytes]:
    """Another size in the header of the data chunk."""
    return lambda wav: wav.replace(b"data" + (32000).to_bytes(4, "little"), b"data" + size.to_bytes(4, "little"))


@pytest.mark.parametrize(("change", "error"), [
    (with_size(0xFFFFFFFF), None),  # written to a pipe: the size was unknown
    (with_size(0x7FFFF000), None),
    (lambda wav: wav[:12] + b"LIST\x03\0\0\0abc\0" + wav[12:], None),  # a chunk of odd size
    (lambda wav: wav[:-1], "truncated audio file: 31999 of the 32000 bytes"),
])  # fmt: skip
def test_the_size_of_a_wav_is_checked(here: Path, change: Callable[[bytes], bytes], error: str | None) -> None:
    path = write_audio(here / "x.wav", tone())
    before = path.read_bytes()
    path.write_bytes(change(before))
    assert path.read_bytes() != before
    if error is None:
        assert len(read_audio(path)) == 16000
    else:
        with pytest.raises(AudioError, match=error):
            read_audio(path)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".g722", ".m4a"])
def test_files_that_are_not_audio(here: Path, suffix: str) -> None:
    path = here / f"no{suffix}"
    # g722 has no header: there any bytes are audio
    path.write_bytes(b"" if suffix == ".g722" else b"not audio, whatever the name says. " * 50)
    with pytest.raises(SureError, match=rf"no\{suffix}: (empty|unreadable|truncated) audio file"):
        read_audio(path)


@pytest.mark.parametrize("suffix", [".wav", ".flac"])
def test_a_file_without_samples_is_empty(here: Path, suffix: str) -> None:
    path = write_audio(here / f"none{suffix}", np.zeros(0))
    with pytest.raises(AudioError, match="empty audio file"):
        read_audio(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_finite(here: Path, value: float) -> None:
    samples = np.stack([tone(), tone()], axis=1)
    samples[100, 1] = value
    soundfile.write(here / "x.wav", samples, 16000, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"x\.wav: samples are not finite: 1 NaN"):
        read_audio(here / "x.wav")


def test_the_number_of_samples_is_limited(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 3600 * 48000 * 2 < audio.MOST_SAMPLES < 1 << 29  # samples of four bytes, and there are copies of them
    monkeypatch.setattr(audio, "MOST_SAMPLES", 20000)
    soundfile.write(here / "x.flac", np.stack([tone(), tone()], axis=1), 16000)
    with pytest.raises(AudioError, match="too long to be read"):
        read_audio(here / "x.flac")


@pytest.mark.parametrize(("path", "message"), [
    ("gone.wav", "gone.wav: missing audio file"),
    ("folder.wav", "folder.wav: not a file"),
    ("touch made |", "is a command"),
    ("gone.ark:12", "missing audio file"),
])  # fmt: skip
def test_missing_files_folders_and_commands(here: Path, path: str, message: str) -> None:
    (here / "folder.wav").mkdir()
    with pytest.raises(SureError, match=message):
        read_audio(path)
    assert not (here / "made").exists()


def test_a_video_without_sound(here: Path) -> None:
    with av.open("silent.mp4", "w") as container:
        stream = container.add_stream("mpeg4", rate=5, width=16, height=16, pix_fmt="yuv420p")
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), "rgb24")
        container.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(AudioError, match="it has no audio stream"):
        read_audio("silent.mp4")


@pytest.mark.parametrize(("codec", "layout"), [("pcm_u8", "stereo"), ("pcm_s16le", "stereo"), ("pcm_s32le", "mono")])
def test_sample_formats_and_layouts_that_pyav_decodes(here: Path, codec: str, layout: str) -> None:
    """Through Matroska, which soundfile does not read; interleaved integers of several widths."""
    channels = 1 if layout == "mono" else 2
    integers = (np.stack([tone(seed=seed) for seed in range(channels)]) * 32767).astype(np.int16)
    with av.open("x.mka", "w", format="matroska") as container:
        stream = container.add_stream(codec, rate=16000, layout=layout)
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(integers.T).reshape(1, -1), "s16", layout)
        frame.sample_rate = 16000
        for part in [*av.AudioResampler(stream.format, layout, 16000).resample(frame), None]:
            container.mux(stream.encode(part))
    step = 2 / 256 if codec == "pcm_u8" else 1e-6
    assert np.abs(read_audio("x.mka").numpy() - integers.mean(axis=0) / 32768).max() < step
