"""Data of speech synthesis: phones, speakers and acoustic features.

A data folder has, with its audio:

    phones              id P1 P2 ...      written by stage 3
    utt2frames          id frames         written at the end of stage 2, as are the features
    mel.scp pitch.scp energy.scp          log mel (frames, mels); F0 (frames, 1) in Hz, 0 where unvoiced; (frames, 1)
    durations           id 3 5 0 ...      optional: frames of each phone
    spk2embedding.scp   (dim,)            optional: embedding of each speaker
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset

from sure.data.ark import Scp
from sure.data.synthesis.durations import offenders
from sure.data.tables import read_table
from sure.errors import SureError, some_lines, some_of

FEATURES = ("mel", "pitch", "energy")


@dataclass(frozen=True)
class SynthesisUtterance:
    """Phones and speaker of one utterance. frames: 0 where no features are needed; durations: frames of each phone."""

    id: str
    phones: tuple[str, ...]
    speaker: str
    frames: int = 0
    durations: tuple[int, ...] | None = None


def read_utterances(folder: str | Path, durations: bool = False) -> list[SynthesisUtterance]:
    """The utterances of a data folder, sorted by id.

    durations: read the table `durations` too. Raises SureError naming a missing file and the stage that writes it, or
    the utterances without one duration a phone, or whose durations do not sum to the frames.
    """
    folder = Path(folder)
    phones = read_table(folder / "phones", "run stage 3, tokenize")
    tables = {"utt2spk": read_table(folder / "utt2spk", "run stage 2, prepare")}
    if frames := read_table(folder / "utt2frames"):
        tables["utt2frames"] = frames
    if durations:
        tables["durations"] = read_table(folder / "durations", "run stage 3, tokenize, with an aligner")
    for name, table in tables.items():
        if missing := sorted(phones.keys() - table.keys()):
            raise SureError(f"{folder / name} lacks {some_of(missing)}, which the table phones has")
    utterances = [
        SynthesisUtterance(
            id,
            tuple(symbols.split()),
            tables["utt2spk"][id].split()[0],
            _integers(folder / "utt2frames", id, frames[id])[0] if frames else 0,
            _integers(folder / "durations", id, tables["durations"][id]) if durations else None,
        )
        for id, symbols in sorted(phones.items())
    ]
    rows = ((one.id, one.durations, len(one.phones), one.frames) for one in utterances)
    if durations and (found := offenders(rows)):
        raise SureError(f"{folder / 'durations'} does not fit; run stage 3, aligned, again:{some_lines(found)}")
    return utterances


def _integers(path: Path, id: str, value: str) -> tuple[int, ...]:
    try:
        numbers = tuple(map(int, value.split()))
    except ValueError:
        numbers = ()
    if not numbers:
        raise SureError(f"{path}: {id}: expected integers (frames), found {value!r}")
    return numbers


@dataclass
class SynthesisItem:
    """One utterance as tensors. log_pitch is interpolated over unvoiced frames; NaN where all frames are unvoiced."""

    id: str
    phones: Tensor  # (phones,) indices
    speaker: Any
    mel: Tensor  # (frames, mels) log
    log_pitch: Tensor  # (frames,)
    energy: Tensor  # (frames,)
    durations: Tensor | None  # (phones,) frames
    prior: Tensor | None  # (frames, phones)


@dataclass
class SynthesisBatch:
    """Utterances padded with zeros. `lengths` (phones) and `frames` are (batch,) and stay on the CPU.

    durations: None where the model's aligner finds them; then there is a prior (batch, frames, phones).
    progress: finished fraction of all epochs.
    """

    ids: list[str]
    phones: Tensor
    lengths: Tensor
    speakers: Tensor
    mel: Tensor
    frames: Tensor
    log_pitch: Tensor
    energy: Tensor
    durations: Tensor | None
    prior: Tensor | None
    progress: float = 0.0

    def to(self, device: torch.device | str, non_blocking: bool = False) -> SynthesisBatch:
        staying = ("lengths", "frames", "durations")  # sizes of other tensors follow from them
        moving = {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}
        moving = {name: value for name, value in moving.items() if name not in staying}
        return replace(self, **{name: value.to(device, non_blocking=non_blocking) for name, value in moving.items()})


class SynthesisDataset(Dataset):
    """Utterances with their features, kept in memory up to `cache_gigabytes`.

    numbers: indices (phones,) of phones. speaker: index or embedding of a speaker. prior: called with the numbers of
    phones and frames, where the model's aligner finds durations. Items raise SureError naming an utterance whose
    features have not as many frames as utt2frames.
    """

    def __init__(
        self,
        folder: str | Path,
        utterances: Sequence[SynthesisUtterance],
        numbers: Callable[[Sequence[str]], Tensor],
        speaker: Callable[[str], Tensor],
        prior: Callable[[int, int], Tensor] | None,
        cache_gigabytes: float,
    ):
        self.folder = Path(folder)
        self.utterances = list(utterances)
        self.numbers = [numbers(one.phones) for one in self.utterances]
        self.speakers = [speaker(one.speaker) for one in self.utterances]
        self.durations = [None if one.durations is None else torch.tensor(one.durations) for one in self.utterances]
        self.prior = prior
        self.features = {name: _scp(self.folder / f"{name}.scp") for name in FEATURES}
        self.room = int(cache_gigabytes * 1e9)
        self._kept: dict[int, tuple[Tensor, Tensor, Tensor]] = {}

    def __len__(self) -> int:
        return len(self.utterances)

    def __getitem__(self, index: int) -> SynthesisItem:
        utterance, durations = self.utterances[index], self.durations[index]
        features = self._kept.get(index) or self._read(index)
        prior = self.prior(len(utterance.phones), utterance.frames) if self.prior and durations is None else None
        return SynthesisItem(utterance.id, self.numbers[index], self.speakers[index], *features, durations, prior)

    def digest(self) -> str:
        """Digest of the utterances' phones, speakers, frames and given durations."""
        # `Script` is the former name of the class: digests in checkpoints have it
        content = repr(self.utterances).replace("SynthesisUtterance(", "Script(")
        return hashlib.sha256(content.encode()).hexdigest()

    def _read(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
        mel, pitch, energy = (self._feature(name, self.utterances[index]) for name in FEATURES)
        features = torch.from_numpy(mel), _log_pitch(pitch[:, 0]), torch.from_numpy(energy[:, 0])
        size = sum(each.nbytes for each in features)
        if size <= self.room:
            self._kept[index] = features
            self.room -= size
        return features

    def _feature(self, name: str, utterance: SynthesisUtterance) -> np.ndarray:
        if utterance.id not in self.features[name]:
            raise SureError(f"utterance '{utterance.id}': {self.folder / name}.scp lacks it; run stage 2 again")
        found = np.array(self.features[name][utterance.id], dtype=np.float32)
        if len(found) != utterance.frames:
            raise SureError(
                f"utterance '{utterance.id}': {len(found)} frames in {self.folder / name}.scp, {utterance.frames} in "
                "utt2frames; run stage 2, prepare, again"
            )
        return found


def _scp(path: Path) -> Scp:
    if not path.is_file():
        raise SureError(f"{path} does not exist; run the end of stage 2: python -m sure.bin.features")
    return Scp(path)


def _log_pitch(hertz: np.ndarray) -> Tensor:
    voiced = np.flatnonzero(hertz > 0)
    if not len(voiced):
        return torch.full((len(hertz),), float("nan"))
    return torch.from_numpy(np.interp(np.arange(len(hertz)), voiced, np.log(hertz[voiced])).astype(np.float32))


def collate_synthesis(items: Sequence[SynthesisItem]) -> SynthesisBatch:
    """Pad items to the longest, in the order given."""
    padded = {
        name: pad_sequence([getattr(item, name) for item in items], batch_first=True)
        for name in ("phones", "mel", "log_pitch", "energy")
    }
    durations, prior = None, None
    if all(item.durations is not None for item in items):
        durations = pad_sequence([item.durations for item in items], batch_first=True)
    if all(item.prior is not None for item in items):
        prior = torch.zeros(len(items), padded["mel"].shape[1], padded["phones"].shape[1])
        for row, item in zip(prior, items, strict=True):
            row[: item.prior.shape[0], : item.prior.shape[1]] = item.prior
    return SynthesisBatch(
        ids=[item.id for item in items],
        lengths=torch.tensor([len(item.phones) for item in items]),
        speakers=torch.stack([item.speaker for item in items]),
        frames=torch.tensor([len(item.mel) for item in items]),
        durations=durations,
        prior=prior,
        **padded,
    )


def speaker_vectors(folder: str | Path, size: int) -> Callable[[str], Tensor]:
    """A function from the name of a speaker to the external embedding (size,), read from a data folder.

    Raises SureError where the folder has none. The function raises it for a speaker without a usable embedding.
    """
    path = Path(folder) / "spk2embedding.scp"
    if not path.is_file():
        raise SureError(f"{path} does not exist; head.speaker=vector needs an embedding of every speaker")
    found = Scp(path)

    def vector(name: str) -> Tensor:
        if name not in found:
            raise SureError(f"{path} has no embedding of the speaker {name!r}; add it")
        numbers = np.array(found[name], dtype=np.float32).flatten()
        if len(numbers) != size:
            raise SureError(f"{path}: {name!r} has {len(numbers)} numbers, head.vector={size}; make them equal")
        if not np.isfinite(numbers).all():
            raise SureError(f"{path}: not all numbers of {name!r} are finite; compute it again")
        return torch.from_numpy(numbers)

    return vector


def by_length(utterances: Sequence[SynthesisUtterance], size: int) -> Iterator[list[SynthesisUtterance]]:
    """Groups of at most `size` utterances of similar length, longest first."""
    ordered = sorted(utterances, key=lambda one: (-len(one.phones), one.id))
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]
