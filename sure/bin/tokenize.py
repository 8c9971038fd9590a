"""Stage 3: learn tokens or labels from the training set, into tokenizer.folder."""

import argparse

from sure.bin._arguments import parse_with_config
from sure.errors import run
from sure.stages.tokenize import tokenize


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.tokenize", description=__doc__, allow_abbrev=False)
    _, config = parse_with_config(parser, argv, "tokenizer.kind=bpe")
    folder = tokenize(config)
    print(f"Tokens: {folder} ({', '.join(sorted(path.name for path in folder.iterdir()))})")


if __name__ == "__main__":
    run(main)
