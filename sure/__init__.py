"""SURE: parameter-efficient transfer learning of frozen speech encoders, as recipes and from Python.

`sure.train` makes a bundle from a corpus, `sure.Sure` uses bundles. Both import torch when they are first used.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

__version__ = "0.1.0"
# oneDNN keeps compiled code for 1,024 shapes, which takes hundreds of MB where each batch has another length. The
# layers of a model share their shapes, so 128 are enough for a step.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "128")

SAMPLE_RATE = 16000  # Hz, of all audio except in speech synthesis; the backbones were trained on it


class _Train(ModuleType):
    """The package `sure.train`, which can be called as well."""

    def __call__(
        self,
        data: Any,
        *,
        out: str | os.PathLike,
        backbone: str,
        weights: str = "",
        petl: str | Mapping[str, Any] = "lora",
        task: str = "asr",
        language: str = "en",
        head: str = "",
        seed: int = 1,
        tag: str = "",
        settings: Mapping[str, Any] | None = None,
        columns: Mapping[str, str] | None = None,
        on_bad_utterance: str = "stop",
        restart: bool = False,
    ) -> Path:
        """Train an adapter on a corpus, score it on the test set, and return its bundle; the same call resumes.

        data: a table (.tsv, .csv), a folder as for egs/TEMPLATE, a list of (audio, text or label[, speaker]), a
            `datasets.Dataset`, hf://owner/name[/config][:split], or a dictionary of these with the keys train, dev and
            test. A corpus without dev or test is divided: a tenth each. Audio is a file, a waveform at 16 kHz,
            (waveform, rate), or the bytes of a file.
        out: folder with the layout of a recipe: conf, data, exp. backbone: a family such as wav2vec2, with `weights`;
            or weights alone, a Hugging Face folder or name, or a file of SURE. petl: a method, or its settings such as
            {"name": "lora", "rank": 4}. task: asr, phoneme, slots, intent, emotion, keyword or verification. head: for
            asr: ctc, or the backbone's own decoder, the default for Whisper. tag: suffix of the experiment's folder.
        settings: other keys of the configuration, such as {"train.epochs": 3}. columns: names of the columns of a
            dataset, such as {"text": "sentence"}. on_bad_utterance: stop or skip.
        Raises sure.errors.SureError for everything that the caller can correct.
        """
        given = {"backbone": backbone, "weights": weights, "petl": petl, "task": task, "language": language}
        given |= {"head": head, "seed": seed, "tag": tag, "on_bad_utterance": on_bad_utterance, "restart": restart}
        shown = {"out": str(out), **given, "settings": settings, "columns": columns}
        words = ", ".join(f"{key}={value!r}" for key, value in shown.items() if value)
        corpus = repr(str(data)) if isinstance(data, (str, os.PathLike)) else type(data).__name__
        stage = importlib.import_module("sure.stages.adapt")
        command = f"sure.train({corpus}, {words})"
        given |= {"settings": settings or {}, "columns": columns or {}}
        return stage.adapt(stage.Adaptation(data, Path(out), **given, command=command))


# By name, as `sure.registry` does: every file imports this one, so that an import here would be one of every file.
train = importlib.import_module("sure.train")
train.__class__ = _Train  # `import sure.train.run` still finds the package


def __getattr__(name: str) -> Any:
    if name == "Sure":
        return importlib.import_module("sure.inference").Sure
    raise AttributeError(f"module 'sure' has no attribute {name!r}")
