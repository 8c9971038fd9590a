"""Attach methods to a backbone: freeze it, put modules into its sites, list the tensors that train and are saved."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import torch
from torch import Tensor, nn

from sure.backbones.base import Backbone, Site
from sure.errors import SureError, compare_names
from sure.frames import Frames
from sure.petl.base import PetlMethod
from sure.petl.names import current_names, method_keys, parse
from sure.petl.patterns import match_sites


@dataclass
class Row:
    """A line of the coverage table: the sites that one pattern of a method matched, and the parameters that train."""

    method: str
    pattern: str
    sites: int
    layers: int
    parameters: int


class LastLayer(nn.Module):
    """The readout of a model whose methods define none: the last tap. taps: list of (batch, time, width)"""

    def forward(self, taps: list[Tensor], frames: Frames) -> Tensor:
        return taps[-1]


class Attachment:
    """Methods attached to a backbone.

    Tensors are named by site, method and name in the method's module: `layer.3.attn.q/lora/a` (see names.py).
    """

    def __init__(self, backbone: Backbone, methods: Sequence[PetlMethod]):
        """Freeze the backbone and attach the methods, in order.

        Raises SureError for a pattern that matches nothing, a site taken twice, a method that trains nothing and,
        without the method `full`, if every parameter of the backbone would train.
        """
        self.backbone = backbone
        self.methods = list(methods)
        self.coverage: list[Row] = []
        self.readout: nn.Module = LastLayer()
        self.merged = False  # after `merge` the backbone's weights differ from those of its file
        self.host_parameters: dict[str, nn.Parameter] = {}  # the backbone's own that methods change, by saved name
        self.quantised = ""  # the format of the frozen linear maps after `store_frozen`
        self._replaced: dict[str, Tensor] = {}  # the backbone's values of these before `load`
        self._modules: dict[str, nn.Module] = {}  # built modules, by `site/method`
        self._sites: dict[str, Site] = {}  # sites of the built modules, by the same name
        self._keys_at: defaultdict[str, list[str]] = defaultdict(list)  # keys of the methods with a module, by site
        # number of taps, from the first, that are a fixed function of the waveform; 0 if the front end trains
        self.cacheable_taps = len(backbone.layers) + 1
        backbone.requires_grad_(False)
        self.backbone_parameters = dict(backbone.named_parameters())
        self.keyed = dict(zip(method_keys(method.config.name for method in self.methods), self.methods, strict=True))
        for key, method in self.keyed.items():
            self._attach(key, method)
        for name, module in self._modules.items():
            if not self._trains(name):
                freeze(module)
        for parameter in self.trained_parameters().values():
            parameter.requires_grad_(True)
        if not any(method.config.name == "full" for method in self.methods) and all(
            parameter.requires_grad for parameter in self.backbone_parameters.values()
        ):
            raise SureError("petl: every parameter of the backbone would train; petl.name=full is meant for that")

    def _attach(self, key: str, method: PetlMethod) -> None:
        given, usual = method.config.sites, type(method.config).model_fields["sites"].default
        if usual and not given.strip():
            raise SureError(f"petl ({key}): sites is empty, so nothing would train; omit it for the default, {usual!r}")
        if given.strip() and not usual:
            raise SureError(f"petl ({key}): sites={given!r}, but {key} has no sites; omit it")
        sites = self.backbone.sites()
        matched = match_sites(given, sites, method.kinds, key, usual, method.causal)
        method.prepare(list({site.name: site for group in matched.values() for site in group}.values()))
        for pattern, group in matched.items():
            before = self._sizes()
            for site in group:
                self._place(key, method, site)
            layers = {site.layer for site in group}
            self.coverage.append(Row(key, pattern, len(group), len(layers), self._count(before)))
        self._place_elsewhere(key, method, [site for site in sites if site.kind == "tap"])
        trains = any(row.parameters for row in self.coverage if row.method == key)
        if matched and method.config.trains and not trains:
            raise SureError(f"petl ({key}): no site of {given!r} has a parameter that {key} can train")

    def _place(self, key: str, method: PetlMethod, site: Site) -> None:
        name = f"{site.name}/{key}"
        module, own = method.build(site), method.unfreeze(site)
        if module is not None:
            if name in self._modules:
                raise SureError(f"petl ({key}): two patterns match {site.name}; each site takes one {key}")
            for other in self._keys_at[site.name]:
                if site.kind == "attention":
                    raise SureError(f"petl ({key}): {site.name} already has the prefix of {other}; it takes only one")
                if method.alone or self.keyed[other].alone:
                    raise SureError(f"petl ({key}): {site.name} already has {other}; the two cannot share a site")
            self._modules[name] = module.to(next(self.backbone.parameters()).device)
            self._sites[name] = site
            self._keys_at[site.name].append(key)
            self._fill_slot(name)
        for parameter in own:
            self._unfreeze(f"{name}/{parameter}", site.host.get_parameter(parameter))
        if (module is not None or own) and method.config.trains:
            self.cacheable_taps = min(self.cacheable_taps, 0 if site.layer is None else site.layer + 1)

    def _place_elsewhere(self, key: str, method: PetlMethod, taps: list[Site]) -> None:
        """Add the parameters outside sites: shared ones, the readout and, for `full`, the backbone's own."""
        before = self._sizes()
        if method.shared is not None:
            self._modules[f"shared/{key}"] = method.shared
        readout = method.readout(taps, self.backbone.dim)
        if readout is not None:
            if not isinstance(self.readout, LastLayer):
                raise SureError(f"petl ({key}): another method already reads all layers; a model has one readout")
            self.readout = self._modules[f"readout/{key}"] = readout
        names = method.unfreeze_backbone(self.backbone)
        for name in names:
            self._unfreeze(f"backbone/{key}/{name}", self.backbone_parameters[name])
        if names and method.config.trains:
            self.cacheable_taps = min(self.cacheable_taps, self.backbone.fixed_taps(names))
        if added := self._count(before):
            stack = getattr(method.config, "stack", "both").replace("both", "backbone")
            what = f"whole {stack}" if names else "readout" if readout is not None else "shared"
            self.coverage.append(Row(key, f"({what})", 0, 0, added))

    def _unfreeze(self, name: str, parameter: nn.Parameter) -> None:
        for other, known in self.host_parameters.items():
            if known is parameter and other != name:
                raise SureError(f"petl: {name} and {other} are one parameter of the backbone; one method can train it")
        self.host_parameters[name] = parameter

    def _sizes(self) -> tuple[int, int]:
        return len(self.host_parameters), len(self._modules)

    def _count(self, before: tuple[int, int]) -> int:
        """Parameters that train and were added after `_sizes` returned `before`: only these are visited again."""
        return sum(parameter.numel() for parameter in self.trained_parameters(*before).values())

    def _fill_slot(self, name: str) -> None:
        """Put a built module into the slot of its site. Torch's containers allow no dot in the name of a module."""
        self._sites[name].slot.attached[_key_of(name).replace(".", ":")] = self._modules[name]

    def _trains(self, name: str) -> bool:
        return self.keyed[_key_of(name)].config.trains

    def trained_parameters(self, hosts: int = 0, modules: int = 0) -> dict[str, nn.Parameter]:
        """Every parameter of the backbone and its methods that trains, by saved name.

        hosts, modules: number of the first parameters of the backbone, and of the first modules, that are left out.
        """
        found = dict(islice(self.host_parameters.items(), hosts, None))
        for name, module in islice(self._modules.items(), modules, None):
            found.update({f"{name}/{inner}": parameter for inner, parameter in module.named_parameters()})
        return {name: parameter for name, parameter in found.items() if self._trains(name)}

    def rates(self, default: float) -> dict[str, float]:
        """The peak learning rate of every parameter that trains, by saved name; `default` unless its method has one."""
        last = len(self.backbone.layers) - 1
        layers = {site.name: -1 if site.layer is None else site.layer for site in self.backbone.sites()}
        found = {}
        for name in self.trained_parameters():
            place, key, tensor = parse(name)
            method, above = self.keyed[key], last - layers.get(place, last)
            rate = default if method.config.lr is None else method.config.lr
            found[name] = rate * method.config.layer_decay**above * method.rate_factor(tensor)
        return found

    def state(self) -> dict[str, Tensor]:
        """The tensors of a bundle, detached, by saved name; a reparametrisation is folded."""
        found = {name: parameter.detach() for name, parameter in self.host_parameters.items()}
        for name, module in self._modules.items():
            state = module.saved_state() if hasattr(module, "saved_state") else module.state_dict()
            found.update({f"{name}/{inner}": tensor.detach() for inner, tensor in state.items()})
        return found

    def current_names(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Tensors that this or an earlier version saved, by today's names."""
        return current_names(tensors, [method.config.name for method in self.methods])

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor], source: str) -> None:
        """Load what `state` returned. Raises SureError naming tensors that are missing, unexpected or of another shape.

        source: the file or folder that errors name.
        """
        state = self.current_names(state)
        if any(method.saved() != method.config for method in self.methods):
            raise SureError(f"{source}: attach the methods with their saved settings before loading")
        wanted = self.state()
        names = ", ".join(method.config.name for method in self.methods)
        compare_names(state, wanted, f"{source}: does not fit the attached methods ({names})")
        for name, tensor in wanted.items():
            if tensor.shape != state[name].shape:
                raise SureError(
                    f"{source}: {name} has shape {list(state[name].shape)}, this backbone needs {list(tensor.shape)}"
                )
        for name, tensor in wanted.items():
            if name in self.host_parameters:
                self._replaced.setdefault(name, tensor)
                self.host_parameters[name].data = state[name].to(tensor, copy=True)
            else:
                tensor.copy_(state[name])

    def modules(self) -> nn.ModuleList:
        """The built modules, to move and to switch between training and evaluation."""
        return nn.ModuleList(self._modules.values())

    def reads_all_taps(self) -> bool:
        return not isinstance(self.readout, LastLayer)

    @property
    def width(self) -> int:
        """Width of the head's input."""
        return getattr(self.readout, "width", self.backbone.dim)

    def built(self) -> list[tuple[Site, nn.Module]]:
        """Every site with the module that a method built for it."""
        return [(site, self._modules[name]) for name, site in self._sites.items()]

    def method_of(self, module: nn.Module) -> str:
        """The key of the method that built a module."""
        return next(_key_of(name) for name, built in self._modules.items() if built is module)

    def detach(self) -> None:
        """Take all modules out of the backbone, which is frozen and as it was before; `attach` puts them back.

        The backbone's own parameters that trained in this process, without `load`, keep their trained values.
        """
        for site in self._sites.values():
            site.slot.attached.clear()
        self._swap_replaced()
        self.backbone.requires_grad_(False)

    def attach(self) -> None:
        """Put the modules back that `detach` took out, into a backbone without modules; frozen, for inference."""
        for name in self._sites:
            self._fill_slot(name)
        self._swap_replaced()

    def own_values(self) -> dict[str, Tensor]:
        """While detached, the values of the backbone's parameters that `attach` puts into it, by saved name."""
        return dict(self._replaced)

    def _swap_replaced(self) -> None:
        for name, tensor in self._replaced.items():
            own = self.host_parameters[name]
            self._replaced[name], own.data = own.data, tensor.to(own.device)

    @torch.no_grad()
    def merge(self) -> None:
        """Fold every module at a site into the frozen weights and remove it; a readout stays.

        The output stays the same within rounding. Raises SureError naming the first method that cannot be merged;
        nothing has changed then.
        """
        if self.merged:
            raise SureError(f"petl ({', '.join(self.keyed)}) is merged already; load the bundle again to merge it anew")
        if not self._sites:
            raise SureError(f"petl ({', '.join(self.keyed)}) cannot be merged: it has no module at any site")
        if self.quantised:
            raise SureError(
                f"petl ({', '.join(self.keyed)}) cannot be merged into weights in {self.quantised}; load the bundle, "
                "whose backbone has its own weights"
            )
        for name in self._sites:
            if not self.keyed[_key_of(name)].mergeable:
                raise SureError(f"petl ({_key_of(name)}) cannot be merged into the backbone's weights")
        # a module that scales the input of a linear map scales the map with all others merged, so it comes last
        for name, site in sorted(self._sites.items(), key=lambda item: item[1].kind == "activation"):
            self._modules.pop(name).merge(site.host)
            site.slot.attached.clear()
        self._sites.clear()
        self.merged = True


def _key_of(name: str) -> str:
    """The key of the method of a tensor (`layer.3.attn.q/lora.2/a`) or module (`layer.3.attn.q/lora.2`)."""
    return name.split("/")[1]


def freeze(module: nn.Module) -> None:
    """Switch off gradients and dropout."""
    module.requires_grad_(False)
    for part in module.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.0
