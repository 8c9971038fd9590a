"""Speech synthesis: phones to mels. Dev score: distance of mels synthesised with the reference durations.

Stage 6 scores speech that is synthesised from text alone (sure/score/synthesis).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from sure.backbones.fastspeech2 import MEL_SETTINGS, Family, Synthesis
from sure.data.data_dir import Utterance
from sure.errors import SureError, some_of
from sure.parsing import read_json
from sure.registry import nearest
from sure.tasks.base import AnyTask

PHONES, SPEAKERS, STATISTICS = "phones.txt", "speakers.txt", "statistics.json"
PHONEMIZER = "phonemizer.json"  # settings of the phonemizer, for inference
STAGE = "run stage 3: python -m sure.bin.phonemize"
SHOWN = 10  # speakers in an error


class Speakers(nn.Module):
    """A vector for each training speaker, added to the backbone's common voice; zero at the start."""

    def __init__(self, count: int, width: int):
        super().__init__()
        self.table = nn.Parameter(torch.zeros(count, width)) if count else None

    def forward(self, numbers: Tensor) -> Tensor | float:
        """numbers (batch,), -1 for other speakers -> (batch, width), zero for other speakers"""
        if self.table is None:
            return 0.0
        return self.table[numbers.clamp(min=0)] * (numbers >= 0)[:, None]


@dataclass
class Targets:
    """Targets of a batch: mel (batch, frames, mels); durations in frames, pitch and energy, (batch, phones)."""

    mel: Tensor
    durations: Tensor
    pitch: Tensor
    energy: Tensor


