"""Whole recognisers: an encoder and its own decoder, trained by cross entropy; text is generated token by token."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sure import registry
from sure.backbones.base import Backbone
from sure.backbones.encoder_decoder import EncoderDecoder
from sure.config import Config
from sure.data.audio_files import opened
from sure.decode.text import Decoding, decode_set
from sure.device import pick_device
from sure.errors import SureError
from sure.generation.transcript import Transcript
from sure.inference import Sure
from sure.kinds import recognition
from sure.models.encoder_decoder import EncoderDecoderModel
from sure.models.precision import convert
from sure.text.subtitles import srt, vtt

OPTIONS = {"language", "timestamps", "timings", "format", "beam"}


class Kind(recognition.Kind):
    model = EncoderDecoderModel
    backbone = EncoderDecoder
    backbone_description = "a recogniser with a decoder: whisper or moonshine"

    def find_backbone(self, name: str) -> type[Backbone]:
        """The whole recogniser of a family: `whisper` is `Recognizer` in sure/backbones/whisper_recognizer.py."""
        return registry.find_recognizer(name)

    def decode(
        self,
        folder: Path,
        config: Config,
        model: EncoderDecoderModel,
        sets: Mapping[Path, str],
        overrides: Sequence[str],
    ) -> Iterator[tuple[Path, str]]:
        given = config.decode
        precision = convert(model, given.precision, pick_device(config.train.device))
        settings = {"method": given.method, "precision": given.precision, **given.generation.model_dump(mode="json")}
        record = {"decoding": config.decoding, "settings": settings, "overrides": list(overrides)}
        for decoded, data in sets.items():
            decode_set(config, model, data, decoded, Decoding(model.hypotheses, record, precision, True))
            yield decoded, data

    def infer(self, sure: Sure, files: Sequence[str], options: Mapping[str, Any]) -> int:
        """Print one line for each file; with options one a segment or word, or the text in another format."""
        if "json" in options:
            options = {"format": "json", **{name: value for name, value in options.items() if name != "json"}}
        if others := sorted(options.keys() - OPTIONS):
            raise SureError(f"this bundle recognises speech: pass audio files (--{others[0]} is for other bundles)")
        if not options:
            return super().infer(sure, files, options)
        form, words = options.get("format", "lines"), "timings" in options
        beam, timestamps = options.get("beam"), "timestamps" in options or form in ("srt", "vtt")
        if beam is not None and beam < 1:
            raise SureError(f"--beam {beam}: expected at least 1 hypothesis; 1 is greedy search")
        if form in ("srt", "vtt") and len(files) > 1:
            raise SureError(f"--format {form}: expected one audio file, found {len(files)}; run the command for each")
        unusable = 0
        for file in files:
            try:
                (found,) = sure.transcribe(
                    sure.read(opened(file), file), options.get("language"), timestamps, words, beam
                )
            except SureError as error:
                print(f"error: {error}", file=sys.stderr)
                unusable += 1
            else:
                print(_shown(file, found, form, timestamps, words), end="", flush=True)
        return unusable


def _shown(file: str, found: Transcript, form: str, timestamps: bool, words: bool) -> str:
    """The lines of a file."""
    segments = [(one.start, one.end, one.text) for one in found.segments]
    if form == "json":
        about = [
            {
                "start": one.start,
                "end": one.end,
                "text": one.text,
                "score": one.hypothesis.score,
                "alternatives": [{"text": text, "score": score} for text, score in one.alternatives],
                "words": [asdict(word) for word in one.words],
            }
            for one in found.segments
        ]
        shown = {"file": file, "language": found.language, "text": found.text, "segments": about}
        return json.dumps(shown, ensure_ascii=False) + "\n"
    if form != "lines":
        return {"srt": srt, "vtt": vtt}[form](segments)
    if words:
        rows = [
            f"{one.start:.3f}\t{one.duration:.3f}\t{one.word}\t{one.confidence:.3f}"
            for segment in found.segments
            for one in segment.words
        ]
    else:
        rows = [f"{start:.3f}\t{end:.3f}\t{text}" for start, end, text in segments] if timestamps else [found.text]
    return "".join(f"{file}\t{row}\n" for row in rows)
