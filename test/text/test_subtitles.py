"""Subtitles have the times and texts of their lines."""

from sure.text.subtitles import srt, vtt

LINES = [(0.0, 1.5, "Good day."), (3599.9996, 3661.25, "1 < 2 & 3")]


def test_srt():
    assert srt(LINES) == (
        "1\n00:00:00,000 --> 00:00:01,500\nGood day.\n\n2\n01:00:00,000 --> 01:01:01,250\n1 < 2 & 3\n"
    )


def test_vtt():
    assert vtt(LINES) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nGood day.\n\n01:00:00.000 --> 01:01:01.250\n1 &lt; 2 &amp; 3\n"
    )
