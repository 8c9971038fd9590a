"""The synthesis model: phones and a speaker to a mel spectrogram, and the training losses."""

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
from sure.backbones.fastspeech2_parts import phone_means, spread
from sure.config import Config
from sure.data.synthesis.dataset import SynthesisBatch
from sure.errors import SureError
from sure.frames import Frames
from sure.models.base import AdaptedModel
from sure.petl.attach import Attachment
from sure.tasks.tts import Targets, Task

log = logging.getLogger(__name__)

BACKBONE = "backbone.safetensors"  # file of an experiment folder
DECIBEL = 20 / math.log(10)  # decibels in a natural logarithm of a magnitude


@dataclass
class Speech:
    """One synthesised utterance: log mel (frames, mels); frames and F0 (Hz) of each phone, (phones,). On the CPU."""

    mel: Tensor
    durations: Tensor
    pitch: Tensor


class SynthesisModel(AdaptedModel):
    """A frozen synthesis backbone with attached methods; the head is the table of speakers."""

    backbone: Family
    task: Task

    abilities = ("synthesize",)

    def __init__(self, backbone: Family, attachment: Attachment, task: Task, head: nn.Module, config: Config):
        super().__init__(backbone, attachment, task, head, config)
        for method in attachment.methods:
            if method.reads_layers and not method.keeps_last:
                raise SureError(
                    f"petl ({method.config.name}): at the start its readout of all layers differs from the last "
                    "layer, on which the rest of a synthesis backbone was trained; use it with speech encoders"
                )
        self.known = {phone: number for number, phone in enumerate(backbone.shape.phones)}
        self._reported: set[str] = set()

    @property
    def finds_durations(self) -> bool:
        return self.task.config.durations == "learned"

    @property
    def trains_aligner(self) -> bool:
        """Whether the aligner changes in training. If not, its durations are computed once."""
        return self.finds_durations and any(each.requires_grad for each in self.backbone.aligner.parameters())

    def numbers(self, phones: Sequence[str]) -> Tensor:
        """Indices (phones,) in the backbone's list of phones. A phone outside the list is logged once, as unknown.

        Raises SureError where all phones are unknown.
        """
        unknown = [phone for phone in phones if phone not in self.known]
        for phone in sorted(set(unknown) - self._reported):
            self._reported.add(phone)
            log.warning("the phone %r is not in the backbone's list of phones; it is encoded as unknown", phone)
        if len(unknown) == len(phones):
            raise SureError(f"nothing to synthesise: the backbone has none of the phones {' '.join(phones)!r}")
        return torch.tensor([self.known.get(phone, UNKNOWN) for phone in phones])

    def voices(self, speakers: Tensor) -> Tensor:
        """Speaker vectors (batch or 1, dim).

        speakers: indices (batch,) in the head's table, or external embeddings (batch, vector).
        """
        if self.task.config.speaker == "vector":
            return self.backbone.voice(speakers)
        return self.backbone.voice(None) + self.head(speakers)

    def align(self, batch: SynthesisBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Durations (batch, phones) of the aligner, in frames, on the CPU; and its losses, (batch,) each."""
        positions = Frames(batch.lengths, batch.phones.shape[1])
        frames = Frames(batch.frames, batch.mel.shape[1])
        mel = self.backbone.normal_mel(batch.mel)
        scores, spectra = self.backbone.align(batch.phones, positions, mel, batch.prior)
        durations = monotonic_search(scores, positions, frames)
        path = spread(durations).to(scores.device, non_blocking=True)
        losses = {
            "alignment": forward_sum(scores, positions, frames),
            "match": match(spectra, mel, path, frames),
            "binarisation": binarisation(scores, path, frames),
        }
        return durations, losses

    def forward(self, batch: SynthesisBatch) -> Tensor:
        return self.task.total(self._measure(batch)[0], batch.progress)

    def _measure(self, batch: SynthesisBatch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Losses, and distances in readable units, (batch,) each; with the reference durations, pitch and energy."""
        backbone, durations, losses = self.backbone, batch.durations, {}
        if durations is None:
            durations, losses = self.align(batch)
        pitch = phone_means(backbone.normal_pitch(batch.log_pitch), durations)
        energy = phone_means(backbone.normal_energy(batch.energy), durations)
        voices, readout = self.voices(batch.speakers), self.attachment.readout
        synthesis = backbone(batch.phones, batch.lengths, voices, durations, pitch, energy, readout=readout)
        targets = Targets(backbone.normal_mel(batch.mel), durations, pitch, energy)
        losses = {**self.task.losses(synthesis, targets), **losses}
        with torch.no_grad():
            difference = (backbone.log_mel(synthesis.refined.float()) - batch.mel).abs().mean(2)
            frames = (backbone.unlogged(synthesis.log_durations) - durations).abs()
            semitones = (synthesis.pitch.float() - pitch).abs() * backbone.shape.pitch[1] * 12 / math.log(2)
        return losses, {
            "mel_db": DECIBEL * synthesis.frames.mean(difference),
            "duration_frames": synthesis.phones.mean(frames),
            "pitch_semitones": synthesis.phones.mean(semitones),
        }

    @torch.no_grad()
    def evaluate_batch(self, batch: SynthesisBatch) -> tuple[Tensor, list[dict[str, float]]]:
        losses, distances = self._measure(batch)
        losses = {name: loss for name, loss in losses.items() if name != "binarisation"}
        columns = {**distances, **{f"{name}_loss": loss for name, loss in losses.items()}}
        rows = zip(*(column.tolist() for column in columns.values()), strict=True)
        return self.task.total(losses, 0.0), [dict(zip(columns, row, strict=True)) for row in rows]

    @torch.no_grad()
    def finish(self, best: dict[str, Tensor], folder: Path) -> None:
        """Save the backbone of a pretraining (`petl.name=full`), for `backbone.weights` of other trainings.

        The mean of the speakers' vectors is added to its common voice.
        """
        names = {name: name.removeprefix("backbone/full/") for name in best if name.startswith("backbone/full/")}
        if not names:
            return
        for name, own in names.items():
            self.backbone.get_parameter(own).copy_(best[name])
        if "head/table" in best:
            self.backbone.voice.common += best["head/table"].mean(0).to(self.backbone.voice.common)
        self.backbone.save(folder / BACKBONE)
        log.info("saved the trained backbone, for backbone.weights of other trainings: %s", folder / BACKBONE)

    @torch.no_grad()
    def synthesize(
        self, phones: Sequence[Sequence[str]], speakers: Tensor, controls: Controls | None = None
    ) -> list[Speech]:
        """Synthesise one utterance for each sequence of phones; speakers: as for `voices`, one for each utterance."""
        device = next(self.backbone.parameters()).device
        numbers = pad_sequence([self.numbers(each) for each in phones], batch_first=True).to(device)
        lengths = torch.tensor([len(each) for each in phones])
        voices, readout = self.voices(speakers.to(device)), self.attachment.readout
        synthesis = self.backbone(numbers, lengths, voices, controls=controls or Controls(), readout=readout)
        mels = synthesis.frames.split(self.backbone.log_mel(synthesis.refined.float()).cpu())
        durations = synthesis.phones.split(synthesis.durations.cpu())
        pitch = synthesis.phones.split(self.backbone.hertz(synthesis.used_pitch).cpu())
        return [Speech(*each) for each in zip(mels, durations, pitch, strict=True)]
