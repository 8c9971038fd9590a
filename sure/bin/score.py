"""Stage 6: score the decoded sets of an experiment, into result.json and result.txt of each EXP/decode_<set>."""

import argparse

from sure.bin._arguments import add_experiment
from sure.errors import counted, run
from sure.report.results import UNITS
from sure.stages.experiment import score


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.score", description=__doc__, allow_abbrev=False)
    add_experiment(parser)
    parser.add_argument("--sets", nargs="+", metavar="SET", help="default: every decoded set, in every decoding")
    options = parser.parse_args(argv)
    for result in score(options.exp, options.sets):
        name = result["score_name"]
        low, high = result[f"{name}_interval"]
        decoding = "" if result.get("decoding", "greedy") == "greedy" else f", {result['decoding']}"
        print(
            f"{options.exp} {result['set']}{decoding}: {name} {result['score']:.2f} {UNITS.get(name, '%')} "
            f"[{low:.2f}, {high:.2f}], {counted(result['utterances'], 'utterance')}"
        )
        for scores, why in result.get("missing", {}).items():
            print(f"without {scores}: {why}")


if __name__ == "__main__":
    run(main)
