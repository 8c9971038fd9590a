"""Download the weights of a torchaudio bundle by name, e.g. WAV2VEC2_BASE, HUBERT_LARGE, WAVLM_BASE_PLUS."""

from __future__ import annotations

import pickle
from typing import Any

from torch import Tensor

from sure.errors import SureError
from sure.registry import nearest


def read_bundle(name: str, starts: tuple[str, ...]) -> tuple[dict[str, Any], bool, dict[str, Tensor]]:
    """Parameters of the bundle, whether it needs normalised waveforms, and its tensors.

    starts: prefixes of the names of the family's bundles.
    Raises SureError if the name is not a bundle of this family or the weights cannot be downloaded.
    """
    bundle = find_bundle(name, starts)
    try:
        model = bundle.get_model(dl_kwargs={"weights_only": True})  # so that a pickle cannot run code
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise SureError(
            f"the weights of {name} could not be downloaded ({error}); check the network, "
            "or set backbone.weights to a local Hugging Face folder of the same model"
        ) from None
    return bundle._params, bundle._normalize_waveform, model.state_dict()


def find_bundle(name: str, starts: tuple[str, ...]) -> Any:
    """The bundle, without a download. Raises SureError with the nearest name if the family has no such bundle."""
    from torchaudio import pipelines

    found = {bundle: getattr(pipelines, bundle) for bundle in dir(pipelines) if bundle.startswith(starts)}
    bundles = {key: bundle for key, bundle in found.items() if hasattr(bundle, "_params")}
    if name not in bundles:
        raise SureError(
            f"backbone.weights={name}: torchaudio has no such bundle{nearest(name, list(bundles))}; "
            f"available: {', '.join(bundles)}"
        )
    return bundles[name]
