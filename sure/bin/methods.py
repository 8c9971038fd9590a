"""Print the table of PETL methods: formula, default sites, and trained parameters on backbones of given shapes."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import TYPE_CHECKING

from sure import registry
from sure.bin._parser import add_json, new_parser, print_json
from sure.errors import SureError, run
from sure.files import replace_file

if TYPE_CHECKING:
    from sure.backbones.base import Backbone

PROG = "python -m sure.bin.methods"

HEAD = """# PETL methods: formulas, sites, counts

Written by `python -m sure.bin.methods --out docs/methods.md`. The counts are trained parameters with default settings,
without the task's head, and their percentage of the backbone; `-`: the backbone has no place for the method.
Settings: [configuration.md](configuration.md); several methods at once, learning rates and averages:
[combining.md](combining.md).

"""
SHAPES = ["wav2vec2_base", "wav2vec2_large", "fastspeech2"]


def make_parser(prog: str = PROG) -> ArgumentParser:
    parser = new_parser(prog, __doc__, "--backbone whisper_base --petl lora '{name: lora, rank: 4}'")
    parser.add_argument("--backbone", nargs="+", default=SHAPES, metavar="FAMILY_SHAPE",
                        help="families or shapes to count on, such as hubert_large moonshine; weights are random, so "
                        "nothing is downloaded (default: wav2vec2_base wav2vec2_large fastspeech2)")  # fmt: skip
    parser.add_argument("--petl", nargs="+", metavar="METHOD",
                        help="rows of the table: names, combinations such as lora+prefix, or settings such as "
                        "'{name: lora, rank: 4}' (default: all methods that fit one of the backbones)")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FILE", help="write docs/methods.md; default: print the table")
    add_json(parser, "a line for each method, with trained parameters by backbone; null: it has no place")
    return parser


def main(argv: list[str] | None = None, prog: str = PROG) -> None:
    options = make_parser(prog).parse_args(argv)
    from sure.config import petl_settings  # imports torch, which takes seconds
    from sure.report.method_table import count, fitting, markdown

    methods = {word: petl_settings(_parse(word)) for word in options.petl or registry.names("petl")}
    backbones = {name: _random(name) for name in options.backbone}
    methods = methods if options.petl else fitting(methods, backbones)
    if options.json:
        for name, configs in methods.items():
            counts = {each: count(configs, backbone) for each, backbone in backbones.items()}
            print_json({"method": name, "trained_parameters": counts})
        return
    table = markdown(backbones, methods)
    if options.out:
        replace_file(options.out, HEAD + table)
    else:
        print(table, end="")


def _parse(word: str) -> object:
    from sure.parsing import parse_yaml

    try:
        return parse_yaml(word)
    except ValueError:
        raise SureError(f"--petl {word!r} is neither a name nor settings such as '{{name: lora, rank: 4}}'") from None


def _random(name: str) -> Backbone:
    """A backbone with random weights by family and shape, `wav2vec2_large`; a family alone has its default shape."""
    starts = [family for family in registry.names("backbones") if f"{name}_".startswith(f"{family}_")]
    family = max(starts, key=len, default=name)
    shape = name.removeprefix(family).removeprefix("_")
    return registry.find("backbones", family).from_weights(f"random:{shape}" if shape else "random")


if __name__ == "__main__":
    run(main)
