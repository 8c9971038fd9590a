"""Synthesise any text with a trained model: phonemizer of its bundle, mels in pieces, vocoder."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from sure.backbones.fastspeech2 import Controls
from sure.decode.synthesis import model_acoustic
from sure.errors import SureError
from sure.models.synthesis import SynthesisModel
from sure.tasks.tts import PHONEMIZER
from sure.text.phonemize import PAUSES, Phonemizer
from sure.vocoder.vocoder import make_vocoder

SMALLEST, LARGEST = 0.05, 20.0  # bounds of a control
LONGEST = 120  # phones of a piece; training sentences are shorter
BATCH = 8  # pieces


class Synthesizer:
    """tokens: a folder with phonemizer.json. vocoder: as decode.vocoder. language: of the texts, or the training's."""

    def __init__(self, model: SynthesisModel, tokens: Path, vocoder: str, language: str | None = None):
        self.model = model
        self.phonemizer = Phonemizer.load(tokens / PHONEMIZER, language)
        self.vocoder = make_vocoder(vocoder, model_acoustic(model), next(model.parameters()).device)

    def synthesize(self, text: str, speaker: str | Tensor | None = None, controls: Controls | None = None) -> Tensor:
        """(samples,) float32 in [-1, 1], at the vocoder's sample rate.

        speaker: the name of a training speaker, optional if there is one only; or an external embedding (dim,).
        Raises SureError for a text without phones, an unknown speaker, and controls out of bounds.
        """
        controls = controls or Controls()
        for name, factor in vars(controls).items():
            if not SMALLEST <= factor <= LARGEST:  # true for NaN, too
                raise SureError(f"{name}={factor}: expected {SMALLEST:g} to {LARGEST:g}; 1 changes nothing")
        who = self._speaker(speaker)
        parts = list(pieces(self.phonemizer.phones(text)))
        mels = []
        for start in range(0, len(parts), BATCH):
            group = parts[start : start + BATCH]
            mels += [one.mel for one in self.model.synthesize(group, who.expand(len(group), *who.shape), controls)]
        return self.vocoder.waveform(torch.cat(mels))

    def _speaker(self, speaker: str | Tensor | None) -> Tensor:
        task = self.model.task
        if task.config.speaker == "vector":
            size = self.model.backbone.shape.speaker_vector
            if not isinstance(speaker, Tensor) or speaker.shape != (size,):
                raise SureError(f"this model needs a speaker embedding of size {size}")
            return speaker.float()
        if isinstance(speaker, Tensor):
            raise SureError(f"this model needs the name of a speaker, one of: {', '.join(task.speakers)}")
        if speaker is None and len(task.speakers) > 1:
            raise SureError(f"pass a speaker, one of: {', '.join(task.speakers)}")
        return task.known_speaker(speaker or task.speakers[0])


def pieces(phones: Sequence[str], longest: int = LONGEST) -> Iterator[list[str]]:
    """Pieces of at most `longest` phones, which end at the last pause of their second half where it has one."""
    rest = list(phones)
    while len(rest) > longest:
        pauses = [place for place in range(longest // 2, longest) if rest[place] in PAUSES]
        end = pauses[-1] + 1 if pauses else longest
        yield rest[:end]
        rest = rest[end:]
    if rest:
        yield rest
