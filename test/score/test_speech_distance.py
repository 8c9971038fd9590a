"""Alignments and mel-cepstral distortion compared with librosa, with plain loops and by hand."""

import math

import librosa
import numpy as np
import pytest

from sure.data.audio import read_audio, resample
from sure.data.synthesis.acoustic import AcousticConfig
from sure.errors import SureError
from sure.score.synthesis.distance import Frames, distance, frames_of, mel_cepstra, warping_path

ACOUSTIC = AcousticConfig()
SHAPES = [(1, 1), (1, 6), (5, 1), (2, 2), (30, 41), (120, 80)]


def minimal_sum(costs):
    sums = np.full((costs.shape[0] + 1, costs.shape[1] + 1), np.inf)
    sums[0, 0] = 0
    for row in range(costs.shape[0]):
        for column in range(costs.shape[1]):
            before = min(sums[row, column], sums[row, column + 1], sums[row + 1, column])
            sums[row + 1, column + 1] = costs[row, column] + before
    return sums[-1, -1]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("levels", [2, None])  # 2 levels give ties everywhere
def test_path_is_complete_and_its_sum_minimal(shape, levels):
    costs = np.random.default_rng(1).random(shape)
    costs = costs if levels is None else np.floor(costs * levels)
    path = warping_path(costs)
    assert path[:, 0].tolist() == [0, 0] and path[:, -1].tolist() == [shape[0] - 1, shape[1] - 1]
    assert {tuple(step) for step in np.diff(path).T} <= {(1, 1), (1, 0), (0, 1)}
    assert costs[path[0], path[1]].sum() == pytest.approx(minimal_sum(costs))
    if levels is None:
        assert np.array_equal(path, librosa.sequence.dtw(C=costs)[1][::-1].T)
    assert warping_path(np.zeros((3, 3))).tolist() == [[0, 1, 2], [0, 1, 2]]  # ties advance both sides


def test_cepstra_are_those_of_the_cosine_series():
    """Coefficients of a spectrum that is summed term by term are recovered."""
    wanted = np.random.default_rng(0).normal(size=(5, 13))
    orders, channel = np.arange(1, 15), np.arange(80)
    series = np.cos(math.pi * orders[:, None] * (channel + 0.5) / 80)
    mel = 3.0 + wanted @ series[:-1] + 0.7 * series[-1]  # the last order is ignored
    np.testing.assert_allclose(mel_cepstra(mel), wanted, atol=1e-12)
    with pytest.raises(SureError, match="more than 13 mel channels, found 13"):
        mel_cepstra(mel[:, :13])


@pytest.fixture(scope="module")
def wave(speech):
    return read_audio(speech, end=3.0, sample_rate=ACOUSTIC.sample_rate)


@pytest.fixture(scope="module")
def frames(wave):
    return frames_of(wave, ACOUSTIC)


def test_two_utterances_against_a_plain_loop(frames):
    """Frame by frame along the alignment of librosa."""
    first = Frames(frames.mel[:100], frames.hertz[:100])
    second = Frames(frames.mel[90:180], frames.hertz[90:180])
    cepstra = mel_cepstra(first.mel), mel_cepstra(second.mel)
    _, path = librosa.sequence.dtw(cepstra[0].T, cepstra[1].T, metric="euclidean")
    apart, hz, cents, wrong = [], [], [], 0
    for row, column in path:
        square = sum((a - b) ** 2 for a, b in zip(cepstra[0][row], cepstra[1][column], strict=True))
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


@pytest.mark.parametrize("samples", [1, 400])
def test_shortest_waveforms_have_frames(wave, samples):
    assert len(frames_of(wave[:samples], ACOUSTIC).mel) >= 1
