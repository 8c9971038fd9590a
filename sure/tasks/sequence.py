"""Base of the tasks of whole recognisers: text in the recogniser's own tokens, after a prompt."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from sure.backbones.encoder_decoder import EncoderDecoder
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.tasks.transcript import TranscriptTask
from sure.text.languages import is_mixed
from sure.text.recognizer_tokens import FILES, RecognizerTokens

MORE_LANGUAGES = "es", "fr", "it", "ru", "en"  # of random weights, besides the task's own


class LossConfig(BaseModel):
    """Settings of the loss, in the section `head`: a recogniser has no other head than its own."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    label_smoothing: float = Field(
        0.0, ge=0, lt=1, description="part of each target token's probability that all tokens share"
    )


class SequenceTask(TranscriptTask):
    """A target is the prompt, the tokens of the text and the end; a task defines `mode`, `normalize` and `score`."""

    Config = LossConfig
    kind = "encoder_decoder"
    stack = "decoder"
    tokenizer_kinds = ("recognizer",)
    misfit = "with more tokens than the decoder has positions"
    mode: Literal["transcribe", "translate"]

    @classmethod
    def fit(cls, utterances: Sequence[Utterance], folder: Path, *, tokenizer: Any, language: str) -> None:
        """Copy the recogniser's own tokens; random weights have bytes for tokens."""
        languages = {language_of(one, language) for one in utterances}
        if tokenizer.recognizer.partition(":")[0] == "random":
            tokens = RecognizerTokens.bytes(sorted({*languages, *MORE_LANGUAGES}))
        else:
            tokens = RecognizerTokens.from_weights(tokenizer.recognizer)
        for one in languages:
            tokens.prompt(one, cls.mode, timestamps=False)
        tokens.save(folder)

    def __init__(self, config: LossConfig, folder: Path, language: str):
        self.label_smoothing = config.label_smoothing
        self.language = language
        self.tokens = RecognizerTokens.load(folder)
        self.mixed = is_mixed(language)  # each utterance has its own language
        self.prompt_length = len(self.prompt(next(iter(self.tokens.languages), None) if self.mixed else language))
        self.most = 0  # tokens of a target; `check_backbone` sets it

    def files(self) -> list[str]:
        return list(FILES)

    def shape(self) -> dict[str, Any]:
        return {"vocabulary": self.tokens.size}

    def check_backbone(self, backbone: EncoderDecoder, weights: str) -> None:
        if backbone.vocabulary < self.tokens.size:
            raise SureError(
                f"backbone.weights={weights} has {backbone.vocabulary} tokens, the tokens of stage 3 are "
                f"{self.tokens.size}; run stage 3, tokenize, again with these weights"
            )
        self.most = backbone.max_tokens + 1  # the decoder does not read the last token, the end

    def build_head(self, width: int) -> nn.Module:
        return nn.Identity()

    def prompt(self, language: str | None) -> Tensor:
        """The prompt in a language (n,); None for a recogniser of one language."""
        return torch.tensor(self.tokens.prompt(language, self.mode, timestamps=False))

    def target(self, utterance: Utterance) -> Tensor:
        tokens = self.tokens.encode(self.reference(utterance))
        prompt = self.prompt(language_of(utterance, self.language))
        return torch.cat([prompt, torch.tensor([*tokens, self.tokens.end])])

    def prompted(self, target: Tensor) -> str:
        """The language in the prompt of a target (n,)."""
        names = {id: name for name, id in self.tokens.languages.items()}
        is_own = not self.mixed and (not names or int(target[1]) == self.tokens.language(self.language))
        return self.language if is_own else names.get(int(target[1]), self.language)

    def fits(self, lengths: Tensor, targets: Sequence[Tensor]) -> Tensor:
        return torch.tensor([len(target) <= self.most for target in targets])

    def text(self, tokens: Sequence[int], language: str | None = None) -> str:
        """Generated tokens as text in the form of the references; empty where nothing of it is left.

        language: of the utterance; by default the task's.
        """
        try:
            return self.normalize(self.tokens.decode(tokens), language or self.language)
        except SureError:
            return ""

    def dev_scores(self, utterances: Sequence[Utterance], results: Mapping[str, Any]) -> dict[str, Any]:
        scores = super().dev_scores(utterances, {id: one.text for id, one in results.items()})
        correct, tokens = (sum(getattr(one, name) for one in results.values()) for name in ("correct", "tokens"))
        return {**scores, "token_accuracy": 100 * correct / tokens}


def language_of(utterance: Utterance, language: str) -> str:
    """The utterance's own language (`utt2lang`), else `language`. Raises SureError where neither is one language."""
    if utterance.language is None and is_mixed(language):
        raise SureError(
            f"{utterance.id}: text.language={language} needs the language of each utterance: add utt2lang to its data "
            "folder (a column `language` in tables), or pass one language with --lang"
        )
    return utterance.language or language
