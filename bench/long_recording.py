"""Word error rate of one long recording, made of prompts, next to that of the prompts one by one.

    python bench/long_recording.py egs/asterisk/exp/transcription_es_whisper_lora/seed1/bundle \\
        --data egs/asterisk/data/transcription_es/test --seconds 600

Joins utterances with pauses of half a second, from the start again where the set is shorter. The recording is
transcribed whole, in windows that are cut at pauses and, where the recogniser has them, in windows by timestamps. The
reference of the whole is all texts in order.
"""

from __future__ import annotations

import argparse
from itertools import cycle
from pathlib import Path

import torch
from recognisers import recogniser, texts, utterances
from torch import Tensor

from sure import SAMPLE_RATE
from sure.errors import run
from sure.models.encoder_decoder import EncoderDecoderModel
from sure.score.error_rate import error_rates

PAUSE = torch.zeros(SAMPLE_RATE // 2)


def joined(model: EncoderDecoderModel, data: Path, seconds: float) -> tuple[list[str], list[Tensor]]:
    """References and waveforms (samples,) of utterances that fill `seconds`, pauses included."""
    chosen, waves = utterances(data, 10**9)
    references, parts, left = [], [], seconds * SAMPLE_RATE
    for one, wave in cycle(zip(chosen, waves, strict=True)):
        left -= len(wave) + len(PAUSE)
        if left < 0 and parts:
            return references, parts
        references.append(model.task.reference(one))
        parts.append(wave)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="data folder, in the language of the bundle")
    parser.add_argument("--backbone", metavar="PATH", help="weights; default: the path in the bundle")
    parser.add_argument("--seconds", type=float, default=600.0, help="of the recording; default: %(default)s")
    options = parser.parse_args()
    print("| recogniser | transcribed | words of reference | WER % |\n|---|---|---:|---:|")
    for kind in ("as it is", "adapted"):
        model = recogniser(options.bundle, kind == "adapted", options.backbone)
        references, waves = joined(model, options.data, options.seconds)
        found = {"one by one": " ".join(*texts(model, waves, batch=8))}
        whole = torch.cat([part for wave in waves for part in (wave, PAUSE)])
        for timestamps in (False, True)[: 1 + (model.task.tokens.timestamps is not None)]:
            (made,) = model.transcribe([whole], None, timestamps, False, None)
            windows = "by timestamps" if timestamps else "cut at pauses"
            found[f"whole, windows {windows}"] = " ".join(model.task.text(one.tokens) for one in made.segments)
        wanted = " ".join(references)
        for how, text in found.items():
            rate = error_rates({"all": wanted}, {"all": text})["wer"]
            print(f"| {kind} | {how} | {len(wanted.split()):,} | {rate:.2f} |", flush=True)


if __name__ == "__main__":
    run(main)
