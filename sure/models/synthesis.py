"""A synthesiser with methods attached: phones and a speaker to a mel spectrogram, and the losses of its training."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from sure.backbones.aligner import binarisation, forward_sum, match, monotonic_search
from sure.backbones.fastspeech2 import UNKNOWN, Controls, Family
from sure.backbones.variance import phone_means, spread
from sure.data.synthesis.dataset import SpokenBatch
from sure.errors import SureError
from sure.frames import Frames
from sure.models.base import AdaptedModel
from sure.petl.attach import Attachment
from sure.tasks.tts import Targets, Task

log = logging.getLogger(__name__)

BACKBONE = "backbone.safetensors"  # in an experiment's folder
DECIBEL = 20 / math.log(10)  # of a natural logarithm of magnitudes


@dataclass
class Speech:
    """What was made of one text: log mel (frames, mels); frames and F0 in Hz of each phone, (phones,). On the CPU."""

    mel: Tensor
    durations: Tensor
    pitch: Tensor


class SynthesisModel(AdaptedModel):
    """A frozen synthesiser with methods attached, and what is known of speakers as its head."""

    backbone: Family
    task: Task

    def __init__(self, backbone: Family, attachment: Attachment, task: Task, head: nn.Module):
        super().__init__(backbone, attachment, task, head)
        for method in attachment.methods:
            if method.reads_layers and not method.keeps_last:
                raise SureError(
                    f"petl ({method.config.name}): what it makes of all layers is not the last one at the start, and "
                    "what follows in a synthesiser was trained on the last one; it is for speech encoders"
                )
        self.known = {phone: number for number, phone in enumerate(backbone.shape.phones)}
        self._reported: set[str] = set()

    @property
    def finds_durations(self) -> bool:
        return self.task.config.durations == "learned"

    @property
    def trains_aligner(self) -> bool:
        """Otherwise the durations that it finds stay the same, and are found once."""
        return self.finds_durations and any(each.requires_grad for each in self.backbone.aligner.parameters())

    def numbers(self, phones: Sequence[str]) -> Tensor:
        """(phones,), by the backbone's own list. A symbol that it does not have is said once, and is unknown.

        Raises SureError where there is nothing that it has.
        """
        unknown = [phone for phone in phones if phone not in self.known]
        for phone in sorted(set(unknown) - self._reported):
            self._reported.add(phone)
            log.warning("the phone %r is unknown to the backbone, whose first training did not have it", phone)
        if len(unknown) == len(phones):
            raise SureError(f"nothing to say: of the phones {' '.join(phones)!r} the backbone has none")
        return torch.tensor([self.known.get(phone, UNKNOWN) for phone in phones])

    def voices(self, speakers: Tensor) -> Tensor:
        """(batch or 1, dim) of numbers (batch,) in the head's table, or external embeddings (batch, vector)."""
        if self.task.config.speaker == "vector":
            return self.backbone.voice(speakers)
        return self.backbone.voice(None) + self.head(speakers)

    def align(self, batch: SpokenBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Durations (batch, phones) that the aligner finds, on the CPU, and its losses, (batch,) each."""
        positions = Frames(batch.lengths, batch.phones.shape[1])
        frames = Frames(batch.frames, batch.mel.shape[1])
        mel = self.backbone.normal_mel(batch.mel)
        scores, spectra = self.backbone.align(batch.phones, positions, mel, batch.prior)
        durations = monotonic_search(scores, positions, frames)
        path = spread(durations.to(scores.device))
        losses = {
            "alignment": forward_sum(scores, positions, frames),
            "match": match(spectra, mel, path, frames),
            "binarisation": binarisation(scores, path, frames),
        }
        return durations, losses

    def forward(self, batch: SpokenBatch) -> Tensor:
        return self.task.total(self._measure(batch)[0], batch.progress)

    def _measure(self, batch: SpokenBatch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Losses and, for people, distances; (batch,) each. With true timing, pitch and energy."""
        backbone, durations, losses = self.backbone, batch.durations, {}
        if durations is None:
            durations, losses = self.align(batch)
            durations = durations.to(batch.phones.device)
        targets = Targets(
            backbone.normal_mel(batch.mel),
            durations,
            phone_means(backbone.normal_pitch(batch.log_pitch), durations),
            phone_means(backbone.normal_energy(batch.energy), durations),
        )
        voices = self.voices(batch.speakers)
        spoken = backbone(
            batch.phones,
            batch.lengths,
            voices,
            targets.durations,
            targets.pitch,
            targets.energy,
            readout=self.attachment.readout,
        )
        losses = {**self.task.losses(spoken, targets), **losses}
        with torch.no_grad():
            difference = (backbone.log_mel(spoken.refined.float()) - batch.mel).abs().mean(2)
            frames = (backbone.unlogged(spoken.log_durations) - durations).abs()
            semitones = (spoken.pitch.float() - targets.pitch).abs() * backbone.shape.pitch[1] * 12 / math.log(2)
        return losses, {
            "mel_db": DECIBEL * spoken.frames.mean(difference),
            "duration_frames": spoken.phones.mean(frames),
            "pitch_semitones": spoken.phones.mean(semitones),
        }

    @torch.no_grad()
    def judge(self, batch: SpokenBatch) -> tuple[Tensor, list[dict[str, float]]]:
        losses, distances = self._measure(batch)
        losses = {name: loss for name, loss in losses.items() if name != "binarisation"}
        columns = {**distances, **{f"{name}_loss": loss for name, loss in losses.items()}}
        rows = zip(*(column.tolist() for column in columns.values()), strict=True)
        return self.task.total(losses, 0.0), [dict(zip(columns, row, strict=True)) for row in rows]

    @torch.no_grad()
    def finish(self, best: dict[str, Tensor], folder: Path) -> None:
        """A pretraining leaves the whole backbone, for `backbone.weights`; the mean of its voices is the common one."""
        names = {name: name.removeprefix("backbone/full/") for name in best if name.startswith("backbone/full/")}
        if not names:
            return
        for name, own in names.items():
            self.backbone.get_parameter(own).copy_(best[name])
        if "head/table" in best:
            self.backbone.voice.common += best["head/table"].mean(0).to(self.backbone.voice.common)
        self.backbone.save(folder / BACKBONE)
        log.info("the trained backbone, for backbone.weights of other trainings: %s", folder / BACKBONE)

    @torch.no_grad()
    def speak(
        self, phones: Sequence[Sequence[str]], speakers: Tensor, controls: Controls | None = None
    ) -> list[Speech]:
        """What a speaker says of phones; speakers as of `voices`, one for each."""
        device = next(self.backbone.parameters()).device
        numbers = [self.numbers(each) for each in phones]
        lengths = torch.tensor([len(each) for each in numbers])
        spoken = self.backbone(
            pad_sequence(numbers, batch_first=True).to(device),
            lengths,
            self.voices(speakers.to(device)),
            controls=controls or Controls(),
            readout=self.attachment.readout,
        )
        mels = spoken.frames.split(self.backbone.log_mel(spoken.refined.float()).cpu())
        durations = spoken.phones.split(spoken.durations.cpu())
        pitch = spoken.phones.split(self.backbone.hertz(spoken.used_pitch).cpu())
        return [Speech(*each) for each in zip(mels, durations, pitch, strict=True)]
