"""Training with SURE and with transformers + PEFT, from audio to the end, both sides in one run.

    python bench/training.py --work lora_full_depth --precision fp32 --epochs 5 --rounds 3 --out results.jsonl

First prepare the corpus: `egs/asterisk/run.sh --stop_stage 3`. Each training has its own process. The sides alternate.
Everything is included: imports, reading of audio, padding, filling of the prefix cache, steps, scoring of the dev set
after each epoch. Prints the seconds of each process and within it, the ratio peer / SURE (above 1: SURE is faster), the
peak memory of the processes, the dev scores, and the floor of bench/floor.py as a fraction of SURE's seconds.
Close other programs first.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from works import WORKS, part_of, settings, write

HERE = Path(__file__).parent
CORPUS = HERE.parent / "egs/asterisk/data/asr_es"


def run(command: list[str], log: Path) -> tuple[float, float, str]:
    """Seconds, peak memory in MB and standard output of a process. On failure, raises SystemExit with its last lines.

    The peak is that of the largest process, if the command starts others.
    """
    with log.open("w+") as errors, log.with_suffix(".out").open("w+") as output:
        begun = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.perf_counter() - begun
        errors.seek(0)
        output.seek(0)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{errors.read()[-3000:]}")
        return seconds, usage.ru_maxrss * 1024 / 1e6, output.read()


def with_sure(config: Path, folder: Path, cache: Path) -> dict[str, Any]:
    """One training by the command of the recipes; `loop_seconds`: as its summary gives them."""
    command = [sys.executable, "-m", "sure.bin.train", "--config", str(config), "--exp", str(folder / "exp")]
    command += [f"train.prefix_cache_folder={cache}"]
    seconds, peak, _ = run(command, folder / "sure.log")
    summary = json.loads((folder / "exp/summary.json").read_text())
    return {
        "seconds": seconds,
        "loop_seconds": summary["training_seconds"],
        "peak_megabytes": peak,
        "dev_score": summary["dev_score"],
        "trained": summary["adapter_parameters"],
    }


def with_peer(config: Path, folder: Path) -> dict[str, Any]:
    """The same training by bench/peers.py."""
    seconds, peak, output = run([sys.executable, str(HERE / "peers.py"), str(config)], folder / "peer.log")
    return {"seconds": seconds, "peak_megabytes": peak, **json.loads(output.splitlines()[-1])}


def compare(rounds: list[dict[str, dict[str, Any]]], floor: dict[str, float] | None = None) -> dict[str, Any]:
    """Medians of both sides, and the ratios of each round: median, least, largest."""
    result: dict[str, Any] = {"floor": floor, "rounds": rounds}
    for key in ("seconds", "loop_seconds", "peak_megabytes", "dev_score", "trained"):
        result[key] = {side: statistics.median(each[side][key] for each in rounds) for side in ("sure", "peer")}
    for key in ("seconds", "loop_seconds"):
        ratios = [each["peer"][key] / each["sure"][key] for each in rounds]
        result[f"{key}_ratio"] = [statistics.median(ratios), min(ratios), max(ratios)]
    result["memory_ratio"] = statistics.median(
        each["sure"]["peak_megabytes"] / each["peer"]["peak_megabytes"] for each in rounds
    )
    if floor:
        result["floor_fraction"] = {side: floor["seconds"] / result["seconds"][side] for side in ("sure", "peer")}
    return result


def show(result: dict[str, Any], out: Path | None) -> None:
    """Print a result, and append it to the file `out` as a line of JSON."""
    if out:
        with out.open("a") as file:
            file.write(json.dumps(result) + "\n")
    for key in ("seconds", "loop_seconds"):
        middle, least, most = result[f"{key}_ratio"]
        sure, peer = result[key]["sure"], result[key]["peer"]
        print(f"{key}: SURE {sure:.1f}, peer {peer:.1f}, peer / SURE {middle:.2f} ({least:.2f}, {most:.2f})")
    peaks, scores = result["peak_megabytes"], result["dev_score"]
    print(f"peak MB: SURE {peaks['sure']:,.0f}, peer {peaks['peer']:,.0f}, SURE / peer {result['memory_ratio']:.2f}")
    print(f"dev score: SURE {scores['sure']:.2f}, peer {scores['peer']:.2f}")
    print(f"trained without head: SURE {result['trained']['sure']:,}, peer {result['trained']['peer']:,}")
    if not result["floor"]:
        return
    fractions, floor = result["floor_fraction"], result["floor"]
    print(
        f"floor: {floor['seconds']:.1f} s ({floor['operations'] / 1e12:.2f} Tflop at "
        f"{floor['operations_per_second'] / 1e9:.0f} Gflop/s), {fractions['sure']:.2f} of SURE's seconds, "
        f"{fractions['peer']:.2f} of the peer's"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", required=True, choices=WORKS, help="row of the comparison")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--epochs", type=int, help="default: that of the row")
    parser.add_argument(
        "--cache", choices=("auto", "off", "kept"), default="auto",
        help="prefix cache of SURE: filled in each round, none, or found as an earlier training left it",
    )  # fmt: skip
    parser.add_argument("--rounds", type=int, default=3, help="trainings of each side")
    parser.add_argument("--minutes", type=float, default=0, help="minutes of training audio; default: the whole corpus")
    parser.add_argument("--shape", default="base", help="wav2vec 2.0: base, large or tiny; or a Moonshine weights file")
    parser.add_argument("--data", type=Path, default=CORPUS, help="folder with train, dev and tokens")
    parser.add_argument("--rate", type=float, default=1e-3, help="peak learning rate of method and head, both sides")
    parser.add_argument("--out", type=Path, help="append the result as a line of JSON")
    options = parser.parse_args()
    epochs = options.epochs or WORKS[options.work].get("epochs", 5)
    train = {
        "epochs": epochs,
        "precision": options.precision,
        "prefix_cache": "off" if options.cache == "off" else "auto",
    }
    train |= {"lr_adapter": options.rate, "lr_head": options.rate}
    with tempfile.TemporaryDirectory() as place:
        data = part_of(options.data, Path(place) / "data", options.minutes)
        config = write(settings(options.work, options.shape, data, **train), Path(place) / "config.yaml")
        floor = json.loads(run([sys.executable, str(HERE / "floor.py"), str(config)], Path(place) / "floor.log")[2])
        rounds = []
        for number in range(options.rounds):
            folder = Path(place) / str(number)
            folder.mkdir()
            cache = (folder.parent if options.cache == "kept" else folder) / "prefix_cache"
            if options.cache == "kept" and not number:
                with_sure(config, folder, cache)
                shutil.rmtree(folder / "exp")
            rounds.append({"sure": with_sure(config, folder, cache), "peer": with_peer(config, folder)})
            print({side: round(each["seconds"], 1) for side, each in rounds[-1].items()}, file=sys.stderr, flush=True)
    row = {
        "work": options.work, "precision": options.precision, "epochs": epochs, "cache": options.cache,
        "shape": options.shape, "minutes": options.minutes, "date": datetime.date.today().isoformat(),
        "machine": floor.pop("machine"),
    }  # fmt: skip
    show(row | compare(rounds, floor), options.out)


if __name__ == "__main__":
    main()
