"""Base of tasks with token sequences, by connectionist temporal classification (CTC; Graves et al., ICML 2006)."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.frames import Frames
from sure.tasks.base import BaseTask, HeadConfig
from sure.tasks.heads import CtcHead
from sure.tasks.repeatable_ctc import repeatable_ctc
from sure.tasks.transcript import TranscriptTask, transcript
from sure.text.tokenizer import Tokenizer, train_tokenizer


class CtcTask(TranscriptTask, BaseTask):
    """Outputs are logits (batch, time, tokens); token 0 is the blank. A task defines `normalize` and `score`."""

    decode_methods = ("greedy", "beam")
    freeze_convolution = True
    abilities = ("timings", "transcribe")

    @classmethod
    def fit(cls, utterances: Sequence[Utterance], folder: Path, *, tokenizer: Any, language: str) -> None:
        transcripts = [transcript(utterance, cls.normalize, language) for utterance in utterances]
        train_tokenizer(transcripts, tokenizer.kind, tokenizer.size, folder)

    def __init__(self, config: HeadConfig, folder: Path, language: str):
        self.config = config
        self.language = language
        self.tokenizer = Tokenizer.load(folder)
        self._reported: set[str] = set()

    def files(self) -> list[str]:
        model = ["sentencepiece.model"] if self.tokenizer.kind in ("bpe", "unigram") else []
        return ["tokenizer.json", "tokens.txt", *model]

    def build_head(self, width: int) -> nn.Module:
        return CtcHead(width, self.tokenizer.size, self.config.dropout)

    def target(self, utterance: Utterance) -> Tensor:
        """Token ids (tokens,). Symbols that are not in the training set are left out, with a warning.

        Raises SureError if no symbol of the transcript is in the vocabulary.
        """
        text = self.reference(utterance)
        unknown = self.tokenizer.unknown(text)
        tokens = self.tokenizer.encode(text, skip_unknown=True)
        if text and not tokens:
            raise SureError(
                f"{utterance.id}: no symbol of {text!r} is in the vocabulary; run stage 3, tokenize, on this corpus, "
                "or leave the utterance out"
            )
        for symbol in sorted(set(unknown) - self._reported):
            self._reported.add(symbol)
            logging.getLogger(__name__).warning(
                "%s: %r is not in the training transcripts: left out of targets, counted as an error in scores",
                utterance.id,
                symbol,
            )
        return torch.tensor(tokens, dtype=torch.int64)

    def loss(self, outputs: Tensor, frames: Frames, targets: Sequence[Tensor]) -> Tensor:
        """-log p(target) / length of the target (batch,); 0, without gradient, for a target longer than its frames."""
        logs = F.log_softmax(outputs.float(), dim=-1).transpose(0, 1)
        sizes = torch.tensor([len(target) for target in targets], dtype=torch.int64)
        # A target that does not fit has probability 0 and an infinite loss; `fits` finds these before training.
        if outputs.device.type == "cuda" and outputs.requires_grad:
            losses = repeatable_ctc(logs, targets, frames.lengths, Tokenizer.blank)
        else:
            tokens, blank = torch.cat(list(targets)).to(outputs.device, non_blocking=True), Tokenizer.blank
            losses = F.ctc_loss(logs, tokens, frames.lengths, sizes, blank, reduction="none", zero_infinity=True)
        return losses / sizes.clamp(min=1).to(outputs.device, non_blocking=True)

    def fits(self, lengths: Tensor, targets: Sequence[Tensor]) -> Tensor:
        """(batch,) bool: whether there is a frame for every token, and for the blank between two equal tokens.

        lengths: frames (batch,); lengths and targets on the CPU.
        """
        needed = [len(target) + int((target[1:] == target[:-1]).sum()) for target in targets]
        return lengths.cpu() >= torch.tensor(needed, dtype=torch.int64)

    def decode(self, outputs: Tensor, frames: Frames) -> list[str]:
        """Greedy decoding: best token of each frame (the lowest id among equals), repeats merged, blanks removed."""
        return [self.tokenizer.decode(best_tokens(path)) for path in frames.split(outputs.argmax(-1).cpu())]

    def unseen(self, utterance: Utterance) -> list[str]:
        return self.tokenizer.unknown(self.reference(utterance))

    def exact_target(self, utterance: Utterance) -> list[int]:
        """Token ids of the whole transcript. Raises SureError with the utterance and its unknown symbols."""
        text = self.reference(utterance)
        try:
            return self.tokenizer.encode(text)
        except SureError as error:
            raise SureError(f"{utterance.id}: {error}") from None


def best_tokens(path: Tensor) -> list[int]:
    """path: best token of each frame (frames,) -> token ids, repeats merged, blanks removed."""
    return [token for token in torch.unique_consecutive(path).tolist() if token != Tokenizer.blank]
