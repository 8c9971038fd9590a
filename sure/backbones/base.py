"""What every backbone offers: named sites; of speech encoders, frames for samples and a pass that starts anywhere."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import torch
from torch import Tensor, nn

from sure import SAMPLE_RATE
from sure.errors import SureError
from sure.frames import Frames


class Slot(nn.Module):
    """A place in a layer where attached modules sit, in the order of attaching; empty it changes nothing.

    Every attached module is called as `module(input, output, frames)` and returns the new output:
    `input` (batch, time, width_in) is what the host received, `output` (batch, time, width_out) what it made
    of it, `frames` says which of the output's frames are padding.
    """

    def __init__(self) -> None:
        super().__init__()
        self.attached = nn.ModuleDict()

    def forward(self, input: Tensor, output: Tensor, frames: Frames) -> Tensor:
        for module in self.attached.values():
            output = module(input, output, frames)
        return output


class AttentionSlot(nn.Module):
    """The place around one attention where a prefix sits; at most one.

    It is called as `module(queries, keys, values, attend)`, each (batch, time, dim) with heads side by side,
    and returns the context (batch, time, dim). `attend(queries, keys, values, masked=True)` is the host's own
    attention. Keys beyond the input's time stand in front of it: they are never masked and have no position,
    so no bias and no rotation. With `masked=False` all keys are such keys.
    """

    def __init__(self) -> None:
        super().__init__()
        self.attached = nn.ModuleDict()

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, attend: Callable[..., Tensor]) -> Tensor:
        for module in self.attached.values():
            return module(queries, keys, values, attend)
        return attend(queries, keys, values)


@dataclass(frozen=True)
class Site:
    """One named place of a backbone, e.g. `layer.3.attn.q`.

    kind: linear, activation, residual, sublayer, attention, norm, convolution, part or tap (read-only).
    layer: index of the transformer layer over all stacks, None outside them; of a tap its number among the taps.
    host: the module whose own parameters the site stands for (the linear map, the norm, the attention, the
        convolution block, the part; of an activation the map that reads it); None for residual, sublayer and tap.
    slot: where built modules are put; None for parts and taps.
    """

    name: str
    kind: str
    width_in: int
    width_out: int
    layer: int | None = None
    host: nn.Module | None = field(default=None, repr=False, compare=False)
    slot: Slot | AttentionSlot | None = field(default=None, repr=False, compare=False)


@dataclass
class Encoded:
    """What a speech encoder returns.

    taps: layer_count + 1 tensors (batch, time, dim): the input of the first layer, then each layer's output,
        the last one behind the backbone's final norm where it has one. After `resume` those below its start
        are what it was given, or None.
    frames: of the utterances; those of the taps' time that are padding.
    """

    taps: list[Tensor]
    frames: Frames

    @property
    def lengths(self) -> Tensor:
        """Frames of each utterance (batch,), on the CPU."""
        return self.frames.lengths

    @property
    def last(self) -> Tensor:
        return self.taps[-1]


class Backbone(nn.Module, ABC):
    """A network with named sites that methods attach to; a family's file defines `class Family`, one of these."""

    fixed_parameters: tuple[str, ...] = ()  # names of those that no method trains
    layers: Sequence[nn.Module]  # each with .sites(prefix, index); those of all stacks, in the order of computation
    dim: int
    sha256: str = ""  # of the weights file; for random weights `random:<family>_<shape>:<seed>`

    @classmethod
    @abstractmethod
    def from_weights(cls, weights: str, group_norm: str = "masked", seed: int = 0, **shape: object) -> Backbone:
        """The backbone with the weights of a file, folder or bundle, or `random` or `random:<shape>` ones.

        group_norm: `masked` (padding is left out) or `as_trained` (it is heard where the original hears it: in
            group norms, data2vec's positions and Whisper's 30 s).
        seed, shape: of random weights; `shape` changes single sizes of the named shape.
        Raises SureError when the weights do not fit, naming the first keys that differ.
        """

    @abstractmethod
    def sites(self) -> list[Site]:
        """All places, in the order of computation."""

    def convolution_sites(self) -> Iterator[Site]:
        """The `conv.N` sites of a convolutional front end."""
        return iter(())


