"""The table of PETL methods: formula, default sites, and trained parameters for given backbones."""

import sys
from collections.abc import Mapping, Sequence

from sure import registry
from sure.backbones.base import Backbone, SpeechEncoder, empty_slots
from sure.errors import SureError
from sure.petl.attach import Attachment
from sure.petl.base import PetlConfig
from sure.report.markdown import table


def markdown(backbones: Mapping[str, Backbone], methods: Mapping[str, Sequence[PetlConfig]]) -> str:
    """A row per method: trained parameters without the head, as a number and in percent of each backbone.

    methods: for each row's name the settings of its method, or of several methods for a combination. `-` stands for a
    backbone that has no place for the method. Raises SureError with the reason where no backbone has one.
    """
    rows = [["method", "formula and source", "default sites", *(part for name in backbones for part in (name, "%"))]]
    for name, configs in methods.items():
        summary = " ".join(_summary(config) for config in configs)
        counted = [_counted(configs, backbone) for backbone in backbones.values()]
        if all(isinstance(one, SureError) for one in counted):
            raise counted[0]
        cells = [cell for one in counted for cell in (("-", "-") if isinstance(one, SureError) else one)]
        sites = " ".join(f"`{pattern}`" for config in configs for pattern in config.sites.split())
        rows.append([f"`{name}`", summary.replace("|", "\\|"), sites or "-", *cells])
    return table(rows, text_columns=3) + "\n"


def fitting(
    methods: Mapping[str, Sequence[PetlConfig]], backbones: Mapping[str, Backbone]
) -> dict[str, Sequence[PetlConfig]]:
    """Those of the methods that at least one of the backbones has a place for."""
    return {
        name: configs
        for name, configs in methods.items()
        if any(not isinstance(_counted(configs, backbone), SureError) for backbone in backbones.values())
    }


def count(configs: Sequence[PetlConfig], backbone: Backbone) -> int | None:
    """Trained parameters of the methods without the head; None where the backbone has no place for them."""
    try:
        return _count(configs, backbone)
    except SureError:
        return None


def _summary(config: PetlConfig) -> str:
    """The first line of the docstring of the method's file."""
    module = sys.modules[registry.find("petl", config.name).__module__]
    lines = (module.__doc__ or "").strip().splitlines()
    if not lines:
        raise SureError(f"{module.__file__} has no docstring; begin the file with one that has formula and source")
    return lines[0]


def _counted(configs: Sequence[PetlConfig], backbone: Backbone) -> tuple[str, str] | SureError:
    """Number and percentage, or the reason why the methods cannot be attached to the backbone."""
    whole = sum(parameter.numel() for parameter in backbone.parameters())
    try:
        number = _count(configs, backbone)
    except SureError as error:
        return error
    return f"{number:,}", f"{100 * number / whole:.2f}"


def _count(configs: Sequence[PetlConfig], backbone: Backbone) -> int:
    """Trained parameters of the methods. Raises SureError where they cannot be attached to the backbone."""
    methods = [registry.find("petl", config.name)(config) for config in configs]
    if not isinstance(backbone, SpeechEncoder) and any(each.reads_layers and not each.keeps_last for each in methods):
        raise SureError("a readout of all layers is for speech encoders only")
    try:
        attachment = Attachment(backbone, methods)
    except SureError:
        empty_slots(backbone)
        raise
    number = sum(row.parameters for row in attachment.coverage)
    attachment.detach()
    return number
