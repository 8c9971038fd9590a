"""Durations from alignments: they sum to the frames, whatever is given, and silence goes where pauses are."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sure.bin.durations import main
from sure.config import make_config
from sure.data.synthesis.durations import aligned_durations, check_durations, offenders, whole_frames
from sure.data.textgrid import Interval
from sure.errors import SureError

sys.path.insert(0, str(Path(__file__).parents[1] / "corpora"))
from l2arctic import write_grid

PAUSES = {",", "."}
STEP = 0.01


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


@pytest.mark.parametrize("wrong", [[], [1, -1], [0, 0], [float("nan")], [float("inf")]])
def test_what_is_no_duration(wrong):
    with pytest.raises(SureError, match="cannot be scaled to"):
        whole_frames(wrong, 10)


def intervals(text: str) -> list[Interval]:
    """`sil-0.1 HH-0.2` as intervals that follow each other."""
    found, at = [], 0.0
    for word in text.split():
        label, _, seconds = word.partition("-")
        found.append(Interval(at, at + float(seconds), label))
        at += float(seconds)
    return found


@pytest.mark.parametrize(
    ("phones", "aligned", "expected"),
    [
        ("AH0 B .", "sil-0.1 AH0-0.1 B-0.2 sil-0.1", [20, 20, 10]),  # silence in front goes to the first phone
        ("AH0 , B .", "AH0-0.1 sp-0.05 B-0.1", [10, 5, 10, 25]),  # the audio goes on for 0.25 s
        ("AH0 , B .", "AH0-0.1 B-0.1 -0.3", [10, 0, 10, 30]),
        ("AH0 B .", "AH1-0.1 sil-0.1 b-0.3", [15, 35, 0]),  # no pause mark: half of it to each
        ("AH0 B", "AH0-0.2 B-0.2", [20, 30]),
        ("ˈa b", "a-0.2 ˌb-0.2", [20, 30]),  # the stress of IPA
    ],
)
def test_silence_goes_to_pauses(phones, aligned, expected):
    assert aligned_durations(phones.split(), intervals(aligned), PAUSES, 0.0, STEP, 50) == expected


def test_what_was_cut_in_front_is_not_counted():
    aligned = intervals("sil-0.3 AH0-0.1 B-0.1 sil-0.5")
    assert aligned_durations(["AH0", "B", "."], aligned, PAUSES, 0.25, STEP, 30) == [15, 10, 5]


@pytest.mark.parametrize(
    ("aligned", "words"),
    [
        ("AH0-0.1 D-0.1", "B is aligned as D"),
        ("AH0-0.1", "2 phones, 1 aligned"),
        ("AH0-0.1 B-0.8", "ends 0.40 s after the audio"),
        ("sil-0.1", "2 phones, 0 aligned"),
    ],
)
def test_alignments_that_do_not_fit(aligned, words):
    with pytest.raises(SureError, match=words):
        aligned_durations(["AH0", "B", "."], intervals(aligned), PAUSES, 0.0, STEP, 50)


def test_offenders_are_listed():
    rows = [("a", [1, 2], 2, 3), ("b", [1, 2], 3, 3), ("c", [1, -1], 2, 0), ("d", [1, 2], 2, 4)]
    found = offenders(rows)
    assert [line[0] for line in found] == ["b", "c", "d"] and "sum to 3, but it has 4 frames" in found[2]


def make_folder(folder: Path) -> Path:
    folder.mkdir(parents=True)
    for name, lines in {
        "wav.scp": "one one.wav\ntwo two.wav\n",
        "phones": "one HH AH0 , D .\ntwo AH1 D .\n",
        "utt2frames": "one 60\ntwo 50\n",
        "utt2start": "one 0.0500\ntwo 0.0000\n",
    }.items():
        (folder / name).write_text(lines)
    return folder


@pytest.fixture
def prepared(here) -> list[str]:
    for name in ("train", "dev"):
        make_folder(Path("data") / name)
    acoustic = {"sample_rate": 20000, "hop_size": 200, "fft_size": 1000, "window_size": 1000}
    sets = {"train": "data/train", "valid": "data/dev"}
    plain = {"task": "asr", "data": sets, "backbone": {"name": "tiny"}, "petl": "lora", "acoustic": acoustic}
    make_config(plain, "test").save(Path("conf.yaml"))
    return ["--config", "conf.yaml"]


def test_from_textgrids_to_a_checked_table(prepared, capsys):
    # a tenth of a second each: sil HH AH0 sp D "" and sil AH1 D ""
    write_grid(Path("mfa/reader/one.TextGrid"), [["HH", "AH0"], ["D"]])
    write_grid(Path("mfa/reader/two.TextGrid"), [["AH1", "D"]])
    main([*prepared, "--textgrids", "mfa"])
    # in hundredths of a second; of one, the first five are cut
    assert Path("data/train/durations").read_text() == "one 15 10 10 10 15\ntwo 20 10 20\n"
    assert check_durations(Path("data/dev")) == [] and "durations fit in data/train" in capsys.readouterr().out
    Path("data/dev/durations").write_text("one 15 10 10 10 16\ntwo 20 10\n")
    with pytest.raises(
        SureError, match=r"(?s)data/dev.*one: durations sum to 61, but it has 60 frames.*two: 2 durations"
    ):
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
