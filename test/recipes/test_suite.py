"""egs/sure_benchmark on the miniature of asterisk: two rows, from the corpus to one table and picture."""

import json
import shutil

import asterisk
import miniature
from clone import EGS, Clone
from warm_python import warm_python

TINY = "--backbone tiny --weights random:moonshine --petl lora --seeds 3 --set train.epochs=1".split()
ROWS = {"asterisk asr": ("asr_es", "WER % ↓", "wer"), "asterisk language": ("language", "accuracy % ↑", "accuracy")}


def test_two_rows_from_corpora_to_one_table(tmp_path):
    clone = Clone(tmp_path / "a new clone")
    for script in EGS.glob("*/run.sh"):
        clone.recipe(script.parent.name)
    (clone.root / "egs" / "recipes.csv").write_bytes((EGS / "recipes.csv").read_bytes())
    shutil.rmtree(miniature.make("asterisk", tmp_path / "the corpus") / asterisk.ROOT)  # a second copy
    (tmp_path / "corpora.yaml").write_text("asterisk: the corpus\n")
    suite = clone.root / "egs" / "sure_benchmark"
    words = (*TINY, "--only", "; ".join(ROWS), "--corpora", "corpora.yaml", "--stop_stage", "report")
    with warm_python(clone.python, OMP_NUM_THREADS="1"):
        printed = clone.run(suite, *words, cwd=tmp_path)
    results = suite / "exp" / "chosen_tiny_random_results.md"
    text = results.read_text(encoding="utf-8")
    assert text.strip() in printed and printed.endswith(f"The tables are in {results}\n")
    assert "## tiny, random weights (random:moonshine_tiny)\n" in text
    assert "2 of 2 rows have all their results." in text
    for row, (dataset, label, score) in ROWS.items():
        seed = clone.root / "egs" / "asterisk" / "exp" / f"{dataset}_tiny_lora_random" / "seed3"
        result = json.loads((seed / "decode_test" / "result.json").read_text())
        header = f"| method | trained without head | {row}<br>{label} |"
        line = text[text.index(header) :].splitlines()[2]
        assert line == f"| lora | {result['adapter_parameters']:,} | {result[score]:.2f} |"
    assert results.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
