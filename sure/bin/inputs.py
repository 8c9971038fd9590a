"""For marks of stages: the digest of each folder, and of each data folder a recording that changed since stage 2."""

import argparse

from sure.errors import run
from sure.recipe.inputs import digest_of_folder, first_changed


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.inputs", description=__doc__, allow_abbrev=False)
    parser.add_argument("--folders", nargs="*", default=[], metavar="DIR", help="print a digest of each")
    parser.add_argument("--sets", nargs="*", default=[], metavar="DIR", help="print a changed recording, or `same`")
    options = parser.parse_args(argv)
    for folder in options.folders:
        print(digest_of_folder(folder))
    for folder in options.sets:
        print(first_changed(folder) or "same")


if __name__ == "__main__":
    run(main)
