"""Texts of Whisper by SURE and by transformers' `generate`: the same weights, 30 s of input, for prompts of a data set.

    python bench/whisper_texts.py egs/asterisk/exp/transcription_es_whisper_lora/seed1/bundle \\
        --data egs/asterisk/data/transcription_es/test --count 100

Compares the recogniser as it is and adapted, by greedy search and by beam search. transformers has the exported folder
(`sure.bin.export --to transformers`), so merged weights; SURE has the adapter attached, with utterances in batches and
alone, and merged. Prints how many texts are equal, and each pair that differs. In fp32, two tokens whose scores agree
within rounding may change places, so that a difference is no error by itself: look at the pair.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch
from recognisers import recogniser, texts, utterances
from torch import Tensor

from sure.errors import run
from sure.exchange.recognizer_to_transformers import recognizer_files
from sure.files import replace_file
from sure.models.encoder_decoder import EncoderDecoderModel

BATCH = 8


def peer_of(model: EncoderDecoderModel) -> tuple[Any, Any]:
    """transformers' model and feature extractor from the exported folder. It merges the model."""
    import transformers

    transformers.logging.set_verbosity_error()
    with tempfile.TemporaryDirectory() as place:
        for name, content in recognizer_files(model, None)[0].items():
            replace_file(Path(place) / name, content)
        whole = transformers.WhisperForConditionalGeneration.from_pretrained(place).eval()
        return whole, transformers.WhisperFeatureExtractor.from_pretrained(place)


@torch.no_grad()
def peer_texts(
    peer: tuple[Any, Any], model: EncoderDecoderModel, waves: list[Tensor], beam: int, most: int
) -> list[str]:
    """Texts by `generate`, one utterance at a time, in the form of SURE's."""
    whole, extractor = peer
    found = []
    for wave in waves:
        features = extractor(wave.numpy(), sampling_rate=16000, return_tensors="pt").input_features
        rows = whole.generate(features, num_beams=beam, do_sample=False, max_new_tokens=most)
        found.append(model.task.text(rows[0].tolist()))
    return found


def report(what: str, names: list[str], ours: list[str], theirs: list[str]) -> None:
    different = [row for row in zip(names, ours, theirs, strict=True) if row[1] != row[2]]
    print(f"{what}: {len(names) - len(different)} of {len(names)} texts are equal", flush=True)
    for name, mine, other in different:
        print(f"  {name}\n    SURE:         {mine}\n    transformers: {other}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="data folder, in the language of the bundle")
    parser.add_argument("--backbone", metavar="PATH", help="weights; default: the path in the bundle")
    parser.add_argument("--count", type=int, default=100, help="of utterances; default: %(default)s")
    parser.add_argument("--beams", type=int, nargs="+", default=[1, 5], help="default: 1 (greedy) and 5")
    parser.add_argument("--most", type=int, default=150, help="tokens of a text; default: %(default)s")
    options = parser.parse_args()
    chosen, waves = utterances(options.data, options.count)
    names = [one.id for one in chosen]
    for kind in ("as it is", "adapted"):
        settings = {"max_tokens": options.most, "temperatures": [0.0], "padding": "as_trained"}
        attached, merged = (recogniser(options.bundle, kind == "adapted", options.backbone, **settings) for _ in "12")
        peer = peer_of(merged)
        theirs = {beam: peer_texts(peer, merged, waves, beam, options.most) for beam in options.beams}
        for state, model, batch in (
            ("attached", attached, BATCH),
            ("attached", attached, 1),
            ("merged", merged, BATCH),
        ):
            ours = texts(model, waves, batch, options.beams)
            for beam, found in zip(options.beams, ours, strict=True):
                search = "greedy" if beam == 1 else f"beam {beam}"
                how = "alone" if batch == 1 else f"batches of {batch}"
                report(f"{kind}, {search}, {state}, {how}", names, found, theirs[beam])


if __name__ == "__main__":
    run(main)
