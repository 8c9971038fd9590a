"""The audio reader: every format, rate and channel count; segments; damaged files."""

import math
import random
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
import torch
import torchaudio
from audio_files import tone, write_audio

from sure.data import ark, audio_readers
from sure.data.audio import AudioError, audio_seconds, decode, decode_bytes, read_audio
from sure.errors import SureError


def similarity(a, b):
    """The largest normalised cross-correlation over all shifts: codecs delay the signal."""
    size = len(a) + len(b)
    product = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)
    return float(product.max() / np.linalg.norm(a) / np.linalg.norm(b))


@pytest.mark.parametrize(("suffix", "rate", "channels", "least"), [
    (".ogg", 16000, 1, 0.98), (".mp3", 16000, 1, 0.98), (".g722", 16000, 1, 0.98), (".m4a", 16000, 1, 0.98),
    (".mp4", 16000, 1, 0.98), (".m4a", 48000, 2, 0.95), (".wav", 44099, 1, 0.99),  # 44,099 Hz would take gigabytes
])  # fmt: skip
def test_other_formats_and_rates_are_similar_to_the_original(here, suffix, rate, channels, least):
    samples = tone(2.0, rate)
    wave = read_audio(write_audio(here / f"x{suffix}", np.stack([samples] * channels, axis=1), rate)).numpy()
    assert abs(len(wave) - 32000) < 0.2 * 16000
    assert similarity(wave, tone(2.0)) > least
    assert similarity(wave, tone(2.0)[::-1]) < 0.5


LOSSLESS = [(suffix, rate) for suffix in (".wav", ".flac") for rate in (8000, 11025, 16000, 22050, 44100, 48000)]


@pytest.mark.parametrize(("suffix", "rate"), [*LOSSLESS, *((suffix, 16000) for suffix in (".aiff", ".au", ".w64"))])
def test_rates_become_16_khz_as_torchaudio_resamples(here, suffix, rate):
    stored = torch.from_numpy(np.round(tone(0.7, rate) * 32768) / 32768).float()
    path = write_audio(here / f"x{suffix}", stored.numpy(), rate)
    expected = torchaudio.functional.resample(stored, rate, 16000).clamp(-1, 1)
    assert torch.equal(read_audio(path), expected) and len(expected) == math.ceil(len(stored) * 16000 / rate)
    first, last = rate // 4, rate // 2  # a segment is cut before it is resampled
    expected = torchaudio.functional.resample(stored[first:last], rate, 16000).clamp(-1, 1)
    assert torch.equal(read_audio(path, first / rate, last / rate), expected)


def test_channels_are_averaged(here):
    samples = np.stack([tone(seed=seed) for seed in range(3)], axis=1)
    wave = read_audio(write_audio(here / "x.wav", samples))
    assert np.allclose(wave.numpy(), samples.mean(axis=1), atol=1e-4)


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg"])
def test_a_segment_is_the_same_samples_as_the_whole(here, suffix):
    path = write_audio(here / f"x{suffix}", tone(1.0, 8000), 8000)
    whole, rate = decode(path)
    segments = [sorted(random.Random(seed).sample(range(len(whole) + 1), 2)) for seed in range(20)]
    for first, last in [(0, 1), (len(whole) - 1, len(whole)), *segments]:
        assert np.array_equal(decode(path, first / rate, last / rate)[0], whole[first:last])


@pytest.mark.parametrize("suffix", [".wav", ".ogg"])
def test_a_segment_may_pass_the_end_a_little_and_no_more(here, suffix):
    path = write_audio(here / f"x{suffix}", tone(1.0))
    assert len(read_audio(path, 0.5, 1.05)) == 8000
    for start, end in ((0.5, 1.2), (1.0, 1.05), (2.0, None)):
        with pytest.raises(SureError, match=r"past the end.*1\.000 s"):
            read_audio(path, start, end)


def test_seconds_and_values(here):
    assert audio_seconds(write_audio(here / "x.wav", tone(1.25, 8000), 8000)) == 1.25
    assert audio_seconds(write_audio(here / "x.g722", tone(1.25))) == 1.25
    content = (here / "x.g722").read_bytes()  # without a header, so the name has to tell
    assert np.array_equal(decode_bytes(content, "sent.g722")[0], decode(here / "x.g722")[0])
    soundfile.write(here / "x.wav", np.array([1.4, -1.4, 0.5] * 100), 16000, subtype="FLOAT")
    assert read_audio(here / "x.wav").abs().max() == 1.0


def test_audio_in_an_archive(here):
    place = ark.write_ark("wav.ark", [("a", (16000, (tone() * 32767).astype(np.int16)))]).read_text().split()[1]
    assert np.allclose(read_audio(place).numpy(), tone(), atol=1e-4) and len(read_audio(place, 0.25, 0.5)) == 4000


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3", ".m4a", ".mp4"])
@pytest.mark.parametrize("kept", [0.3, 0.7])
def test_a_cut_file_is_refused_by_name(here, suffix, kept):
    path = write_audio(here / f"cut{suffix}", tone(5.0))
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(AudioError, match=rf"cut\{suffix}: (truncated|unreadable) audio file"):
        read_audio(path)


