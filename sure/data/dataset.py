"""Dataset of utterances: waveform, augmented if requested, and target."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.data import Dataset, get_worker_info

from sure.data.audio import SAMPLE_RATE, SEGMENT_TOLERANCE, read_audio
from sure.data.data_dir import Utterance
from sure.errors import SureError


class UtteranceError(SureError):
    """An utterance that became unusable after stage 2; `reason` is equal for equal errors, for counting."""

    def __init__(self, message: str, reason: str = "unreadable"):
        super().__init__(message)
        self.reason = reason


@dataclass
class Item:
    """One utterance: wave (samples,) float32 at 16 kHz, and the target of the task."""

    id: str
    wave: torch.Tensor
    target: Any


class SpeechDataset(Dataset):
    """Map-style dataset of `Item`s.

    target: called once with each utterance, at the start.
    augment: called as augment(wave, generator). The generator depends only on seed, epoch and utterance id, so items
        are the same for any number of workers, in any order, and after a resume.
    cache_gigabytes: memory for decoded waveforms, so that later epochs need not decode; divided among the workers of a
        DataLoader (which need `persistent_workers=True` to keep their cache). The cache is exact: it stores 16-bit
        integers where they are lossless, else float32.

    Items raise UtteranceError naming an utterance that cannot be read, or whose length changed since stage 2.
    """

    def __init__(
        self,
        utterances: Sequence[Utterance],
        target: Callable[[Utterance], Any],
        augment: Callable[[torch.Tensor, torch.Generator], torch.Tensor] | None = None,
        seed: int = 0,
        cache_gigabytes: float = 2.0,
    ):
        self.utterances = list(utterances)
        self.targets = [target(utterance) for utterance in self.utterances]
        self.augment = augment
        self.seed = seed
        self.cache_bytes = int(cache_gigabytes * 1e9)
        self._cache: dict[int, torch.Tensor] = {}
        self._cached_bytes = 0
        # in shared memory, because persistent workers have their own copy of this object
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, which the augmentation depends on; call it before each epoch."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, index: int) -> Item:
        utterance = self.utterances[index]
        wave = self._wave(index)
        if self.augment is not None:
            wave = self.augment(wave, generator_for(self.seed, int(self._epoch), utterance.id))
        return Item(utterance.id, wave, self.targets[index])

    def _wave(self, index: int) -> torch.Tensor:
        if index in self._cache:
            return _unpack(self._cache[index])
        wave = load_wave(self.utterances[index])
        packed = _pack(wave)
        worker = get_worker_info()
        if self._cached_bytes + packed.nbytes <= self.cache_bytes / (worker.num_workers if worker else 1):
            self._cache[index] = packed
            self._cached_bytes += packed.nbytes
        return wave


def load_wave(utterance: Utterance) -> torch.Tensor:
    """Waveform (samples,) at 16 kHz. Raises UtteranceError if it is unreadable, or its length changed since stage 2."""
    try:
        wave = read_audio(utterance.audio, utterance.start, utterance.end)
    except SureError as error:
        raise UtteranceError(f"utterance '{utterance.id}': {error}", getattr(error, "reason", "unreadable")) from None
    seconds = len(wave) / SAMPLE_RATE
    # batches were planned for this length, and CTC would silently skip a transcript that needs more frames
    if utterance.seconds and abs(seconds - utterance.seconds) > SEGMENT_TOLERANCE:
        raise UtteranceError(
            f"utterance '{utterance.id}': {utterance.audio} has {seconds:.2f} s, and had {utterance.seconds:.2f} s "
            "in stage 2; restore the file, or run stage 2, prepare, again",
            "length changed since stage 2",
        )
    return wave


def generator_for(*parts: object) -> torch.Generator:
    """A random generator whose seed is a pure function of the arguments, such as (seed, epoch, utterance id)."""
    digest = hashlib.blake2b("\0".join(map(str, parts)).encode(), digest_size=8).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little") >> 1)


def _pack(wave: torch.Tensor) -> torch.Tensor:
    """16-bit integers if they are lossless, else a copy."""
    integers = (wave * 32768.0).clamp_(-32768, 32767).to(torch.int16)
    return integers if torch.equal(_unpack(integers), wave) else wave.clone()


def _unpack(packed: torch.Tensor) -> torch.Tensor:
    return packed.to(torch.float32) / 32768.0 if packed.dtype == torch.int16 else packed.clone()
