"""The recognition model: a frozen speech encoder, attached methods and a task head."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sure.backbones.base import Encoded, SpeechEncoder
from sure.data.augment import AugmentConfig, spec_augment
from sure.data.collate import Batch, Features
from sure.models.base import AdaptedModel
from sure.petl.attach import Attachment
from sure.tasks.alignment import TimedWord, align, timed
from sure.tasks.base import BaseTask
from sure.tasks.ctc import best_tokens


class SureModel(AdaptedModel):
    """A frozen speech encoder with methods attached and a task's head on top."""

    backbone: SpeechEncoder
    task: BaseTask

    def __init__(
        self,
        backbone: SpeechEncoder,
        attachment: Attachment,
        task: BaseTask,
        head: nn.Module,
        augment: AugmentConfig | None = None,
    ):
        super().__init__(backbone, attachment, task, head)
        self.augment = augment or AugmentConfig()

    def forward(self, batch: Batch | Features) -> Tensor:
        return self.losses(self.encode_batch(batch), batch.targets)

    @torch.no_grad()
    def judge(self, batch: Batch | Features) -> tuple[Tensor, list[str]]:
        encoded = self.encode_batch(batch)
        outputs = self.outputs(encoded).float()
        losses = self.task.loss(outputs, encoded.frames, batch.targets)
        return losses, self.task.decode(outputs, encoded.frames)

    def encode_batch(self, batch: Batch | Features) -> Encoded:
        """All taps of a batch, from its audio or on from where the prefix cache ends."""
        if isinstance(batch, Features):
            return self.encode_from(batch.taps, batch.lengths)
        return self.encode(batch.waves, batch.wave_lengths)

    def encode(self, waves: Tensor, lengths: Tensor) -> Encoded:
        """waves (batch, samples), lengths (batch,) samples, on the CPU."""
        return self.encode_from(self.backbone.begin(waves, lengths), self.backbone.frame_count(lengths))

    def encode_from(self, taps: list[Tensor | None], lengths: Tensor) -> Encoded:
        """Go on from cached taps; lengths (batch,) frames. In training SpecAugment acts on the first tap."""
        if self.training and self.augment.changes_features:
            taps = [*taps[:-1], spec_augment(taps[-1], lengths, self.augment, torch.default_generator)]
        return self.backbone.resume(taps, lengths)

    def outputs(self, encoded: Encoded) -> Tensor:
        """What the head makes of the readout: logits, batch first."""
        return self.head(self.attachment.readout(encoded.taps, encoded.frames), encoded.frames)

    def losses(self, encoded: Encoded, targets: Sequence[Tensor]) -> Tensor:
        """One loss an utterance (batch,), in float32."""
        return self.task.loss(self.outputs(encoded).float(), encoded.frames, targets)

    @torch.no_grad()
    def hypotheses(self, waves: Tensor, lengths: Tensor) -> list[str]:
        """Decoded lines for waves (batch, samples)."""
        encoded = self.encode(waves, lengths)
        return self.task.decode(self.outputs(encoded).float(), encoded.frames)

    @torch.no_grad()
    def log_probabilities(self, waves: Tensor, lengths: Tensor) -> list[Tensor]:
        """(frames, tokens) for each of the waves (batch, samples), on the CPU, of a task that is decoded by CTC."""
        encoded = self.encode(waves, lengths)
        return encoded.frames.split(self.outputs(encoded).float().log_softmax(-1).cpu())

    def timed_words(self, waves: Tensor, lengths: Tensor) -> list[list[TimedWord]]:
        """The words that greedy decoding finds in waves (batch, samples), with their times, of a task by CTC."""
        pieces, clock = self.task.tokenizer.pieces(), self.backbone.frame_clock()
        rows = self.log_probabilities(waves, lengths)
        return [timed(align(logs, best_tokens(logs.argmax(-1)), pieces), clock) for logs in rows]

    @torch.no_grad()
    def embeddings(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """(batch, dim), of a task that has them."""
        return self.task.embeddings(self.outputs(self.encode(waves, lengths)).float())
