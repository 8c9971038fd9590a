"""Fetch the weights of a torchaudio bundle by its name, e.g. WAV2VEC2_BASE, HUBERT_LARGE, WAVLM_BASE_PLUS."""

from __future__ import annotations

import pickle
from typing import Any

from torch import Tensor

from sure.errors import SureError
from sure.registry import nearest


def read_bundle(name: str, starts: tuple[str, ...]) -> tuple[dict[str, Any], bool, dict[str, Tensor]]:
    """The bundle's parameters, whether it wants normalised waveforms, and its tensors.

    starts: how the names of a family's bundles start.
    Raises SureError for a name that is no bundle of this family, and when the weights cannot be had.
    """
    from torchaudio import pipelines

    found = {bundle: getattr(pipelines, bundle) for bundle in dir(pipelines) if bundle.startswith(starts)}
    bundles = {key: bundle for key, bundle in found.items() if hasattr(bundle, "_params")}
    if name not in bundles:
        raise SureError(
            f"backbone.weights={name}: torchaudio has no such bundle{nearest(name, list(bundles))}; "
            f"there are: {', '.join(bundles)}"
        )
    bundle = bundles[name]
    try:
        model = bundle.get_model(dl_kwargs={"weights_only": True})  # a pickle from outside runs no code then
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise SureError(
            f"the weights of {name} could not be fetched ({error}); check the network, "
            f"or give backbone.weights a local Hugging Face folder of the same model"
        ) from None
    return bundle._params, bundle._normalize_waveform, model.state_dict()
