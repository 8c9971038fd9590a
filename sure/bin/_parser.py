"""Parsers of the entry points that the command `sure` has too; they import nothing that takes long, for its help."""

import json
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Mapping
from typing import Any


def new_parser(prog: str, description: str | None, *examples: str) -> ArgumentParser:
    """A parser whose help ends with examples. examples: arguments, without the name of the command."""
    epilog = "\n".join(["examples:", *(f"  {prog} {example}" for example in examples)])
    return ArgumentParser(
        prog=prog,
        description=description,
        epilog=epilog,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def add_json(parser: ArgumentParser, content: str) -> None:
    parser.add_argument("--json", action="store_true", help=f"print JSON instead: {content}")


def print_json(value: Mapping[str, Any]) -> None:
    print(json.dumps(value, ensure_ascii=False), flush=True)
