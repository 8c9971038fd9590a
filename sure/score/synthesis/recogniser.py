"""Independent recogniser that measures the intelligibility of synthesised speech: Moonshine tiny-en.

The model is in the package moonshine-voice (MIT) of its authors. No SURE model is trained on its transcripts.
"""

from functools import cache

import torch
import torch.nn.functional as F

from sure.data.audio import SAMPLE_RATE
from sure.errors import SureError
from sure.text.languages import language_code

NAME = "moonshine tiny-en (moonshine-voice 0.0.49)"
LANGUAGES = ("en",)
INSTALL = "tools/install.sh --extras judges"
OPTIONS = {  # one segment per utterance: its voice detection cuts words off and depends on earlier calls
    "vad_threshold": 0.0,
    "vad_max_segment_duration": 1000.0,
    "identify_speakers": "false",
}
MARGIN_SECONDS = 0.5  # silence at both ends, as in its training data


def supports(language: str) -> bool:
    return language_code(language) in LANGUAGES


class Recogniser:
    """Transcribes waveforms; each transcript depends only on its waveform."""

    def __init__(self, language: str):
        """Raises SureError if the language is not supported or the package is not installed."""
        if not supports(language):
            raise SureError(f"the independent recogniser ({NAME}) supports only {', '.join(LANGUAGES)}, not {language}")
        self.transcriber = _load()

    def transcribe(self, wave: torch.Tensor) -> str:
        """wave: (samples,) at 16 kHz -> transcript with case and punctuation."""
        margin = round(MARGIN_SECONDS * SAMPLE_RATE)
        samples = F.pad(wave, (margin, margin)).tolist()
        return " ".join(line.text for line in self.transcriber.transcribe_without_streaming(samples, SAMPLE_RATE).lines)


@cache
def _load():
    try:
        from moonshine_voice.moonshine_api import ModelArch
        from moonshine_voice.transcriber import Transcriber
        from moonshine_voice.utils import get_model_path
    except (ImportError, OSError):  # OSError: its library is for another system
        raise SureError(f"the independent recogniser is not installed: {INSTALL}") from None
    try:
        transcriber = Transcriber(str(get_model_path("tiny-en")), ModelArch.TINY, options=OPTIONS)
    except Exception as error:
        raise SureError(f"cannot load the independent recogniser ({error}); install {NAME}: {INSTALL}") from None
    transcriber.close = lambda: None  # closing it, as at the end of Python, can crash the process
    return transcriber
