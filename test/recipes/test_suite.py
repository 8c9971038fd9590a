"""egs/sure_benchmark on the miniature of asterisk: two rows, from the corpus to one table and picture."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import miniature
from small_project import ROOT, make_environment

TINY = (
    "--backbone",
    "tiny",
    "--weights",
    "random:moonshine",
    "--petl",
    "lora",
    "--seeds",
    "3",
    "--set",
    "train.epochs=1",
)
ROWS = {"asterisk asr": ("asr_es", "WER % ↓", "wer"), "asterisk language": ("language", "accuracy % ↑", "accuracy")}


def test_two_rows_from_corpora_to_one_table(tmp_path):
    root = tmp_path / "a new clone"
    for name in ("sure", "utils", "tools"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(
        ROOT / "egs", root / "egs", ignore=shutil.ignore_patterns("__pycache__", "downloads", "data", "exp")
    )
    shutil.copy(ROOT / "pyproject.toml", root)
    make_environment(root, root / ".venv", "ark,convert", sys.executable)
    miniature.make("asterisk", tmp_path / "the corpus")
    (tmp_path / "corpora.yaml").write_text("asterisk: the corpus\n")
    suite = root / "egs" / "sure_benchmark"
    words = (*TINY, "--only", "; ".join(ROWS), "--corpora", "corpora.yaml", "--stop_stage", "report")
    variables = {name: text for name, text in os.environ.items() if name not in ("VIRTUAL_ENV", "CONDA_PREFIX")}
    done = subprocess.run(
        ["bash", str(suite / "run.sh"), *words],
        cwd=tmp_path,
        env=variables | {"OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    results = suite / "exp" / "chosen_tiny_random_results.md"
    text = results.read_text(encoding="utf-8")
    assert text.strip() in done.stdout and done.stdout.endswith(f"The tables are in {results}\n")
    assert "## tiny, random weights (random:moonshine_tiny)\n" in text
    assert "2 of 2 rows have all their results." in text
    for row, (dataset, label, score) in ROWS.items():
        seed = root / "egs" / "asterisk" / "exp" / f"{dataset}_tiny_lora_random" / "seed3"
        result = json.loads((seed / "decode_test" / "result.json").read_text())
        header = f"| method | trained without head | {row}<br>{label} |"
        line = text[text.index(header) :].splitlines()[2]
        assert line == f"| lora | {result['adapter_parameters']:,} | {result[score]:.2f} |"
    assert results.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
