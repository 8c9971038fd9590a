"""Load utterances in batches for a speech encoder, for training and for decoding."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from sure.backbones.base import SpeechEncoder
from sure.config import Config
from sure.data.batching import SecondsBatchSampler
from sure.data.collate import Batch, collate
from sure.data.data_dir import Utterance
from sure.data.dataset import SpeechDataset
from sure.errors import SureError
from sure.interrupt import stay_with_trainer


def make_loader(dataset: SpeechDataset, order: Iterable[list[int]], workers: int) -> DataLoader:
    return DataLoader(
        dataset,
        batch_sampler=order,
        collate_fn=collate,
        num_workers=workers,
        persistent_workers=workers > 0,
        worker_init_fn=stay_with_trainer,
        pin_memory=torch.cuda.is_available(),
        generator=torch.Generator(),  # or it would draw from the global one, which resuming restores
    )


def plain_errors(loader: DataLoader) -> Iterator[Batch]:
    """The loader's batches; an error of a worker without the traceback that comes before its message."""
    try:
        yield from loader
    except SureError as error:
        message = re.split(r"\w+Error: ", str(error).strip())[-1] if "Traceback" in str(error) else str(error)
        raise type(error)(message) from None


def audio_batches(utterances: Sequence[Utterance], backbone: SpeechEncoder, config: Config) -> Iterator[Batch]:
    """Batches of audio without targets, long ones first, for decoding."""
    check_lengths(utterances, backbone)
    dataset = SpeechDataset(utterances, lambda utterance: None, cache_gigabytes=0.0)
    seconds = [utterance.seconds for utterance in utterances]
    sampler = SecondsBatchSampler(seconds, config.decode.batch_seconds, shuffle=False)
    return plain_errors(make_loader(dataset, sampler, config.train.workers))


def check_lengths(utterances: Sequence[Utterance], backbone: SpeechEncoder) -> None:
    """Raises SureError naming the first utterance that is too short for a single frame, or longer than is heard."""
    frames = frame_counts(backbone, [utterance.seconds for utterance in utterances])
    for utterance, count in zip(utterances, frames.tolist(), strict=True):
        if count < 1:
            raise SureError(
                f"{utterance.id}: {utterance.seconds:g} s ({utterance.audio}) are too short for a frame; "
                "take it out of its data folder"
            )
        if utterance.seconds > backbone.max_seconds:
            raise SureError(
                f"{utterance.id}: {utterance.seconds:g} s ({utterance.audio}) are more than the "
                f"{backbone.max_seconds:g} s that the backbone can hear; cut it, or take it out of its data folder"
            )


def frame_counts(backbone: SpeechEncoder, seconds: Sequence[float]) -> Tensor:
    """Frames (utterances,) of utterances of these durations."""
    samples = torch.tensor(seconds, dtype=torch.float64) * backbone.sample_rate
    return backbone.frame_count(samples.round().long())
