"""Stage 2: from a corpus to validated data folders, by the `prepare` function of a recipe's prepare.py."""

import argparse
from pathlib import Path

from sure.bin._arguments import add_policy
from sure.corpus.download import corpus_folder
from sure.data.limits import Limits
from sure.data.validate import DEFAULT
from sure.errors import SureError, run
from sure.stages.prepare import load_prepare, parse_options, prepare_sets, validate_sets

LIMITS = {
    "min_seconds": "shorter utterances are unusable",
    "max_seconds": "longer utterances are unusable",
    "max_bad_percent": "with skip: largest percentage of unusable utterances in a set",
}


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.prepare", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--recipe", default=".", type=Path, metavar="DIR", help="folder of prepare.py; default: the current one"
    )
    parser.add_argument("--corpus", type=Path, metavar="DIR", help="default: the corpus of stage 1, in downloads/")
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="such as data/asr_es; gets a folder for each set"
    )
    add_policy(parser)
    parser.add_argument("--allow_commands", choices=("true", "false"), default="false",
                        help="run the commands (`... |`) in wav.scp, with your permissions")  # fmt: skip
    for name, meaning in LIMITS.items():
        default = {"default": getattr(DEFAULT, name), "help": f"{meaning}; default: %(default)g"}
        parser.add_argument(f"--{name}", type=float, metavar="NUMBER", **default)
    parser.add_argument("--nj", type=int, metavar="N", help="threads; default: one per processor")
    parser.add_argument("options", nargs="*", metavar="key=value", help="passed to the recipe's prepare()")
    options = parser.parse_intermixed_args(argv)
    corpus = options.corpus or corpus_folder(options.recipe / "downloads")
    if not corpus.is_dir():
        problem = "is not a folder; unpack it" if corpus.exists() else "does not exist"
        raise SureError(f"--corpus {corpus} {problem}; pass the folder that contains the corpus")
    prepare = load_prepare(options.recipe / "prepare.py")
    sets = prepare_sets(prepare, corpus, options.out, parse_options(prepare, options.options))
    limits = Limits(*(getattr(options, name) for name in LIMITS))
    validate_sets(sets, options.on_bad_utterance, options.allow_commands == "true", options.nj, limits)


if __name__ == "__main__":
    run(main)
