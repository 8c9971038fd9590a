"""Load the trained model of an experiment folder."""

import logging
from collections.abc import Sequence

import safetensors
import safetensors.torch
import torch

from sure.config import Config, load_config
from sure.device import pick_device
from sure.errors import SureError
from sure.models.base import AdaptedModel
from sure.models.build import build_model, build_task
from sure.models.experiment import Experiment
from sure.provenance import describe_changes

log = logging.getLogger(__name__)


def load_trained(experiment: Experiment, overrides: Sequence[str] = ()) -> tuple[Config, AdaptedModel]:
    """The config of an experiment, and its model with the best weights, in evaluation mode on the device.

    overrides: `decode.KEY=VALUE`; other keys cannot change after training. Raises SureError where nothing is trained.
    """
    for override in overrides:
        if not override.startswith("decode."):
            raise SureError(f"{override}: only decode.KEY=VALUE can change after training")
    again = f"run stage 4: python -m sure.bin.train --exp {experiment.folder}"
    if not experiment.config.is_file():
        raise SureError(f"{experiment.folder}: not an experiment folder (no config.yaml); {again}")
    config = load_config(experiment.config, overrides)
    if config.train.threads:
        torch.set_num_threads(config.train.threads)
    path = experiment.best_weights
    try:
        weights = safetensors.torch.load(experiment.read_best_weights())
    except FileNotFoundError:
        raise SureError(f"{path}: no such file, so no epoch is finished yet; {again}") from None
    except (safetensors.SafetensorError, ValueError) as error:
        raise SureError(f"{path} is damaged ({error}); {again} --restart") from None
    model = build_model(config, build_task(config, experiment.tokens), saved=True, tensors=weights)
    model.load(weights, str(path))
    if changed := describe_changes(experiment.read_code(), model.code()):
        log.warning("%s was trained before %s changed; its results may differ now", experiment.folder, changed)
    return config, model.to(pick_device(config.train.device)).eval()
