"""Mixed batches: several adapters in one backbone at the same time, each row of a batch with its own adapter.

The frozen backbone computes all rows together. At each site the rows of an adapter, which follow one another in the
batch, get the changes of its methods. LoRA of several adapters is one batched product (as in S-LoRA, arXiv 2311.03285).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby

import torch
from torch import Tensor, nn

from sure.backbones.base import Backbone, Site
from sure.errors import SureError
from sure.frames import Frames
from sure.petl.attach import Attachment
from sure.petl.names import parse

ALL = slice(None)
OWN = {("linear", "bias"), ("norm", "weight"), ("norm", "bias")}  # the host's own parameters that rows can have


class Mixture:
    """Adapters of one backbone; `rows` chooses the adapter of each row of the batches that are computed then."""

    def __init__(self, backbone: Backbone, attachments: Mapping[str, Attachment]):
        """attachments: by name of the adapter, each detached; its modules are used, not copied.

        Raises SureError naming an adapter and a method that cannot be mixed.
        """
        self.backbone = backbone
        self.sites = {site.name: site for site in backbone.sites()}
        self.names = list(attachments)
        self.parts: list[tuple[str, slice]] = []  # the adapter of each range of rows, in order
        self.index = torch.empty(0, dtype=torch.int64)  # number of the adapter of each row (batch,)
        branches: dict[str, dict[str, Branch]] = {}
        for name, attachment in attachments.items():
            for place, branch in _branches(name, attachment, self.sites).items():
                branches.setdefault(place, {})[name] = branch
        self.modules = {
            place: (MixedAttention if self.sites[place].kind == "attention" else MixedSite)(self, found)
            for place, found in branches.items()
        }

    def first_tap(self, name: str, last: int) -> int:
        """Number of the encoder's taps that an adapter does not change, counted from the first; last: the most."""
        layers = [self.sites[place].layer for place, module in self.modules.items() if name in module.branches]
        return min((last, *(0 if layer is None else layer + 1 for layer in layers)))

    @contextmanager
    def rows(self, parts: Sequence[tuple[str, slice]]) -> Iterator[None]:
        """Within this context, row i of each batch has the adapter of the slice that contains i; without gradients.

        parts: adapters and their rows, which together are the batch, in order. A name without adapter, such as "",
        stands for the frozen backbone; [(name, slice(None))] for one adapter, with any number of rows. Contexts can be
        nested; the outer one does the work of attaching.
        """
        before, device = (self.parts, self.index), next(self.backbone.parameters()).device
        self.parts = list(parts)
        known = {name: number for number, name in enumerate(self.names)}
        numbers = [known.get(name, len(known)) for name, part in parts if part != ALL for _ in range(*_span(part))]
        self.index = torch.tensor(numbers, dtype=torch.int64).to(device)
        if not before[0]:
            for place, module in self.modules.items():
                self.sites[place].slot.attached["mixed"] = module
        try:
            with torch.no_grad():
                yield
        finally:
            self.parts, self.index = before
            if not before[0]:
                for place in self.modules:
                    self.sites[place].slot.attached.clear()


class Alone:
    """One adapter with any methods, in place of a Mixture: its rows are all rows."""

    def __init__(self, attachment: Attachment):
        """attachment: detached."""
        self.attachment = attachment
        self.depth = 0  # of nested contexts

    def first_tap(self, name: str, last: int) -> int:
        return 0

    @contextmanager
    def rows(self, parts: Sequence[tuple[str, slice]]) -> Iterator[None]:
        if not self.depth:
            self.attachment.attach()
        self.depth += 1
        try:
            with torch.no_grad():
                yield
        finally:
            self.depth -= 1
            if not self.depth:
                self.attachment.detach()


class Branch(nn.Module):
    """The change that one adapter makes at a site: of the host's own parameters, then of its modules, in order."""

    def __init__(self, site: Site, modules: Sequence[nn.Module], own: Mapping[str, Tensor]):
        super().__init__()
        self.site, self.chain, self.own = site, list(modules), dict(own)

    def forward(self, input: Tensor, output: Tensor, frames: Frames, skip: int = 0) -> Tensor:
        """As a module of a `Slot`. skip: number of the first modules that were computed already."""
        if self.own and not skip:
            output = self.own_output(input, output)
        for module in self.chain[skip:]:
            output = module(input, output, frames)
        return output

    def own_output(self, input: Tensor, output: Tensor) -> Tensor:
        """The host's output with the adapter's bias, or with its weight and bias of a norm."""
        host = self.site.host
        if self.site.kind == "linear":
            return output + (self.own["bias"] - host.bias).to(output)
        given = [self.own.get(name, getattr(host, name)) for name in ("weight", "bias")]
        return nn.functional.layer_norm(input, host.normalized_shape, *given, host.eps)

    def factors(self) -> tuple[Tensor, Tensor] | None:
        """A and s B if the first module is a plain low-rank branch, else None."""
        return self.chain[0].branch() if self.chain and hasattr(self.chain[0], "branch") else None


