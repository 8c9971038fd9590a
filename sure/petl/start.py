"""Warm start: what a method begins with, taken from a bundle of another training on the same backbone."""

from __future__ import annotations

from pathlib import Path

import torch

from sure.errors import SureError
from sure.petl.attach import Attachment, key_of, keys_of
from sure.petl.base import PetlMethod
from sure.petl.bundle import ADAPTER_KINDS, Bundle, read_bundle

FREE = {"lr", "layer_decay", "start", "trains", "dropout", "b_rate", "init"}  # settings that may differ


def start_from_bundles(attachment: Attachment, weights: str) -> None:
    """Fill every method that has `start` with what that bundle has of it. weights: the backbone's, for errors.

    Raises SureError for another backbone, a bundle without the method, other settings, and `trains: false` of a
    method that comes from nowhere.
    """
    for key, method in attachment.keyed.items():
        if method.config.start:
            bundle = read_bundle(Path(method.config.start), ADAPTER_KINDS)
            bundle.check_backbone(attachment.backbone, weights)
            _fill(attachment, key, method, bundle)
        elif not method.config.trains:
            raise SureError(f"petl ({key}): trains=false needs start, the bundle that it is taken from")


@torch.no_grad()
def _fill(attachment: Attachment, key: str, method: PetlMethod, bundle: Bundle) -> None:
    saved = dict(zip(keys_of(item["name"] for item in bundle.about["petl"]), bundle.about["petl"], strict=True))
    if key not in saved:
        raise SureError(f"petl ({key}): start={bundle.folder} has no {key}; it has: {', '.join(saved)}")
    ours = method.config.model_dump(mode="json")
    for name in sorted(ours.keys() & saved[key].keys() - FREE):
        if ours[name] != saved[key][name]:
            raise SureError(
                f"petl ({key}): start={bundle.folder} was trained with {name}={saved[key][name]}, "
                f"this config has {name}={ours[name]}; make them equal"
            )
    wanted = {name: tensor for name, tensor in attachment.state().items() if key_of(name, attachment.keyed) == key}
    found = {
        name: tensor
        for name, tensor in bundle.tensors.items()
        if not name.startswith("head/") and key_of(name, saved) == key
    }
    if wanted.keys() != found.keys():
        differing = sorted(wanted.keys() ^ found.keys())
        raise SureError(
            f"petl ({key}): start={bundle.folder} does not have the same tensors: "
            f"{len(differing)} differ ({', '.join(differing[:3])})"
        )
    for name, tensor in wanted.items():
        tensor.copy_(found[name])
