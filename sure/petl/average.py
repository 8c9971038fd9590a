"""The average of bundles: an adapter whose change of the backbone is the weighted mean of their changes."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from numbers import Real
from typing import NamedTuple

import torch
from torch import Tensor

from sure import registry
from sure.errors import SureError
from sure.petl.base import PetlConfig, PetlMethod, Place
from sure.petl.bundle import Bundle
from sure.petl.names import HEAD, Name, method_keys


class Part(NamedTuple):
    """One method of a bundle: its config, and its tensors by place."""

    config: PetlConfig
    tensors: dict[Place, Tensor]

    @property
    def reads_layers(self) -> bool:
        """Whether it is a readout, which is kept with the head."""
        return all(place == "readout" for place, _ in self.tensors)


@dataclass
class Factor:
    """The modules of one method at one place, in all adapters.

    host: the linear map or norm that changes; empty if every one of the backbone does.
    scales: it multiplies the output of the host and of the methods before it; with `reads`, the input of all of them.
    added: it is added to that output. varies: its tensors differ between the adapters.
    """

    method: str
    host: str
    scales: bool
    reads: bool
    added: bool
    varies: bool


def check_shares(shares: Mapping[str, float]) -> None:
    """Raises SureError for an empty mapping, and for shares that are not numbers or do not add up to 1."""
    if not shares:
        raise SureError('an average needs adapters and their shares, such as {"one": 0.5, "other": 0.5}')
    for name, share in shares.items():
        if not isinstance(share, Real):
            raise SureError(f"the share of {name!r} in an average must be a number; found {share!r}")
    if not math.isclose(sum(shares.values()), 1, abs_tol=1e-6):
        raise SureError(f"the shares of an average must add up to 1; {dict(shares)} give {sum(shares.values()):g}")


def average_bundles(shares: Mapping[str, float], bundles: Mapping[str, Bundle], head: Bundle) -> Bundle:
    """The weighted mean of the named bundles, as a bundle with the task, head and readout of `head`.

    Raises SureError for shares that do not add up to 1, for bundles with different methods, and for methods without
    an exact mean, alone or because one scales the change of another.
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
    averaged = []
    for group in groups:
        method = registry.find("petl", group[0].config.name)
        averaged.append(Part(*method.average(*zip(*group, strict=True), list(shares.values()))))
    _check_products(groups)
    averaged += [part for part in _parts(head) if part.reads_layers]
    tensors = {name: tensor for name, tensor in head.tensors.items() if name.startswith(HEAD)}
    for key, part in zip(method_keys(part.config.name for part in averaged), averaged, strict=True):
        tensors |= {str(Name(place, key, name)): tensor for (place, name), tensor in part.tensors.items()}
    petl = [part.config.model_dump(mode="json") for part in averaged]
    return replace(head, about={**head.about, "petl": petl}, tensors=tensors)


def _check_products(groups: Sequence[tuple[Part, ...]]) -> None:
    """Raises SureError if a host is changed by a product of two factors that both differ between the adapters.

    The mean of products is not the product of means. A method that only adds to a scaled output makes no product.
    """
    factors = [factor for group in groups for factor in _factors(group)]
    for first, second in combinations(factors, 2):
        together = first.host == second.host or not (first.host and second.host)
        product = second.scales or (first.scales and (first.reads or not second.added))
        if together and product and first.varies and second.varies:
            scaling, other = (second, first) if second.scales else (first, second)
            raise SureError(
                f"petl ({scaling.method}): at {first.host or second.host} it scales the change of {other.method}, and "
                "the mean of such products is not the product of the means; average adapters with one of the two "
                "methods there, or with ssf before lora"
            )


def _factors(group: tuple[Part, ...]) -> Iterator[Factor]:
    """The factors of one method, in the order in which they act on a host."""
    name = group[0].config.name
    method = registry.find("petl", name)
    own = method.unfreeze is not PetlMethod.unfreeze or method.unfreeze_backbone is not PetlMethod.unfreeze_backbone
    free = {"sites", "lr", "layer_decay", "start", "trains", "dropout"}
    settings = [part.config.model_dump(exclude=free) for part in group]
    for place in dict.fromkeys(place for place, _ in group[0].tensors):
        names = [each for each in group[0].tensors if each[0] == place]
        equal = all(each == settings[0] for each in settings) and all(
            torch.equal(part.tensors[each], group[0].tensors[each]) for part in group for each in names
        )
        # a scale at `after_activation` scales the input of the FFN's second map
        host = place.replace(".after_activation", ".ffn.out")
        where = "" if place == "backbone" else host
        yield Factor(name, where, method.scales, host != place, not (method.scales or own), not equal)


def _parts(bundle: Bundle) -> list[Part]:
    """The methods of a bundle that have tensors."""
    methods = [(registry.find("petl", item["name"]), item, tensors) for item, tensors in bundle.methods() if tensors]
    return [Part(method.Config(**item), tensors) for method, item, tensors in methods]
