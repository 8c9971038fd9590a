"""The independent recogniser that judges how intelligible synthesised speech is: Moonshine tiny-en, whole.

It comes with the package moonshine-voice (MIT), by the model's makers. None of our models is trained on what it says.
"""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F

from sure.data.audio import SAMPLE_RATE
from sure.errors import SureError

NAME = "moonshine tiny-en (moonshine-voice 0.0.49)"
LANGUAGES = ("en",)
INSTALL = "tools/install.sh --extras judges"
OPTIONS = {  # all of an utterance is one segment; its voice detection would cut words off, and remembers earlier calls
    "vad_threshold": 0.0,
    "vad_max_segment_duration": 1000.0,
    "identify_speakers": "false",
}
MARGIN_SECONDS = 0.5  # of silence at both ends, as in what it was trained on


def knows(language: str) -> bool:
    return language.lower().replace("_", "-").split("-")[0] in LANGUAGES


class Recogniser:
    """What it writes depends on the waveform alone."""

    def __init__(self, language: str):
        """Raises SureError when it does not know the language, or is not installed."""
        if not knows(language):
            raise SureError(f"the independent recogniser ({NAME}) knows {', '.join(LANGUAGES)} only, not {language}")
        self.transcriber = _load()

    def transcribe(self, wave: torch.Tensor) -> str:
        """wave: (samples,) at 16 kHz -> what it hears, as it writes it."""
        margin = round(MARGIN_SECONDS * SAMPLE_RATE)
        samples = F.pad(wave, (margin, margin)).tolist()
        return " ".join(line.text for line in self.transcriber.transcribe_without_streaming(samples, SAMPLE_RATE).lines)


@cache
def _load():
    try:
        from moonshine_voice.moonshine_api import ModelArch
        from moonshine_voice.transcriber import Transcriber
        from moonshine_voice.utils import get_model_path
    except (ImportError, OSError):  # OSError: the library in it is for another system
        raise SureError(f"the independent recogniser is not installed: {INSTALL}") from None
    try:
        transcriber = Transcriber(str(get_model_path("tiny-en")), ModelArch.TINY, options=OPTIONS)
    except Exception as error:
        raise SureError(f"the independent recogniser does not load ({error}); install {NAME}: {INSTALL}") from None
    transcriber.close = lambda: None  # giving it back, as at the end of Python, can crash the process
    return transcriber
