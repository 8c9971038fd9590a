"""All methods in one table: what each is, where it sits by default, and what trains on given backbones."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from sure import registry
from sure.backbones.base import Backbone
from sure.petl.attach import Attachment


def markdown(backbones: Mapping[str, Backbone], names: Sequence[str]) -> str:
    """A row for each method: what trains, without a head, as parameters and as percent of each backbone."""
    header = ["method", "what it is", "sites", *(part for name in backbones for part in (name, "%"))]
    rows = [header, ["---", "---", "---", *["---:"] * (2 * len(backbones))]]
    for name in names:
        method = registry.find("petl", name)
        summary = (sys.modules[method.__module__].__doc__ or "").strip().splitlines()[0]
        cells = [cell for backbone in backbones.values() for cell in _counted(name, backbone)]
        sites = " ".join(f"`{pattern}`" for pattern in method.Config().sites.split())
        rows.append([f"`{name}`", summary.replace("|", "\\|"), sites or "-", *cells])
    return "\n".join("| " + " | ".join(row) + " |" for row in rows) + "\n"


def _counted(name: str, backbone: Backbone) -> tuple[str, str]:
    method = registry.find("petl", name)
    whole = sum(parameter.numel() for parameter in backbone.parameters())
    attachment = Attachment(backbone, [method(method.Config(name=name))])
    count = sum(parameter.numel() for parameter in attachment.saved_parameters().values())
    attachment.detach()
    return f"{count:,}", f"{100 * count / whole:.2f}"
