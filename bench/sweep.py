"""Time to choose a learning rate for each method and to train all seeds with it: a grid against successive halving.

    python bench/sweep.py --methods "full bottleneck prefix lora conv_adapter" --rates "1e-3 3e-3 1e-2" --out sweep.json

Both sides call egs/asterisk/run.sh (Spanish, Moonshine) in one run, from training to the scores of the test set, after
stages 1 to 3. The grid trains every rate to the end with the first seed, then all seeds with the rates of the best dev
scores (`--search grid --nj 1 --cache_gb 0`); it does not train the seed of the choice again. The other side is one call
with `--search halving --nj auto`, with an empty prefix cache. Prints seconds, epochs, rates and the mean test score of
each method. Close other programs first: they change the seconds of both sides.
"""

import argparse
import datetime
import json
import shutil
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

RECIPE = Path(__file__).resolve().parents[1] / "egs/asterisk"
NAME = "asr_es_moonshine_{}_{}_rate*"  # of experiments, by method and tag


def call(*words: str) -> None:
    """One call of the recipe. Raises CalledProcessError if it fails; it has printed why."""
    print("run.sh", *words, flush=True)
    subprocess.run([RECIPE / "run.sh", *words], check=True, stdout=subprocess.DEVNULL)


def grid(options: argparse.Namespace, common: list[str], tag: str) -> None:
    """All rates to the end with the first seed, then all seeds of each method with its best rate."""
    words = [*common, "--tag", tag, "--search", "grid", "--nj", "1", "--cache_gb", "0"]
    first = options.seeds.split()[0]
    call(*words, "--petl", options.methods, "--rates", options.rates, "--seeds", first, "--stop_stage", "train")
    for method in options.methods.split():
        summaries = RECIPE.glob(f"exp/{NAME.format(method, tag)}/seed{first}/summary.json")
        best = min((json.loads(path.read_text()) for path in summaries), key=lambda one: one["dev_score"])
        rate = str(best["lr_adapter"])
        call(*words, "--petl", method, "--rates", rate, "--seeds", options.seeds, "--stop_stage", "score")


def halving(options: argparse.Namespace, common: list[str], tag: str) -> None:
    """The same by one call."""
    words = [*common, "--tag", tag, "--search", "halving", "--nj", "auto"]
    words += ["--petl", options.methods, "--rates", options.rates, "--seeds", options.seeds]
    call(*words, "--stop_stage", "score")


def results(methods: str, tag: str) -> dict[str, Any]:
    """Trained epochs of all experiments; rate and test scores of each method."""
    epochs = 0
    for path in RECIPE.glob(f"exp/{NAME.format('*', tag)}/seed*/metrics.jsonl"):
        epochs += len(path.read_text().splitlines())
    chosen = {}
    for method in methods.split():
        found = sorted(RECIPE.glob(f"exp/{NAME.format(method, tag)}/seed*/decode_test/result.json"))
        scores = [json.loads(path.read_text())["wer"] for path in found]
        rate = found[0].parents[2].name.rpartition("rate")[2]
        chosen[method] = {"rate": rate, "seeds": len(scores), "wer": round(statistics.fmean(scores), 2)}
    return {"epochs": epochs, "methods": chosen}


def measure(side: Any, options: argparse.Namespace, common: list[str]) -> dict[str, Any]:
    """Seconds of one side, and its results."""
    tag = f"sweep_{side.__name__}_{datetime.datetime.now():%Y%m%d%H%M%S}"
    shutil.rmtree(RECIPE / "data/asr_es/prefix_cache", ignore_errors=True)
    begun = time.monotonic()
    side(options, common, tag)
    found = {"side": side.__name__, "seconds": round(time.monotonic() - begun), **results(options.methods, tag)}
    print(json.dumps(found), flush=True)
    for folder in RECIPE.glob(f"exp/{NAME.format('*', tag)}"):
        shutil.rmtree(folder)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default="full bottleneck prefix lora conv_adapter", help="default: %(default)s")
    parser.add_argument("--rates", default="1e-3 3e-3 1e-2", help="default: %(default)s")
    parser.add_argument("--seeds", default="1 2 3", help="default: %(default)s; the first one chooses the rate")
    parser.add_argument("--epochs", type=int, default=15, help="default: %(default)s")
    parser.add_argument("--out", type=Path, help="file for the results in JSON")
    options = parser.parse_args()
    common = ["--set", f"train.epochs={options.epochs}"]
    call("--stop_stage", "tokenize")
    before, now = (measure(side, options, common) for side in (grid, halving))
    ratio = before["seconds"] / now["seconds"]
    print(f"grid / halving: {ratio:.2f} in seconds, {before['epochs'] / now['epochs']:.2f} in epochs")
    if options.out:
        shown = {key: value for key, value in vars(options).items() if key != "out"}
        options.out.write_text(json.dumps({"ratio": ratio, "options": shown, "sides": [before, now]}))


if __name__ == "__main__":
    main()
