"""The valid frames of a padded batch: mask, mean, maximum, and rows without padding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence


class Frames:
    """A padded batch: row i has `lengths[i]` valid frames, then padding up to `time`.

    A frame is any step in time: of a waveform (a sample), a phone sequence (a phone) or a backbone's output.
    `lengths` (batch,) stays on the CPU, so that no step waits for a GPU to learn how much of a batch is padding.
    `full`: no row has padding, so that attention needs no mask and can use its fastest kernel. While a model is
    exported, `full` is False, because the exported graph computes batches with any lengths.
    """

    def __init__(self, lengths: Tensor | Sequence[int], time: int | None = None):
        """lengths: (batch,); time: of the padded batch, the longest row's length by default."""
        self.lengths = torch.as_tensor(lengths).cpu()
        self.time = int(self.lengths.max()) if time is None else time
        self.full = not torch.compiler.is_exporting() and bool((self.lengths >= self.time).all())
        self._masks: dict[torch.device, Tensor] = {}
        self._rows: dict[tuple[int, int, int], Frames] = {}

    def after(self, frame_count: Callable[..., Any]) -> Frames:
        """The frames of a layer's output. frame_count: input lengths, (batch,) or an int, to output lengths."""
        return Frames(frame_count(self.lengths), frame_count(self.time))

    def rows(self, rows: slice) -> Frames:
        """The frames of some rows of the batch, of the same padded time; made once for each slice."""
        key = rows.indices(len(self.lengths))
        if key == (0, len(self.lengths), 1):
            return self
        if key not in self._rows:
            self._rows[key] = Frames(self.lengths[rows], self.time)
        return self._rows[key]

    def mask(self, device: torch.device) -> Tensor:
        """(batch, time), True on valid frames; made once for each device."""
        if device not in self._masks:
            mask = torch.arange(self.time) < self.lengths[:, None]
            self._masks[device] = mask.to(device, non_blocking=True)
        return self._masks[device]

    def fill(self, values: Tensor, value: float = 0.0, dim: int = 1) -> Tensor:
        """`values` with `value` in the padding, even in place of NaN. dim: of time; dimension 0 is the batch."""
        if self.full:
            return values
        mask = self.mask(values.device)
        shape = [mask.shape[0], *[1] * (dim - 1), self.time, *[1] * (values.dim() - dim - 1)]
        return torch.where(mask.view(shape), values, value)

    def mean(self, values: Tensor) -> Tensor:
        """values (batch, time, ...) -> mean over valid frames (batch, ...); 0 for a row without any."""
        if self.full:
            return values.mean(1)
        counts = self.lengths.clamp(min=1).to(values.device, values.dtype, non_blocking=True)
        return self.fill(values).sum(1) / counts.view(-1, *[1] * (values.dim() - 2))

    def max(self, values: Tensor) -> Tensor:
        """values (batch, time, ...) -> maximum over valid frames (batch, ...); -inf for a row without any."""
        return self.fill(values, float("-inf")).amax(1)

    def split(self, values: Tensor) -> list[Tensor]:
        """values (batch, time, ...) -> one tensor (length, ...) for each row, without padding."""
        return [row[:length] for row, length in zip(values, self.lengths.tolist(), strict=True)]

    def pack(self, values: Tensor) -> Tensor:
        """values (batch, time, ...) -> (1, sum of lengths, ...): all rows in one, without padding."""
        return torch.cat(self.split(values))[None]

    def unpack(self, packed: Tensor) -> Tensor:
        """The inverse of `pack`: (1, sum of lengths, ...) -> (batch, time, ...), zero in the padding."""
        rows = list(packed[0].split(self.lengths.tolist()))
        rows[0] = torch.cat([rows[0], rows[0].new_zeros(self.time - len(rows[0]), *rows[0].shape[1:])])
        return pad_sequence(rows, batch_first=True)
