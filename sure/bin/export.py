"""Export a bundle for other libraries: as a PEFT adapter, or merged into a model of transformers or CTranslate2."""

import argparse
from pathlib import Path

from sure.backbones.encoder_decoder import EncoderDecoder
from sure.errors import SureError, run
from sure.exchange.recognizer_to_transformers import recognizer_files
from sure.exchange.to_ctranslate2 import ctranslate2_files
from sure.exchange.to_peft import peft_files
from sure.exchange.to_transformers import transformers_files
from sure.files import replace_file
from sure.inference import Sure
from sure.models.base import AdaptedModel
from sure.petl.bundle import read_bundle


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.export", description=__doc__, allow_abbrev=False)
    parser.add_argument("bundle", metavar="BUNDLE", help="bundle folder, such as exp/asr_wav2vec2_lora/seed1/bundle")
    parser.add_argument("--to", required=True, choices=["peft", "transformers", "ctranslate2"], help="format")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="output folder; it must be new or empty")
    parser.add_argument("--backbone", metavar="PATH", help="weights of the backbone (default: the path in the bundle)")
    options = parser.parse_args(argv)
    out = options.out
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SureError(f"--out {out} already exists; give a new folder, so that no files are mixed")
    model = Sure.load(options.bundle, options.backbone, device="cpu").model
    weights = Path(options.backbone or read_bundle(Path(options.bundle)).about["backbone"]["weights"])
    files, notes = _files(model, options.to, weights if weights.is_dir() else None)
    for name, content in files.items():
        replace_file(out / name, content)
    print(f"{out}: {sum(map(len, files.values())):,} bytes in {', '.join(files)}")
    for note in notes:
        print(f"- {note}")


def _files(model: AdaptedModel, form: str, base: Path | None) -> tuple[dict[str, bytes], list[str]]:
    """The files of the export by name, and notes. base: the Hugging Face folder of the backbone, if there is one."""
    if form == "peft":
        return peft_files(model, None if base is None else str(base))
    if isinstance(model.backbone, EncoderDecoder):
        files, notes = recognizer_files(model, base)
        return (files, notes) if form == "transformers" else ctranslate2_files(files)
    if form == "ctranslate2":
        raise SureError("--to ctranslate2 is for recognisers with their decoder, such as those of --head decoder")
    return transformers_files(model)


if __name__ == "__main__":
    run(main)
