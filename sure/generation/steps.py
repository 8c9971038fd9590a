"""One step of a decoder with its cache, for greedy and beam search."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from torch import Tensor

from sure.backbones.encoder_decoder import EncoderDecoder
from sure.frames import Frames

Within = Callable[[Sequence[int]], AbstractContextManager]  # a context for computing with some of the utterances


class Steps:
    """A decoder at a position of its texts. Rows are texts; each utterance has the same number of them, in order.

    no_speech: id of the token for no speech, whose probability is to be kept.
    memory (utterances, time, dim) and its frames: the encoder's output.
    utterances, within: their numbers, and the context in which each step with those that are left is computed.
    """

    def __init__(
        self,
        backbone: EncoderDecoder,
        memory: Tensor,
        frames: Frames,
        no_speech: int | None = None,
        utterances: Sequence[int] = (),
        within: Within | None = None,
    ):
        self.backbone, self.memory, self.frames = backbone, memory, frames
        self.utterances, self.within = list(utterances), within
        self.cache = backbone.new_cache()
        self.rows = 0  # texts that the cache has
        self.no_speech = no_speech
        self.no_speech_probabilities: list[float | None] = [None] * len(memory)

    def logits(self, tokens: Tensor) -> Tensor:
        """Read tokens (rows, n); returns float32 logits (rows, vocabulary) of the next token."""
        with self.within(self.utterances) if self.within else nullcontext():
            hidden = self.backbone.decode(tokens, self.memory, self.frames, self.cache)
        if self.no_speech is not None and not self.rows:  # Whisper predicts it after the start of the transcript
            first = self.backbone.logits(hidden[:, :1])[:, 0].float()
            self.no_speech_probabilities = first.softmax(1)[:, self.no_speech].tolist()
        self.rows = len(tokens)
        return self.backbone.logits(hidden[:, -1:])[:, 0].float()

    def select(self, rows: Tensor) -> None:
        """Continue with these rows (new rows,) of the texts, in this order; a row may occur several times."""
        if rows.tolist() != list(range(self.rows)):
            self.cache.select(rows)

    def keep(self, utterances: Tensor) -> None:
        """Continue with these utterances (fewer,), in this order; `select` selects their texts."""
        self.cache.keep(utterances)
        if self.within:
            self.utterances = [self.utterances[number] for number in utterances.tolist()]
        self.memory = self.memory[utterances]
        self.frames = Frames(self.frames.lengths[utterances.cpu()], self.frames.time)
