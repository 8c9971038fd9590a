"""Subtitles in the formats SubRip (srt) and WebVTT (vtt)."""

from collections.abc import Iterable

Line = tuple[float, float, str]  # start and end in seconds, text


def srt(lines: Iterable[Line]) -> str:
    """Numbered blocks: `00:00:01,000 --> 00:00:02,500` and the text."""
    blocks = (f"{number}\n{_span(start, end, ',')}\n{text}\n" for number, (start, end, text) in enumerate(lines, 1))
    return "\n".join(blocks)


def vtt(lines: Iterable[Line]) -> str:
    """The line WEBVTT, then blocks: `00:00:01.000 --> 00:00:02.500` and the text."""
    return "\n".join(["WEBVTT\n", *(f"{_span(start, end, '.')}\n{_escaped(text)}\n" for start, end, text in lines)])


def _span(start: float, end: float, point: str) -> str:
    return f"{_clock(start, point)} --> {_clock(max(start, end), point)}"


def _clock(seconds: float, point: str) -> str:
    whole, thousandths = divmod(round(1000 * seconds), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{point}{thousandths:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
