"""Average bundles: one adapter that changes the backbone by the mean of what several change."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from sure import registry
from sure.errors import SureError
from sure.petl.attach import key_of, keys_of
from sure.petl.base import PetlConfig
from sure.petl.bundle import Bundle


@dataclass
class Part:
    """What a bundle has of one method: tensors by place and name there, `("layer.3.attn.q", "a")`."""

    config: PetlConfig
    tensors: dict[tuple[str, str], Tensor]

    @property
    def reads_layers(self) -> bool:
        """Whether it is a readout, which belongs to the head."""
        return all(place == "readout" for place, _ in self.tensors)


def average_bundles(shares: Mapping[str, float], bundles: Mapping[str, Bundle], head: Bundle) -> Bundle:
    """The mean of the named bundles, with these shares, as a bundle whose task, head and readout are those of `head`.

    Raises SureError for shares that do not add up to 1, bundles of different methods, and methods whose changes
    cannot be added up.
    """
    if not math.isclose(sum(shares.values()), 1, abs_tol=1e-6):
        raise SureError(f"the shares of an average add up to 1; {dict(shares)} give {sum(shares.values()):g}")
    parts = {name: [part for part in _parts(bundles[name]) if not part.reads_layers] for name in shares}
    names = {name: [part.config.name for part in found] for name, found in parts.items()}
    first = next(iter(names.values()))
    for name, found in names.items():
        if found != first:
            raise SureError(f"adapter {name!r} has {', '.join(found)} in the backbone, others have {', '.join(first)}")
    averaged = [_average(group, list(shares.values())) for group in zip(*parts.values(), strict=True)]
    averaged += [part for part in _parts(head) if part.reads_layers]
    tensors = {name: tensor for name, tensor in head.tensors.items() if name.startswith("head/")}
    for key, part in zip(keys_of(part.config.name for part in averaged), averaged, strict=True):
        tensors |= {f"{place}/{key}_{name}": tensor for (place, name), tensor in part.tensors.items()}
    petl = [part.config.model_dump(mode="json") for part in averaged]
    return replace(head, about={**head.about, "petl": petl}, tensors=tensors)


def _average(parts: tuple[Part, ...], shares: list[float]) -> Part:
    method = registry.find("petl", parts[0].config.name)
    return Part(*method.average([part.config for part in parts], [part.tensors for part in parts], shares))


def _parts(bundle: Bundle) -> list[Part]:
    items = dict(zip(keys_of(item["name"] for item in bundle.about["petl"]), bundle.about["petl"], strict=True))
    found = {key: Part(registry.find("petl", item["name"]).Config(**item), {}) for key, item in items.items()}
    for name, tensor in bundle.tensors.items():
        if not name.startswith("head/"):
            key = key_of(name, items)
            place, _, rest = name.partition("/")
            found[key].tensors[place, rest.removeprefix(f"{key}_")] = tensor
    return [part for part in found.values() if part.tensors]