class SpeechEncoder(Backbone):
    """From waveforms to frames: a front end, then one stack of layers, each `layer(hidden, frames, **context)`."""

    sample_rate = SAMPLE_RATE
    normalize_waveform = False  # zero mean, unit variance per utterance, over valid samples only
    max_samples: int | None = None  # of an utterance that it can hear; None: any number
    layers: nn.ModuleList

    @abstractmethod
    def frame_count(self, samples: Tensor) -> Tensor:
        """Frames (batch,) for sample counts (batch,); at least 0."""

    @abstractmethod
    def front(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """Input of layer 0 (batch, time, dim), at least one frame, for waves (batch, samples).

        lengths: (batch,) valid samples, on the CPU.
        """

    @abstractmethod
    def convolution_sites(self) -> Iterator[Site]: ...

    @cached_property
    def min_seconds(self) -> float:
        """Duration of the shortest utterance that has a frame."""
        return int(torch.searchsorted(self.frame_count(torch.arange(self.sample_rate)), 1)) / self.sample_rate

    @property
    def max_seconds(self) -> float:
        """Duration of the longest utterance that the encoder processes."""
        return math.inf if self.max_samples is None else self.max_samples / self.sample_rate

    def frame_clock(self) -> tuple[float, float]:
        """Seconds from one frame to the next, and from the beginning of an utterance to that of its first frame.

        A frame sees more than a step of the waveform; it is taken to be the step in the middle of what it sees.
        """
        counts = self.frame_count(torch.arange(self.sample_rate))
        first, second, third = (int(torch.searchsorted(counts, number)) for number in (1, 2, 3))
        step = third - second
        return step / self.sample_rate, max(0, first - step) / 2 / self.sample_rate

    def context(self, hidden: Tensor, frames: Frames) -> dict[str, object]:
        """What all layers share for one input: position bias, rotary angles; nothing by default."""
        return {}

    def finish(self, hidden: Tensor) -> Tensor:
        """The norm after the last layer, in families that have one."""
        return hidden

    def sites(self) -> list[Site]:
        found = list(self.convolution_sites())
        for index, layer in enumerate(self.layers):
            found.extend(layer.sites(f"layer.{index}", index))
            found.append(Site(f"layer.{index}.output", "tap", self.dim, self.dim, index))
        return found

    def forward(self, waves: Tensor, lengths: Tensor) -> Encoded:
        """waves (batch, samples) float32 in [-1, 1], zero padded; lengths (batch,) samples, on the CPU."""
        return self.resume(self.begin(waves, lengths), self.frame_count(lengths))

    def begin(self, waves: Tensor, lengths: Tensor) -> list[Tensor]:
        """The first tap, [(batch, time, dim)]; `resume` goes on from it."""
        if self.normalize_waveform:
            waves = normalize_waves(waves, Frames(lengths, waves.shape[1]))
        return [self.front(waves, lengths)]

    def resume(self, taps: list[Tensor | None], lengths: Tensor, stop: int | None = None) -> Encoded:
        """Run the layers above the taps that are there; `taps[-1]` is the input of layer `len(taps) - 1`.

        Exact: every layer sees the same numbers as in a whole pass.
        lengths: (batch,) frames, on the CPU. stop: the number of the last tap wanted, all by default.
        """
        taps = list(taps)
        start, stop = len(taps) - 1, len(self.layers) if stop is None else stop
        hidden = taps[-1]
        frames = Frames(lengths, hidden.shape[1])
        if start == stop:
            return Encoded(taps, frames)
        context = self.context(hidden, frames)
        for index in range(start, stop):
            hidden = self.layers[index](hidden, frames, **context)
            taps.append(hidden)
        if stop == len(self.layers):
            taps[-1] = self.finish(taps[-1])
        return Encoded(taps, frames)


def normalize_waves(waves: Tensor, frames: Frames, eps: float = 1e-5) -> Tensor:
    """Zero mean, unit variance over each utterance's valid samples; padding is zero. waves: (batch, samples)"""
    if frames.full:
        return nn.functional.layer_norm(waves, waves.shape[-1:], eps=eps)
    waves = waves - frames.mean(waves)[:, None]
    return frames.fill(waves * torch.rsqrt(frames.mean(waves**2) + eps)[:, None])


def check_keys(wanted: set[str], found: set[str], what: str) -> None:
    """Raise SureError naming up to five keys of each side that the other lacks."""
    missing, extra = sorted(wanted - found), sorted(found - wanted)
    if missing or extra:
        raise SureError(
            f"{what}: weights do not fit: {len(missing)} missing ({', '.join(missing[:5])}), "
            f"{len(extra)} unexpected ({', '.join(extra[:5])})"
        )