class MixedSite(nn.Module):
    """The branches of all adapters at a site, each for its own rows."""

    def __init__(self, mixture: Mixture, branches: Mapping[str, Branch]):
        super().__init__()
        self.mixture = (mixture,)  # in a tuple, so that its modules are not registered here
        self.branches = dict(branches)
        self.factors = {name: pair for name, each in branches.items() if (pair := each.factors()) is not None}
        self.stack: tuple[Tensor, Tensor] | None = None  # made at the first batch that needs it

    def forward(self, input: Tensor, output: Tensor, frames: Frames) -> Tensor:
        """As a module of a `Slot`; rows of `output` are replaced in place."""
        (mixture,) = self.mixture
        parts = [(name, rows) for name, rows in mixture.parts if name in self.branches]
        together = sum(name in self.factors for name, _ in parts) > 1
        if together:
            self._add_products(input, output)
        for name, rows in parts:
            branch, done = self.branches[name], int(together and name in self.factors)
            if done and branch.own:
                output[rows] = branch.own_output(input[rows], output[rows])
            if len(branch.chain) > done or not done:
                output[rows] = branch(input[rows], output[rows], frames.rows(rows), done)
        return output

    def _add_products(self, input: Tensor, output: Tensor) -> None:
        """Add B A input of each row's adapter to `output`; zero where it has no plain low-rank branch first."""
        (mixture,) = self.mixture
        if self.stack is None:
            self.stack = _stack([self.factors.get(name) for name in mixture.names], input.shape[-1], output.shape[-1])
        a, b = (each.to(output)[mixture.index] for each in self.stack)
        low = torch.bmm(a, input.to(output.dtype).transpose(1, 2))  # (batch, rank, time): faster than its transpose
        output.baddbmm_(low.transpose(1, 2), b)


class MixedAttention(nn.Module):
    """The prefixes of all adapters at one attention, each for its own rows."""

    def __init__(self, mixture: Mixture, branches: Mapping[str, Branch]):
        super().__init__()
        self.mixture = (mixture,)
        self.branches = dict(branches)

    def forward(self, queries: Tensor, keys: Tensor, values: Tensor, attend: Callable[..., Tensor]) -> Tensor:
        """As a module of an `AttentionSlot`."""
        (mixture,) = self.mixture
        found = []
        for branch, group in groupby(mixture.parts, lambda part: self.branches.get(part[0])):
            parts = [rows for _, rows in group]
            rows = slice(parts[0].start, parts[-1].stop)
            own, given = partial(attend, rows=rows), (queries[rows], keys[rows], values[rows])
            found.append(own(*given) if branch is None else branch.chain[0](*given, own))
        return torch.cat(found) if len(found) > 1 else found[0]


def _branches(name: str, attachment: Attachment, sites: Mapping[str, Site]) -> dict[str, Branch]:
    """The branches of an adapter by site. Raises SureError naming a method that cannot be mixed."""
    if attachment.merged or attachment.quantised:
        raise SureError(f"{name!r} is merged, or its backbone was converted; load it in fp32 to mix it with others")
    modules: dict[str, list[nn.Module]] = {}
    for site, module in attachment.built():
        modules.setdefault(site.name, []).append(module)
    own: dict[str, dict[str, Tensor]] = {}
    for saved, value in attachment.own_values().items():
        place, key, tensor = parse(saved)
        site = sites.get(place)
        if site is None or (site.kind, tensor) not in OWN:
            raise SureError(
                f"{name!r}: petl ({key}) changes {tensor} of {place} itself, so that it cannot share a batch with "
                "other adapters; use it alone"
            )
        if any(attachment.keyed[attachment.method_of(each)].reads_host for each in modules.get(place, ())):
            raise SureError(
                f"{name!r}: petl ({key}) changes the {tensor} of {place}, with which another method computes there, "
                "so that it cannot share a batch with other adapters; use it alone"
            )
        own.setdefault(place, {})[tensor] = value
    return {place: Branch(sites[place], modules.get(place, ()), own.get(place, {})) for place in {**modules, **own}}


def _stack(factors: Sequence[tuple[Tensor, Tensor] | None], width_in: int, width_out: int) -> tuple[Tensor, Tensor]:
    """Factors of all adapters (adapters + 1, rank, width_in) and (adapters + 1, rank, width_out), zero where None."""
    given = [(number, a.detach(), b.detach()) for number, pair in enumerate(factors) if pair for a, b in [pair]]
    rank = max(len(a) for _, a, _ in given)
    stacked_a = given[0][1].new_zeros(len(factors) + 1, rank, width_in)
    stacked_b = given[0][1].new_zeros(len(factors) + 1, rank, width_out)
    for number, a, b in given:
        stacked_a[number, : len(a)] = a
        stacked_b[number, : len(a)] = b.t()
    return stacked_a, stacked_b


def _span(rows: slice) -> tuple[int, int]:
    return rows.start, rows.stop
