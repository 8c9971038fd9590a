"""Export methods as a folder for `PeftModel.from_pretrained`: adapter_config.json and adapter_model.safetensors."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from sure.errors import SureError
from sure.exchange.family import Places, class_of, prefix_of
from sure.exchange.files import HEAD, head_file, json_file, tensor_file
from sure.models.base import AdaptedModel
from sure.petl.attach import Attachment
from sure.petl.dora import DecomposedLowRank
from sure.petl.ia3 import Scale
from sure.petl.lora import LowRank, Method, PrincipalLowRank

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."  # of every tensor's name in PEFT
# The kind of PEFT adapter for each of our modules that has one.
KINDS = {LowRank: "lora", PrincipalLowRank: "lora", DecomposedLowRank: "dora", Scale: "ia3"}
ABLE = "PEFT can have lora, dora or ia3 at linear maps, and the layers' norms (layer_norm)"
INSTEAD = "export it --to transformers, merged into the weights"


@dataclass
class Adapter:
    """The content of one PEFT folder. modules, norms: adapters, and tensors of trained norms, by names in transformers.

    reading: names of the maps whose input is scaled instead of the output.
    """

    kind: str = ""
    modules: dict[str, nn.Module] = field(default_factory=dict)
    norms: dict[str, dict[str, Tensor]] = field(default_factory=dict)
    reading: list[str] = field(default_factory=list)


def peft_files(model: AdaptedModel, base: str | None) -> tuple[dict[str, bytes], list[str]]:
    """The files of the folder by name, and notes for the user.

    base: name or folder of the Hugging Face model, if there is one.
    Raises SureError naming the first method or site without a form in PEFT.
    """
    places = Places(model.backbone)
    adapter = _collect(model.attachment, places)
    settings = {"base_model_name_or_path": base, "inference_mode": True, **_settings(adapter, model.attachment)}
    inside = f"{PREFIX}{prefix_of(model.backbone)}"
    files = {
        CONFIG: json_file(settings),
        WEIGHTS: tensor_file({f"{inside}{name}": tensor for name, tensor in _tensors(adapter).items()}, format="pt"),
    }
    notes = [f"PeftModel.from_pretrained({class_of(model.backbone)}.from_pretrained(...), FOLDER) has the adapter"]
    if head := head_file(model):
        files[HEAD] = head
        notes.append(f"PEFT has no head and readout like ours; they are in {HEAD}")
    return files, [*notes, *model.backbone.huggingface_differences()]


def _collect(attachment: Attachment, places: Places) -> Adapter:
    adapter = Adapter()
    for site, module in attachment.built():
        method = attachment.method_of(module)
        kind = next((kind for known, kind in KINDS.items() if type(module).forward is known.forward), None)
        if kind is None or site.kind not in ("linear", "activation"):
            raise SureError(f"petl ({method}) at {site.name} has no form in PEFT. {ABLE}")
        if adapter.kind not in ("", kind):
            raise SureError(f"petl: {adapter.kind} and {kind} do not fit into one PEFT folder; {INSTEAD}")
        name = places.theirs(site.host)
        if not places.called(site.host):
            raise SureError(
                f"petl ({method}): {site.name} is {name} in transformers' {places.family.huggingface_class}Model, "
                "which reads the weights of this map without calling it: PEFT's adapter would have no effect; "
                f"{INSTEAD}"
            )
        if name in adapter.modules:
            raise SureError(f"petl ({method}): {site.name} has two modules; PEFT allows one; {INSTEAD}")
        adapter.kind = kind
        adapter.modules[name] = module
        if site.kind == "activation":
            adapter.reading.append(name)
    hosts = [site.host for site in attachment.backbone.sites() if site.kind == "norm"]
    norms = {id(parameter): host for host in hosts for parameter in host.parameters(recurse=False)}
    for own, parameter in attachment.host_parameters.items():
        host = norms.get(id(parameter))
        if host is None:
            raise SureError(f"petl: {own} is a weight of the backbone itself. {ABLE}; {INSTEAD}")
        adapter.norms[places.theirs(host)] = dict(host.named_parameters(recurse=False))
    if not adapter.modules and not adapter.norms:
        names = ", ".join(method.config.name for method in attachment.methods)
        raise SureError(f"petl ({names}) changes nothing in the backbone, so there is nothing to export. {ABLE}")
    return adapter


def _settings(adapter: Adapter, attachment: Attachment) -> dict[str, Any]:
    norms = sorted(adapter.norms)
    if not adapter.kind:
        return {"peft_type": "LN_TUNING", "target_modules": norms}
    settings = {"target_modules": sorted(adapter.modules), "modules_to_save": norms or None}
    if adapter.kind == "ia3":
        return {"peft_type": "IA3", **settings, "feedforward_modules": sorted(adapter.reading)}
    configs = [method.config for method in attachment.methods if isinstance(method, Method)]
    rank_stabilised = all(config.rslora for config in configs)
    dropouts = {config.dropout for config in configs}
    factors = {name: _factors(module) for name, module in adapter.modules.items()}
    ranks = {name: len(a) for name, (a, _, _) in factors.items()}
    power = 0.5 if rank_stabilised else 1
    alphas = {name: _plain(scale * ranks[name] ** power) for name, (_, _, scale) in factors.items()}
    rank, alpha = (Counter(values.values()).most_common(1)[0][0] for values in (ranks, alphas))
    return {
        "peft_type": "LORA",
        **settings,
        "r": rank,
        "lora_alpha": alpha,
        "rank_pattern": {name: other for name, other in ranks.items() if other != rank},
        "alpha_pattern": {name: other for name, other in alphas.items() if other != alpha},
        # one dropout for all modules in PEFT; it only matters in training
        "lora_dropout": dropouts.pop() if len(dropouts) == 1 else 0.0,
        "use_dora": adapter.kind == "dora",
        "use_rslora": rank_stabilised,
    }


def _factors(module: LowRank) -> tuple[Tensor, Tensor, float]:
    """A, B and the scale of their product; PiSSA's initial factors are further ranks."""
    return (*module.factors(), 1.0) if isinstance(module, PrincipalLowRank) else (module.a, module.b, module.scale)


def _plain(value: float) -> float:
    """Rounded to 9 decimals; whole numbers as int."""
    value = round(value, 9)
    return int(value) if value == int(value) else value


def _tensors(adapter: Adapter) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    for name, module in adapter.modules.items():
        if adapter.kind == "ia3":
            found[f"{name}.ia3_l"] = module.scale[None] if name in adapter.reading else module.scale[:, None]
            continue
        found[f"{name}.lora_A.weight"], found[f"{name}.lora_B.weight"], _ = _factors(module)
        if adapter.kind == "dora":
            found[f"{name}.lora_magnitude_vector"] = module.magnitude
    inside = "" if adapter.kind else "ln_tuning_layers."
    for name, tensors in adapter.norms.items():
        found |= {f"{name}.{inside}{part}": tensor for part, tensor in tensors.items()}
    return found
