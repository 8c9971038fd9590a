"""Frozen-prefix cache: layers below the first trained site are computed once for each utterance."""

import hashlib
import json
import logging
import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor
from torch.utils.data import Dataset

from sure.config import Config
from sure.data.augment import change_speed
from sure.data.batching import SecondsBatchSampler
from sure.data.collate import Batch
from sure.data.data_dir import Utterance
from sure.data.dataset import Item, load_wave
from sure.device import autocast, uses_bf16
from sure.models.loading import loaded, make_loader, samples_of, worker_processes
from sure.models.recognition import RecognitionModel
from sure.petl.names import parse
from sure.provenance import PARTS, code_of
from sure.recipe.inputs import DIGESTS
from sure.train.distributed import Processes
from sure.train.shards import FolderShards, Layout, MemoryShards, Place, as_bytes, open_folder

log = logging.getLogger(__name__)

CODE = (*PARTS, "sure.data", __name__)  # parts of the package whose code decides the values
Items = Mapping[int, tuple[Utterance, float]]  # by item number: an utterance, and the speed at which it is cached
SHARD_SECONDS = {"cpu": 30.0, "cuda": 240.0}  # audio that is computed at once and makes one shard


@dataclass
class Space:
    """Bytes that the prefix caches of a training may take."""

    disk: float
    memory: float


