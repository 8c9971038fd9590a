"""Store the frozen linear maps under attached methods in fewer bits."""

from collections.abc import Sequence
from contextlib import suppress

from sure.backbones.quantised import hidden_parameters, quantise
from sure.errors import SureError
from sure.petl.attach import Attachment
from sure.petl.base import PetlMethod


def stores_while_loading(methods: Sequence[PetlMethod]) -> bool:
    """Whether a backbone for these methods can be built with every linear map of its layers in fewer bits."""
    return not any(method.reads_host or method.needs_weights for method in methods)


def store_frozen(attachment: Attachment, format: str) -> None:
    """Store the linear maps of the backbone's layers that no method trains in `bf16`, `int8` or `nf4`.

    Raises SureError for a method that computes with the exact weights, and if no linear map is frozen.
    """
    check_storable(attachment, format)
    if not _store(attachment, format):
        raise SureError(
            f"backbone.frozen_weights={format}: no linear map is frozen; choose fp32, or a method that trains less"
        )


def check_storable(attachment: Attachment, format: str) -> None:
    """Raises SureError for a method that computes with the exact weights."""
    for key, method in attachment.keyed.items():
        if method.reads_host:
            raise SureError(
                f"backbone.frozen_weights={format}: petl ({key}) computes with the exact weights; choose fp32, or "
                "another method"
            )


def store_for_autocast(attachment: Attachment) -> None:
    """Store the frozen linear maps in bf16, which products under autocast use; not where a method reads the weights."""
    if not attachment.quantised and not any(method.reads_host for method in attachment.methods):
        _store(attachment, "bf16")


def store_for_inference(attachment: Attachment, format: str) -> None:
    """Merge the methods where that is possible, and store all linear maps of the layers in bf16 or int8.

    They stay as they are where a method that cannot be merged computes with the exact weights.
    """
    with suppress(SureError):  # where merging is impossible, nothing has changed
        attachment.merge()
    if not attachment.quantised and (attachment.merged or not any(method.reads_host for method in attachment.methods)):
        quantise(attachment.backbone, format, kept=())
        attachment.quantised = format


def _store(attachment: Attachment, format: str) -> bool:
    """Returns whether a linear map is frozen; some may have been stored while the backbone was loaded."""
    removed = set(map(id, quantise(attachment.backbone, format, attachment.host_parameters.values())))
    kept = attachment.backbone_parameters.items()
    attachment.backbone_parameters = {name: each for name, each in kept if id(each) not in removed}
    attachment.quantised = format if hidden_parameters(attachment.backbone) else ""
    return bool(attachment.quantised)
