"""Stage 2: from a corpus to validated data folders, by the `prepare` function of a recipe's prepare.py."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sure.corpus.download import corpus_folder
from sure.data.limits import Limits
from sure.data.validate import DEFAULT, POLICIES
from sure.errors import SureError, run
from sure.stages.prepare import load_prepare, parse_options, prepare_sets, validate_sets


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.prepare", description=__doc__)
    parser.add_argument("--recipe", default=".", metavar="DIR", help="folder with prepare.py; default: this folder")
    parser.add_argument("--corpus", metavar="DIR", help="default: the corpus of stage 1, in downloads/")
    parser.add_argument("--out", required=True, metavar="DIR", help="such as data/asr_es; with a folder for each set")
    parser.add_argument("--on_bad_utterance", choices=POLICIES, default="stop", help="default: %(default)s")
    parser.add_argument("--allow_commands", choices=("true", "false"), default="false",
                        help="run the commands (`... |`) in wav.scp, with your permissions")  # fmt: skip
    parser.add_argument("--min_seconds", type=float, default=DEFAULT.min_seconds, metavar="S",
                        help="shorter utterances are bad, in seconds; default: %(default)g")  # fmt: skip
    parser.add_argument("--max_seconds", type=float, default=DEFAULT.max_seconds, metavar="S",
                        help="longer utterances are bad, in seconds; default: %(default)g")  # fmt: skip
    parser.add_argument("--max_bad_percent", type=float, default=DEFAULT.max_bad_percent, metavar="P",
                        help="with skip: largest share of bad utterances in a set; default: %(default)g")  # fmt: skip
    parser.add_argument("--nj", type=int, metavar="N", help="threads; default: one per processor")
    parser.add_argument("options", nargs="*", metavar="key=value", help="passed to the recipe's prepare()")
    options = parser.parse_intermixed_args(argv)
    recipe = Path(options.recipe)
    corpus = Path(options.corpus) if options.corpus else corpus_folder(recipe / "downloads")
    if not corpus.is_dir():
        raise SureError(f"--corpus {corpus} does not exist; pass the folder that contains the corpus")
    prepare = load_prepare(recipe / "prepare.py")
    sets = prepare_sets(prepare, corpus, Path(options.out), parse_options(prepare, options.options))
    limits = Limits(options.min_seconds, options.max_seconds, options.max_bad_percent)
    validate_sets(sets, options.on_bad_utterance, options.allow_commands == "true", options.nj, limits)


if __name__ == "__main__":
    run(main)
