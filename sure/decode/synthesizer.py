"""A trained synthesiser that says texts: phones by the settings of its bundle, mels in pieces, a vocoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor

from sure.backbones.fastspeech2 import Controls
from sure.decode.synthesis import acoustic_of
from sure.errors import SureError
from sure.models.synthesis import SynthesisModel
from sure.tasks.tts import PHONEMIZER
from sure.text.phonemize import PAUSES, Phonemizer
from sure.vocoder.vocoder import make_vocoder

SMALLEST, LARGEST = 0.05, 20.0  # of a control; what is beyond is no speech
LONGEST = 120  # phones that are said at once, more than the sentences of training have
AT_ONCE = 8  # pieces in a batch


class Synthesizer:
    """tokens: a folder that has phonemizer.json; vocoder: as decode.vocoder."""

    def __init__(self, model: SynthesisModel, tokens: Path, vocoder: str, language: str | None = None):
        self.model = model
        self.phonemizer = Phonemizer.load(tokens / PHONEMIZER, language)
        self.vocoder = make_vocoder(vocoder, acoustic_of(model), next(model.parameters()).device)

    def say(self, text: str, speaker: str | Tensor | None = None, controls: Controls | None = None) -> Tensor:
        """(samples,) float32 in [-1, 1], at the vocoder's sample rate.

        speaker: a name of training's, which may be left out where there is one; or an external embedding (dim,).
        Raises SureError for a text with nothing to say, an unknown speaker, and controls out of bounds.
        """
        controls = controls or Controls()
        for name, factor in vars(controls).items():
            if not SMALLEST <= factor <= LARGEST:  # nor is NaN
                raise SureError(f"{name}={factor}: expected {SMALLEST:g} to {LARGEST:g}; 1 is as the model finds right")
        who = self._speaker(speaker)
        parts = list(pieces(self.phonemizer.phones(text)))
        mels = []
        for start in range(0, len(parts), AT_ONCE):
            group = parts[start : start + AT_ONCE]
            mels += [one.mel for one in self.model.speak(group, who.expand(len(group), *who.shape), controls)]
        return self.vocoder.waveform(torch.cat(mels))

    def _speaker(self, speaker: str | Tensor | None) -> Tensor:
        task = self.model.task
        if task.config.speaker == "vector":
            size = self.model.backbone.shape.speaker_vector
            if not isinstance(speaker, Tensor) or speaker.shape != (size,):
                raise SureError(f"this model takes an embedding of {size} numbers for the speaker")
            return speaker.float()
        if isinstance(speaker, Tensor):
            raise SureError(f"this model knows speakers by name; there are: {', '.join(task.speakers)}")
        if speaker is None and len(task.speakers) > 1:
            raise SureError(f"say who speaks; there are: {', '.join(task.speakers)}")
        return task.known_speaker(speaker or task.speakers[0])


def pieces(phones: Sequence[str], longest: int = LONGEST) -> Iterator[list[str]]:
    """The phones in pieces that end with a pause where there is one in the second half, of at most `longest`."""
    rest = list(phones)
    while len(rest) > longest:
        pauses = [place for place in range(longest // 2, longest) if rest[place] in PAUSES]
        end = pauses[-1] + 1 if pauses else longest
        yield rest[:end]
        rest = rest[end:]
    if rest:
        yield rest
