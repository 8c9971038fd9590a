"""The command `sure`: one name for the entry points in sure/bin that users call themselves."""

from __future__ import annotations

import importlib
import sys

import click
from click.shell_completion import CompletionItem, get_completion_class

from sure import __version__
from sure.errors import run

COMPLETE = "_SURE_COMPLETE"  # the variable by which click's scripts ask for completions
INPUT, USAGE = 1, 2  # exit codes
COMMANDS = {  # command -> file in sure/bin, and what it does
    "train": ("adapt", "Train an adapter on a corpus, and pack its bundle."),
    "infer": ("infer", "Use a bundle on recordings, or synthesise a text."),
    "methods": ("methods", "List the methods with their formulas and numbers of parameters."),
    "report": ("report", "Compare experiments in a table and a figure."),
    "doctor": ("doctor", "Check data folders, experiments and bundles."),
    "serve": ("serve", "Serve bundles over HTTP, with a page for the browser."),
    "export": ("export", "Write a bundle for PEFT, transformers, CTranslate2 or ONNX."),
    "push": ("push", "Send a bundle with a model card to the Hugging Face Hub."),
    "pull": ("pull", "Fetch a bundle from the Hugging Face Hub."),
    "bench": ("bench", "Run a measurement of time or memory."),
}
EPILOG = """\b
Examples:
  sure train corpus.tsv --backbone openai/whisper-base --out work
  sure infer BUNDLE recordings/ --json
  sure doctor exp/asr_moonshine_lora/seed1
  sure COMMAND --help
\b
Exit codes: 0 success; 1 input that cannot be used, named in the error; 2 wrong usage; 75 training was stopped, and
its state is saved (the same command continues); 130 interrupted.
\b
Completion in Bash: eval "$(sure --completion bash)"; zsh and fish are the same.
"""


class EntryPoint(click.Command):
    """A command that passes its arguments to the `main` of a file in sure/bin, whose parser has the options.

    The file is imported when it is needed, and imports torch only after it has parsed its arguments.
    """

    def __init__(self, name: str, file: str, summary: str):
        super().__init__(name, short_help=summary, add_help_option=False)
        self.file = file

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.args = args
        return args

    def invoke(self, ctx: click.Context) -> None:
        self._module().main(ctx.args, f"sure {self.name}")

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Options of the parser; for other words, files."""
        if not incomplete.startswith("-"):
            return [CompletionItem(incomplete, type="file")]
        options = self._module().make_parser(f"sure {self.name}")._option_string_actions
        return [
            CompletionItem(option, help=action.help)
            for option, action in options.items()
            if option.startswith(incomplete)
        ]

    def _module(self) -> object:
        return importlib.import_module(f"sure.bin.{self.file}")


def _print_completion(ctx: click.Context, _: click.Parameter, shell: str | None) -> None:
    if shell is not None:
        click.echo(get_completion_class(shell)(ctx.command, {}, "sure", COMPLETE).source())
        ctx.exit()


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="sure")
@click.option(
    "--completion",
    type=click.Choice(["bash", "zsh", "fish"]),
    callback=_print_completion,
    is_eager=True,
    expose_value=False,
    help="Print the shell's script for completion.",
)
def sure() -> None:
    """Adapt large frozen speech models to new tasks by training a few percent of their parameters."""


for _name, (_file, _summary) in COMMANDS.items():
    sure.add_command(EntryPoint(_name, _file, _summary))


def main(argv: list[str] | None = None) -> None:
    """Run the command and exit. argv: by default the arguments of the process."""
    run(lambda: _call(argv), status_of_error=INPUT)


def _call(argv: list[str] | None) -> None:
    try:
        status = sure.main(argv, "sure", complete_var=COMPLETE, standalone_mode=False)
    except click.UsageError as error:
        error.show()
        sys.exit(USAGE)
    except click.Abort:  # click's form of Ctrl-C
        raise KeyboardInterrupt from None
    if isinstance(status, int):
        sys.exit(status)


if __name__ == "__main__":
    main()
