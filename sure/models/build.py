"""Build the task, the backbone and the model of a config."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sure import registry
from sure.backbones.base import Backbone
from sure.backbones.quantised import FORMATS, hidden_parameters
from sure.config import Config
from sure.errors import SureError
from sure.models.base import AdaptedModel
from sure.models.size_limit import at_most
from sure.petl import modules, weighted_sum
from sure.petl.attach import Attachment
from sure.petl.base import PetlConfig
from sure.petl.store_frozen import check_storable, store_frozen, stores_while_loading
from sure.petl.warm_start import start_from_bundles
from sure.tasks.base import AnyTask

_preloaded: dict[tuple[Any, ...], Backbone] = {}  # by `_file_of`; the first model of a process takes its backbone away


def kind_of(config: Config) -> Any:
    """The kind of model that the config's task names: a `sure.kinds.base.Kind`."""
    return registry.find("kinds", registry.find("tasks", config.task).kind)()


def build_task(config: Config, folder: str | Path | None = None) -> AnyTask:
    """The config's task with the files of stage 3, from `folder` or the config's tokenizer folder."""
    task = registry.find("tasks", config.task)
    return task(config.head, Path(folder or config.tokenizer.folder), config.text.language)


def backbone_family(config: Config) -> type[Backbone]:
    """The class of the config's backbone. Raises SureError where the task needs another kind."""
    kind = kind_of(config)
    family = kind.find_backbone(config.backbone.name)
    if not issubclass(family, kind.backbone):
        raise SureError(
            f"backbone.name={config.backbone.name}: the task {config.task} needs {kind.backbone_description}"
        )
    return family


def build_backbone(config: Config, task: AnyTask, frozen: str = "fp32") -> Backbone:
    """The config's backbone with its weights and empty slots. Raises as `backbone_family`.

    frozen: number format of the linear maps of layers, as of `Backbone.from_weights`.
    """
    if frozen == "fp32" and (loaded := _preloaded.pop(_file_of(config), None)):
        return loaded
    given = config.backbone
    return backbone_family(config).from_weights(
        given.weights, given.padding, config.seed, frozen, **_sizes(config, task)
    )


def preload(config: Config) -> None:
    """Load the exact weights of a config, if they are files, for the first model of each fork of this process."""
    if file := _file_of(config):
        _preloaded[file] = backbone_family(config).from_weights(config.backbone.weights, config.backbone.padding)


def _file_of(config: Config) -> tuple[Any, ...]:
    """The weights on the disk, in their present state, and the class that reads them; empty for other weights."""
    given, path = config.backbone, Path(config.backbone.weights).expanduser()
    files = sorted(path.iterdir()) if path.is_dir() else [path] if path.is_file() else []
    states = [(file, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return (backbone_family(config), path.absolute(), given.padding, *states) if files else ()


def skeleton(config: Config, task: AnyTask) -> Backbone:
    """The backbone of `build_backbone` on the device `meta`, without values. Raises as `backbone_family`."""
    given = config.backbone
    return backbone_family(config).skeleton(given.weights, given.padding, **_sizes(config, task))


def check_methods(config: Config) -> None:
    """Attach the methods to a backbone without values, before weights and tokens are there.

    Raises SureError where training would: for a pattern without sites, or a module that is far too large.
    """
    backbone = backbone_family(config).outline(config.backbone.weights)
    if backbone is None:
        return
    try:
        with torch.device("meta"), at_most(*_largest(backbone, None), config.petl, config.head):
            attachment = Attachment(backbone, _given_methods(config))
    except NotImplementedError:  # values of weights that a method starts from
        return
    if config.backbone.frozen_weights in FORMATS:
        check_storable(attachment, config.backbone.frozen_weights)


def _sizes(config: Config, task: AnyTask) -> dict[str, Any]:
    """Sizes of a random backbone that the task sets."""
    return task.shape() if config.backbone.weights.partition(":")[0] == "random" else {}


def build_model(
    config: Config,
    task: AnyTask,
    *,
    saved: bool = False,
    tensors: Mapping[str, Tensor] | None = None,
    backbone: Backbone | None = None,
) -> AdaptedModel:
    """The model of a config. New weights depend on `config.seed` alone.

    saved: attach the methods in their saved form (for example a folded reparametrisation), ready for `load`.
    tensors: those that will be loaded; a model that is far larger is refused before its memory is taken.
    backbone: use this one, with empty slots, instead of a new one.
    """
    methods, frozen = _methods(config, task, saved), config.backbone.frozen_weights
    if backbone is None:
        early = frozen in FORMATS and stores_while_loading(methods)
        backbone = build_backbone(config, task, frozen if early else "fp32")
    task.check_backbone(backbone, config.backbone.weights)
    with torch.random.fork_rng(devices=[]), at_most(*_largest(backbone, tensors), config.petl, config.head):
        torch.manual_seed(config.seed)
        attachment = Attachment(backbone, methods)
        head = task.build_head(attachment.width)
        if not saved:
            start_from_bundles(attachment, config.backbone.weights)
    if frozen in FORMATS:
        store_frozen(attachment, frozen)
    return kind_of(config).model(backbone, attachment, task, head, config)


def _largest(backbone: Backbone, tensors: Mapping[str, Tensor] | None) -> tuple[int, str]:
    """The most numbers that new modules may have, and the reason."""
    if tensors is not None:
        return 2 * sum(tensor.numel() for tensor in tensors.values()) + 10**7, "far more than the saved tensors have"
    whole = sum(parameter.numel() for parameter in backbone.parameters()) + hidden_parameters(backbone)
    return 2 * whole + 10**8, f"far more than the backbone has ({whole:,}); choose a smaller value"


def _methods(config: Config, task: AnyTask, saved: bool) -> list:
    methods = _given_methods(config)
    if task.parts() and not any(method.config.name == "modules" for method in methods):  # in a bundle's list already
        methods.append(modules.Method(modules.Method.Config(name="modules", sites=task.parts())))
    for method in methods:
        if getattr(method.config, "convolutions", None) == "auto" and task.freeze_convolution:
            method.config = method.config.model_copy(update={"convolutions": "freeze"})
    return [type(method)(method.saved()) for method in methods] if saved else methods


def _given_methods(config: Config) -> list:
    """The methods of a config, without those that its task adds."""
    methods = [registry.find("petl", item.name)(item) for item in config.petl]
    if config.backbone.layers == "weighted_sum" and not any(method.reads_layers for method in methods):
        methods.append(weighted_sum.Method(PetlConfig(name="weighted_sum")))
    return methods
