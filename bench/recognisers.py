"""The recogniser of a bundle, adapted or as it is, and the utterances of a data folder; for the scripts next to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from sure import registry
from sure.config import petl_settings
from sure.data.data_dir import Utterance, read_data_dir
from sure.data.dataset import load_wave
from sure.errors import SureError
from sure.models.build import build_backbone, build_model, build_task
from sure.models.bundled import config_of, find_weights, model_of
from sure.models.encoder_decoder import EncoderDecoderModel
from sure.petl.bundle import read_bundle

SECONDS = 30  # the longest input of Whisper


def recogniser(
    bundle: Path, adapted: bool, weights: str | None = None, padding: str | None = None, **generation: object
) -> EncoderDecoderModel:
    """The model in evaluation mode. Raises SureError for a bundle without a decoder.

    padding: by default that of the bundle's training; of the family's original for a recogniser as it is. generation:
    settings that replace those of the bundle.
    """
    packed = read_bundle(bundle)
    config = config_of(packed, weights or find_weights(packed))
    family = registry.find_recognizer(config.backbone.name)
    if not adapted:
        padding = padding or getattr(family, "usual_padding", "masked")
        config = config.model_copy(update={"petl": petl_settings("linear_probe")})
    backbone = config.backbone.model_copy(update={"padding": padding or config.backbone.padding})
    settings = config.decode.generation.model_copy(update=generation)
    decode = config.decode.model_copy(update={"generation": settings})
    config = config.model_copy(update={"backbone": backbone, "decode": decode})
    task = build_task(config, packed.folder)
    model = model_of(packed, config, build_backbone(config, task)) if adapted else build_model(config, task)
    if not isinstance(model, EncoderDecoderModel):
        raise SureError(f"{bundle}: the task {config.task} has no decoder; pass a bundle of --head decoder")
    return model.eval()


def utterances(folder: Path, count: int) -> tuple[list[Utterance], list[Tensor]]:
    """The first utterances of a data folder that are not longer than SECONDS, and their waveforms (samples,)."""
    chosen = [one for one in read_data_dir(folder) if one.seconds <= SECONDS][:count]
    return chosen, [load_wave(one) for one in chosen]


def texts(model: EncoderDecoderModel, waves: list[Tensor], batch: int, beams: Sequence[int] = ()) -> list[list[str]]:
    """The texts of the waves (samples,) for each of the beams, by default the one of the settings.

    batch: utterances at once, the longest first; the encoder computes each of them once for all beams.
    """
    beams = beams or [model.settings.generation.beam]
    order = sorted(range(len(waves)), key=lambda index: -len(waves[index]))
    found: list[dict[int, str]] = [{} for _ in beams]
    for start in range(0, len(order), batch):
        part = order[start : start + batch]
        lengths = torch.tensor([len(waves[index]) for index in part])
        with torch.no_grad():
            encoded = model.encode(pad_sequence([waves[index] for index in part], batch_first=True), lengths)
            for beam, of_beam in zip(beams, found, strict=True):
                model.settings.generation.beam = beam
                of_beam.update(zip(part, (one.line for one in model.results(encoded)), strict=True))
    return [[one[index] for index in range(len(waves))] for one in found]