class PrefixCache:
    """Taps 0 to `depth` of every utterance of a data set, or tap `depth` alone, on disk or in memory.

    Utterances are computed in batches that depend on their durations alone, in the precision of the training. So the
    values depend neither on the seed, nor on the batches of the training, nor on the step at which it was resumed; and
    trainings with the same backbone, data and prefix share one cache on disk.
    """

    def __init__(
        self,
        model: RecognitionModel,
        config: Config,
        depth: int,
        keep_all: bool,
        memory: float,
        speeds: Sequence[float] = (1.0,),
    ):
        device, train, dim = next(model.parameters()).device, config.train, model.encoder.dim
        self.model, self.encoder, self.device = model, model.encoder, device
        self.workers = worker_processes(train.workers, device)
        self.autocast = autocast(train.precision, device, dim)
        self.dtype = torch.bfloat16 if uses_bf16(train.precision, device, dim) else torch.float32
        self.depth = depth
        self.first = 0 if keep_all else depth  # number of the first tap that is kept
        self.disk, self.memory = train.prefix_cache_disk_gigabytes * 1e9, memory  # bytes for all caches, and for this
        self.folder = Path(train.prefix_cache_folder or Path(config.data.train).parent / "prefix_cache")
        self.shards: FolderShards | MemoryShards = MemoryShards()
        self.speeds = speeds  # factors that each utterance is cached with
        self.places: dict[int, Place] = {}  # by `item`, when filled

    @property
    def rule(self) -> str:
        """Properties of the cache that can change the result of a training. A resumed training needs the same ones."""
        return f"taps {self.first} to {self.depth} in {self.dtype}"

    def size(self, seconds: Sequence[float]) -> int:
        """Bytes of the taps of utterances with these durations, at all speeds."""
        samples = [samples_of([one / speed for one in seconds]) for speed in self.speeds]
        frames = sum(int(self.model.frame_count(each).sum()) for each in samples)
        return frames * self.encoder.dim * self.dtype.itemsize * (self.depth + 1 - self.first)

    def item(self, index: int, speed: int = 0) -> int:
        """The number of an utterance, by index in the data set, at a speed, by position in `speeds`."""
        return index * len(self.speeds) + speed

    @torch.no_grad()
    def compute(self, batch: Batch) -> list[Tensor]:
        """Taps (taps, time, dim) of each utterance of a batch, on the CPU."""
        lengths = self.model.frame_count(batch.wave_lengths)
        with self.autocast:
            taps = self.encoder.begin(batch.waves.to(self.device, non_blocking=True), batch.wave_lengths)
            taps = self.encoder.resume(taps, lengths, stop=self.depth).taps[self.first :]
        kept = torch.stack([tap.to(self.dtype) for tap in taps], dim=1).cpu()
        return [one[:, :length].contiguous() for one, length in zip(kept, lengths.tolist(), strict=True)]

    def fill(
        self, utterances: Mapping[int, Utterance], data: Path, pause: Callable[[], None], processes: Processes
    ) -> str:
        """Compute the shards that are missing. Returns a line for the log.

        utterances: by index in the data set; data: their data folder. pause: called at times, at the same place in all
        processes; it may end the training. Each process computes its share. Raises NoSpace.
        """
        begun = time.monotonic()
        size = self.size([utterance.seconds for utterance in utterances.values()])
        items = {
            self.item(index, position): (utterance, speed)
            for index, utterance in utterances.items()
            for position, speed in enumerate(self.speeds)
        }
        seconds, numbers = [utterance.seconds / speed for utterance, speed in items.values()], list(items)
        batches = SecondsBatchSampler(seconds, SHARD_SECONDS[self.device.type], shuffle=False)
        batches = [[numbers[position] for position in batch] for batch in batches]
        key, why_not = processes.from_first(lambda: self._open(self._about(items, batches, data), size))
        if not why_not and not all(processes.gather((self.folder / key).is_dir())):
            why_not = f"the processes do not share {self.folder}"
        layout = Layout(key, batches, self.dtype, self.depth + 1 - self.first, self.encoder.dim)
        if not why_not:
            self.shards = FolderShards(self.folder / key)
        elif size > self.memory:
            raise NoSpace(f"{why_not}; {size / 1e6:.0f} MB exceed train.prefix_cache_gigabytes")
        missing = self._fill(layout, items, pause, processes)
        parts = [
            "depth the whole encoder" if self.depth == len(self.encoder.layers) else f"depth layer.{self.depth}",
            f"{len(utterances)} utterances" + (f" at {len(self.speeds)} speeds" if len(self.speeds) > 1 else ""),
            f"{size / 1e6:.0f} MB {self.shards.name}" + (f" ({why_not})" if why_not else ""),
            f"{len(batches) - missing} of {len(batches)} shards reused",
            f"{time.monotonic() - begun:.1f} s",
        ]
        return ", ".join(parts)

    def _fill(self, layout: Layout, items: Items, pause: Callable[[], None], processes: Processes) -> int:
        """Returns the number of shards that were missing."""

        def find(number: int) -> dict[int, Place] | None:
            content = self.shards.get(number)
            return layout.places(number, content) if content else None

        def make(position: int) -> tuple[dict[int, Place], bytes]:
            number, batch = missing[position], next(waves)
            if places := find(number):  # another training was faster
                return places, b""
            content = layout.pack(number, dict(zip(layout.shards[number], self.compute(batch), strict=True)))
            self.shards.put(number, content)
            return layout.places(number, content), b"" if self.shards.shared else content

        found = processes.spread(len(layout.shards), find, pause, "prefix cache, shards found")
        missing = [number for number, places in enumerate(found) if places is None]
        # If several trainings fill one cache, each starts at another shard.
        start = processes.from_first(lambda: random.SystemRandom().randrange(len(missing) or 1))
        missing = missing[start:] + missing[:start]
        order = [layout.shards[number] for number in missing[processes.rank :: processes.size]]
        waves = loaded(make_loader(_Waves(items), order, self.workers, self.device)) if order else iter(())
        made = processes.spread(len(missing), make, pause, "prefix cache, shards computed")
        for number, (places, content) in zip(missing, made, strict=True):
            found[number] = places
            if content:
                self.shards.put(number, content)
        self.places = {item: place for places in found for item, place in places.items()}
        return len(missing)

    def get(self, items: Sequence[int]) -> tuple[list[Tensor | None], Tensor]:
        """Taps (batch, time, dim) of a batch, padded with zeros, and lengths (batch,) in frames."""
        places = [self.places[item] for item in items]
        lengths = torch.tensor([place.frames for place in places])
        shape = (self.depth + 1 - self.first, len(places), int(lengths.max()), self.encoder.dim)
        taps = torch.empty(shape, dtype=self.dtype)
        for row, place in enumerate(places):
            taps[:, row, place.frames :] = 0
            self.shards.read(place, [as_bytes(tap[row, : place.frames]) for tap in taps])
        return [None] * self.first + list(taps), lengths

    def _about(self, items: Items, batches: Sequence[list[int]], data: Path) -> dict[str, object]:
        """Everything that determines the values. Recordings count by their content in stage 2, and by size and time."""
        backbone, attachment, table = self.model.backbone, self.model.attachment, data / DIGESTS
        methods = [method for method in attachment.methods if not method.config.trains]
        code = [type(part).__module__ for part in (backbone, *methods)]
        keyed, state = attachment.keyed, attachment.state()
        frozen = {name: one.contiguous() for name, one in state.items() if not keyed[parse(name)[1]].config.trains}
        states = {audio: _state(audio) for audio in {utterance.audio for utterance, _ in items.values()}}
        rows = [
            [item, speed, one.id, one.audio, states[one.audio], one.start, one.end, one.seconds]
            for item, (one, speed) in items.items()
        ]
        return {
            "backbone": backbone.sha256,
            "computes whole windows": self.encoder.whole,
            "frozen weights": attachment.quantised,
            "frozen methods": [method.config.model_dump(mode="json") for method in methods],
            "tensors of frozen methods": _digest(safetensors.torch.save(frozen)),
            "taps": self.rule,
            "device": self.device.type,
            "torch": torch.__version__,
            "code": code_of([*code, "sure.data.dataset", __name__], CODE),
            "utterances": _digest(json.dumps(rows).encode()),
            "batches": _digest(json.dumps(batches).encode()),
            "recordings": _digest(table.read_bytes()) if table.is_file() else "",
        }

    def _open(self, about: Mapping[str, object], size: int) -> tuple[str, str]:
        """The key of a cache, and why it cannot be on the disk, or an empty string."""
        key = _digest(json.dumps(about, sort_keys=True).encode())[:32]
        if size > self.disk:
            return key, f"train.prefix_cache_disk_gigabytes is {self.disk / 1e9:g}"
        return key, open_folder(self.folder / key, about, size, self.disk)


