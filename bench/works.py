"""The rows of the comparison: what trains, as settings of SURE. Also the data: a part of a prepared corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

LAYERS = {"base": 12, "large": 24, "tiny": 3, "moonshine": 6}
MAPS = "layer.*.attn.[qkv] layer.*.attn.out layer.*.ffn.in layer.*.ffn.out"
# By name: the method, and its number of epochs where it is not 5.
WORKS: dict[str, dict[str, Any]] = {
    "lora_full_depth": {"petl": {"name": "lora", "sites": MAPS}},
    "lora_upper_half": {"petl": {"name": "lora", "sites": MAPS.replace("layer.*", "layer.[upper]")}},
    "conv_adapter": {"petl": {"name": "conv_adapter"}},
    "bottleneck": {"petl": {"name": "bottleneck"}},
    "probe": {"petl": {"name": "linear_probe"}, "epochs": 30},
    "side_network": {"petl": {"name": "side_network"}, "epochs": 30},
    "l_adapter": {"petl": {"name": "l_adapter"}, "epochs": 30},
    "full": {"petl": {"name": "full"}},
}
TABLES = ("wav.scp", "text", "utt2dur", "utt2spk")


def settings(work: str, shape: str, data: Path, **train: Any) -> dict[str, Any]:
    """The config of one row. shape: `base`, `large` or `tiny` of wav2vec 2.0 with random weights, or a weights file of
    Moonshine; data: a folder with train, dev and tokens; train: keys of its section `train`.
    """
    moonshine = shape not in LAYERS
    return {
        "task": "asr",
        "seed": 1,
        "data": {"train": str(data / "train"), "valid": str(data / "dev"), "max_seconds": 30},
        "tokenizer": {"kind": "character", "folder": str(data / "tokens")},
        "text": {"language": "es"},
        "backbone": {
            "name": "moonshine" if moonshine else "wav2vec2",
            "weights": shape if moonshine else f"random:{shape}",
        },
        "petl": WORKS[work]["petl"],
        "head": {"dropout": 0.0},
        "train": {"batch_seconds": 30, "lr_adapter": 1e-3, "lr_head": 1e-3, "device": "cpu", **train},
        "decode": {"batch_seconds": 30},
    }


def part_of(corpus: Path, folder: Path, minutes: float) -> Path:
    """A copy of a corpus with about `minutes` of training audio and a fifth of it as dev set; 0 for the whole corpus.

    The utterances are evenly spaced in the list, so the lengths are distributed as in the corpus.
    """
    if not minutes:
        return corpus.resolve()
    for name, wanted in (("train", 60 * minutes), ("dev", 12 * minutes)):
        seconds = dict(line.split() for line in (corpus / name / "utt2dur").read_text().splitlines())
        step = max(1.0, sum(map(float, seconds.values())) / wanted)
        kept = {id for place, id in enumerate(seconds) if int(place / step) != int((place - 1) / step) or not place}
        (folder / name).mkdir(parents=True)
        for table in TABLES:
            if (corpus / name / table).is_file():
                lines = (corpus / name / table).read_text(encoding="utf-8").splitlines(keepends=True)
                text = "".join(line for line in lines if line.split(maxsplit=1)[0] in kept)
                (folder / name / table).write_text(text, encoding="utf-8")
    (folder / "tokens").symlink_to((corpus / "tokens").resolve())
    return folder


def write(config: dict[str, Any], path: Path) -> Path:
    path.write_text(yaml.safe_dump(config))
    return path
