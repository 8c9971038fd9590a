"""Print digests of folders, and recordings that have changed since stage 2. The marks of finished steps have them."""

import argparse

from sure.errors import run
from sure.recipe.inputs import digest_of_folder, first_changed


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.inputs", description=__doc__, allow_abbrev=False)
    parser.add_argument("--folders", nargs="*", default=[], metavar="DIR", help="of each: the digest")
    parser.add_argument("--sets", nargs="*", default=[], metavar="DIR", help="of each: a changed recording, or `same`")
    options = parser.parse_args(argv)
    for folder in options.folders:
        print(digest_of_folder(folder))
    for folder in options.sets:
        print(first_changed(folder) or "same")


if __name__ == "__main__":
    run(main)
