"""Export a bundle for other libraries: as a PEFT adapter, or merged, for transformers, CTranslate2 or onnxruntime.

--to open-asr and --to superb write the result files of these leaderboards from an experiment, in place of a bundle.
"""

from argparse import ArgumentParser
from pathlib import Path

from sure.bin._parser import add_json, new_parser, print_json
from sure.errors import SureError, run

PROG = "python -m sure.bin.export"
RESULTS = ("open-asr", "superb")


def make_parser(prog: str = PROG) -> ArgumentParser:
    parser = new_parser(
        prog, __doc__, "BUNDLE --to peft --out adapter", "exp/asr_wav2vec2_lora/seed1 --to superb --out submission"
    )
    parser.add_argument("bundle", metavar="BUNDLE", help="bundle folder, such as exp/asr_wav2vec2_lora/seed1/bundle")
    parser.add_argument("--to", required=True, help="format",
                        choices=["peft", "transformers", "ctranslate2", "onnx", *RESULTS])  # fmt: skip
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="output folder; it must be new or empty")
    parser.add_argument("--backbone", metavar="PATH", help="weights of the backbone (default: the path in the bundle)")
    parser.add_argument("--precision", choices=["fp32", "int8"], default="fp32", help="of the weights; only for onnx")
    parser.add_argument("--data", metavar="DIR", help="data folder, to score the exported model; only for onnx")
    parser.add_argument("--name", default="", metavar="OWNER/MODEL", help="in the names of files; only for open-asr")
    add_json(parser, "folder, files and notes")
    return parser


def main(argv: list[str] | None = None, prog: str = PROG) -> None:
    options = make_parser(prog).parse_args(argv)
    out = options.out
    results = options.to in RESULTS
    if out.exists() and (not out.is_dir() or any(out.iterdir()) and not results):
        raise SureError(f"--out {out} already exists; give a new folder, so that no files are mixed")
    from sure.stages.export import export, export_results  # imports torch, which takes seconds

    if results:
        files, notes = export_results(Path(options.bundle), options.to, out, options.name), []
    else:
        files, notes = export(options.bundle, options.to, out, options.backbone, options.precision, options.data)
    if options.json:
        print_json({"folder": str(out), "files": files, "notes": notes})
        return
    print(f"{out}: {sum(files.values()):,} bytes in {', '.join(files)}")
    for note in notes:
        print(f"- {note}")


if __name__ == "__main__":
    run(main)
