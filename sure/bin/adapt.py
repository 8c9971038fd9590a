"""Train an adapter on a corpus, score it on the test set, and pack its bundle; the same command resumes.

DATA is a table (.tsv, .csv) with the columns audio and text, label or speaker, which is divided into train, dev and
test; a folder with these sets as tables or Kaldi data folders; or a dataset on the Hugging Face Hub,
hf://owner/name[/config][:split], or a copy of one on this machine, hf://./folder[:split].
"""

import contextlib
import shlex
import sys
from argparse import ArgumentParser
from pathlib import Path

from sure.bin._parser import add_json, new_parser, print_json
from sure.errors import SureError, run

PROG = "python -m sure.bin.adapt"


def make_parser(prog: str = PROG) -> ArgumentParser:
    parser = new_parser(
        prog, __doc__, "corpus.tsv --backbone openai/whisper-base --out work", "corpus --task intent --out work "
        "--backbone wav2vec2 --weights WAV2VEC2_BASE --petl lora --set train.epochs=5",
    )  # fmt: skip
    parser.add_argument("data", metavar="DATA", help="table, folder with train, dev and test, or hf://...")
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="folder for data and experiments")
    parser.add_argument("--backbone", required=True, metavar="NAME",
                        help="family, such as whisper, or weights, whose family is found")  # fmt: skip
    parser.add_argument("--weights", default="", metavar="NAME",
                        help="weights: file, Hugging Face folder or name, torchaudio bundle, or random")  # fmt: skip
    parser.add_argument("--petl", default="lora", metavar="METHOD", help="see `sure methods`; default: %(default)s")
    parser.add_argument("--task", default="asr", help="asr, phoneme, slots (column text); intent, emotion, keyword "
                        "(label); verification (speaker); default: %(default)s")  # fmt: skip
    parser.add_argument("--language", default="en", metavar="CODE", help="of the texts; default: %(default)s")
    parser.add_argument("--head", default="", choices=("", "ctc", "decoder"),
                        help="for asr: a new head, or the backbone's own decoder, the default for whisper")  # fmt: skip
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="default: %(default)s")
    parser.add_argument("--tag", default="", metavar="NAME", help="suffix of the experiment's folder")
    parser.add_argument("--track", default="", choices=("", "wandb", "mlflow"), help="tracker of the training")
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE", help="settings, such as train.epochs=3")
    parser.add_argument("--columns", nargs="+", default=[], metavar="NAME=COLUMN",
                        help="columns of a dataset, such as text=sentence")  # fmt: skip
    parser.add_argument("--on_bad_utterance", choices=("stop", "skip"), default="stop",
                        help="unusable utterances: stop with an error, or skip them; default: %(default)s")  # fmt: skip
    parser.add_argument("--restart", action="store_true", help="delete the results of this experiment first")
    add_json(parser, "bundle, and the results of the test set")
    return parser


def main(argv: list[str] | None = None, prog: str = PROG) -> None:
    argv = sys.argv[1:] if argv is None else list(argv)
    options = vars(make_parser(prog).parse_intermixed_args(argv))
    settings = _pairs("set", options.pop("set"))
    options["columns"] = _pairs("columns", options["columns"])
    if track := options.pop("track"):
        settings["train.track"] = track
    from sure.parsing import read_json  # these import torch, which takes seconds
    from sure.stages.adapt import Adaptation, adapt

    as_json = options.pop("json")
    given = Adaptation(**options, settings=settings, command=shlex.join([*prog.split(), *argv]))
    with contextlib.redirect_stdout(sys.stderr if as_json else sys.stdout):
        bundle = adapt(given)
    if as_json:
        results = [read_json(path, "score again") for path in sorted(bundle.parent.glob("decode_*/result.json"))]
        print_json({"bundle": str(bundle), "results": results})
    else:
        print(bundle)


def _pairs(option: str, words: list[str]) -> dict[str, str]:
    """The words NAME=VALUE of an option. Raises SureError for another word, and for a name that is there twice."""
    pairs: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            example = {"set": "train.epochs=3", "columns": "text=sentence"}[option]
            raise SureError(f"--{option} {word}: expected NAME=VALUE, such as {example}")
        if key in pairs:
            raise SureError(f"--{option} has {key}={pairs[key]} and {word}; pass one of them")
        pairs[key] = value
    return pairs


if __name__ == "__main__":
    run(main)
