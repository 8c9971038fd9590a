"""Base classes of backbones and speech encoders; sites and slots, the named places for methods."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

import torch
from torch import Tensor, nn

from sure import SAMPLE_RATE
from sure.backbones.recompute import layer_call
from sure.errors import SureError
from sure.frames import Frames


class Slot(nn.Module):
    """A place in a layer for attached modules, called in the order of attaching; an empty slot changes nothing.

    Every attached module is called as `module(input, output, frames)` and returns the new output: `input`
    (batch, time, width_in) and `output` (batch, time, width_out) are those of the host, `frames` the valid frames of
    the output.
    """

    def __init__(self) -> None:
        super().__init__()
        self.attached = nn.ModuleDict()

    def forward(self, input: Tensor, output: Tensor, frames: Frames, skip: int = 0) -> Tensor:
        """skip: number of the first modules whose change `output` already has."""
        for module in islice(self.attached.values(), skip, None):
            output = module(input, output, frames)
        return output


class AttentionSlot(Slot):
    """The place for a prefix at one attention; it holds at most one module.

    The module is called as `module(queries, keys, values, attend)`, with tensors (batch, time, dim) of all heads, and
    returns the context (batch, time, dim). `attend(queries, keys, values, masked=True, rows=None)` is the host's own
    attention; with `rows`, a slice of the batch, the three have these rows only.
    Additional keys come before those of the input: they are never masked and have no position, so neither bias nor
    rotation. With `masked=False` all keys are additional keys.
    """

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, attend: Callable[..., Tensor]) -> Tensor:
        for module in self.attached.values():
            return module(queries, keys, values, attend)
        return attend(queries, keys, values)


@dataclass(frozen=True)
class Site:
    """One named place of a backbone, e.g. `layer.3.attn.q`.

    kind: linear, activation, residual, sublayer, attention, norm, convolution, part or tap (read-only).
    layer: index of the transformer layer, counted over all stacks, None outside layers; for a tap the layer whose
        output it is.
    host: the module at the site (linear map, norm, attention, convolution block, part; for an activation the linear
        map that reads it); None for residual, sublayer and tap.
    slot: holds the modules of methods; None for parts and taps.
    causal: in a decoder, whose tokens must not depend on later ones.
    """

    name: str
    kind: str
    width_in: int
    width_out: int
    layer: int | None = None
    host: nn.Module | None = field(default=None, repr=False, compare=False)
    slot: Slot | None = field(default=None, repr=False, compare=False)
    causal: bool = False


def empty_slots(backbone: Backbone) -> None:
    """Remove all attached modules from a backbone."""
    for site in backbone.sites():
        if site.slot is not None:
            site.slot.attached.clear()


@dataclass
class Encoded:
    """Output of a speech encoder.

    taps: layer_count + 1 tensors (batch, time, dim): the input of the first layer, then the output of each layer; the
        last output after the final norm of the backbone, if it has one. After `resume`, the taps below its start are
        those that it received, or None.
    frames: the valid frames of the taps.
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
    """A network with named sites for methods; the file of each family defines such a class, `Family`."""

    fixed_parameters: tuple[str, ...] = ()  # names of parameters that no method trains
    layers: Sequence[nn.Module]  # of all stacks, in the order of computation, each with .sites(prefix, index)
    dim: int
    recompute_layers = False  # in the backward pass, instead of storing their activations
    sha256: str = ""  # digest of the weights file; for random weights `random:<family>_<shape>:<seed>`

    @classmethod
    @abstractmethod
    def from_weights(
        cls, weights: str, padding: str = "masked", seed: int = 0, frozen: str = "fp32", **shape: object
    ) -> Backbone:
        """Build the backbone with weights from a file, folder or torchaudio bundle, or random: `random[:<shape>]`.

        padding: `masked` leaves padding out; `as_trained` computes with padding where the original does: in group
            norms, in the position convolutions of data2vec, and in the 30 s of Whisper.
        seed, shape: for random weights; `shape` changes single sizes of the named shape.
        frozen: number format of the linear maps of layers: fp32, or one of quantised.py, in which they never train.
        Raises SureError if the weights do not fit; it names the first keys that differ.
        """

    @classmethod
    def skeleton(cls, weights: str, padding: str = "masked", **shape: object) -> Backbone:
        """The backbone that `from_weights` returns, on the device `meta`: all shapes, no values, no memory."""
        raise SureError(f"{cls.__module__.rsplit('.', 1)[-1]} has no skeleton, so that train.memory cannot be used")

    @classmethod
    def check_weights(cls, weights: str) -> None:
        """Raises SureError where `from_weights` cannot find the weights, without reading them. Default: no check."""

    @classmethod
    def outline(cls, weights: str) -> Backbone | None:
        """As `skeleton`, without reading tensors: of weights that an earlier stage makes, with the largest known shape.

        None, the default, for a family whose shapes are unknown before.
        """
        return None

    @abstractmethod
    def sites(self) -> list[Site]:
        """All sites, in the order of computation."""

    def convolution_sites(self) -> Iterator[Site]:
        """The `conv.N` sites of a convolutional front end."""
        return iter(())

    def fixed_taps(self, parameters: Sequence[str]) -> int:
        """Number of taps, from the first, that do not depend on these parameters, by name. Default: none."""
        return 0


