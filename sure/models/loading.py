"""Batches of audio for a speech encoder, for training, decoding and inference."""

import math
import os
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from sure.backbones.base import SpeechEncoder
from sure.config import Config
from sure.data.audio import SAMPLE_RATE
from sure.data.batching import SecondsBatchSampler
from sure.data.collate import Batch, collate
from sure.data.data_dir import Utterance
from sure.data.dataset import Item, SpeechDataset
from sure.data.limits import length_problem
from sure.errors import SureError
from sure.interrupt import stay_with_trainer

Value = TypeVar("Value")
AHEAD = 2  # batches that are read while the model computes
GPU_WORKERS = 8  # most processes that `train.workers=auto` starts for a GPU


def worker_processes(setting: str, device: torch.device) -> int:
    """Number of processes that decode audio: that of `train.workers`, or the choice of `auto`.

    On a CPU, processes would take cores from the model: a thread reads ahead. On a GPU, a process feeds several times
    the audio that a thread does: as many as cores that are left, at most GPU_WORKERS.
    """
    if setting != "auto":
        return int(setting)
    if device.type == "cpu":
        return 0
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    trainings = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # by torchrun: processes of this training on the machine
    return max(0, min(GPU_WORKERS, cores // trainings - 1))


def ahead(values: Iterator[Value]) -> Iterator[Value]:
    """The same values in the same order; a thread computes the next ones while the caller uses one."""
    end = object()
    with ThreadPoolExecutor(1, initializer=_use_device, initargs=(_current_device(),)) as pool:
        coming = deque(pool.submit(next, values, end) for _ in range(AHEAD))
        while (value := coming.popleft().result()) is not end:
            coming.append(pool.submit(next, values, end))
            yield value


def _current_device() -> int | None:
    """The number of the GPU that this thread uses; None without one."""
    return torch.cuda.current_device() if torch.cuda.is_initialized() else None


def _use_device(number: int | None) -> None:
    """Use this GPU in a new thread, which else would take memory of GPU 0 for pinned copies."""
    if number is not None:
        torch.cuda.set_device(number)


def make_loader(dataset: SpeechDataset, order: Iterable[list[int]], workers: int, device: torch.device) -> DataLoader:
    """A loader of the dataset's items in batches of these indices, with persistent workers. device: of the model."""
    return DataLoader(
        dataset,
        batch_sampler=order,
        collate_fn=collate,
        num_workers=workers,
        persistent_workers=workers > 0,
        worker_init_fn=stay_with_trainer,
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),  # the default would draw from the global one, which resuming restores
    )


def loaded(loader: DataLoader) -> Iterator[Batch]:
    """The loader's batches, read ahead by its workers or, without any, by a thread."""
    batches = plain_errors(loader)
    return batches if loader.num_workers else ahead(batches)


def plain_errors(loader: DataLoader) -> Iterator[Batch]:
    """The loader's batches. An error of a worker process is raised again without the worker's traceback."""
    try:
        yield from loader
    except SureError as error:
        message = re.split(r"\w+Error: ", str(error).strip())[-1] if "Traceback" in str(error) else str(error)
        raise type(error)(message) from None


def audio_batches(
    utterances: Sequence[Utterance], backbone: SpeechEncoder, config: Config, difference: float | None = None
) -> Iterator[Batch]:
    """Batches of audio without targets, longest utterances first. Raises SureError as `check_lengths`.

    difference: as of SecondsBatchSampler.
    """
    check_lengths(utterances, backbone)
    dataset = SpeechDataset(utterances, lambda utterance: None, cache_gigabytes=0.0)
    seconds = [utterance.seconds for utterance in utterances]
    sampler = SecondsBatchSampler(seconds, config.decode.batch_seconds, shuffle=False, difference=difference)
    device = next(backbone.parameters()).device
    workers = worker_processes(config.train.workers, device)
    return loaded(make_loader(dataset, sampler, workers, device))


def wave_batches(waves: Sequence[Tensor], batch_seconds: float) -> Iterator[Batch]:
    """Batches of waveforms (samples,), longest first; `ids` are their indices in `waves`."""
    for indices in SecondsBatchSampler([len(wave) / SAMPLE_RATE for wave in waves], batch_seconds, shuffle=False):
        yield collate([Item(index, waves[index], None) for index in indices])


def in_batches(
    compute: Callable[[Tensor, Tensor], Sequence[Any]],
    batches: Iterable[Batch],
    device: torch.device,
    precision: AbstractContextManager | None = None,
) -> Iterator[tuple[Any, Any]]:
    """Yield each id with its row of `compute(waves (batch, samples) on `device`, lengths (batch,) on the CPU)`.

    precision: context of the computation, such as autocast.
    """
    for batch in batches:
        with precision or nullcontext():
            rows = compute(batch.waves.to(device, non_blocking=True), batch.wave_lengths)
        yield from zip(batch.ids, rows, strict=True)


def encoder_problem(seconds: float, backbone: SpeechEncoder) -> str | None:
    """Why the encoder cannot process an utterance of this duration, or None."""
    limit = "the backbone's limit of "
    return length_problem(seconds, backbone.min_seconds, backbone.max_seconds, limit, limit)


def check_lengths(utterances: Sequence[Utterance], backbone: SpeechEncoder) -> None:
    """Raises SureError naming the first utterance that is too short or too long for the encoder."""
    for one in utterances:
        if problem := encoder_problem(one.seconds, backbone):
            place = f"{one.id}: {one.seconds:g} s ({one.audio})"
            raise SureError(f"{place}, {problem}; cut it, or remove it from its data folder")


def check_wave(wave: Tensor, name: str, backbone: SpeechEncoder) -> None:
    """Raises SureError with the waveform's name where it is not (samples,), not finite, or too short."""
    if wave.dim() != 1:
        raise SureError(f"{name}: expected (samples,) of one channel, found shape {list(wave.shape)}")
    if not torch.isfinite(wave).all():
        raise SureError(f"{name}: some samples are not finite")
    seconds = len(wave) / backbone.sample_rate
    if problem := length_problem(seconds, backbone.min_seconds, math.inf, "the backbone's limit of "):
        raise SureError(f"{name}: {seconds:g} s, {problem}")


def samples_of(seconds: Sequence[float]) -> Tensor:
    """Samples (utterances,) of utterances with these durations."""
    return (torch.tensor(seconds, dtype=torch.float64) * SAMPLE_RATE).round().long()
