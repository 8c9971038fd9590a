"""Import a LoRA folder of PEFT as methods attached to a backbone, with the same outputs."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from sure import registry
from sure.backbones.base import Backbone, Site
from sure.backbones.encoder_decoder import EncoderDecoder
from sure.errors import SureError
from sure.exchange.family import Places
from sure.exchange.to_peft import CONFIG, PREFIX, WEIGHTS
from sure.parsing import read_json
from sure.petl.attach import Attachment
from sure.petl.base import PetlMethod

# Settings of PEFT that are read; that select modules, as the tensors' names do; that are informative or have no effect.
READ = {"peft_type", "use_dora", "use_rslora", "r", "lora_alpha", "rank_pattern", "alpha_pattern", "lora_dropout"}
PLACES = {"target_modules", "exclude_modules", "modules_to_save", "layers_to_transform", "layers_pattern"}
ABOUT = {"auto_mapping", "base_model_name_or_path", "inference_mode", "peft_version", "revision", "task_type"}
UNUSED = {"megatron_core", "qalora_group_size", "loftq_config", "ensure_weight_tying", "runtime_config"}
STARTS = (True, False, "gaussian", "orthogonal")  # of init_lora_weights that do not change the backbone's weights
# Names of modules outside the backbone, and of modules outside the encoder.
HEADS = "lm_head|projector|classifier|score|layer_weights"
OUTSIDE = re.compile(rf"({HEADS})(\.|$)")
OUTSIDE_ENCODER = re.compile(rf"({HEADS}|decoder|model\.decoder)(\.|$)")
SITE = re.compile(r"(.*?layer\.)(\d+)\.(.*)")  # stack, number of the layer in it, and place of a site
PARTS = {"lora_A.weight": "a", "lora_B.weight": "b", "lora_magnitude_vector": "magnitude"}


@dataclass
class Branch:
    """PEFT's tensors at one site, by our names. name: PEFT's name of the linear map."""

    name: str
    site: Site
    tensors: dict[str, Tensor]


def attach_peft(backbone: Backbone, folder: Path) -> Attachment:
    """Attach the LoRA of a PEFT folder to a backbone with nothing attached.

    There is one method per pair of rank and alpha. Tensors of a head or decoder are left out, with a printed note.
    Raises SureError naming a setting, tensor or module without a counterpart in SURE.
    """
    config = _read_config(folder / CONFIG)
    name = "dora" if config.get("use_dora") else "lora"
    branches = _branches(folder / WEIGHTS, backbone, {"a", "b", "magnitude"} if name == "dora" else {"a", "b"})
    try:
        methods = _methods(name, config, branches.values(), backbone.sites())
    except (TypeError, ValueError, re.error) as error:
        reason = " ".join(str(error).split())
        raise SureError(f"{folder / CONFIG} has a setting that PEFT does not write ({reason})") from None
    attachment = Attachment(backbone, methods)
    for site, module in attachment.built():
        for part, tensor in branches[site.name].tensors.items():
            own = getattr(module, part)
            if own.shape != tensor.shape:
                raise SureError(
                    f"{folder / WEIGHTS}: {part} of {site.name} has shape {list(tensor.shape)}, this backbone needs "
                    f"{list(own.shape)}; give the backbone that it was trained on"
                )
            own.data.copy_(tensor)
    return attachment


def _methods(
    name: str, config: Mapping[str, Any], branches: Iterable[Branch], everything: Sequence[Site]
) -> list[PetlMethod]:
    groups: dict[tuple[int, float], list[Site]] = {}
    for branch in branches:
        groups.setdefault((len(branch.tensors["a"]), _alpha(config, branch.name)), []).append(branch.site)
    method = registry.find("petl", name)
    settings = {"dropout": config.get("lora_dropout", 0.0), "rslora": bool(config.get("use_rslora"))}
    return [
        method(method.Config(name=name, sites=patterns(sites, everything), rank=rank, alpha=alpha, **settings))
        for (rank, alpha), sites in groups.items()
    ]


def _read_config(path: Path) -> dict[str, Any]:
    config = read_json(path, "pass a PEFT folder, as save_pretrained writes it, or save the adapter again")
    kind = config.get("peft_type")
    if kind != "LORA":
        raise SureError(f"{path}: peft_type is {kind!r}; only LORA (with or without use_dora) can be imported")
    for key, value in config.items():
        empty = value in (None, False, "none", [], {})
        known = value in STARTS if key == "init_lora_weights" else empty or key in READ | PLACES | ABOUT | UNUSED
        if not known:
            raise SureError(f"{path}: {key}={value!r} has no counterpart here; train or save the adapter without it")
    return config


def _branches(path: Path, backbone: Backbone, wanted: set[str]) -> dict[str, Branch]:
    """The branches in a file by the name of their site, in the order of the sites. wanted: tensors of each branch."""
    places = Places(backbone)
    by_host = {id(site.host): site for site in backbone.sites() if site.kind == "linear"}
    modules: dict[str, dict[str, Tensor]] = {}
    beyond = OUTSIDE if isinstance(backbone, EncoderDecoder) else OUTSIDE_ENCODER
    left_out = Counter[str]()
    for name, tensor in _read_tensors(path).items():
        if outside := beyond.match(name.removeprefix(PREFIX)):
            left_out[outside[1]] += 1
            continue
        part = next((part for part in PARTS if name.endswith(f".{part}")), None)
        if part is None:
            raise SureError(f"{path}: {name} is not a tensor of LoRA on a linear map; only these can be imported")
        modules.setdefault(name.removeprefix(PREFIX).removesuffix(f".{part}"), {})[PARTS[part]] = tensor
    branches = {}
    for name, tensors in modules.items():
        host = places.host(name)
        if id(host) not in by_host:
            known = ", ".join(sorted({places.theirs(site.host) for site in by_host.values() if site.layer == 0}))
            raise SureError(f"{path}: {name} is not a site; the linear maps of a layer are {known}")
        if not places.called(host):
            raise SureError(
                f"{path}: transformers' {places.family.huggingface_class}Model reads the weights of {name} without "
                "calling it, so PEFT's adapter there had no effect in training; leave it out"
            )
        if set(tensors) != wanted:
            raise SureError(f"{path}: {name} has {', '.join(sorted(tensors))} instead of {', '.join(sorted(wanted))}")
        site = by_host[id(host)]
        branches[site.name] = Branch(name, site, tensors)
    if not branches:
        raise SureError(f"{path} has no tensor of the encoder; save the adapter again")
    if left_out:
        counts = ", ".join(f"{name} ({count})" for name, count in left_out.items())
        print(f"{path}: left out tensors outside the encoder: {counts}")
    return {site.name: branches[site.name] for site in by_host.values() if site.name in branches}


def _alpha(config: Mapping[str, Any], name: str) -> float:
    """The alpha of a module: of the first key of alpha_pattern that matches the end of its name, or lora_alpha."""
    patterns_of = config.get("alpha_pattern") or {}
    if not isinstance(patterns_of, dict):
        raise TypeError(f"alpha_pattern={patterns_of!r}")
    matching = (alpha for key, alpha in patterns_of.items() if re.match(rf"(.*\.)?({key})$", name))
    return float(next(matching, config.get("lora_alpha", 8)))


def _read_tensors(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        pickled = path.with_suffix(".bin")
        why = f"; {pickled.name} is a pickle, which can run code" if pickled.is_file() else ""
        raise SureError(f"{path} does not exist{why}; save the adapter with safe_serialization=True")
    try:
        return safetensors.torch.load_file(path)
    except safetensors.SafetensorError as error:
        raise SureError(f"{path} is damaged ({error}); save the adapter again") from None


def patterns(sites: Sequence[Site], everything: Sequence[Site]) -> str:
    """The shortest patterns for some sites among all: `layer.*.attn.q`, `layer.[2-5].attn.q`, `layer.{0,4}.attn.q`."""
    chosen, all_numbers = _numbers(sites), _numbers(everything)
    found = []
    for (stack, place), numbers in chosen.items():
        first, last = min(numbers), max(numbers)
        if len(numbers) == len(all_numbers[stack, place]):
            which = "*"
        elif len(numbers) == 1:
            which = str(first)
        elif len(numbers) == last - first + 1:
            which = f"[{first}-{last}]"
        else:
            which = "{" + ",".join(map(str, sorted(numbers))) + "}"
        found.append(f"{stack}{which}.{place}")
    return " ".join(found)


def _numbers(sites: Sequence[Site]) -> dict[tuple[str, str], list[int]]:
    """Numbers of the layers with a site, by stack (`layer.`, `decoder.layer.`) and place (`attn.q`)."""
    found: dict[tuple[str, str], list[int]] = {}
    for site in sites:
        if match := SITE.fullmatch(site.name):
            found.setdefault((match[1], match[3]), []).append(int(match[2]))
    return found