class SpeechEncoder(Backbone):
    """Waveforms to frames: a front end, then one stack of layers, each called `layer(hidden, frames, **context)`."""

    sample_rate = SAMPLE_RATE
    whole = False  # computes the same number of frames for utterances of any length
    normalize_waveform = False  # to zero mean and unit variance over the samples of each utterance
    max_samples: int | None = None  # of one utterance; None: no limit
    convolutions: nn.Module  # a ConvolutionStack from waveform or spectrogram to frames
    layers: nn.ModuleList
    norm: nn.Module  # after the last layer

    def frame_count(self, samples: Tensor) -> Tensor:
        """Number of samples (batch,) -> number of frames (batch,), at least 0."""
        return self.convolutions.frame_count(samples)

    @abstractmethod
    def front(self, waves: Tensor, lengths: Tensor) -> Tensor:
        """waves (batch, samples) -> input of layer 0 (batch, time, dim), at least one frame.

        lengths: samples of each utterance (batch,), on the CPU.
        """

    def convolution_sites(self) -> Iterator[Site]:
        return self.convolutions.sites()

    @cached_property
    def min_seconds(self) -> float:
        """Duration of the shortest utterance that has a frame."""
        return int(torch.searchsorted(self.frame_count(torch.arange(self.sample_rate)), 1)) / self.sample_rate

    @property
    def max_seconds(self) -> float:
        """Duration of the longest utterance that the encoder processes."""
        return math.inf if self.max_samples is None else self.max_samples / self.sample_rate

    def frame_clock(self) -> tuple[float, float]:
        """Seconds between the starts of two frames, and from the start of the utterance to that of its first frame.

        The receptive field of a frame is longer than one step; the frame stands for the step in its middle.
        """
        counts = self.frame_count(torch.arange(self.sample_rate))
        first, second, third = (int(torch.searchsorted(counts, number)) for number in (1, 2, 3))
        step = third - second
        return step / self.sample_rate, max(0, first - step) / 2 / self.sample_rate

    def context(self, hidden: Tensor, frames: Frames) -> dict[str, object]:
        """Keyword arguments for all layers, such as a position bias or rotary angles; none by default."""
        return {}

    def finish(self, hidden: Tensor) -> Tensor:
        """The norm after the last layer."""
        return self.norm(hidden)

    def sites(self) -> list[Site]:
        found = list(self.convolution_sites())
        for index, layer in enumerate(self.layers):
            found.extend(layer.sites(f"layer.{index}", index))
            found.append(Site(f"layer.{index}.output", "tap", self.dim, self.dim, index))
        return found

    def forward(self, waves: Tensor, lengths: Tensor) -> Encoded:
        """waves (batch, samples) float32 in [-1, 1], zero padded; lengths: samples (batch,), on the CPU."""
        return self.resume(self.begin(waves, lengths), self.frame_count(lengths))

    def begin(self, waves: Tensor, lengths: Tensor) -> list[Tensor]:
        """The first tap, [(batch, time, dim)], from which `resume` continues. Arguments as `forward`."""
        if self.normalize_waveform:
            waves = normalize_waves(waves, Frames(lengths, waves.shape[1]))
        return [self.front(waves, lengths)]

    def resume(self, taps: list[Tensor | None], lengths: Tensor, stop: int | None = None) -> Encoded:
        """Run the remaining layers; `taps[-1]` is the input of layer `len(taps) - 1`.

        Every layer receives exactly the numbers of a complete pass.
        lengths: frames (batch,), on the CPU. stop: index of the last tap to compute, that of the last layer by default.
        """
        taps, layers = list(taps), list(self.layers)[len(taps) - 1 : stop]
        frames = Frames(lengths, taps[-1].shape[1])
        context = self.context(taps[-1], frames) if layers else {}
        for layer in layers:
            taps.append(layer_call(layer, taps[-1], self.recompute_layers)(taps[-1], frames, **context))
        if layers and len(taps) == len(self.layers) + 1:  # by number: an export replaces the modules by proxies
            taps[-1] = self.finish(taps[-1])
        return Encoded(taps, frames)


def normalize_waves(waves: Tensor, frames: Frames, eps: float = 1e-5) -> Tensor:
    """waves (batch, samples) -> zero mean and unit variance over the samples of each utterance; padding is zero."""
    if frames.full:
        return nn.functional.layer_norm(waves, waves.shape[-1:], eps=eps)
    waves = waves - frames.mean(waves)[:, None]
    return frames.fill(waves * torch.rsqrt(frames.mean(waves**2) + eps)[:, None])
