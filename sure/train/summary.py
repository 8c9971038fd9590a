"""What is trained, as a table at the start; what it took, as summary.json at the end."""

from __future__ import annotations

import datetime
from typing import Any

import torch

from sure.config import Config
from sure.device import describe_device, peak_memory_megabytes
from sure.models.base import AdaptedModel
from sure.models.experiment import Experiment, git_hash
from sure.models.pack import bundle_content
from sure.train.progress_state import State


def coverage_table(model: AdaptedModel) -> str:
    """What each pattern of each method matched, and how many parameters train there; the rest is frozen."""
    counts = model.counts()
    header = ("method", "pattern", "sites", "layers", "parameters", "percent")
    rows = [
        (row.method, row.pattern, str(row.sites), str(row.layers), *_share(row.parameters, counts.total))
        for row in model.attachment.coverage()
    ]
    rows.append(("head", "", "", "", *_share(counts.head, counts.total)))
    rows.append(("trained", "", "", "", *_share(counts.trained, counts.total)))
    rows.append(("frozen", "", "", "", *_share(counts.total - counts.trained, counts.total)))
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [
        "  ".join([*map(str.ljust, row[:2], widths), *map(str.rjust, row[2:], widths[2:])]) for row in (header, *rows)
    ]
    return "\n".join(["what trains:", *lines])


def summarise(
    experiment: Experiment,
    config: Config,
    model: AdaptedModel,
    state: State,
    device: torch.device,
    command: str,
) -> dict[str, Any]:
    """The content of summary.json, which scores and reports quote."""
    counts = model.counts()
    return {
        "task": config.task,
        "method": config.method,
        "trained_parameters": counts.trained,
        "adapter_parameters": counts.adapter,
        "head_parameters": counts.head,
        "total_parameters": counts.total,
        "trained_percent": counts.percent,
        "bundle_bytes": sum(map(len, bundle_content(config, model, experiment.tokens).values())),
        "training_seconds": round(state.training_seconds, 1),
        "peak_memory_megabytes": round(peak_memory_megabytes(device), 1),
        "device": describe_device(device),
        "seed": config.seed,
        "git_hash": git_hash(),
        "backbone": config.backbone.name,
        "backbone_sha256": model.backbone.sha256,
        "backbone_weights": config.backbone.weights,
        "epochs": len(state.history),
        "best_epoch": state.best_epoch,
        "dev_score": state.best_score,
        "lr_adapter": config.train.lr_adapter,
        "lr_head": config.train.lr_head,
        "command": command,
        "date": datetime.date.today().isoformat(),
    }


def _share(parameters: int, total: int) -> tuple[str, str]:
    return f"{parameters:,}", f"{100 * parameters / total:.3f} %"
