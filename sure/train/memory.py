"""Settings with which a training fits into train.memory: recomputed layers, frozen weights in few bits, batches."""

import json
import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

from sure.backbones.base import SpeechEncoder
from sure.config import Config
from sure.data.data_dir import read_data_dir
from sure.device import memory_megabytes, pick_device, return_large_blocks
from sure.errors import SureError
from sure.files import replace_file
from sure.models.build import backbone_family, build_task, skeleton
from sure.models.experiment import Experiment
from sure.parsing import read_json
from sure.registry import find
from sure.tasks.base import AnyTask
from sure.train.feed import wrong_length
from sure.train.peak_memory import peak_bytes
from sure.train.prefix_cache import SHARD_SECONDS

log = logging.getLogger(__name__)

Choice = dict[str, Any]  # value by key of the config
KEYS = ("train.memory", "train.recompute_layers", "train.batch_seconds", "train.accumulate", "decode.batch_seconds")
KEYS += (
    "backbone.frozen_weights",
    "train.prefix_cache",
    "train.prefix_cache_gigabytes",
    "data.cache_gigabytes",
    "train.precision",
)
UNITS = {"gb": 1e9, "mb": 1e6}
SHARE = 1.1  # of the estimate of tensors: fragmented memory
REST = 400e6  # bytes: libraries that are loaded later and buffers of kernels, as measured with small models


def fit_into_memory(config: Config, experiment: Experiment, restart: bool) -> tuple[Config, dict[str, Any]]:
    """The config with settings that fit into train.memory, and a record for `write_choice`; empty without a limit.

    A resumed training keeps the choice of its beginning. Raises SureError if no choice fits.
    """
    if not config.train.memory:
        return config, {}
    return_large_blocks()
    given = {key: _value(config, key) for key in KEYS}
    if not restart and experiment.begun() and experiment.memory.exists():
        record = read_json(experiment.memory, "restore it, or train with --restart", ("given", "chosen", "why"))
        if record["given"] == given:
            return _changed(config, record["chosen"]), record
    base = 0.0 if pick_device(config.train.device).type == "cuda" else memory_megabytes() * 1e6
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:  # its libraries take memory, which ends with it
        chosen, estimate, why = pool.submit(choose, config, base).result()
    record = {"given": given, "chosen": chosen, "estimated_megabytes": round(estimate / 1e6, 1), "why": why}
    return _changed(config, chosen), record


def write_choice(record: Mapping[str, Any], experiment: Experiment) -> None:
    """Log the choice, and keep it for when the training is resumed."""
    if record:
        log.info("%s", record["why"])
        replace_file(experiment.memory, json.dumps(record, indent=1) + "\n")


def choose(config: Config, base: float) -> tuple[Choice, float, str]:
    """The first choice that fits, its estimated bytes, and the reason in words.

    base: bytes of the process without any model.
    """
    limit = float(config.train.memory[:-2]) * UNITS[config.train.memory[-2:]]
    task, tried = build_task(config), []
    train, dev = _durations(config, task)
    for name, choice in choices(config, max(train)):
        changed = _changed(config, choice)
        step = _process_bytes(changed, task, train, True, base)
        tried.append((name, step))
        found = _dev_batch(changed, task, dev, base, limit) if step <= limit else None
        if found:
            dev_batch, dev_step = found
            spare = (limit - max(step, dev_step)) / 1e9
            audio = min(config.data.cache_gigabytes, spare / 2, 4e-9 * SpeechEncoder.sample_rate * sum(train + dev))
            choice |= {"decode.batch_seconds": dev_batch, "data.cache_gigabytes": audio}
            if dev_batch < SHARD_SECONDS["cpu"]:  # the batches in which the cache is computed do not fit
                choice["train.prefix_cache"] = "off"
            choice["train.prefix_cache_gigabytes"] = min(config.train.prefix_cache_gigabytes, spare - audio)
            return choice, max(step, dev_step), f"train.memory={config.train.memory}: {name}, about {_words(tried)}"
    name, least = min(tried, key=lambda each: each[1])
    raise SureError(
        f"train.memory={config.train.memory}: no choice fits; the least is about {least / 1e6:,.0f} MB with {name} "
        f"(tried: {_words(tried)}). Allow more, or leave out longer utterances by data.max_seconds (now the longest "
        f"has {max(train):.1f} s, in the dev set {max(dev):.1f} s)"
    )


