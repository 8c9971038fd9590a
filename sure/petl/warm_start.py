"""Warm start: the initial tensors of a method come from a bundle that was trained on the same backbone."""

from collections import Counter
from pathlib import Path

import torch

from sure.errors import SureError, compare_names
from sure.petl.attach import Attachment
from sure.petl.base import PetlMethod
from sure.petl.bundle import ADAPTER_KINDS, Bundle, read_bundle
from sure.petl.names import Name, parse

FREE = {"lr", "layer_decay", "start", "trains", "dropout", "b_rate", "init"}  # settings that may differ


def start_from_bundles(attachment: Attachment, weights: str) -> None:
    """Copy the tensors of every method with a `start` from that bundle. weights: the backbone's, named in errors.

    The second method that starts from a bundle under one name takes the bundle's second method of that name.
    Raises SureError for a bundle of another backbone, without the method, or with other settings of it, and for
    `trains: false` without `start`.
    """
    before: Counter[tuple[str, Path]] = Counter()  # methods so far with this name and bundle
    for key, method in attachment.keyed.items():
        if method.config.start:
            bundle = read_bundle(Path(method.config.start), ADAPTER_KINDS)
            bundle.check_backbone(attachment.backbone, weights)
            _fill(attachment, key, method, bundle, before[method.config.name, bundle.folder])
            before[method.config.name, bundle.folder] += 1
        elif not method.config.trains:
            raise SureError(f"petl ({key}): trains=false needs start, the bundle with the trained method")


@torch.no_grad()
def _fill(attachment: Attachment, key: str, method: PetlMethod, bundle: Bundle, which: int) -> None:
    """which: the index among the bundle's methods of this name."""
    saved = bundle.methods()
    named = [each for each in saved if each[0]["name"] == method.config.name]
    if which >= len(named):
        wanted = method.config.name if not named else f"{method.config.name} number {which + 1}"
        raise SureError(
            f"petl ({key}): start={bundle.folder} has no {wanted}; "
            f"it has: {', '.join(settings['name'] for settings, _ in saved)}"
        )
    settings, tensors = named[which]
    ours = method.config.model_dump(mode="json")
    for name in sorted(ours.keys() & settings.keys() - FREE):
        if ours[name] != settings[name]:
            raise SureError(
                f"petl ({key}): start={bundle.folder} was trained with {name}={settings[name]}, "
                f"this config has {name}={ours[name]}; make them equal"
            )
    wanted = {name: tensor for name, tensor in attachment.state().items() if parse(name).method == key}
    found = {str(Name(place, key, inner)): tensor for (place, inner), tensor in tensors.items()}
    compare_names(found, wanted, f"petl ({key}): start={bundle.folder} does not have the same tensors")
    for name, tensor in wanted.items():
        tensor.copy_(found[name])
