"""All methods in one table: what each is, where it sits by default, and what trains on given backbones."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from sure import registry
from sure.backbones.base import Backbone
from sure.petl.attach import Attachment
from sure.petl.base import PetlMethod


def markdown(backbones: Mapping[str, Backbone], names: Sequence[str]) -> str:
    """A row for each method: what trains, without a head, as parameters and as percent of each backbone."""
    header = ["method", "what it is", "sites", *(part for name in backbones for part in (name, "%"))]
    rows = [header, ["---", "---", "---", *["---:"] * (2 * len(backbones))]]
    for name in names:
        methods = _methods(name)
        summary = "; ".join(sys.modules[type(method).__module__].__doc__.strip().splitlines()[0] for method in methods)
        cells = [cell for backbone in backbones.values() for cell in _counted(name, backbone)]
        sites = " ".join(f"`{pattern}`" for method in methods for pattern in method.config.sites.split())
        rows.append([f"`{name}`", summary.replace("|", "\\|"), sites or "-", *cells])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def _counted(name: str, backbone: Backbone) -> tuple[str, str]:
    whole = sum(parameter.numel() for parameter in backbone.parameters())
    attachment = Attachment(backbone, _methods(name))
    count = sum(parameter.numel() for parameter in attachment.trained_parameters().values())
    attachment.detach()
    return f"{count:,}", f"{100 * count / whole:.2f}"


def _methods(name: str) -> list[PetlMethod]:
    """Those of `lora` or `lora+prefix`, with their default settings."""
    found = {part: registry.find("petl", part) for part in name.split("+")}
    return [method(method.Config(name=part)) for part, method in found.items()]
