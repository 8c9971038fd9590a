"""Data folders from a corpus in tables, DIR/{train,dev,test}.tsv or .csv, or in Kaldi's data folders."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from sure.corpus import table_corpus

COLUMN = {**table_corpus.COLUMN}  # task -> column with its targets; add those of your tasks: "accent": "label"


def prepare(corpus: Path, out: Path, task: Literal[tuple(COLUMN)] = "asr") -> list[Path]:
    """Write the data folders `out/{train,dev,test}` and return them; sure/corpus/table_corpus.py reads the tables."""
    return table_corpus.prepare_tables(corpus, out, COLUMN[task])
