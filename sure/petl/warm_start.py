"""Warm start: what a method begins with, taken from a bundle of another training on the same backbone."""

from __future__ import annotations

from collections import Counter
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
    before: Counter[tuple[str, Path]] = Counter()  # methods of a name that began with a bundle
    for key, method in attachment.keyed.items():
        if method.config.start:
            bundle = read_bundle(Path(method.config.start), ADAPTER_KINDS)
            bundle.check_backbone(attachment.backbone, weights)
            _fill(attachment, key, method, bundle, before[method.config.name, bundle.folder])
            before[method.config.name, bundle.folder] += 1
        elif not method.config.trains:
            raise SureError(f"petl ({key}): trains=false needs start, the bundle that it is taken from")


@torch.no_grad()
def _fill(attachment: Attachment, key: str, method: PetlMethod, bundle: Bundle, which: int) -> None:
    """which: of the bundle's methods of this name, in their order, from 0."""
    saved = dict(zip(keys_of(item["name"] for item in bundle.about["petl"]), bundle.about["petl"], strict=True))
    named = [theirs for theirs, settings in saved.items() if settings["name"] == method.config.name]
    if which >= len(named):
        wanted = method.config.name if not named else f"{method.config.name} number {which + 1}"
        raise SureError(
            f"petl ({key}): start={bundle.folder} has no {wanted}; "
            f"it has: {', '.join(settings['name'] for settings in saved.values())}"
        )
    theirs = named[which]
    ours = method.config.model_dump(mode="json")
    for name in sorted(ours.keys() & saved[theirs].keys() - FREE):
        if ours[name] != saved[theirs][name]:
            raise SureError(
                f"petl ({key}): start={bundle.folder} was trained with {name}={saved[theirs][name]}, "
                f"this config has {name}={ours[name]}; make them equal"
            )
    wanted = {name: tensor for name, tensor in attachment.state().items() if key_of(name, attachment.keyed) == key}
    found = {
        _renamed(name, theirs, key): tensor
        for name, tensor in bundle.tensors.items()
        if not name.startswith("head/") and key_of(name, saved) == theirs
    }
    if wanted.keys() != found.keys():
        differing = sorted(wanted.keys() ^ found.keys())
        raise SureError(
            f"petl ({key}): start={bundle.folder} does not have the same tensors: "
            f"{len(differing)} differ ({', '.join(differing[:3])})"
        )
    for name, tensor in wanted.items():
        tensor.copy_(found[name])


def _renamed(name: str, key: str, ours: str) -> str:
    """`layer.3.attn.q/lora_a` of the method `lora` as that of `lora_`: `layer.3.attn.q/lora__a`."""
    place, _, rest = name.partition("/")
    return f"{place}/{ours}{rest.removeprefix(key)}"
