"""The recognition model: a frozen speech encoder with attached methods and a task head."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from sure.backbones.base import Encoded, SpeechEncoder
from sure.config import Config
from sure.data.augment import spec_augment
from sure.data.collate import Batch, Features
from sure.models.base import AdaptedModel
from sure.models.result import Result
from sure.petl.attach import Attachment
from sure.tasks.alignment import TimedWord, align
from sure.tasks.base import BaseTask
from sure.tasks.ctc import best_tokens


class RecognitionModel(AdaptedModel):
    """A frozen speech encoder with attached methods and a task head."""

    backbone: SpeechEncoder
    task: BaseTask

    def __init__(
        self, backbone: SpeechEncoder, attachment: Attachment, task: BaseTask, head: nn.Module, config: Config
    ):
        super().__init__(backbone, attachment, task, head, config)
        self.augment = config.augment
        self.taps_depend_on_padding = config.backbone.padding == "as_trained"  # so they cannot be cached

    @property
    def abilities(self) -> tuple[str, ...]:
        return ("predict", *self.task.abilities)

    @property
    def encoder(self) -> SpeechEncoder:
        return self.backbone

    def frame_count(self, samples: Tensor) -> Tensor:
        """Frames (batch,) of the taps of utterances with `samples` (batch,)."""
        return self.backbone.frame_count(samples)

    def forward(self, batch: Batch | Features) -> Tensor:
        return self.losses(self.encode_batch(batch), batch.targets)

    def losses(self, encoded: Encoded, targets: Sequence[Tensor]) -> Tensor:
        """One loss an utterance, (batch,) float32."""
        return self.task.loss(self.outputs(encoded), encoded.frames, targets)

    @torch.no_grad()
    def evaluate_batch(self, batch: Batch | Features) -> tuple[Tensor, list[str]]:
        """Losses (batch,) and decoded lines, both of the same outputs."""
        encoded = self.encode_batch(batch)
        outputs = self.outputs(encoded)
        return self.task.loss(outputs, encoded.frames, batch.targets), self.task.decode(outputs, encoded.frames)

    def encode_batch(self, batch: Batch | Features) -> Encoded:
        """All taps of a batch, from its audio or from the taps of the prefix cache."""
        if isinstance(batch, Features):
            return self.encode_from(batch.taps, batch.lengths)
        return self.encode(batch.waves, batch.wave_lengths)

    def encode(self, waves: Tensor, lengths: Tensor) -> Encoded:
        """waves (batch, samples), lengths (batch,) in samples, on the CPU."""
        return self.encode_from(self.backbone.begin(waves, lengths), self.backbone.frame_count(lengths))

    def encode_from(self, taps: list[Tensor | None], lengths: Tensor) -> Encoded:
        """Continue from the last of `taps`; lengths (batch,) in frames. In training SpecAugment masks the first tap."""
        if self.training and self.augment.changes_features:
            taps = [*taps[:-1], spec_augment(taps[-1], lengths, self.augment, torch.default_generator)]
        return self.backbone.resume(taps, lengths)

    def outputs(self, encoded: Encoded) -> Tensor:
        """Output of the head on the readout of all taps, such as logits (batch, frames, tokens); float32."""
        return self.head(self.attachment.readout(encoded.taps, encoded.frames), encoded.frames).float()

    @torch.no_grad()
    def hypotheses(self, waves: Tensor, lengths: Tensor) -> list[str]:
        """Decoded lines for waves (batch, samples)."""
        encoded = self.encode(waves, lengths)
        return self.task.decode(self.outputs(encoded), encoded.frames)

    @torch.no_grad()
    def log_probabilities(self, waves: Tensor, lengths: Tensor) -> list[Tensor]:
        """Log probabilities (frames, tokens) for each of the waves (batch, samples), on the CPU; for CTC tasks."""
        encoded = self.encode(waves, lengths)
        return encoded.frames.split(self.outputs(encoded).log_softmax(-1).cpu())

    @torch.no_grad()
    def results(self, encoded: Encoded, details: bool = True) -> list[Result]:
        """All that the task offers, for each utterance; without `details` the lines alone."""
        outputs, frames, task = self.outputs(encoded), encoded.frames, self.task
        found = [Result(line) for line in task.decode(outputs, frames)]
        if not details:
            return found
        if "timings" in task.abilities:
            words = self._timed_words(frames.split(outputs.log_softmax(-1).cpu()))
            found = [replace(one, words=each) for one, each in zip(found, words, strict=True)]
        if "embed" in task.abilities:
            rows = task.embeddings(outputs).cpu()
            found = [replace(one, embedding=row) for one, row in zip(found, rows, strict=True)]
        scores = task.probabilities(outputs)
        return [replace(one, scores=each) for one, each in zip(found, scores, strict=True)] if scores else found

    def timed_words(self, waves: Tensor, lengths: Tensor) -> list[list[TimedWord]]:
        """Words of greedy decoding with their times, for each of the waves (batch, samples); for CTC tasks."""
        return self._timed_words(self.log_probabilities(waves, lengths))

    def _timed_words(self, rows: Sequence[Tensor]) -> list[list[TimedWord]]:
        """rows: log probabilities of each utterance (frames, tokens), on the CPU."""
        pieces, clock = self.task.tokenizer.pieces(), self.backbone.frame_clock()
        return [align(logs, best_tokens(logs.argmax(-1)), pieces, clock) for logs in rows]

    @torch.no_grad()
    def embeddings(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """Embeddings (batch, dim) of waves (batch, samples); for tasks with embeddings."""
        return self.task.embeddings(self.outputs(self.encode(waves, lengths)))
