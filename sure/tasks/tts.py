"""Speech synthesis: phones to mels; in training compared by the distance of mels made with the true timing.

What is scored in the end, on speech made of text alone, is stage 6's (sure/score).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from sure.backbones.fastspeech2 import MEL_SETTINGS, Family, Spoken
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.parsing import parse_json
from sure.registry import nearest
from sure.tasks.base import AnyTask

PHONES, SPEAKERS, STATISTICS = "phones.txt", "speakers.txt", "statistics.json"
PHONEMIZER = "phonemizer.json"  # how a text becomes phones; inference needs it
STAGE = "stage 3 of speech synthesis makes it"
SHOWN = 10  # speakers in an error


class Speakers(nn.Module):
    """What each speaker of training adds to the backbone's common voice; zero at the start, and for anyone else."""

    def __init__(self, count: int, width: int):
        super().__init__()
        self.table = nn.Parameter(torch.zeros(count, width)) if count else None

    def forward(self, numbers: Tensor) -> Tensor | float:
        """numbers (batch,), -1 for anyone else -> (batch, width)"""
        if self.table is None:
            return 0.0
        return self.table[numbers.clamp(min=0)] * (numbers >= 0)[:, None]


@dataclass
class Targets:
    """What an utterance was like: mel (batch, frames, mels), and of each phone frames, pitch and energy."""

    mel: Tensor
    durations: Tensor
    pitch: Tensor
    energy: Tensor


class Task(AnyTask):
    class Config(BaseModel):
        model_config = ConfigDict(extra="forbid")

        # table: learned for each speaker of training; vector: projected from an external embedding; none: one voice
        speaker: Literal["table", "vector", "none"] = "table"
        vector: int = Field(256, gt=0)  # size of external embeddings
        trains: str = ""  # parts of the backbone that train beside the methods: `variance.* postnet mel voice`
        durations: Literal["learned", "given"] = "learned"  # given: by the file `durations` of each set
        # How much each loss counts; binarisation from this part of training on.
        mel: float = Field(1.0, ge=0)
        duration: float = Field(0.2, ge=0)
        pitch: float = Field(0.1, ge=0)
        energy: float = Field(0.1, ge=0)
        alignment: float = Field(1.0, ge=0)
        match: float = Field(1.0, ge=0)
        binarisation: float = Field(0.2, ge=0)
        binarise_from: float = Field(0.2, ge=0, le=1)

    score_name = "mel_db"
    higher_is_better = False
    speaks = True
    tokenizer_kinds = ("phone",)

    @classmethod
    def fit(cls, utterances: Sequence[Utterance], folder: Path, *, tokenizer: Any, language: str) -> None:
        raise SureError("task tts: stage 3 of speech synthesis is another command: python -m sure.bin.phonemize")

    def __init__(self, config: Config, folder: Path, language: str):
        self.config = config
        self.language = language
        self.folder = Path(folder)
        self.speakers = _lines(self.folder / SPEAKERS)
        self.phones = _lines(self.folder / PHONES)
        self.statistics = _statistics(self.folder / STATISTICS)

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
        """It has to make the mels that these features are, and know speakers in the way that is asked for."""
        ours, theirs = self.statistics.get("acoustic", {}), backbone.shape.acoustic
        for key in MEL_SETTINGS:
            if ours.get(key) != theirs.get(key):
                raise SureError(
                    f"{weights} makes mels with acoustic.{key}={theirs.get(key)}, the features here were made with "
                    f"{ours.get(key)}; make them equal and run stage 2 again"
                )
        vector = self.config.vector if self.config.speaker == "vector" else 0
        if vector and vector != backbone.shape.speaker_vector:
            raise SureError(
                f"{weights} takes external embeddings of {backbone.shape.speaker_vector} numbers (0: none), "
                f"head.vector={vector}"
            )
        if self.config.durations == "given":
            backbone.drop_aligner()
        elif backbone.aligner is None:
            raise SureError(
                f"{weights} cannot find durations, as its own training was given them; head.durations=given"
            )

    def parts(self) -> str:
        return self.config.trains

    def build_head(self, width: int) -> nn.Module:
        return Speakers(len(self.speakers) if self.config.speaker == "table" else 0, width)

    def speaker(self, name: str) -> Tensor:
        """The number of a speaker in the head's table; -1 for one that training does not have."""
        return torch.tensor(self.speakers.index(name) if name in self.speakers else -1)

    def known_speaker(self, name: str) -> Tensor:
        """The same. Raises SureError for a speaker that training does not have."""
        if name not in self.speakers:
            more = ", ..." if len(self.speakers) > SHOWN else ""
            listed = ", ".join(self.speakers[:SHOWN])
            raise SureError(f"no speaker {name!r}{nearest(name, self.speakers)}; there are: {listed}{more}")
        return self.speaker(name)

    def losses(self, spoken: Spoken, targets: Targets) -> dict[str, Tensor]:
        """(batch,) each: means over valid frames or phones. L1 of mels before and behind the postnet, else squares."""
        log_durations = torch.log(targets.durations.to(spoken.log_durations) + 1)
        found = {
            "mel": spoken.frames.mean((spoken.mel.float() - targets.mel).abs().mean(2))
            + spoken.frames.mean((spoken.refined.float() - targets.mel).abs().mean(2))
        }
        for name, made, wanted in (
            ("duration", spoken.log_durations, log_durations),
            ("pitch", spoken.pitch, targets.pitch),
            ("energy", spoken.energy, targets.energy),
        ):
            found[name] = spoken.phones.mean((made.float() - wanted).square())
        return found

    def total(self, losses: Mapping[str, Tensor], progress: float) -> Tensor:
        """(batch,), each loss with its weight; progress: the part of training that is done."""
        weights = self.config.model_dump()
        if progress < self.config.binarise_from:
            losses = {name: loss for name, loss in losses.items() if name != "binarisation"}
        return sum(weights[name] * loss for name, loss in losses.items())

    def dev_scores(self, utterances: Sequence[Any], answers: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
        """Means over utterances of what the model measured."""
        rows = [answers[utterance.id] for utterance in utterances]
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
    try:
        found = parse_json(path.read_text(encoding="utf-8"))
        for name in ("mel", "log_f0", "energy"):
            found[name]["mean"], found[name]["std"]
    except OSError as error:
        raise SureError(f"cannot read {path} ({error.strerror}); {STAGE}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise SureError(f"{path}: not statistics of features ({error}); run stages 2 and 3 again") from None
    return found
