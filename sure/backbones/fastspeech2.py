"""FastSpeech 2 (arXiv 2006.04558): phones to mel spectrograms, with pitch and energy predicted for each phone.

Differences from the paper: layers are pre-norm with rotary positions, and alignments are learned with the model
(sure/backbones/aligner.py) unless durations are given.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from sure.backbones.aligner import Aligner
from sure.backbones.base import Site
from sure.backbones.conformer import ConformerLayer
from sure.backbones.fastspeech2_parts import Postnet, Predictor, Variance, over_frames, spread
from sure.backbones.fastspeech2_shapes import SHAPES, Shape
from sure.backbones.layers import Attention, Layer, LayerNorm
from sure.backbones.own_format import Stored
from sure.backbones.positions import rotary_angles
from sure.backbones.recompute import layer_call
from sure.frames import Frames

PADDING, UNKNOWN = 0, 1  # phone numbers
LONGEST = 400  # frames of a phone; an untrained model may predict any number
# Feature settings that define the mel spectrogram; a model fits only the settings of its first training.
MEL_SETTINGS = ("sample_rate", "fft_size", "hop_size", "window_size", "mels", "mel_low_hz", "mel_high_hz", "mel_floor")


@dataclass(frozen=True)
class Controls:
    """Factors of speaking rate, fundamental frequency and energy."""

    speed: float = 1.0
    pitch: float = 1.0
    energy: float = 1.0


@dataclass
class Synthesis:
    """Output of the model; mels, pitch and energy are normalised.

    mel, refined: (batch, frames, mels) before and after the postnet.
    log_durations, pitch, energy: (batch, phones), predicted; log_durations are log(frames + 1).
    used_pitch: (batch, phones), as the decoder received it.
    durations: (batch, phones) in frames.
    phones, frames: the valid phones and the valid frames.
    """

    mel: Tensor
    refined: Tensor
    log_durations: Tensor
    pitch: Tensor
    energy: Tensor
    used_pitch: Tensor
    durations: Tensor
    phones: Frames
    frames: Frames


class Stack(nn.Module):
    """A sequence of layers with a norm at the end."""

    def __init__(self, shape: Shape, layers: int):
        super().__init__()
        dim, heads = shape.dim, shape.heads
        self.rotary = dim // heads // 2 * 2
        settings = {"norm_first": True, "kernels": shape.kernels, "dropout": shape.dropout}
        layer = Layer
        if shape.convolution_kernel:
            layer, settings["convolution_kernel"] = ConformerLayer, shape.convolution_kernel
        self.layer = nn.ModuleList(layer(Attention(dim, heads), dim, shape.ffn, **settings) for _ in range(layers))
        self.norm = LayerNorm(dim)

    def forward(self, hidden: Tensor, frames: Frames, recompute: bool = False) -> list[Tensor]:
        """hidden (batch, time, dim) -> taps: hidden and the output of each layer, the last one after the norm."""
        taps = [hidden]
        rotary = rotary_angles(hidden.shape[1], self.rotary, hidden.device)
        for layer in self.layer:
            taps.append(layer_call(layer, taps[-1], recompute)(taps[-1], frames, rotary=rotary))
        taps[-1] = self.norm(taps[-1])
        return taps


class Voice(nn.Module):
    """Vectors added to the encoder's output: one common to all speakers, one from an external speaker embedding."""

    def __init__(self, dim: int, speaker_vector: int):
        super().__init__()
        self.common = nn.Parameter(torch.zeros(dim))
        self.projection = nn.Linear(speaker_vector, dim) if speaker_vector else None

    def forward(self, vectors: Tensor | None = None) -> Tensor:
        """vectors (batch, speaker_vector) -> (batch or 1, dim)"""
        if vectors is None:
            return self.common[None]
        return self.common + self.projection(nn.functional.normalize(vectors, dim=1))