class Task(AnyTask):
    class Config(BaseModel):
        model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

        speaker: Literal["table", "vector", "none"] = Field(
            "table",
            description="speaker input: a learned table of the training speakers, a projected external embedding "
            "(spk2embedding.scp of each set), or none",
        )
        vector: int = Field(256, gt=0, description="size of the external speaker embeddings")
        trains: str = Field(
            "", description="patterns of the backbone's parts that train, too; from `variance.* postnet mel voice`"
        )
        durations: Literal["learned", "given"] = Field(
            "learned",
            description="durations of phones: from the backbone's aligner, or from the file `durations` of each set",
        )
        mel: float = Field(1.0, ge=0, description="weight of the mel loss (L1, before and after the postnet)")
        duration: float = Field(0.2, ge=0, description="weight of the duration loss (squares of log frames)")
        pitch: float = Field(0.1, ge=0, description="weight of the pitch loss (squares, normalised)")
        energy: float = Field(0.1, ge=0, description="weight of the energy loss (squares, normalised)")
        alignment: float = Field(1.0, ge=0, description="weight of the aligner's forward-sum loss")
        match: float = Field(1.0, ge=0, description="weight of the loss of the aligner's predicted spectra")
        binarisation: float = Field(0.2, ge=0, description="weight of the aligner's binarisation loss")
        binarise_from: float = Field(
            0.2, ge=0, le=1, description="fraction of the epochs after which the binarisation loss is added"
        )

    score_name = "mel_db"
    higher_is_better = False
    kind = "synthesis"
    names_decodings = True  # results of another vocoder
    tokenizer_kinds = ("phone",)

    @classmethod
    def fit(cls, utterances: Sequence[Utterance], folder: Path, *, tokenizer: Any, language: str) -> None:
        raise SureError("the task tts has its own command for stage 3: python -m sure.bin.phonemize")

    def __init__(self, config: Config, folder: Path, language: str):
        self.config = config
        self.language = language
        self.folder = folder
        self.speakers = _lines(folder / SPEAKERS)
        self.phones = _lines(folder / PHONES)
        self.statistics = _statistics(folder / STATISTICS)

    def files(self) -> list[str]:
        more = [PHONEMIZER] if (self.folder / PHONEMIZER).is_file() else []
        return [PHONES, SPEAKERS, STATISTICS, *more]

    def shape(self) -> dict[str, Any]:
        found = self.statistics
        return {
            "phones": tuple(self.phones),
            "mel_mean": tuple(found["mel"]["mean"]),
            "mel_std": tuple(max(1e-2, value) for value in found["mel"]["std"]),
            "pitch": (found["log_f0"]["mean"], max(1e-2, found["log_f0"]["std"])),
            "energy": (found["energy"]["mean"], max(1e-2, found["energy"]["std"])),
            "acoustic": found.get("acoustic", {}),
            **({"aligner": 0} if self.config.durations == "given" else {}),
            **({"speaker_vector": self.config.vector} if self.config.speaker == "vector" else {}),
        }

    def check_backbone(self, backbone: Family, weights: str) -> None:
        """Compare mel settings and speaker input with the backbone's; drop its aligner where durations are given."""
        ours, theirs = self.statistics.get("acoustic", {}), backbone.shape.acoustic
        for key in MEL_SETTINGS:
            if ours.get(key) != theirs.get(key):
                raise SureError(
                    f"{weights} was trained on mels with acoustic.{key}={theirs.get(key)}, the features of this corpus "
                    f"have {ours.get(key)}; set acoustic.{key}={theirs.get(key)} and run stage 2 again"
                )
        vector = self.config.vector if self.config.speaker == "vector" else 0
        if vector and vector != backbone.shape.speaker_vector:
            raise SureError(
                f"{weights} takes external speaker embeddings of size {backbone.shape.speaker_vector} (0: none), "
                f"but head.vector={vector}"
            )
        if self.config.durations == "given":
            backbone.drop_aligner()
        elif backbone.aligner is None:
            cause = "because it was trained with given durations"
            raise SureError(f"{weights} has no aligner, {cause}; set head.durations=given")

    def parts(self) -> str:
        return self.config.trains

    def build_head(self, width: int) -> nn.Module:
        return Speakers(len(self.speakers) if self.config.speaker == "table" else 0, width)

    def speaker(self, name: str) -> Tensor:
        """Index () of a speaker in the head's table; -1 for one outside the training set."""
        return torch.tensor(self.speakers.index(name) if name in self.speakers else -1)

    def known_speaker(self, name: str) -> Tensor:
        """The same. Raises SureError for a speaker outside the training set."""
        if name not in self.speakers:
            listed = some_of(self.speakers, SHOWN)
            raise SureError(f"unknown speaker {name!r}{nearest(name, self.speakers)}; the model has: {listed}")
        return self.speaker(name)

    def losses(self, synthesis: Synthesis, targets: Targets) -> dict[str, Tensor]:
        """Losses (batch,), means over valid frames or phones: L1 of mels before and after the postnet, else squares."""
        log_durations = torch.log(targets.durations.to(synthesis.log_durations, non_blocking=True) + 1)

        def distance(mel: Tensor) -> Tensor:
            return synthesis.frames.mean((mel.float() - targets.mel).abs().mean(2))

        def squares(made: Tensor, wanted: Tensor) -> Tensor:
            return synthesis.phones.mean((made.float() - wanted).square())

        return {
            "mel": distance(synthesis.mel) + distance(synthesis.refined),
            "duration": squares(synthesis.log_durations, log_durations),
            "pitch": squares(synthesis.pitch, targets.pitch),
            "energy": squares(synthesis.energy, targets.energy),
        }

    def total(self, losses: Mapping[str, Tensor], progress: float) -> Tensor:
        """Weighted sum of the losses, (batch,). progress: finished fraction of the training."""
        weights = self.config.model_dump()
        if progress < self.config.binarise_from:
            losses = {name: loss for name, loss in losses.items() if name != "binarisation"}
        return sum(weights[name] * loss for name, loss in losses.items())

    def dev_scores(self, utterances: Sequence[Any], results: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
        """Means over utterances of the values by name that the model measured."""
        rows = [results[utterance.id] for utterance in utterances]
        return {name: sum(row[name] for row in rows) / len(rows) for name in rows[0]}


def _lines(path: Path) -> list[str]:
    try:
        found = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as error:
        raise SureError(f"cannot read {path} ({error.strerror}); {STAGE}") from None
    if not found:
        raise SureError(f"{path} is empty; {STAGE}")
    return found


def _statistics(path: Path) -> dict[str, Any]:
    found = read_json(path, STAGE, ("mel", "log_f0", "energy"))
    for name in ("mel", "log_f0", "energy"):
        if not isinstance(found[name], dict) or not {"mean", "std"} <= found[name].keys():
            raise SureError(f"{path}: {name} has no mean and std; run stages 2 and 3 again")
    return found
