"""Durations from alignments: they sum to the frames, and silence is assigned to pauses."""

from contextlib import nullcontext
from itertools import accumulate
from pathlib import Path

import pytest
import toys
from hypothesis import given
from hypothesis import strategies as st
from l2arctic import text_grid

from sure.bin.durations import main
from sure.data.synthesis.durations import aligned_durations, check_durations, whole_frames
from sure.data.textgrid import Interval
from sure.errors import SureError

PAUSES = {",", "."}


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60), st.integers(0, 5000))
def test_any_durations_sum_to_any_frames(lengths, frames):
    if sum(lengths) == 0:
        with pytest.raises(SureError, match="cannot be scaled to"):
            whole_frames(lengths, frames)
        return
    found = whole_frames(lengths, frames)
    assert sum(found) == frames and min(found) >= 0 and len(found) == len(lengths)
    if frames >= len(lengths):
        assert all(count > 0 for count, length in zip(found, lengths, strict=True) if length > 0)


def test_boundaries_are_rounded_not_lengths():
    assert whole_frames([1.4] * 10, 14) == [1, 2, 1, 2, 1, 1, 2, 1, 2, 1]
    for wrong in ([], [1, -1], [0, 0], [float("nan")], [float("inf")]):
        with pytest.raises(SureError, match="cannot be scaled to"):
            whole_frames(wrong, 10)


def intervals(text: str) -> list[Interval]:
    """`sil-0.1 HH-0.2` as intervals that follow each other."""
    labels, seconds = zip(*(word.split("-") for word in text.split()), strict=True)
    ends = list(accumulate(map(float, seconds)))
    return list(map(Interval, [0.0, *ends[:-1]], ends, labels))


@pytest.mark.parametrize(("phones", "aligned", "start", "frames", "expected"), [
    ("AH0 B .", "sil-0.1 AH0-0.1 B-0.2 sil-0.1", 0, 50, [20, 20, 10]),  # silence before the first phone is its own
    ("AH0 , B .", "AH0-0.1 sp-0.05 B-0.1", 0, 50, [10, 5, 10, 25]),  # 0.25 s more of audio
    ("AH0 , B .", "AH0-0.1 B-0.1 -0.3", 0, 50, [10, 0, 10, 30]),
    ("AH0 B .", "AH1-0.1 sil-0.1 b-0.3", 0, 50, [15, 35, 0]),  # no pause mark: half of it to each
    ("AH0 B", "AH0-0.2 B-0.2", 0, 50, [20, 30]),
    ("ˈa b", "a-0.2 ˌb-0.2", 0, 50, [20, 30]),  # the stress of IPA
    ("AH0 B .", "sil-0.3 AH0-0.1 B-0.1 sil-0.5", 0.25, 30, [15, 10, 5]),  # 0.25 s were cut
    ("AH0 B .", "AH0-0.1 D-0.1", 0, 50, "B is aligned as D"),
    ("AH0 B .", "AH0-0.1", 0, 50, "2 phones, 1 aligned"),
    ("AH0 B .", "AH0-0.1 B-0.8", 0, 50, "ends 0.40 s after the audio"),
    ("AH0 B .", "sil-0.1", 0, 50, "2 phones, 0 aligned"),
    (", .", "sil-0.1", 0, 50, "the alignment has no phones"),
])  # fmt: skip
def test_silence_is_assigned_to_pauses(phones, aligned, start, frames, expected):
    with pytest.raises(SureError, match=expected) if isinstance(expected, str) else nullcontext():
        assert aligned_durations(phones.split(), intervals(aligned), PAUSES, start, 0.01, frames) == expected


TABLES = {
    "wav.scp": "one one.wav\ntwo two.wav\n",
    "phones": "one HH AH0 , D .\ntwo AH1 D .\n",
    "utt2frames": "one 60\ntwo 50\n",
    "utt2start": "one 0.0500\ntwo 0.0000\n",
}


@pytest.fixture
def prepared(here) -> list[str]:
    for folder in (Path("data/train"), Path("data/dev")):
        folder.mkdir(parents=True)
        for name, lines in TABLES.items():
            (folder / name).write_text(lines)
    acoustic = {"sample_rate": 20000, "hop_size": 200, "fft_size": 1000, "window_size": 1000}
    config = toys.write_config(Path(), Path("conf.yaml"), acoustic=acoustic, data__tests=[])
    return ["--config", str(config)]


def test_from_textgrids_to_a_checked_table(prepared, capsys):
    # a tenth of a second each: sil HH AH0 sp D "" and sil AH1 D ""
    Path("mfa/reader").mkdir(parents=True)
    Path("mfa/reader/one.TextGrid").write_text(text_grid([["HH", "AH0"], ["D"]]))
    Path("mfa/reader/two.TextGrid").write_text(text_grid([["AH1", "D"]]))
    main([*prepared, "--textgrids", "mfa"])
    # in hundredths of a second; of one, the first five are cut
    assert Path("data/train/durations").read_text() == "one 15 10 10 10 15\ntwo 20 10 20\n"
    assert check_durations(Path("data/dev")) == [] and "durations fit in data/train" in capsys.readouterr().out
    for two, message in (("20 10", "two: 2 durations for 3 phones"), ("40 20 -10", "two: a negative duration")):
        Path("data/dev/durations").write_text(f"one 15 10 10 10 16\ntwo {two}\n")
        with pytest.raises(SureError, match=f"(?s)data/dev.*one: durations sum to 61, but it has 60 frames.*{message}"):
            main([*prepared, "--check"])


def test_from_ctm_and_bad_utterances(prepared, capsys):
    lines = ["one 1 0.05 0.2 hh 0.9", "one 1 0.25 0.1 ah 0.9", "one 1 0.45 0.1 d 0.9", "two 1 0.1 0.1 ih 0.9"]
    Path("a.ctm").write_text("\n".join(lines) + "\n")
    with pytest.raises(SureError, match=r"(?s)1 utterances do not fit.*two: .*AH is aligned as IH"):
        main([*prepared, "--ctm", "a.ctm"])
    assert not Path("data/train/durations").exists()
    assert "two:" in Path("data/train/durations_offenders.txt").read_text()
    main([*prepared, "--ctm", "a.ctm", "--on_bad_utterance", "skip"])
    assert Path("data/train/durations").read_text() == "one 20 10 10 10 10\n"
    assert Path("data/train/phones").read_text() == "one HH AH0 , D .\n"
