"""Speaker verification: whether two utterances have the same speaker, scored by equal error rate over trials.

Embeddings are trained to distinguish the training speakers (additive margin softmax, Wang et al., arXiv 1801.05599).
The score of a trial is the cosine of its two embeddings, so dev and test may have other speakers.

`hyp.txt` has the embeddings as numbers, `ref.txt` the speaker of each utterance and the trials whose first utterance
it is: scoring needs these two files only, and the digest of the references includes the trials.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from sure.data.data_dir import Utterance
from sure.data.trials import Trial, kind_of
from sure.errors import SureError, compare_names
from sure.frames import Frames
from sure.score.verification import trial_listing, verification_scores
from sure.tasks.base import BaseTask, HeadConfig
from sure.tasks.heads import EmbeddingHead, Pooling
from sure.text.labels import FILE as LABELS_FILE
from sure.text.labels import Labels

GROUP = "speaker"  # in labels.json
UNKNOWN = -1  # target for a speaker that is not in the training set
AGAIN = "decode this set again (stage 5)"
NO_SPEAKER = "-"  # in ref.txt


class Task(BaseTask):
    """Outputs (batch, embedding + speakers) are the embedding, then its cosines with the training speakers."""

    class Config(HeadConfig):
        pooling: Pooling = Field(
            "statistics",
            description="over frames; statistics: mean and standard deviation; attentive: both, weighted by attention",
        )
        embedding: int = Field(256, gt=0, description="size of the speaker embedding")
        scale: float = Field(30.0, gt=0, description="factor of the cosines in the loss (s of arXiv 1801.05599)")
        margin: float = Field(
            0.4, ge=0, lt=2, description="subtracted from the cosine of the true speaker (m of arXiv 1801.05599)"
        )

    score_name = "eer"
    higher_is_better = False
    abilities = ("embed",)

    @classmethod
    def fit(cls, utterances: Sequence[Utterance], folder: Path, *, tokenizer: Any, language: str) -> None:
        for utterance in utterances:
            if utterance.speaker is None:
                raise SureError(f"{utterance.id}: no speaker; the training set needs a file utt2spk (stage 2, prepare)")
        labels = Labels.from_utterances({GROUP: utterance.speaker} for utterance in utterances)
        if len(names := labels.names[GROUP]) < 2:
            raise SureError(f"the training set has one speaker, {names[0]}; verification needs two or more to train")
        labels.save(folder)

    def __init__(self, config: HeadConfig, folder: Path, language: str):
        self.config = config
        labels = Labels.load(folder)
        if labels.groups != [GROUP]:
            raise SureError(f"{folder / LABELS_FILE}: not the speakers of a training set; run stage 3 again")
        self.speakers = {name: index for index, name in enumerate(labels.names[GROUP])}

    def files(self) -> list[str]:
        return [LABELS_FILE]

    def build_head(self, width: int) -> nn.Module:
        config = self.config
        return EmbeddingHead(width, len(self.speakers), config.embedding, config.pooling, config.dropout)

    def target(self, utterance: Utterance) -> Tensor:
        """Index of the speaker (1,), or UNKNOWN."""
        return torch.tensor([self.speakers.get(utterance.speaker, UNKNOWN)], dtype=torch.int64)

    def loss(self, outputs: Tensor, frames: Frames, targets: Sequence[Tensor]) -> Tensor:
        """Cross entropy of scale * (cosine - margin), with the margin for the true speaker only (batch,).

        0 for a speaker that is not in the training set. Raises SureError if that happens in training.
        """
        wanted = torch.cat(list(targets))
        if outputs.requires_grad and (wanted == UNKNOWN).any():
            raise SureError("a training utterance has a speaker that stage 3 did not see; run stage 3, tokenize, again")
        wanted = wanted.to(outputs.device, non_blocking=True)
        cosines = outputs[:, self.config.embedding :].float()
        own = wanted[:, None] == torch.arange(len(self.speakers), device=outputs.device)
        logits = self.config.scale * (cosines - self.config.margin * own)
        return F.cross_entropy(logits, wanted, ignore_index=UNKNOWN, reduction="none")

    def embeddings(self, outputs: Tensor) -> Tensor:
        """(batch, embedding), of unit length."""
        return outputs[:, : self.config.embedding]

    def decode(self, outputs: Tensor, frames: Frames) -> list[str]:
        """The numbers of the embedding with six digits, which changes a cosine by less than 1e-5."""
        return [_line(row) for row in self.embeddings(outputs)]

    def merge(self, lines: Sequence[str], seconds: Sequence[float]) -> str:
        return _line(mean_direction([torch.tensor([float(word) for word in line.split()]) for line in lines], seconds))

    def reference(self, utterance: Utterance) -> str:
        """`speaker other=target other=nontarget ...`"""
        trials = (f"{other}={kind_of(target)}" for other, target in utterance.trials)
        return " ".join([utterance.speaker or NO_SPEAKER, *trials])

    def check_set(self, utterances: Sequence[Utterance], folder: str) -> None:
        kinds = {target for utterance in utterances for _, target in utterance.trials}
        if kinds != {True, False}:
            found = f"only {kind_of(*kinds)} trials in {folder}/trials" if kinds else "no trials"
            raise SureError(
                f"{folder}: {found}; the equal error rate needs trials of one speaker and of two; "
                f"make them from utt2spk: python -m sure.bin.trials {folder}"
            )

    def score(self, references: Mapping[str, str], hypotheses: Mapping[str, str]) -> dict[str, Any]:
        trials, scores = scored_trials(references, hypotheses)
        return verification_scores(scores, [trial.target for trial in trials], _speakers(references, trials))

    def listing(self, references: Mapping[str, str], hypotheses: Mapping[str, str]) -> str:
        return trial_listing(*scored_trials(references, hypotheses))


def scored_trials(references: Mapping[str, str], hypotheses: Mapping[str, str]) -> tuple[list[Trial], list[float]]:
    """All trials and their cosines."""
    embeddings = _embeddings(hypotheses)
    compare_names(hypotheses, references, "hyp.txt: other utterances than in ref.txt", AGAIN)
    trials, scores = [], []
    for id, line in references.items():
        for word in line.split()[1:]:
            other, _, kind = word.rpartition("=")
            if other not in references or kind not in ("target", "nontarget"):
                raise SureError(f"{id}: {word!r} in ref.txt is not a trial; {AGAIN}")
            trials.append(Trial(id, other, kind == "target"))
            scores.append(np.einsum("d,d->", embeddings[id], embeddings[other]))
    return trials, scores


def _embeddings(lines: Mapping[str, str]) -> dict[str, np.ndarray]:
    """(embedding,) float64 of unit length by utterance. Raises SureError with the utterance of an invalid line."""
    size = len(next(iter(lines.values()), "").split())
    found = {}
    for id, line in lines.items():
        try:
            row = np.array(line.split(), dtype=np.float64)
        except ValueError:
            row = np.array(np.nan)
        if not (row.size == size > 0 and np.isfinite(row).all()):
            raise SureError(f"{id}: not an embedding in hyp.txt, {line[:60]!r}; {AGAIN}")
        found[id] = row / np.linalg.norm(row, axis=0).clip(min=1e-12)
    return found


def _speakers(references: Mapping[str, str], trials: Sequence[Trial]) -> list[tuple[str, str]]:
    """Both speakers of each trial; an utterance without a speaker counts as a speaker of its own."""
    speakers = {id: line.split()[0] for id, line in references.items()}
    units = {id: f"utterance {id}" if name == NO_SPEAKER else name for id, name in speakers.items()}
    return [(units[trial.first], units[trial.second]) for trial in trials]


def mean_direction(embeddings: Sequence[Tensor], seconds: Sequence[float]) -> Tensor:
    """The embedding (dim,) of a recording from those of its parts, (dim,) each: their mean by duration, normalised."""
    shares = torch.tensor(seconds, device=embeddings[0].device)
    return F.normalize((shares[:, None] * torch.stack(list(embeddings))).sum(0), dim=0)


def _line(embedding: Tensor) -> str:
    return " ".join(f"{number:.6g}" for number in embedding.tolist())
