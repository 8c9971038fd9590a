"""Padding of items to a batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from sure.data.dataset import Item


@dataclass
class Batch:
    """waves (batch, samples) float32, zero after each utterance; wave_lengths (batch,) int64, in samples."""

    ids: list[str]
    waves: Tensor
    wave_lengths: Tensor
    targets: list[Any]

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Batch:
        """The batch with its waves on `device`; targets are not moved."""
        return replace(self, waves=self.waves.to(device, non_blocking=non_blocking))

    def pin_memory(self) -> Batch:
        """For DataLoader's `pin_memory=True`."""
        return replace(self, waves=self.waves.pin_memory())


@dataclass
class Features:
    """A batch from the prefix cache: hidden states, each (batch, time, dim) or None; lengths (batch,) in frames."""

    ids: list[str]
    taps: list[Tensor | None]
    lengths: Tensor
    targets: list[Any]

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Features:
        """The batch with its states on `device`, in float32: the layers add to them."""
        taps = [None if tap is None else tap.to(device, non_blocking=non_blocking).float() for tap in self.taps]
        return replace(self, taps=taps)

    def pin_memory(self) -> Features:
        """The batch in memory from which a GPU copies while it computes."""
        return replace(self, taps=[None if tap is None else tap.pin_memory() for tap in self.taps])


def collate(items: Sequence[Item]) -> Batch:
    """Pad items to the longest, in the order given."""
    return Batch(
        ids=[item.id for item in items],
        waves=pad_sequence([item.wave for item in items], batch_first=True),
        wave_lengths=torch.tensor([len(item.wave) for item in items], dtype=torch.int64),
        targets=[item.target for item in items],
    )
