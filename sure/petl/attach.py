"""Attach methods to a backbone: freeze everything, put modules at sites, know what trains and what is saved."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sure.backbones.base import Backbone, Site
from sure.errors import SureError
from sure.petl.base import PetlMethod
from sure.petl.patterns import match_sites, spell_out


@dataclass
class Row:
    """A line of the coverage table: what a pattern of a method matched."""

    method: str
    pattern: str
    sites: int
    layers: int
    parameters: int


class LastLayer(nn.Module):
    """The readout when no method brings one: the last tap. taps: list of (batch, time, width)"""

    def forward(self, taps: list[Tensor], mask: Tensor | None) -> Tensor:
        return taps[-1]


class Attachment:
    """Methods attached to a backbone.

    `trained_parameters` names what trains by site, `layer.3.attn.q/lora_a`, never by Python path.
    """

    def __init__(self, backbone: Backbone, methods: Sequence[PetlMethod]):
        """Raises SureError for a pattern that matches nothing, a site taken twice, 0 % or 100 % trained."""
        self.backbone = backbone
        self.methods = list(methods)
        self.rows: list[Row] = []
        self.readout: nn.Module = LastLayer()
        self.merged = False  # then the backbone's weights are no longer those of its file
        self._own: dict[str, nn.Parameter] = {}  # host parameters that were set free, by saved name
        self._hosts_own: dict[str, Tensor] = {}  # what the host had there before `load`
        self._modules: dict[str, nn.Module] = {}  # built modules, by "site/key"
        self._sites: dict[str, Site] = {}  # where a built module sits, by the same name
        self._lowest = len(backbone.layers)  # the highest tap that is still a fixed function of the waveform
        backbone.requires_grad_(False)
        self.backbone_parameters = dict(backbone.named_parameters())
        # the methods by the key that saved names have
        self.keyed = dict(zip(keys_of(method.config.name for method in self.methods), self.methods, strict=True))
        for key, method in self.keyed.items():
            self._attach(key, method)
        for name, module in self._modules.items():
            if not self._method(name).config.trains:
                freeze(module)
        for parameter in self.trained_parameters().values():
            parameter.requires_grad_(True)
        if not any(method.config.name == "full" for method in self.methods) and all(
            parameter.requires_grad for parameter in self.backbone_parameters.values()
        ):
            raise SureError("petl: every parameter of the backbone trains; say petl.name=full if that is meant")

    def _attach(self, key: str, method: PetlMethod) -> None:
        sites = self.backbone.sites()
        usual = type(method.config).model_fields["sites"].default
        _check_sites(key, method.config.sites, usual)
        patterns = spell_out(method.config.sites, usual)
        matched = match_sites(patterns, sites, method.kinds, key)
        method.prepare(list({site.name: site for group in matched.values() for site in group}.values()))
        for pattern, group in matched.items():
            before = self._count()
            for site in group:
                self._place(key, method, site)
            self.rows.append(Row(key, pattern, len(group), len({site.layer for site in group}), self._count() - before))
        self._place_elsewhere(key, method, [site for site in sites if site.kind == "tap"])
        trains = any(row.parameters for row in self.rows if row.method == key)
        if matched and method.config.trains and not trains:
            raise SureError(f"petl ({key}): nothing at {method.config.sites!r} has a parameter that {key} could train")

    def _place(self, key: str, method: PetlMethod, site: Site) -> None:
        name = f"{site.name}/{key}"
        module = method.build(site)
        own = method.unfreeze(site)
        if module is not None:
            if name in self._modules:
                raise SureError(f"petl ({key}): two patterns name {site.name}; each site takes one {key}")
            for other in site.slot.attached:
                if site.kind == "attention":
                    raise SureError(f"petl ({key}): {site.name} already has a prefix, of {other}; it takes one")
                if method.alone or self.keyed[other].alone:
                    raise SureError(f"petl ({key}): {site.name} already has {other}; the two cannot share it")
            device = next(self.backbone.parameters()).device
            site.slot.attached[key] = module.to(device)
            self._modules[name] = module
            self._sites[name] = site
        for parameter in own:
            self._set_free(f"{name}_{parameter}", site.host.get_parameter(parameter))
        if (module is not None or own) and method.config.trains:
            self._lowest = min(self._lowest, -1 if site.layer is None else site.layer)

    def _place_elsewhere(self, key: str, method: PetlMethod, taps: list[Site]) -> None:
        """What is not at a site: shared parameters, the readout, and with `full` the backbone itself."""
        before = self._count()
        if method.shared is not None:
            self._modules[f"shared/{key}"] = method.shared
        readout = method.readout(taps, self.backbone.dim)
        if readout is not None:
            if not isinstance(self.readout, LastLayer):
                raise SureError(f"petl ({key}): another method reads the layers already; one model has one readout")
            self.readout = self._modules[f"readout/{key}"] = readout
        names = method.unfreeze_backbone(self.backbone)
        for name in names:
            self._set_free(f"backbone/{key}_{name}", self.backbone_parameters[name])
        if names and method.config.trains:
            self._lowest = -1
        if self._count() > before:
            what = "whole backbone" if names else "readout" if readout is not None else "shared"
            self.rows.append(Row(key, f"({what})", 0, 0, self._count() - before))

    def _set_free(self, name: str, parameter: nn.Parameter) -> None:
        for other, known in self._own.items():
            if known is parameter and other != name:
                raise SureError(f"petl: {name} and {other} are one parameter of the backbone; one method can train it")
        self._own[name] = parameter

    def _count(self) -> int:
        return sum(parameter.numel() for parameter in self.trained_parameters().values())

    def _method(self, name: str) -> PetlMethod:
        """Whose `layer.3.attn.q/lora_a` or `layer.3.attn.q/lora` is."""
        return self.keyed[key_of(name, self.keyed)]

    def trained_parameters(self) -> dict[str, nn.Parameter]:
        """Every tensor that trains in the backbone and its methods, by site name."""
        found = dict(self._own)
        for name, module in self._modules.items():
            found.update({f"{name}_{inner}": parameter for inner, parameter in module.named_parameters()})
        return {name: parameter for name, parameter in found.items() if self._method(name).config.trains}

    def host_parameters(self) -> dict[str, nn.Parameter]:
        """The backbone's own parameters that methods change, by site name."""
        return dict(self._own)

    def rates(self, default: float) -> dict[str, float]:
        """The rate of every tensor that trains, by its name; `default` where its method names none."""
        last = len(self.backbone.layers) - 1
        layers = {site.name: -1 if site.layer is None else site.layer for site in self.backbone.sites()}
        found = {}
        for name in self.trained_parameters():
            key = key_of(name, self.keyed)
            method = self.keyed[key]
            place, _, tensor = name.partition("/")
            rate = default if method.config.lr is None else method.config.lr
            above = last - layers.get(place, last)
            found[name] = rate * method.config.layer_decay**above * method.rate_factor(tensor.removeprefix(f"{key}_"))
        return found

    def state(self) -> dict[str, Tensor]:
        """What a bundle holds: detached tensors by site name; folded where a method folds on saving."""
        found = {name: parameter.detach() for name, parameter in self._own.items()}
        for name, module in self._modules.items():
            state = module.saved_state() if hasattr(module, "saved_state") else module.state_dict()
            found.update({f"{name}_{inner}": tensor.detach() for inner, tensor in state.items()})
        return found

    @torch.no_grad()
    def load(self, state: dict[str, Tensor], source: str) -> None:
        """Load exactly what `state` gave. Raises SureError naming what is missing, unexpected, or of another shape."""
        if any(method.saved() != method.config for method in self.methods):
            raise SureError(f"{source}: attach the methods with their saved settings before loading")
        wanted = self.state()
        missing, extra = sorted(wanted.keys() - state.keys()), sorted(state.keys() - wanted.keys())
        if missing or extra:
            raise SureError(
                f"{source}: does not fit the methods attached ({', '.join(m.config.name for m in self.methods)}): "
                f"{len(missing)} missing ({', '.join(missing[:3])}), {len(extra)} unexpected ({', '.join(extra[:3])})"
            )
        for name, tensor in wanted.items():
            if tensor.shape != state[name].shape:
                raise SureError(
                    f"{source}: {name} has shape {list(state[name].shape)}, this backbone needs {list(tensor.shape)}"
                )
        for name, tensor in wanted.items():
            if name in self._own:
                self._hosts_own.setdefault(name, tensor)
                self._own[name].data = state[name].to(tensor, copy=True)
            else:
                tensor.copy_(state[name])

    def modules(self) -> nn.ModuleList:
        """The built modules, to move and to switch between training and evaluation."""
        return nn.ModuleList(self._modules.values())

    @property
    def cacheable_taps(self) -> int:
        """How many taps, from the first, are a fixed function of the waveform: 0 where the front end trains."""
        return self._lowest + 1

    def reads_all_taps(self) -> bool:
        return not isinstance(self.readout, LastLayer)

    @property
    def width(self) -> int:
        """Of what the head reads."""
        return getattr(self.readout, "width", self.backbone.dim)

    def coverage(self) -> list[Row]:
        return self.rows

    def built(self) -> Iterator[tuple[Site, nn.Module]]:
        """Every site with the module that was built for it."""
        for name, site in self._sites.items():
            yield site, self._modules[name]

    def detach(self) -> None:
        """Take every module away: the backbone is as it was before, all of it frozen. `attach` brings them back.

        What trained of the backbone itself here, and did not come by `load`, keeps its values.
        """
        for name, site in self._sites.items():
            del site.slot.attached[name.rpartition("/")[2]]
        self._swap_own()
        self.backbone.requires_grad_(False)

    def attach(self) -> None:
        """Put back what `detach` took away, into a backbone that has nothing attached; frozen, for inference."""
        for name, site in self._sites.items():
            site.slot.attached[name.rpartition("/")[2]] = self._modules[name]
        self._swap_own()

    def _swap_own(self) -> None:
        for name, tensor in self._hosts_own.items():
            own = self._own[name]
            self._hosts_own[name], own.data = own.data, tensor.to(own.device)

    @torch.no_grad()
    def merge(self) -> None:
        """Fold every module at a site into the frozen weights and take it away; a readout stays.

        The output stays the same within rounding. Raises SureError naming the first method that cannot be merged,
        before anything is changed.
        """
        if not self._sites:
            raise SureError(f"petl ({', '.join(self.keyed)}) cannot be merged: it puts nothing at any site")
        for name in self._sites:
            key = name.rpartition("/")[2]
            if not self.keyed[key].mergeable:
                raise SureError(f"petl ({key}) cannot be merged into the backbone's weights")
        # what scales a map's input takes the map as the others have left it, so it comes last
        for name, site in sorted(self._sites.items(), key=lambda item: item[1].kind == "activation"):
            self._modules.pop(name).merge(site.host)
            site.slot.attached.clear()
        self._sites.clear()
        self.merged = True


