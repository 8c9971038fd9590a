"""The table of PETL methods: formula, default sites, and trained parameters for given backbones."""

import sys
from collections.abc import Mapping, Sequence

from sure import registry
from sure.backbones.base import Backbone
from sure.petl.attach import Attachment
from sure.petl.base import PetlConfig
from sure.report.markdown import table


def markdown(backbones: Mapping[str, Backbone], methods: Mapping[str, Sequence[PetlConfig]]) -> str:
    """A row per method: trained parameters without the head, as a number and in percent of each backbone.

    methods: for each row's name the settings of its method, or of several methods for a combination.
    """
    rows = [["method", "formula and source", "default sites", *(part for name in backbones for part in (name, "%"))]]
    for name, configs in methods.items():
        summary = " ".join(_summary(config) for config in configs)
        cells = [cell for backbone in backbones.values() for cell in _counted(configs, backbone)]
        sites = " ".join(f"`{pattern}`" for config in configs for pattern in config.sites.split())
        rows.append([f"`{name}`", summary.replace("|", "\\|"), sites or "-", *cells])
    return table(rows, text_columns=3) + "\n"


def _summary(config: PetlConfig) -> str:
    """The first line of the docstring of the method's file."""
    return sys.modules[registry.find("petl", config.name).__module__].__doc__.strip().splitlines()[0]


def _counted(configs: Sequence[PetlConfig], backbone: Backbone) -> tuple[str, str]:
    whole = sum(parameter.numel() for parameter in backbone.parameters())
    attachment = Attachment(backbone, [registry.find("petl", config.name)(config) for config in configs])
    count = sum(row.parameters for row in attachment.coverage)
    attachment.detach()
    return f"{count:,}", f"{100 * count / whole:.2f}"
