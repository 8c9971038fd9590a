"""The model of a whole recogniser: encoder and decoder with attached methods; it has no head of its own."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from sure.backbones.base import Encoded, SpeechEncoder
from sure.backbones.encoder_decoder import EncoderDecoder
from sure.config import Config
from sure.data.augment import spec_augment
from sure.data.collate import Batch, Features
from sure.errors import SureError
from sure.generation import windows
from sure.generation.generate import generate
from sure.generation.hypothesis import Hypothesis
from sure.generation.language import detect_languages
from sure.generation.steps import Within
from sure.generation.transcript import Transcript
from sure.models.base import AdaptedModel
from sure.models.result import Result
from sure.petl.attach import Attachment
from sure.tasks.sequence import SequenceTask


@dataclass(frozen=True)
class Transcribed:
    """A dev utterance: the generated text, and the correct and all tokens of its target, each given those before it."""

    text: str
    correct: int
    tokens: int


class EncoderDecoderModel(AdaptedModel):
    """A recogniser that writes text with its own decoder and tokens."""

    backbone: EncoderDecoder
    task: SequenceTask
    abilities = ("predict", "transcribe")
    decode_difference = 1.0  # a step of generation takes almost the same time for one text and for several

    def __init__(
        self, backbone: EncoderDecoder, attachment: Attachment, task: SequenceTask, head: nn.Module, config: Config
    ):
        super().__init__(backbone, attachment, task, head, config)
        if attachment.reads_all_taps():
            raise SureError(
                f"petl ({config.method}): a decoder reads the last layer of the encoder, so that no sum of "
                "layers can train; choose another method, and backbone.layers=last"
            )
        self.augment, self.settings = config.augment, config.decode
        self.taps_depend_on_padding = config.backbone.padding == "as_trained" and not backbone.encoder.whole

    @property
    def encoder(self) -> SpeechEncoder:
        return self.backbone.encoder

    def frame_count(self, samples: Tensor) -> Tensor:
        """Frames (batch,) that the decoder reads of utterances with `samples` (batch,)."""
        return self.backbone.memory_lengths(samples)

    def forward(self, batch: Batch | Features) -> Tensor:
        return self.losses(self.encode_batch(batch), batch.targets)

    def encode_batch(self, batch: Batch | Features) -> Encoded:
        """The encoder's taps, from audio or from those of the prefix cache."""
        if isinstance(batch, Features):
            return self._resume(batch.taps, batch.lengths)
        return self.encode(batch.waves, batch.wave_lengths)

    def encode(self, waves: Tensor, lengths: Tensor) -> Encoded:
        """waves (batch, samples), lengths (batch,) in samples, on the CPU."""
        return self._resume(self.encoder.begin(waves, lengths), self.frame_count(lengths))

    def _resume(self, taps: list[Tensor | None], lengths: Tensor) -> Encoded:
        if self.training and self.augment.changes_features:
            taps = [*taps[:-1], spec_augment(taps[-1], lengths, self.augment, torch.default_generator)]
        return self.encoder.resume(taps, lengths)

    def losses(self, encoded: Encoded, targets: Sequence[Tensor]) -> Tensor:
        """One loss an utterance, (batch,) float32: the mean cross entropy of its tokens after the prompt."""
        return self._compare(encoded, targets)[0]

    def _compare(self, encoded: Encoded, targets: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The mean cross entropy of each target's tokens after its prompt (batch,), and how many are correct (batch,).

        targets: prompt, tokens and end, (n,) int64 each.
        """
        device, prompt = encoded.last.device, self.task.prompt_length
        tokens = pad_sequence(list(targets), batch_first=True).to(device, non_blocking=True)
        hidden = self.backbone.decode(tokens[:, :-1], encoded.last, encoded.frames)
        # position i predicts token i + 1, so that the last position of the prompt predicts the first token; the output
        # map, the largest product of a small decoder, is computed for the counted positions alone
        sizes = [len(target) - prompt for target in targets]
        rows = torch.arange(len(targets)).repeat_interleave(torch.tensor(sizes)).to(device, non_blocking=True)
        places = torch.cat([torch.arange(prompt - 1, prompt - 1 + size) for size in sizes])
        places = places.to(device, non_blocking=True)
        logits = self.backbone.logits(hidden[rows, places][None])[0].float()
        wanted = tokens[rows, places + 1]
        each = F.cross_entropy(logits, wanted, reduction="none", label_smoothing=self.task.label_smoothing)
        right = (logits.detach().argmax(-1) == wanted).float()
        sums = torch.zeros(2, len(targets), device=device).index_add(1, rows, torch.stack([each, right]))
        return sums[0] / torch.tensor(sizes).to(device, non_blocking=True), sums[1]

    @torch.no_grad()
    def evaluate_batch(self, batch: Batch | Features) -> tuple[Tensor, list[Transcribed]]:
        """Losses (batch,), and of each utterance the generated text and the number of correct tokens."""
        encoded = self.encode_batch(batch)
        losses, correct = self._compare(encoded, batch.targets)
        prompts = torch.stack([target[: self.task.prompt_length] for target in batch.targets])
        languages = map(self.task.prompted, batch.targets)
        texts = [
            self.task.text(one.tokens, language)
            for one, language in zip(self.generate(encoded, prompts), languages, strict=True)
        ]
        sizes = [len(target) - self.task.prompt_length for target in batch.targets]
        return losses, [Transcribed(*row) for row in zip(texts, correct.int().tolist(), sizes, strict=True)]

    def bundle(self, config: Config, tokens: Path, **facts: Mapping[str, Any]) -> dict[str, bytes]:
        """As of all models, with the settings of generation."""
        return super().bundle(config, tokens, generation=config.decode.generation.model_dump(mode="json"), **facts)

    @torch.no_grad()
    def generate(self, encoded: Encoded, prompts: Tensor, within: Within | None = None) -> list[Hypothesis]:
        """The best hypothesis of each utterance; prompts (batch, n) int64; within: as of `generate`."""
        prompts = prompts.to(encoded.last.device)
        found = generate(
            self.backbone, encoded.last, encoded.frames, prompts, self.settings.generation, self.task.tokens, within
        )
        return [best[0] for best in found]

    @cached_property
    def shared_generation(self) -> Hashable:
        """Equal for models whose texts can be generated together; None for one whose cannot."""
        settings = self.settings.generation
        if settings.beam > 1 or self.task.mixed:
            return None
        return settings.model_dump_json(), self.task.tokens.dumps()

    def results(self, encoded: Encoded, language: str | None = None, details: bool = True) -> list[Result]:
        """The text of each utterance in a language, by default the task's; found where that is `all`.

        details: has no meaning here; a text is all there is.
        """
        languages = self._languages(encoded, language)
        prompts = torch.stack([self.task.prompt(one) for one in languages])
        found = zip(self.generate(encoded, prompts), languages, strict=True)
        return [Result(self.task.text(one.tokens, language)) for one, language in found]

    def results_with(self, others: Sequence["EncoderDecoderModel"], encoded: Encoded, within: Within) -> list[Result]:
        """The text of each utterance by its own model of `others`, which share this one's generation.

        within: as of `generate`.
        """
        prompts = torch.stack([one.task.prompt(one.task.language) for one in others])
        found = zip(self.generate(encoded, prompts, within), others, strict=True)
        return [Result(model.task.text(one.tokens, model.task.language)) for one, model in found]

    @torch.no_grad()
    def hypotheses(self, waves: Tensor, lengths: Tensor, language: str | None = None) -> list[str]:
        """Texts of waves (batch, samples), as `results`."""
        return [one.line for one in self.results(self.encode(waves, lengths), language)]

    def _languages(self, encoded: Encoded, language: str | None) -> list[str]:
        """The language of each utterance."""
        tokens = self.task.tokens
        if language is None and self.task.mixed and tokens.languages:
            return [name for name, _ in detect_languages(self.backbone, encoded.last, encoded.frames, tokens)]
        return [language or self.task.language] * len(encoded.last)

    def transcribe(
        self, waves: Sequence[Tensor], language: str | None, timestamps: bool, words: bool, beam: int | None
    ) -> list[Transcript]:
        """Transcripts of waves (samples,) of any length, as `Sure.transcribe`."""
        chosen = {"timestamps": timestamps, **({"beam": beam} if beam else {})}
        changed = self.settings.generation.model_copy(update=chosen)
        language = language or ("auto" if self.task.mixed else self.task.language)
        named = None if language == "auto" else language
        return windows.transcribe(self.backbone, waves, self.task.tokens, changed, named, self.task.mode, words=words)
