"""Export a bundle for other libraries: as a PEFT adapter, or merged into a transformers model."""

import argparse
from pathlib import Path

from sure.errors import SureError, run
from sure.exchange.to_peft import peft_files
from sure.exchange.to_transformers import transformers_files
from sure.files import replace_file
from sure.inference import Sure
from sure.petl.bundle import read_bundle


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.export", description=__doc__, allow_abbrev=False)
    parser.add_argument("bundle", metavar="BUNDLE", help="bundle folder, such as exp/asr_wav2vec2_lora/seed1/bundle")
    parser.add_argument("--to", required=True, choices=["peft", "transformers"], help="format of the export")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="output folder; it must be new or empty")
    parser.add_argument("--backbone", metavar="PATH", help="weights of the backbone (default: the path in the bundle)")
    options = parser.parse_args(argv)
    out = options.out
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SureError(f"--out {out} already exists; give a new folder, so that no files are mixed")
    model = Sure.load(options.bundle, options.backbone, device="cpu").model
    if options.to == "peft":
        weights = options.backbone or read_bundle(Path(options.bundle)).about["backbone"]["weights"]
        files, notes = peft_files(model, weights if Path(weights).is_dir() else None)
    else:
        files, notes = transformers_files(model)
    for name, content in files.items():
        replace_file(out / name, content)
    print(f"{out}: {sum(map(len, files.values())):,} bytes in {', '.join(files)}")
    for note in notes:
        print(f"- {note}")


if __name__ == "__main__":
    run(main)
