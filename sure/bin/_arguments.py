"""Arguments that several entry points have."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from sure.config import Config, load_config
from sure.data.validate import POLICIES


def parse_with_config(parser: ArgumentParser, argv: list[str] | None, example: str) -> tuple[Namespace, Config]:
    """Add --config and overrides, of which `example` is one, and parse: all options, and the config."""
    parser.add_argument("--config", required=True, action="append", metavar="FILE", help="YAML, repeatable: later wins")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help=f"replaces a value, such as {example}")
    options = parser.parse_intermixed_args(argv)
    return options, load_config(options.config, options.overrides)


def add_experiment(parser: ArgumentParser) -> None:
    parser.add_argument("--exp", required=True, type=Path, metavar="EXP", help="experiment folder: exp/<name>/seed<k>")


def add_policy(parser: ArgumentParser) -> None:
    help = "unusable utterances: stop with an error, or skip them; default: %(default)s"
    parser.add_argument("--on_bad_utterance", choices=POLICIES, default="stop", help=help)