def choices(config: Config, longest: float) -> Iterator[tuple[str, Choice]]:
    """Names and settings, in the order in which they are tried; each also has what those before it have.

    First what changes no result, then int8 and NF4 (where the methods and the config allow it), then smaller batches
    with as many more per step, down to the longest utterance in seconds.
    """
    choice: Choice = {}
    yield "the settings as given", dict(choice)
    names = []
    if not config.train.recompute_layers:
        names.append("recomputed layers")
        choice["train.recompute_layers"] = True
        yield names[0], dict(choice)
    methods = [find("petl", item.name)(item) for item in config.petl]
    if config.backbone.frozen_weights == "auto" and not any(
        method.reads_host or method.config.name == "full" for method in methods
    ):
        for format in ("int8", "nf4"):
            choice["backbone.frozen_weights"] = format
            yield " and ".join([*names, f"frozen weights in {format}"]), dict(choice)
        names.append("frozen weights in nf4")
    batch_seconds, accumulate = config.train.batch_seconds, config.train.accumulate
    while batch_seconds > longest:
        batch_seconds, accumulate = max(batch_seconds / 2, longest), accumulate * 2
        choice |= {"train.batch_seconds": batch_seconds, "train.accumulate": accumulate}
        yield " and ".join([*names, f"{accumulate} batches of {batch_seconds:g} s a step"]), dict(choice)


def _durations(config: Config, task: AnyTask) -> tuple[list[float], list[float]]:
    """Seconds of the training and dev utterances that are computed."""
    if not issubclass(backbone_family(config), SpeechEncoder):
        raise SureError(f"train.memory: the memory of the task {config.task} cannot be computed; leave it out")
    most = skeleton(config, task).max_seconds
    slowest = min([1.0, *config.augment.speed])  # a slower utterance is longer
    train = [one.seconds for one in read_data_dir(config.data.train)]
    train = [one / slowest for one in train if one <= most and not wrong_length(one, config.data)]
    dev = [min(one.seconds, most) for one in read_data_dir(config.data.valid)]
    if not train:
        raise SureError(f"{config.data.train}: no utterance is left to train on; look at data.min_seconds, max_seconds")
    return train, dev


def _dev_batch(
    config: Config, task: AnyTask, dev: list[float], base: float, limit: float
) -> tuple[float, float] | None:
    """The largest of decode.batch_seconds and its halves that fits, and its bytes; or None."""
    seconds = config.decode.batch_seconds
    while True:
        size = _process_bytes(_changed(config, {"decode.batch_seconds": seconds}), task, dev, False, base)
        if size <= limit:
            return seconds, size
        if seconds <= max(dev):
            return None
        seconds /= 2


def _process_bytes(config: Config, task: AnyTask, seconds: list[float], training: bool, base: float) -> float:
    return base + REST + SHARE * peak_bytes(config, task, seconds, training)


def _words(tried: list[tuple[str, float]]) -> str:
    *others, (_, last) = tried
    before = "; ".join(f"{name}: {size / 1e6:,.0f} MB" for name, size in others)
    return f"{last / 1e6:,.0f} MB" + (f" ({before})" if before else "")


def _value(config: Config, key: str) -> Any:
    section, name = key.split(".")
    return getattr(getattr(config, section), name)


def _changed(config: Config, choice: Choice) -> Config:
    """A copy of the config with other values."""
    changed = config.model_copy(deep=True)
    for key, value in choice.items():
        section, name = key.split(".")
        setattr(getattr(changed, section), name, value)
    return changed
