"""Import a LoRA of PEFT, to start a training from it: writes DIR/{adapter.safetensors,adapter.json,start.yaml}."""

import argparse
from pathlib import Path

import yaml

from sure import registry
from sure.errors import counted, run
from sure.exchange.from_peft import attach_peft
from sure.files import replace_file
from sure.petl.bundle import bundle_files, describe_backbone, write_bundle


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.import_adapter", description=__doc__, allow_abbrev=False)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder written by PEFT's save_pretrained")
    parser.add_argument("--from", dest="source", default="peft", choices=["peft"], help="format of FOLDER")
    parser.add_argument("--backbone", required=True, metavar="FAMILY", help="backbone family, such as wav2vec2")
    parser.add_argument("--head", default="ctc", choices=["ctc", "decoder"], help="decoder: of a whole recogniser")
    parser.add_argument("--weights", required=True, metavar="PATH", help="weights that the LoRA was trained on")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="output folder")
    options = parser.parse_args(argv)
    out = options.out
    family = registry.find("backbones", options.backbone)
    if options.head == "decoder":
        family = registry.find_recognizer(options.backbone)
    backbone = family.from_weights(options.weights)
    attachment = attach_peft(backbone, options.folder)
    named = {"name": options.backbone, "weights": options.weights}
    about = {
        "source": f"{options.source}: {options.folder}",
        "backbone": {**named, "layers": "last", "padding": "masked", **describe_backbone(backbone)},
        "petl": [method.config.model_dump(mode="json") for method in attachment.methods],
    }
    write_bundle(out, bundle_files(about, attachment.state(), {}))
    petl = [{**method.config.model_dump(exclude_unset=True), "start": str(out)} for method in attachment.methods]
    replace_file(out / "start.yaml", yaml.safe_dump({"backbone": named, "petl": petl}, sort_keys=False))
    sites = sum(row.sites for row in attachment.coverage)
    print(f"{out}: {counted(len(attachment.state()), 'tensor')} at {counted(sites, 'site')}")
    print(f"- start a training: python -m sure.bin.train --config YOURS.yaml --config {out / 'start.yaml'} --exp EXP")


if __name__ == "__main__":
    run(main)