class NoSpace(Exception):
    """A cache fits neither on the disk nor into memory."""


class _Waves(Dataset):
    """Waveforms without targets, by item."""

    def __init__(self, items: Items):
        self.items = items

    def __getitem__(self, item: int) -> Item:
        utterance, speed = self.items[item]
        wave = load_wave(utterance)
        return Item(utterance.id, wave if speed == 1.0 else change_speed(wave, speed), None)


def _state(audio: str) -> list[int]:
    """Size and time of a file, or of the archive in `archive:position`."""
    for path in (audio, audio.rpartition(":")[0]):
        if os.path.isfile(path):
            found = os.stat(path)
            return [found.st_size, found.st_mtime_ns]
    return []


def plan_cache(
    model: RecognitionModel, config: Config, utterances: Sequence[Utterance], space: Space, training: bool
) -> PrefixCache | None:
    """An empty cache for utterances, which takes its part of the space, or None, with the reason in the log.

    If the method reads all taps and they exceed the space, the cache ends at a lower layer.
    """
    what = "the training set" if training else "the dev set"
    speeds = config.augment.speed if training and config.augment.speed else [1.0]
    depth = min(model.attachment.cacheable_taps - 1, len(model.encoder.layers))  # sites of a decoder come after these
    if training and config.augment.changes_features:
        depth = min(depth, 0)  # SpecAugment draws new masks on the first tap in every epoch
    if config.train.prefix_cache == "off":
        why_not = "train.prefix_cache=off"
    elif training and config.augment.adds_noise:
        why_not = "the waveform is augmented"
    elif len(speeds) >= max(config.train.epochs, 2):
        why_not = f"in {config.train.epochs} epochs, few utterances have one of {len(speeds)} speeds twice"
    elif model.taps_depend_on_padding:
        why_not = "with backbone.padding=as_trained features depend on padding"
    elif depth < 0:
        why_not = "the waveform front end trains"
    else:
        seconds = [utterance.seconds for utterance in utterances]
        cache = PrefixCache(model, config, depth, model.attachment.reads_all_taps(), space.memory, speeds)
        budget = max(space.disk, space.memory)
        while cache.first < cache.depth and cache.size(seconds) > budget:
            cache.depth -= 1
        size = cache.size(seconds)
        if size <= budget:
            space.disk, space.memory = space.disk - size, space.memory - size
            return cache
        why_not = f"{size / 1e6:.0f} MB exceed the {budget / 1e6:.0f} MB that train.prefix_cache_disk_gigabytes allows"
    log.info("no prefix cache of %s: %s", what, why_not)
    return None


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
