"""From a bundle to its config, its backbone's weights and its model."""

import logging
from collections.abc import Iterable
from pathlib import Path

from sure import hub
from sure.backbones.base import Backbone
from sure.config import Config, make_config
from sure.errors import SureError
from sure.models.base import AdaptedModel
from sure.models.build import build_model, build_task
from sure.petl.bundle import ABOUT, Bundle
from sure.provenance import describe_changes

log = logging.getLogger(__name__)


def check_same_padding(bundle: Bundle, others: Iterable[Bundle]) -> None:
    """Raises SureError for another treatment of padding than that of the others."""
    for other in others:
        ours, theirs = (each.about["backbone"]["padding"] for each in (bundle, other))
        if ours != theirs:
            raise SureError(f"{bundle.folder} was trained with backbone.padding={ours}, {other.folder} with {theirs}")


def config_of(bundle: Bundle, weights: str) -> Config:
    """The config of the bundle's model. weights: of its backbone. Raises SureError naming the bundle."""
    about = bundle.about
    backbone = {key: about["backbone"][key] for key in ("name", "layers", "padding")}
    given = {
        **{key: about[key] for key in ("task", "seed", "petl", "head")},
        "data": {"train": "", "valid": ""},
        "text": {"language": about["language"]},
        "decode": {"generation": about.get("generation", {})},
        "backbone": {**backbone, "weights": weights},
    }
    try:
        return make_config(given, ABOUT)
    except SureError as error:
        raise SureError(f"{bundle.folder}: {error}") from None


def model_of(bundle: Bundle, config: Config, backbone: Backbone) -> AdaptedModel:
    """The trained model, attached to a backbone with empty slots. Raises SureError for a bundle that does not fit."""
    task = build_task(config, bundle.folder)
    model = build_model(config, task, saved=True, tensors=bundle.tensors, backbone=backbone)
    model.load(bundle.tensors, str(bundle.folder))
    if changed := describe_changes(bundle.about.get("code", {}), model.code()):
        log.warning("%s was trained before %s changed; its results may differ now", bundle.folder, changed)
    return model


def find_weights(bundle: Bundle) -> str:
    """The bundle's path of the backbone, relative to the current directory or a folder above; other names as is."""
    named = bundle.about["backbone"]["weights"]
    if not isinstance(named, str) or not named:
        raise SureError(
            f"{bundle.folder / ABOUT}: backbone.weights is {named!r}, which is not a path or name; pack the bundle "
            "again (run.sh: --stage pack), copy it again, or pass the backbone: --backbone PATH, or backbone_weights"
        )
    if ("/" not in named and "." not in named) or hub.is_pinned(named):
        return named
    for place in (Path(), *bundle.folder.resolve().parents, bundle.folder):
        for path in (place / named, place / Path(named).name):
            if path.exists():
                return str(path)
    raise SureError(
        f"{bundle.folder} needs the backbone {named} (sha256 {bundle.about['backbone']['sha256']}), which is neither "
        "in the current directory nor in a folder above the bundle; pass it: --backbone PATH, or backbone_weights"
    )
