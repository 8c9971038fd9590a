"""Transcripts of recordings of any length: windows that the encoder can process, one after the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from sure import SAMPLE_RATE
from sure.backbones.encoder_decoder import EncoderDecoder
from sure.data.windows import cut_at_pauses
from sure.frames import Frames
from sure.generation.generate import generate
from sure.generation.hypothesis import Hypothesis
from sure.generation.language import detect_languages
from sure.generation.settings import GenerationConfig
from sure.generation.transcript import Segment, Transcript, split_at_timestamps
from sure.generation.word_times import word_times
from sure.text.recognizer_tokens import RecognizerTokens

LONGEST = 30 * SAMPLE_RATE  # samples of a window where the encoder has no limit
SHORTEST = SAMPLE_RATE  # samples by which a window with timestamps moves on at least


@dataclass
class Window:
    """Samples start to end of a recording."""

    recording: int
    start: int
    end: int


@torch.no_grad()
def transcribe(
    backbone: EncoderDecoder,
    waves: Sequence[Tensor],
    tokens: RecognizerTokens,
    settings: GenerationConfig,
    language: str | None = None,
    task: str = "transcribe",
    windows: int = 8,
    words: bool = False,
) -> list[Transcript]:
    """The transcript of each of the waves (samples,), at any length; with their segments if `settings.timestamps`.

    With timestamps, a window begins where the last complete segment of the one before it ended; otherwise recordings
    are cut at pauses, and a window is one segment. language: None finds it for each recording in its first window.
    windows: computed together. words: with the times of words. Raises SureError as RecognizerTokens.prompt.
    """
    limit = backbone.encoder.max_samples or LONGEST
    make = _WithTimestamps if settings.timestamps else _AtPauses
    plan = make(waves, limit, tokens)
    transcripts = [Transcript(language if tokens.languages else None) for _ in waves]
    while batch := plan.next(windows):
        memory, frames = _encode(backbone, [waves[one.recording][one.start : one.end] for one in batch])
        _find_languages(backbone, memory, frames, tokens, [transcripts[one.recording] for one in batch])
        prompts = [tokens.prompt(transcripts[one.recording].language, task, settings.timestamps) for one in batch]
        found = generate(backbone, memory, frames, torch.tensor(prompts), settings, tokens)
        segments = [list(plan.segments(window, one)) for window, one in zip(batch, found, strict=True)]
        if words:
            plain = torch.tensor([tokens.prompt(transcripts[one.recording].language, task) for one in batch])
            _add_words(backbone, memory, frames, plain, batch, segments, tokens)
        for window, made in zip(batch, segments, strict=True):
            transcripts[window.recording].segments += made
    for transcript in transcripts:
        transcript.segments.sort(key=lambda segment: segment.start)
    return transcripts


class _AtPauses:
    """All windows are known at first; batches have windows of similar length."""

    def __init__(self, waves: Sequence[Tensor], limit: int, tokens: RecognizerTokens):
        self.tokens = tokens
        parts = ((index, part) for index, wave in enumerate(waves) for part in cut_at_pauses(wave, limit))
        self.windows = [Window(index, part.start, part.stop) for index, part in parts]
        # the first windows of all recordings come first, since they decide on the languages
        self.windows.sort(key=lambda one: (one.start > 0, one.end - one.start))

    def next(self, count: int) -> list[Window]:
        first = self.windows[0].start == 0 if self.windows else False
        batch = [one for one in self.windows[:count] if (one.start == 0) == first]
        del self.windows[: len(batch)]
        return batch

    def segments(self, window: Window, hypotheses: Sequence[Hypothesis]) -> Iterator[Segment]:
        found = hypotheses[0]
        if text := self.tokens.decode(found.tokens):
            times = window.start / SAMPLE_RATE, window.end / SAMPLE_RATE
            others = [(self.tokens.decode(one.tokens), one.score) for one in hypotheses[1:]]
            yield Segment(*times, text, found.tokens, found, alternatives=others)


class _WithTimestamps:
    """One window of each recording at a time; its segments decide where the next one begins."""

    def __init__(self, waves: Sequence[Tensor], limit: int, tokens: RecognizerTokens):
        self.lengths, self.limit, self.tokens = [len(wave) for wave in waves], limit, tokens
        self.waiting = [Window(index, 0, min(limit, length)) for index, length in enumerate(self.lengths)]

    def next(self, count: int) -> list[Window]:
        batch, self.waiting = self.waiting[:count], self.waiting[count:]
        return batch

    def segments(self, window: Window, hypotheses: Sequence[Hypothesis]) -> Iterator[Segment]:
        found = hypotheses[0]
        begin, seconds = window.start / SAMPLE_RATE, (window.end - window.start) / SAMPLE_RATE
        segments, complete = split_at_timestamps(found.tokens, seconds, self.tokens)
        for start, end, ids in segments:
            if text := self.tokens.decode(ids):
                yield Segment(begin + start, begin + end, text, ids, found)
        start = min(window.end, window.start + max(SHORTEST, round(complete * SAMPLE_RATE)))
        end = self.lengths[window.recording]
        if end - start >= SHORTEST // 10 or start == 0:
            self.waiting.append(Window(window.recording, start, min(start + self.limit, end)))


def _encode(backbone: EncoderDecoder, waves: Sequence[Tensor]) -> tuple[Tensor, Frames]:
    """The encoder's output (batch, time, dim) for waves (samples,), and its frames."""
    device = next(backbone.parameters()).device
    lengths = torch.tensor([len(wave) for wave in waves])
    encoded = backbone.encode(pad_sequence(list(waves), batch_first=True).to(device), lengths)
    return encoded.last, encoded.frames


def _add_words(
    backbone: EncoderDecoder,
    memory: Tensor,
    frames: Frames,
    prompts: Tensor,
    batch: Sequence[Window],
    segments: Sequence[Sequence[Segment]],
    tokens: RecognizerTokens,
) -> None:
    """Set `words` of the segments of each window."""
    texts = [[token for segment in made for token in segment.tokens] for made in segments]
    seconds = [(one.end - one.start) / SAMPLE_RATE for one in batch]
    timed = word_times(backbone, memory, frames, prompts, texts, seconds, tokens)
    for window, made, words in zip(batch, segments, timed, strict=True):
        words = iter(words)
        for segment in made:
            own = islice(words, len(segment.text.split()))
            segment.words = [replace(word, start=word.start + window.start / SAMPLE_RATE) for word in own]


def _find_languages(
    backbone: EncoderDecoder, memory: Tensor, frames: Frames, tokens: RecognizerTokens, of: Sequence[Transcript]
) -> None:
    """Set the languages that are not known yet."""
    if not tokens.languages or all(one.language for one in of):
        return
    for transcript, (name, _) in zip(of, detect_languages(backbone, memory, frames, tokens), strict=True):
        transcript.language = transcript.language or name