def test_an_m4a_cut_between_two_packets_is_truncated(here):
    path = write_audio(here / "x.m4a", tone(5.0))
    with av.open(str(path)) as container:
        packets = [packet.pos + packet.size for packet in container.demux() if packet.size]
    path.write_bytes(path.read_bytes()[: packets[len(packets) // 2]])
    with pytest.raises(AudioError, match=r"truncated audio file: 2\.\d+ of the 5\.\d+ seconds"):
        read_audio(path)


# (format, codec) -> part of the error about half of the file
OTHER_FORMATS = {
    ("adts", "aac"): "last packet", ("webm", "libopus"): "seconds", ("mp3", "libmp3lame"): "seconds",
    ("wav", "g726"): "bytes", ("wav", "libmp3lame"): "bytes", ("wav", "pcm_mulaw"): "bytes",
    ("caf", "pcm_s16le"): "bytes", ("tta", "tta"): "seconds", ("wv", "wavpack"): "seconds",
}  # fmt: skip


@pytest.mark.parametrize("encoder", OTHER_FORMATS, ids=" ".join)
def test_the_first_bytes_decide_how_a_file_is_read_whatever_its_name_says(here, encoder):
    rate = {"libopus": 48000, "g726": 8000}.get(encoder[1], 16000)
    content = write_audio(here / "x", tone(3.0, rate), rate, encoder).read_bytes()
    for suffix in (".wav", ".flac", ".mp3", ".m4a", ".g722", ""):
        (here / f"named{suffix}").write_bytes(content)
        wave = read_audio(here / f"named{suffix}").numpy()
        assert abs(len(wave) / 16000 - 3.0) < 0.2 and similarity(wave, tone(3.0)) > 0.9
    (here / "half.wav").write_bytes(content[: len(content) // 2])
    with pytest.raises(AudioError, match=f"truncated audio file: .*{OTHER_FORMATS[encoder]}"):
        read_audio(here / "half.wav")


def test_ac3_may_have_any_name(here):
    write_audio(here / "x.wav", tone(1.0, 48000), 48000, ("ac3", "ac3"))
    assert similarity(read_audio(here / "x.wav").numpy(), tone(1.0)) > 0.9


@pytest.mark.parametrize("format", ["WAV", "WAVEX", "RF64", "AIFF", "AU", "W64", "CAF", "NIST", "NIST ULAW", "FLAC",
                                    "OGG", "MP3"])  # fmt: skip
def test_half_of_a_file_is_truncated_and_two_in_one_are_read_whole_or_refused(here, format):
    container, *codec = format.split()
    soundfile.write(here / "x", tone(2.0), 16000, *codec, format=container)
    content = (here / "x").read_bytes()
    (here / "x").write_bytes(content[: len(content) // 2])
    with pytest.raises(AudioError, match="truncated audio file"):
        read_audio(here / "x")
    (here / "x").write_bytes(content + content)
    if format in ("WAV", "WAVEX", "FLAC", "OGG"):
        with pytest.raises(AudioError, match="joined audio files"):
            read_audio(here / "x")
    elif format == "MP3":
        assert 4.0 <= audio_seconds(here / "x") < 4.2


def test_a_rate_that_changes_is_refused_by_name(here):
    parts = [write_audio(here / "x", tone(1.0, rate), rate, ("adts", "aac")).read_bytes() for rate in (16000, 32000)]
    (here / "x").write_bytes(b"".join(parts))
    with pytest.raises(AudioError, match="joined audio files: its sampling rate or number of channels changes"):
        read_audio(here / "x")


@pytest.mark.parametrize("start", [b"RIFX", b"FLV\1\5\0\0\0\11"])
def test_a_g722_file_may_begin_as_files_of_another_format(here, start):
    content = start + write_audio(here / "x.g722", tone(1.25)).read_bytes()
    (here / "x.g722").write_bytes(content)
    assert audio_seconds(here / "x.g722") == 2 * len(content) / 16000


@pytest.mark.parametrize("name", ["noise_then_silence", "silence_then_noise"])
def test_an_mp3_of_variable_rate_without_a_header_of_its_length_is_read_to_its_end(here, name):
    """libsndfile estimates 7.7 and 61.4 s from the first frames; after the audio there may be tags."""
    content = (Path(__file__).parent / f"{name}_vbr.mp3").read_bytes()
    for padding, tag in ((b"", b""), (b"", b"TAG" + b"x" * 125), (b"\0" * 64, b"APETAGEX" + b"\1" * 300)):
        (here / "x.mp3").write_bytes(padding + content + tag)
        assert audio_seconds(here / "x.mp3") == pytest.approx(40.104)
    assert float(read_audio(here / "x.mp3", 39.0, 40.0).abs().max() > 0.1) == (name == "silence_then_noise")


SIZE = b"data" + (32000).to_bytes(4, "little")


@pytest.mark.parametrize("change", [
    lambda wav: wav.replace(SIZE, b"data\xff\xff\xff\xff"),  # written to a pipe: the size was unknown
    lambda wav: wav.replace(SIZE, b"data\x00\xf0\xff\x7f"),
    lambda wav: wav.replace(SIZE, b"data\0\0\0\0"),  # the header was never closed
    lambda wav: wav + b"LIST\x04\0\0\0abcdTAG" + b"x" * 125,
    lambda wav: wav[:12] + b"LIST\x03\0\0\0abc\0" + wav[12:],  # a chunk of odd size
])  # fmt: skip
def test_the_size_of_a_wav_is_checked(here, change):
    path = write_audio(here / "x.wav", tone())
    whole = path.read_bytes()
    path.write_bytes(change(whole))
    assert path.read_bytes() != whole and len(read_audio(path)) == 16000
    path.write_bytes(whole[:-1])
    with pytest.raises(AudioError, match="truncated audio file: 31999 of the 32000 bytes"):
        read_audio(path)
    assert len(read_audio(path, 0.2, 0.7)) == 8000  # a part that is there
    path.write_bytes(whole + b"LIST\x04\0\0\0abcddata\x40\0\0\0" + b"\1" * 64)  # libsndfile reads the last chunk
    with pytest.raises(AudioError, match="joined audio files: 72 bytes follow the audio"):
        read_audio(path)


@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
def test_a_damaged_byte_of_a_flac_is_noticed(here, place):
    for subtype, channels in (("PCM_16", 1), ("PCM_24", 2)):
        soundfile.write(here / "x.flac", np.stack([tone(30.0)] * channels, axis=1), 16000, subtype)
        assert audio_seconds(here / "x.flac") == 30
        content = bytearray((here / "x.flac").read_bytes())
        content[int(len(content) * place)] ^= 255
        (here / "x.flac").write_bytes(content)
        with pytest.raises(AudioError, match="damaged audio file: its samples differ|truncated audio file: 29"):
            read_audio(here / "x.flac")


def test_the_number_of_samples_is_limited(here, monkeypatch):
    most = audio_readers.MOST_SAMPLES
    assert 3600 * 48000 * 2 < most < 1 << 29  # samples of four bytes, and there are copies of them
    monkeypatch.setattr(audio_readers, "MOST_SAMPLES", 20000)
    with pytest.raises(AudioError, match="too long to be read"):
        read_audio(write_audio(here / "x.flac", np.stack([tone(), tone()], axis=1)))


def test_commands_are_not_run_and_missing_archives_named(here):
    for path, message in (("touch made |", "is a command"), ("gone.ark:12", "missing audio file")):
        with pytest.raises(SureError, match=message):
            read_audio(path)
    assert not (here / "made").exists()


def test_a_video_without_sound(here):
    with av.open("silent.mp4", "w") as container:
        stream = container.add_stream("mpeg4", rate=5, width=16, height=16, pix_fmt="yuv420p")
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8), "rgb24")
        container.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(AudioError, match="it has no audio stream"):
        read_audio("silent.mp4")


def test_two_languages_in_one_file(here):
    with av.open("two.mka", "w") as container:
        for stream in [container.add_stream("pcm_s16le", rate=16000) for _ in range(2)]:
            frame = av.AudioFrame.from_ndarray(np.ones((1, 1600), np.int16), "s16", "mono")
            frame.sample_rate = 16000
            container.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(AudioError, match="several audio streams: 2 audio streams"):
        read_audio("two.mka")


@pytest.mark.parametrize(("start", "kind"), [(b"version https://git-lfs.github.com/spec/v1", "Git LFS"),
                                             (b"<!DOCTYPE html>", "web page"), (b"\x1f\x8b\x08", "gzip")])  # fmt: skip
@pytest.mark.parametrize("name", ["x.wav", "x.mp3"])
def test_the_error_names_other_files(here, name, start, kind):
    (here / name).write_bytes(start)
    with pytest.raises(AudioError, match=f"unreadable audio file: .*{kind}"):
        read_audio(here / name)


@pytest.mark.parametrize(("codec", "layout"), [("pcm_u8", "stereo"), ("pcm_s16le", "stereo"), ("pcm_s32le", "mono")])
def test_sample_formats_and_layouts_that_pyav_decodes(here, codec, layout):
    """Through Matroska, which soundfile does not read; interleaved integers of several widths."""
    channels = [tone(seed=seed) for seed in range(1 if layout == "mono" else 2)]
    write_audio(here / "x.mka", np.stack(channels, axis=1), encoder=("matroska", codec))
    step = 2 / 256 if codec == "pcm_u8" else 1e-4
    assert np.abs(read_audio("x.mka").numpy() - np.mean(channels, axis=0)).max() < step
