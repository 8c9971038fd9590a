"""Print the table of PETL methods: formula, default sites, and trained parameters on backbones of given shapes."""

import argparse
from pathlib import Path

from sure import registry
from sure.backbones.base import Backbone
from sure.config import petl_settings
from sure.errors import SureError, run
from sure.files import replace_file
from sure.parsing import parse_yaml
from sure.report.method_table import fitting, markdown

HEAD = """# PETL methods: formulas, sites, counts

Written by `python -m sure.bin.methods --out docs/methods.md`. The counts are trained parameters with default settings,
without the task's head, and their percentage of the backbone; `-`: the backbone has no place for the method.
Settings: [configuration.md](configuration.md); several methods at once, learning rates and averages:
[combining.md](combining.md).

"""
SHAPES = ["wav2vec2_base", "wav2vec2_large", "fastspeech2"]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.methods", description=__doc__, allow_abbrev=False)
    parser.add_argument("--backbone", nargs="+", default=SHAPES, metavar="FAMILY_SHAPE",
                        help="families or shapes to count on, such as hubert_large moonshine; weights are random, so "
                        "nothing is downloaded (default: wav2vec2_base wav2vec2_large fastspeech2)")  # fmt: skip
    parser.add_argument("--petl", nargs="+", metavar="METHOD",
                        help="rows of the table: names, combinations such as lora+prefix, or settings such as "
                        "'{name: lora, rank: 4}' (default: all methods that fit one of the backbones)")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FILE", help="write docs/methods.md; default: print the table")
    options = parser.parse_args(argv)
    methods = {word: petl_settings(_parse(word)) for word in options.petl or registry.names("petl")}
    backbones = {name: _random(name) for name in options.backbone}
    table = markdown(backbones, methods if options.petl else fitting(methods, backbones))
    if options.out:
        replace_file(options.out, HEAD + table)
    else:
        print(table, end="")


def _parse(word: str) -> object:
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