class Family(Stored):
    """Sites: those of the layers under `encoder.` and `decoder.`, and parts of the model that can be trained.

    Taps are those of the decoder, so that a readout works on frames.
    """

    shapes = SHAPES

    def __init__(self, shape: Shape, padding: str = "masked"):
        super().__init__()
        self.shape = shape
        self.dim = dim = shape.dim
        predictor = (dim, shape.predictor, shape.predictor_kernel, shape.predictor_dropout)
        self.phones = nn.Embedding(len(shape.phones), dim)
        self.encoder = Stack(shape, shape.encoder_layers)
        self.voice = Voice(dim, shape.speaker_vector)
        self.duration = Predictor(*predictor)
        self.pitch = Variance(*predictor)
        self.energy = Variance(*predictor)
        self.decoder = Stack(shape, shape.decoder_layers)
        self.mel = nn.Linear(dim, shape.mels)
        self.postnet = Postnet(
            shape.mels, shape.postnet, shape.postnet_layers, shape.postnet_kernel, shape.postnet_dropout
        )
        self.aligner = Aligner(dim, shape.mels, shape.aligner, shape.temperature) if shape.aligner else None

    @property
    def frame_rate(self) -> float:
        """Frames per second."""
        about = self.shape.acoustic
        return about["sample_rate"] / about["hop_size"] if about else 22050 / 256

    @property
    def layers(self) -> list[nn.Module]:
        return [*self.encoder.layer, *self.decoder.layer]

    def sites(self) -> list[Site]:
        found = [Site("voice", "part", self.dim, self.dim, None, self.voice)]
        found += self._stack_sites("encoder", 0)
        for name in ("duration", "pitch", "energy"):
            found.append(Site(f"variance.{name}", "part", self.dim, self.dim, None, getattr(self, name)))
        found += self._stack_sites("decoder", self.shape.encoder_layers)
        for number in range(self.shape.decoder_layers):
            found.append(Site(f"decoder.layer.{number}.output", "tap", self.dim, self.dim, number))
        found.append(Site("mel", "part", self.dim, self.shape.mels, None, self.mel))
        found.append(Site("postnet", "part", self.shape.mels, self.shape.mels, None, self.postnet))
        return found

    def _stack_sites(self, stack: str, below: int) -> Iterator[Site]:
        for number, layer in enumerate(getattr(self, stack).layer):
            yield from layer.sites(f"{stack}.layer.{number}", below + number)

    def drop_aligner(self) -> None:
        """Remove the aligner, for training with given durations."""
        self.aligner, self.shape = None, replace(self.shape, aligner=0)

    def encode(self, phones: Tensor, positions: Frames, voice: Tensor) -> Tensor:
        """phones (batch, phones) as numbers, voice (batch or 1, dim) -> (batch, phones, dim)"""
        return self.encoder(self.phones(phones), positions, self.recompute_layers)[-1] + voice[:, None]

    def align(self, phones: Tensor, positions: Frames, mel: Tensor, prior: Tensor) -> tuple[Tensor, Tensor]:
        """The `Aligner` on phones (batch, phones), as numbers, and mel (batch, frames, mels), normalised."""
        return self.aligner(self.phones(phones), positions, mel, prior)

    def forward(
        self,
        phones: Tensor,
        lengths: Tensor,
        voice: Tensor,
        durations: Tensor | None = None,
        pitch: Tensor | None = None,
        energy: Tensor | None = None,
        controls: Controls = Controls(),
        readout: Callable[[list[Tensor], Frames], Tensor] | None = None,
    ) -> Synthesis:
        """phones: (batch, phones), as numbers; lengths: phones of each utterance (batch,), on the CPU; voice: (batch or
        1, dim); durations: (batch, phones) in frames; pitch, energy: (batch, phones), normalised. Durations, pitch and
        energy that are not given are predicted and changed by `controls`.
        readout: from the decoder's taps to the input of the mel projection; the last tap by default.
        """
        positions = Frames(lengths, phones.shape[1])
        hidden = self.encode(phones, positions, voice)
        log_durations = self.duration(hidden, positions)
        predicted = self.pitch.predictor(hidden, positions), self.energy.predictor(hidden, positions)
        if durations is None:
            durations = self.frames_of(log_durations, positions, controls.speed)
        if pitch is None:
            pitch = predicted[0] + math.log(controls.pitch) / self.shape.pitch[1]
        if energy is None:
            mean, deviation = self.shape.energy  # as predictions are normalised
            energy = controls.energy * predicted[1] + (controls.energy - 1) * mean / deviation
        hidden = hidden + self.pitch.embed(pitch, positions) + self.energy.embed(energy, positions)
        path = spread(durations.cpu()).to(hidden.device, non_blocking=True)
        frames = Frames(durations.sum(1), path.shape[1])
        taps = self.decoder(over_frames(hidden, path), frames, self.recompute_layers)
        mel = self.mel(taps[-1] if readout is None else readout(taps, frames))
        refined = self.postnet(mel, frames)
        return Synthesis(mel, refined, log_durations, *predicted, pitch, durations, positions, frames)

    @staticmethod
    def frames_of(log_durations: Tensor, positions: Frames, speed: float) -> Tensor:
        """Predicted durations as whole frames (batch, phones), at least one frame for each utterance."""
        frames = torch.round(Family.unlogged(log_durations) / speed).clamp(0, LONGEST).long()
        frames = positions.fill(frames, 0)
        frames[:, 0] += frames.sum(1) == 0
        return frames

    @staticmethod
    def unlogged(log_durations: Tensor) -> Tensor:
        """Frames for a prediction, log(frames + 1)."""
        return log_durations.detach().float().exp() - 1

    def normal_pitch(self, log_hertz: Tensor) -> Tensor:
        """log F0, NaN where unvoiced -> normalised by the statistics of the first training set; 0 where unvoiced."""
        mean, deviation = self.shape.pitch
        return torch.nan_to_num((log_hertz - mean) / deviation)

    def hertz(self, pitch: Tensor) -> Tensor:
        """F0 in Hz for normalised pitch."""
        mean, deviation = self.shape.pitch
        return torch.exp(pitch * deviation + mean)

    def normal_energy(self, energy: Tensor) -> Tensor:
        mean, deviation = self.shape.energy
        return (energy - mean) / deviation

    def normal_mel(self, mel: Tensor) -> Tensor:
        """Log mels (batch, frames, mels) -> each bin normalised by the statistics of the first training set."""
        return (mel - mel.new_tensor(self.shape.mel_mean)) / mel.new_tensor(self.shape.mel_std)

    def log_mel(self, mel: Tensor) -> Tensor:
        """The inverse of `normal_mel`."""
        return mel * mel.new_tensor(self.shape.mel_std) + mel.new_tensor(self.shape.mel_mean)

    @classmethod
    def _random(cls, name: str, padding: str, seed: int, frozen: str, changes: dict[str, Any]) -> Family:
        backbone = super()._random(name, padding, seed, frozen, changes)
        with torch.no_grad():
            backbone.voice.common.zero_()
            backbone.phones.weight[[PADDING, UNKNOWN]] = 0
        digest = hashlib.sha256(json.dumps(changes, sort_keys=True).encode()).hexdigest()[:16]
        backbone.sha256 = f"random:fastspeech2_{name},{digest}:{seed}" if changes else backbone.sha256
        return backbone