def _check_sites(key: str, sites: str, usual: str) -> None:
    """Raises SureError for a method with places that is given none, and for one without that is given some."""
    if usual and not sites.strip():
        raise SureError(
            f"petl ({key}): sites is empty, so it would train nothing; leave it out for the usual, {usual!r}"
        )
    if sites.strip() and not usual:
        raise SureError(f"petl ({key}): sites={sites!r}, but {key} sits at no site; leave it out")


def keys_of(methods: Iterable[str]) -> list[str]:
    """The key of each method in saved names: its own name, with `_` behind that of a second one of the name."""
    keys: list[str] = []
    for key in methods:
        while key in keys:
            key += "_"
        keys.append(key)
    return keys


def key_of(name: str, keys: Iterable[str]) -> str:
    """The key in the name of a saved tensor or a built module: `layer.3.attn.q/lora_a` -> `lora`."""
    rest = name.partition("/")[2]
    return max((key for key in keys if rest == key or rest.startswith(f"{key}_")), key=len)


def freeze(module: nn.Module) -> None:
    """What does not train is what it was: without gradients, and without dropout."""
    module.requires_grad_(False)
    for part in module.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0


def empty_slots(backbone: Backbone) -> None:
    """Take away whatever sits in a backbone."""
    for site in backbone.sites():
        if site.slot is not None:
            site.slot.attached.clear()
