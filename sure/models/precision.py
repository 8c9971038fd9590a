"""Number formats for inference with a trained model."""

import torch

from sure.device import autocast
from sure.errors import SureError
from sure.models.base import AdaptedModel
from sure.petl.store_frozen import store_for_inference

PRECISIONS = ("fp32", "bf16", "int8")


def convert(model: AdaptedModel, precision: str, device: torch.device) -> torch.autocast:
    """Prepare a trained model for inference alone; returns the context in which it is to be called.

    fp32: nothing changes. bf16: methods are merged where possible, the linear maps of layers are stored in bf16, and
    products are computed in bf16. int8: the maps are stored in 8 bits a number, and products are computed in the
    precision that is faster on the device. Raises SureError for another precision, and for bf16 and int8 in synthesis.
    """
    if precision not in PRECISIONS:
        raise SureError(f"precision {precision!r}: expected one of {', '.join(PRECISIONS)}")
    if precision != "fp32":
        if "predict" not in model.abilities:
            raise SureError(f"precision {precision!r}: speech is synthesised in fp32; choose fp32")
        store_for_inference(model.attachment, precision)
    return autocast("auto" if precision == "int8" else precision, device, model.backbone.dim)
