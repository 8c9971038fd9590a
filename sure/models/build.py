"""Build the task, the backbone and the model of a config."""

from __future__ import annotations

from pathlib import Path

import torch

from sure import registry
from sure.backbones.base import Backbone
from sure.config import Config
from sure.errors import SureError
from sure.models.base import AdaptedModel
from sure.models.recognition import SureModel
from sure.models.synthesis import SynthesisModel
from sure.petl.attach import Attachment
from sure.petl.warm_start import start_from_bundles
from sure.tasks.base import AnyTask


def build_task(config: Config, folder: str | Path | None = None) -> AnyTask:
    """The config's task with what stage 3 learned, from `folder` or the config's tokenizer folder."""
    task = registry.find("tasks", config.task)
    return task(config.head, Path(folder or config.tokenizer.folder), config.text.language)


def build_backbone(config: Config, task: AnyTask) -> Backbone:
    """The config's backbone with its weights, nothing attached. Raises SureError for one that is not for the task."""
    family = registry.find("backbones", config.backbone.name)
    if family.speaks != task.speaks:
        does = "makes speech" if family.speaks else "hears speech"
        raise SureError(f"backbone.name={config.backbone.name} {does}, which is not what the task {config.task} needs")
    random = config.backbone.weights.partition(":")[0] == "random"
    shape = task.shape() if random else {}
    weights, group_norm = config.backbone.weights, config.backbone.group_norm
    return family.from_weights(weights, group_norm, seed=config.seed, **shape)


def build_model(
    config: Config, task: AnyTask, *, saved: bool = False, backbone: Backbone | None = None
) -> AdaptedModel:
    """The model of a config; new weights follow `config.seed` alone, whatever was drawn before.

    saved: attach the methods as they are saved (a folded reparametrisation, say), ready for `load`.
    backbone: one that is there already, with nothing attached.
    """
    backbone = backbone or build_backbone(config, task)
    task.check_backbone(backbone, config.backbone.weights)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        attachment = Attachment(backbone, _methods(config, task, saved))
        head = task.build_head(attachment.width)
        if not saved:
            start_from_bundles(attachment, config.backbone.weights)
    if task.speaks:
        return SynthesisModel(backbone, attachment, task, head)
    return SureModel(backbone, attachment, task, head, config.augment)


def _methods(config: Config, task: AnyTask, saved: bool) -> list:
    methods = [registry.find("petl", item.name)(item) for item in config.petl]
    if config.backbone.layers == "weighted_sum" and not any(method.reads_layers for method in methods):
        found = registry.find("petl", "weighted_sum")
        methods.append(found(found.Config(name="weighted_sum")))
    if task.parts() and not any(method.config.name == "modules" for method in methods):  # a bundle lists it already
        found = registry.find("petl", "modules")
        methods.append(found(found.Config(name="modules", sites=task.parts())))
    for method in methods:
        if getattr(method.config, "convolutions", None) == "auto" and task.freeze_convolution:
            method.config = method.config.model_copy(update={"convolutions": "freeze"})
    return [type(method)(method.saved()) for method in methods] if saved else methods
