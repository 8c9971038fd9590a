"""Average bundles: one adapter that changes the backbone by the mean of what several change."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from numbers import Real

import torch
from torch import Tensor

from sure import registry
from sure.errors import SureError
from sure.petl.attach import key_of, keys_of
from sure.petl.base import PetlConfig, PetlMethod
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

    def at(self, place: str) -> dict[tuple[str, str], Tensor]:
        return {name: tensor for name, tensor in self.tensors.items() if name[0] == place}


@dataclass
class Factor:
    """What the adapters have of one method at one place. host: the map or norm that changes; empty for all of them.

    scales: it multiplies what the ones before it made, or with `reads` what the host and all others are given.
    added: it adds to what the ones before it made. varies: the adapters differ in it.
    """

    method: str
    host: str
    scales: bool
    reads: bool
    added: bool
    varies: bool


def check_shares(shares: Mapping[str, float]) -> None:
    """Raises SureError for none, and for shares that are no numbers or do not add up to 1."""
    if not shares:
        raise SureError('an average needs adapters and their shares, {"one": 0.5, "other": 0.5}; none is given')
    for name, share in shares.items():
        if not isinstance(share, Real):
            raise SureError(f"the share of {name!r} in an average is a number; found {share!r}")
    if not math.isclose(sum(shares.values()), 1, abs_tol=1e-6):
        raise SureError(f"the shares of an average add up to 1; {dict(shares)} give {sum(shares.values()):g}")


def average_bundles(shares: Mapping[str, float], bundles: Mapping[str, Bundle], head: Bundle) -> Bundle:
    """The mean of the named bundles, with these shares, as a bundle whose task, head and readout are those of `head`.

    Raises SureError for shares that do not add up to 1, bundles of different methods, and methods whose changes
    cannot be added up, alone or where one scales what another changes.
    """
    check_shares(shares)
    parts = {name: [part for part in _parts(bundles[name]) if not part.reads_layers] for name in shares}
    names = {name: [part.config.name for part in found] for name, found in parts.items()}
    first = next(iter(names.values()))
    for name, found in names.items():
        if found != first:
            has, others = (", ".join(each) or "nothing" for each in (found, first))
            raise SureError(f"adapter {name!r} has {has} in the backbone, others have {others}")
    if not first:
        raise SureError(f"{', '.join(shares)}: these adapters change nothing in the backbone, so they have no mean")
    groups = list(zip(*parts.values(), strict=True))
    averaged = [_average(group, list(shares.values())) for group in groups]
    _check_products(groups)
    averaged += [part for part in _parts(head) if part.reads_layers]
    tensors = {name: tensor for name, tensor in head.tensors.items() if name.startswith("head/")}
    for key, part in zip(keys_of(part.config.name for part in averaged), averaged, strict=True):
        tensors |= {f"{place}/{key}_{name}": tensor for (place, name), tensor in part.tensors.items()}
    petl = [part.config.model_dump(mode="json") for part in averaged]
    return replace(head, about={**head.about, "petl": petl}, tensors=tensors)


def _average(parts: tuple[Part, ...], shares: list[float]) -> Part:
    method = registry.find("petl", parts[0].config.name)
    return Part(*method.average([part.config for part in parts], [part.tensors for part in parts], shares))


def _check_products(groups: Sequence[tuple[Part, ...]]) -> None:
    """Raises SureError where a host is changed by a product of two factors in which the adapters differ.

    The mean of products is not the product of means. What is only added to a scaled output makes no product.
    """
    factors = [factor for group in groups for factor in _factors(group)]
    for first, second in combinations(factors, 2):
        together = first.host == second.host or not (first.host and second.host)
        product = second.scales or (first.scales and (first.reads or not second.added))
        if together and product and first.varies and second.varies:
            scaling, other = (second, first) if second.scales else (first, second)
            raise SureError(
                f"petl ({scaling.method}): at {first.host or second.host} it scales what {other.method} changes, and "
                "the mean of such products is not what the means of both give; average adapters that have one of the "
                "two there, or ssf and behind it lora"
            )


def _factors(group: tuple[Part, ...]) -> Iterator[Factor]:
    """In the order in which they act on a host."""
    name = group[0].config.name
    method = registry.find("petl", name)
    own = method.unfreeze is not PetlMethod.unfreeze or method.unfreeze_backbone is not PetlMethod.unfreeze_backbone
    alike = all(_settings(part) == _settings(group[0]) for part in group)
    for place in dict.fromkeys(place for place, _ in group[0].tensors):
        tensors = [part.at(place) for part in group]
        equal = alike and all(_equal(tensors[0], other) for other in tensors[1:])
        # what scales the units behind the activation scales what the FFN's second map reads
        host = place.replace(".after_activation", ".ffn.out")
        where = "" if place == "backbone" else host
        yield Factor(name, where, method.scales, host != place, not (method.scales or own), not equal)


def _settings(part: Part) -> dict[str, object]:
    return part.config.model_dump(exclude={"sites", "lr", "layer_decay", "start", "trains", "dropout"})


def _equal(one: Mapping[tuple[str, str], Tensor], other: Mapping[tuple[str, str], Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def _parts(bundle: Bundle) -> list[Part]:
    items = dict(zip(keys_of(item["name"] for item in bundle.about["petl"]), bundle.about["petl"], strict=True))
    found = {key: Part(registry.find("petl", item["name"]).Config(**item), {}) for key, item in items.items()}
    for name, tensor in bundle.tensors.items():
        if not name.startswith("head/"):
            key = key_of(name, items)
            place, _, rest = name.partition("/")
            found[key].tensors[place, rest.removeprefix(f"{key}_")] = tensor
    return [part for part in found.values() if part.tensors]
