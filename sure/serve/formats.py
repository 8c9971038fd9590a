"""Transcripts in the forms of OpenAI's audio API: json, text, srt, vtt, verbose_json."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sure.generation.transcript import Transcript
from sure.models.result import Result
from sure.text.subtitles import srt, vtt
from sure.text.timed_word import TimedWord

FORMS = ("json", "text", "srt", "vtt", "verbose_json")
PAUSE, LONGEST, LETTERS = 0.7, 7.0, 84  # seconds without a word that end a subtitle; its longest duration and text


@dataclass
class Transcribed:
    """seconds: of the recording. segments: start, end, text, further facts."""

    text: str
    seconds: float
    language: str | None = None
    segments: list[tuple[float, float, str, dict[str, Any]]] = field(default_factory=list)
    words: list[TimedWord] = field(default_factory=list)


def of_result(found: Result, seconds: float, language: str) -> Transcribed:
    """Segments are made of the words' times; without any, the recording is one segment."""
    lines = _lines(found.words)
    segments = [
        (line[0].start, line[-1].start + line[-1].duration, " ".join(one.word for one in line), {}) for line in lines
    ] or ([(0.0, seconds, found.line, {})] if found.line else [])
    return Transcribed(found.line, seconds, language, segments, found.words)


def of_transcript(found: Transcript, seconds: float) -> Transcribed:
    segments = []
    for one in found.segments:
        more = {"tokens": one.tokens, "temperature": one.hypothesis.temperature}
        more |= {"avg_logprob": one.hypothesis.log_probability, "no_speech_prob": one.hypothesis.no_speech}
        segments.append((min(one.start, one.end), one.end, one.text, more))
    words = [word for one in found.segments for word in one.words]
    return Transcribed(found.text, seconds, found.language, segments, words)


def body(found: Transcribed, form: str, task: str, granularities: Collection[str]) -> str | dict[str, Any]:
    """The answer in one of FORMS. task: transcribe or translate. granularities: segment, word; of verbose_json."""
    if form == "json":
        return {"text": found.text}
    if form == "text":
        return found.text + "\n"
    if form in ("srt", "vtt"):
        return {"srt": srt, "vtt": vtt}[form]([segment[:3] for segment in found.segments])
    shown = {"task": task, "language": found.language, "duration": round(found.seconds, 3), "text": found.text}
    if "word" in granularities:
        shown["words"] = [words_of(one) for one in found.words]
    if "segment" in granularities or "word" not in granularities:
        shown["segments"] = [
            {"id": number, "seek": 0, "start": round(start, 3), "end": round(end, 3), "text": text, **more}
            for number, (start, end, text, more) in enumerate(found.segments)
        ]
    return shown


def words_of(one: TimedWord) -> dict[str, Any]:
    """A word with its times in seconds."""
    end, probability = round(one.start + one.duration, 3), round(one.confidence, 4)
    return {"word": one.word, "start": round(one.start, 3), "end": end, "probability": probability}


def _lines(words: Sequence[TimedWord]) -> list[list[TimedWord]]:
    """Words in subtitles: a new one begins after a pause, or where the last one is full."""
    lines: list[list[TimedWord]] = []
    for word in words:
        if lines:
            last = lines[-1]
            pause = word.start - last[-1].start - last[-1].duration
            letters = sum(len(one.word) + 1 for one in last) + len(word.word)
            long = word.start + word.duration - last[0].start > LONGEST or letters > LETTERS
        if not lines or pause > PAUSE or long:
            lines.append([])
        lines[-1].append(word)
    return lines
