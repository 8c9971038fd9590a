"""Store the frozen linear maps under attached methods in few bits."""

from sure.backbones.quantised import quantise
from sure.errors import SureError
from sure.petl.attach import Attachment


def store_frozen(attachment: Attachment, format: str) -> None:
    """Store the linear maps of the backbone's layers that no method trains in `int8` or `nf4`.

    Raises SureError for a method that computes with the exact weights, and if no linear map is frozen.
    """
    where = f"backbone.frozen_weights={format}"
    for key, method in attachment.keyed.items():
        if method.reads_host:
            raise SureError(f"{where}: petl ({key}) computes with the exact weights; choose fp32, or another method")
    removed = set(map(id, quantise(attachment.backbone, format, attachment.host_parameters.values())))
    if not removed:
        raise SureError(f"{where}: no linear map is frozen; choose fp32, or a method that trains less")
    kept = attachment.backbone_parameters.items()
    attachment.backbone_parameters = {name: each for name, each in kept if id(each) not in removed}
    attachment.quantised = format
