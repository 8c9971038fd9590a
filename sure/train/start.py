"""Begin a training with the methods' weights of a bundle, or of an adapter that was imported."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sure.errors import SureError
from sure.model import SureModel
from sure.petl.bundle import ABOUT, ADAPTER_KINDS, read_bundle

log = logging.getLogger(__name__)

FREE = ("sites", "dropout")  # settings that may differ: the tensors' names say the sites


def begin_with(model: SureModel, folder: Path) -> None:
    """Load what `folder` has for the methods; the head starts as ever, and so does a readout it does not have.

    Raises SureError naming what differs: the backbone, a setting, a site.
    """
    adapter = read_bundle(folder, ADAPTER_KINDS)
    adapter.check_backbone(model.backbone, "the backbone of this config")
    ours = _by_key(method.saved().model_dump(mode="json") for method in model.attachment.methods)
    for key, settings in _by_key(adapter.about["petl"]).items():
        for name, value in settings.items():
            now = ours.get(key, settings).get(name)
            if name not in FREE and now != value:
                raise SureError(
                    f"train.start: {folder / ABOUT} was made with {name}={value} of {key}, this config has "
                    f"{name}={now}; give petl the same settings"
                )
    readout = {name: tensor for name, tensor in model.attachment.state().items() if name.startswith("readout/")}
    methods = {name: tensor for name, tensor in adapter.tensors.items() if not name.startswith("head/")}
    model.attachment.load({**readout, **methods}, f"train.start={folder}")
    log.info("beginning with the weights of %s", folder)


def _by_key(methods: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Settings by the key that tensors are named with: `lora`, and `lora_` for a second one."""
    found: dict[str, dict[str, Any]] = {}
    for settings in methods:
        key = settings["name"]
        while key in found:
            key += "_"
        found[key] = settings
    return found
