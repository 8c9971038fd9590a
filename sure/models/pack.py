"""The files of a bundle, made from a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sure.config import Config
from sure.models.base import AdaptedModel
from sure.petl.bundle import bundle_files, describe_backbone


def bundle_content(
    config: Config, model: AdaptedModel, tokens: Path, scores: dict[str, Any] | None = None
) -> dict[str, bytes]:
    """Contents of the bundle's files by name. tokens: folder with the task's files; scores: by data set."""
    counts = model.counts()
    about = {
        "task": config.task,
        "language": config.text.language,
        "method": config.method,
        "seed": config.seed,
        "backbone": {
            "name": config.backbone.name,
            "weights": config.backbone.weights,
            "layers": config.backbone.layers,
            "padding": config.backbone.padding,
            **describe_backbone(model.backbone),
        },
        "petl": [method.saved().model_dump(mode="json") for method in model.attachment.methods],
        "head": config.head.model_dump(mode="json"),
        "parameters": {"adapter": counts.adapter, "head": counts.head, "total": counts.total},
        "scores": scores or {},
    }
    others = {name: (tokens / name).read_bytes() for name in model.task.files()}
    return bundle_files(about, model.state(), others)
