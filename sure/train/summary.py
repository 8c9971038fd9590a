"""The table of trained parameters at the start of a training, and its summary at the end."""

from __future__ import annotations

import datetime
from typing import Any

from sure.config import Config
from sure.device import describe_device, peak_memory_megabytes
from sure.models.base import AdaptedModel
from sure.models.experiment import Experiment, git_hash
from sure.train.trainer import Trainer


def coverage_table(model: AdaptedModel) -> str:
    """Sites, layers and trained parameters that each pattern of each method matched; all else is frozen."""
    counts = model.counts()
    header = ("method", "pattern", "sites", "layers", "parameters", "percent")
    rows = [
        (row.method, row.pattern, str(row.sites), str(row.layers), *_share(row.parameters, counts.total))
        for row in model.attachment.coverage
    ]
    rows.append(("head", "", "", "", *_share(counts.head, counts.total)))
    rows.append(("trained", "", "", "", *_share(counts.trained, counts.total)))
    rows.append(("frozen", "", "", "", *_share(counts.total - counts.trained, counts.total)))
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = [
        "  ".join([*map(str.ljust, row[:2], widths), *map(str.rjust, row[2:], widths[2:])]) for row in (header, *rows)
    ]
    return "\n".join(["trained parameters:", *lines])


def summarise(experiment: Experiment, config: Config, trainer: Trainer, command: str) -> dict[str, Any]:
    """The content of summary.json, from which scores and reports quote."""
    model, progress, device = trainer.model, trainer.progress, trainer.device
    counts = model.counts()
    return {
        "task": config.task,
        "method": config.method,
        "trained_parameters": counts.trained,
        "adapter_parameters": counts.adapter,
        "head_parameters": counts.head,
        "total_parameters": counts.total,
        "trained_percent": counts.percent,
        "bundle_bytes": sum(map(len, model.bundle(config, experiment.tokens).values())),
        "training_seconds": round(progress.training_seconds, 1),
        "peak_memory_megabytes": round(peak_memory_megabytes(device), 1),
        "device": describe_device(device),
        "seed": config.seed,
        "git_hash": git_hash(),
        "backbone": config.backbone.name,
        "backbone_sha256": model.backbone.sha256,
        "backbone_weights": config.backbone.weights,
        "epochs": len(progress.history),
        "best_epoch": progress.best_epoch,
        "dev_score": progress.best_score,
        "lr_adapter": config.train.lr_adapter,
        "lr_head": config.train.lr_head,
        "command": command,
        "date": datetime.date.today().isoformat(),
        "processes": trainer.processes.size,
    }


def _share(parameters: int, total: int) -> tuple[str, str]:
    return f"{parameters:,}", f"{100 * parameters / total:.3f} %"
