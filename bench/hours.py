"""Memory, disk and time of a training by hours of audio, with the prefix cache on the disk.

    python bench/hours.py --shape downloads/moonshine_tiny_en.safetensors --hours 1 5

First prepare the corpus: `egs/asterisk/run.sh --stop_stage 3`. Its training set is repeated under new ids up to the
hours, so that each utterance is computed and stored anew. One epoch of the row `--work` of works.py in a process of its
own for each number of hours. Prints the peak of the process, the size of the cache, and seconds of audio for a second
of the whole call. Memory is flat where the peak does not grow with the hours.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from training import CORPUS, run
from works import TABLES, WORKS, settings, write


def repeated(corpus: Path, folder: Path, hours: float) -> tuple[Path, int, float]:
    """A copy of the corpus with about `hours` of training audio. Returns its folder, utterances and hours."""
    rows = (corpus / "train/utt2dur").read_text().splitlines()
    seconds = sum(float(row.split()[1]) for row in rows)
    copies = max(1, round(3600 * hours / seconds))
    (folder / "train").mkdir(parents=True)
    for table in TABLES:
        if (corpus / "train" / table).is_file():
            lines = (corpus / "train" / table).read_text(encoding="utf-8").splitlines(keepends=True)
            text = "".join(f"{copy}-{line}" for copy in range(copies) for line in lines)
            (folder / "train" / table).write_text(text, encoding="utf-8")
    for name in ("dev", "tokens"):
        (folder / name).symlink_to((corpus / name).resolve())
    return folder, copies * len(rows), copies * seconds / 3600


def measure(options: argparse.Namespace, hours: float) -> dict[str, Any]:
    """One training."""
    with tempfile.TemporaryDirectory(dir=options.scratch) as place:
        folder = Path(place)
        data, utterances, hours = repeated(options.data, folder / "data", hours)
        train = {"epochs": 1, "precision": "fp32", "batch_seconds": 60, "prefix_cache_folder": str(folder / "cache")}
        config = write(settings(options.work, options.shape, data, **train), folder / "config.yaml")
        command = [sys.executable, "-m", "sure.bin.train", "--config", str(config), "--exp", str(folder / "exp")]
        seconds, peak, _ = run(command, folder / "train.log")
        cache = sum(file.stat().st_size for file in (folder / "cache").rglob("*.safetensors"))
        shutil.rmtree(folder / "cache", ignore_errors=True)
    return {
        "work": options.work, "shape": options.shape, "hours": hours, "utterances": utterances, "seconds": seconds,
        "peak_megabytes": peak, "cache_megabytes": cache / 1e6,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", default="base", help="wav2vec 2.0: base, large or tiny; or a Moonshine weights file")
    parser.add_argument("--hours", type=float, nargs="+", default=[1.0, 5.0], help="of training audio")
    parser.add_argument("--work", choices=WORKS, default="probe", help="default: %(default)s")
    parser.add_argument("--data", type=Path, default=CORPUS, help="folder with train, dev and tokens")
    parser.add_argument("--scratch", type=Path, help="folder for the cache; default: that of temporary files")
    parser.add_argument("--out", type=Path, help="append each result as a line of JSON")
    options = parser.parse_args()
    print("| hours | utterances | peak MB | cache MB | audio s / s |\n|---:|---:|---:|---:|---:|")
    for hours in options.hours:
        one = measure(options, hours)
        print(
            f"| {one['hours']:.2f} | {one['utterances']:,} | {one['peak_megabytes']:,.0f} "
            f"| {one['cache_megabytes']:,.0f} | {3600 * one['hours'] / one['seconds']:.0f} |",
            flush=True,
        )
        if options.out:
            with options.out.open("a") as file:
                file.write(json.dumps(one) + "\n")


if __name__ == "__main__":
    main()
