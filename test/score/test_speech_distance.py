"""Distances of real speech that is changed by known amounts, and compared with a plain loop."""

import math

import librosa
import numpy as np
import pytest
from published import fetch_speech

from sure.data.audio import read_audio, resample
from sure.data.synthesis.acoustic import AcousticConfig
from sure.score.synthesis.distance import Frames, distance, frames_of
from sure.score.synthesis.mel_cepstra import mel_cepstra

ACOUSTIC = AcousticConfig()


@pytest.fixture(scope="module")
def wave(request):
    return read_audio(fetch_speech(request.config.cache.mkdir("downloads")), end=3.0, sample_rate=ACOUSTIC.sample_rate)


@pytest.fixture(scope="module")
def frames(wave):
    return frames_of(wave, ACOUSTIC)


def test_same_speech_has_distance_zero(frames):
    found = distance(frames, frames)
    assert (found.mcd, found.squared_hz, found.squared_cents, found.voicing_errors, found.frames_apart) == (0,) * 5
    assert found.pairs == found.frames == len(frames.hertz) and 0.3 < found.voiced / found.frames < 1


def test_pitch_raised_by_a_semitone(frames):
    found = distance(frames, Frames(frames.mel, frames.hertz * 2 ** (1 / 12)))
    voiced = frames.hertz[frames.hertz > 0].astype(np.float64)
    assert math.sqrt(found.squared_cents / found.voiced) == pytest.approx(100, rel=1e-4)
    wanted = math.sqrt(np.mean((voiced * (2 ** (1 / 12) - 1)) ** 2))
    assert math.sqrt(found.squared_hz / found.voiced) == pytest.approx(wanted, rel=1e-4)
    assert found.voicing_errors == 0


def test_unvoiced_on_one_side(frames):
    hertz = frames.hertz.copy()
    gone = np.flatnonzero(hertz > 0)[:7]
    hertz[gone] = 0
    for pair in ((frames, Frames(frames.mel, hertz)), (Frames(frames.mel, hertz), frames)):
        found = distance(*pair)
        assert (found.voicing_errors, found.squared_hz) == (7, 0)
        assert found.voiced == (frames.hertz > 0).sum() - 7


def test_two_utterances_against_a_plain_loop(frames):
    """Frame by frame along the alignment of librosa."""

    first = Frames(frames.mel[:100], frames.hertz[:100])
    second = Frames(frames.mel[90:180], frames.hertz[90:180])
    _, path = librosa.sequence.dtw(mel_cepstra(first.mel).T, mel_cepstra(second.mel).T, metric="euclidean")
    apart, hz, cents, wrong = [], [], [], 0
    for row, column in path:
        pairs = zip(mel_cepstra(first.mel)[row], mel_cepstra(second.mel)[column], strict=True)
        square = sum((a - b) ** 2 for a, b in pairs)
        apart.append(10 / math.log(10) * math.sqrt(2 * square))
        wanted, found = float(first.hertz[row]), float(second.hertz[column])
        if wanted > 0 and found > 0:
            hz.append((wanted - found) ** 2)
            cents.append((1200 * math.log2(found / wanted)) ** 2)
        wrong += (wanted > 0) != (found > 0)
    found = distance(first, second)
    assert found.mcd == pytest.approx(np.mean(apart)) and found.pairs == len(path)
    assert found.squared_hz == pytest.approx(sum(hz)) and found.squared_cents == pytest.approx(sum(cents))
    assert (found.voiced, found.voicing_errors) == (len(hz), wrong) and wrong > 0
    assert (found.frames, found.frames_apart) == (100, 10)


def test_speech_played_faster(wave, frames):
    """Speech that is faster by a fifth is shorter and higher."""
    found = distance(frames, frames_of(resample(wave, 1200, 1000), ACOUSTIC))
    assert found.frames_apart / found.frames == pytest.approx(1 / 6, abs=0.01)
    assert math.sqrt(found.squared_cents / found.voiced) == pytest.approx(1200 * math.log2(6 / 5), rel=0.25)


def test_shortest_waveforms_have_frames(wave):
    for samples in (1, 100, 400):
        assert len(frames_of(wave[:samples], ACOUSTIC).mel) >= 1
