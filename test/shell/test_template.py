"""The folder to copy, run end to end in a path with a space, on real audio with a tiny backbone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from small_project import ROOT, make_environment

RATE = 16000
NOTES = {"a": 300, "b": 600, "c": 900}  # Hz: each letter of a text is a tone
WORDS = ("--backbone", "tiny", "--weights", "random:moonshine", "--petl", "lora", "--set", "train.epochs=1")


def make_corpus(folder: Path) -> Path:
    """Three tables, and a recording of half a second for each line."""
    (folder / "clips").mkdir(parents=True)
    for name, texts in {"train": ["ab", "bc", "ca", "abc"], "dev": ["ba", "c", "a"], "test": ["cb", "a", "b"]}.items():
        lines = ["audio\ttext\tlabel\tspeaker"]
        for number, text in enumerate(texts):
            time = np.arange(RATE // 4 * len(text)) / RATE
            notes = np.repeat([NOTES[letter] for letter in text], RATE // 4)
            soundfile.write(folder / "clips" / f"{name} {number}.wav", 0.3 * np.sin(6.283 * notes * time), RATE)
            lines.append(f"clips/{name} {number}.wav\t{text}\t{'long' if number % 2 else 'short'}\tmachine{number % 2}")
        (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def recipe(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("a new clone")
    for name in ("sure", "utils", "tools"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    made = shutil.ignore_patterns("__pycache__", "downloads", "data", "exp")
    shutil.copytree(ROOT / "egs" / "TEMPLATE", root / "egs" / "my corpus", ignore=made)
    shutil.copy(ROOT / "pyproject.toml", root)
    make_environment(root, root / ".venv", "ark,convert", sys.executable)
    make_corpus(root.parent / "the corpus")
    return root / "egs" / "my corpus"


def run(recipe: Path, *words: str) -> subprocess.CompletedProcess:
    variables = {name: text for name, text in os.environ.items() if name not in ("VIRTUAL_ENV", "CONDA_PREFIX")}
    return subprocess.run(
        ["bash", str(recipe / "run.sh"), *WORDS, *words],
        cwd=recipe.parents[1].parent,
        env=variables | {"OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )


def test_without_a_corpus_it_says_what_to_give(recipe):
    done = run(recipe)
    assert done.returncode == 2
    assert "stage 1 download failed" in done.stderr and "--corpus DIR" in done.stderr


def test_a_copy_of_the_template_runs_from_corpus_to_bundle(recipe):
    done = run(recipe, "--corpus", "the corpus")
    assert done.returncode == 0, done.stdout + done.stderr
    table = (recipe / "exp" / "asr_results.md").read_text()
    assert "lora" in table and table.strip() in done.stdout
    assert done.stdout.rstrip().endswith(f"The table is in {recipe}/exp/asr_results.md")
    seed = recipe / "exp" / "asr_tiny_lora_random" / "seed1"
    assert (seed / "bundle" / "adapter.safetensors").exists() and (seed / "decode_test" / "result.json").exists()
    again = run(recipe)  # the corpus is remembered
    assert again.returncode == 0 and again.stdout.count("  skip ") == 8, again.stdout


def test_data_folders_of_kaldi_are_a_corpus_too(recipe):
    tables, kaldi = recipe.parents[1].parent / "the corpus", recipe.parents[1].parent / "s5" / "data"
    for name in ("train", "dev", "test"):
        (kaldi / name).mkdir(parents=True)
        rows = [line.split("\t") for line in (tables / f"{name}.tsv").read_text().splitlines()[1:]]
        # paths as in a recipe: from its folder, from the root, and by a command
        places = [f"../the corpus/{rows[0][0]}", *(str(tables / row[0]) for row in rows[1:-1])]
        places.append(f"cat '{tables / rows[-1][0]}' |")
        for table, values in {"wav.scp": places, "text": [row[1] for row in rows]}.items():
            lines = [f"{name}{number} {value}\n" for number, value in enumerate(values)]
            (kaldi / name / table).write_text("".join(lines))
    words = ("--corpus", "s5/data", "--tag", "kaldi", "--stop_stage", "tokenize")
    refused = run(recipe, *words)
    assert refused.returncode == 2 and "--allow_commands true" in refused.stderr, refused.stderr
    done = run(recipe, *words, "--allow_commands", "true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "data/asr/train: 4 utterances, 0.00 hours, no problems" in done.stdout, done.stdout
    assert (recipe / "data" / "asr" / "train" / "utt2dur").is_file()
    (kaldi / "dev" / "text").unlink()
    missing = run(recipe, *words, "--force", "true")
    assert missing.returncode == 2 and "dev/text: no such file, which this task needs" in missing.stderr


def test_a_classification_task_of_the_template(recipe):
    done = run(recipe, "--task", "intent", "--corpus", "the corpus", "--stop_stage", "tokenize")
    assert done.returncode == 0, done.stdout + done.stderr
    labels = (recipe / "data" / "intent" / "train" / "utt2label").read_text().splitlines()
    assert labels[0].split()[1] == "short" and labels[1].split()[1] == "long"
    assert any((recipe / "data" / "intent" / "tokens").iterdir())


def test_phones_by_a_lexicon_of_the_callers_folder(recipe):
    lexicon = recipe.parents[1].parent / "my lexicon.txt"
    lexicon.write_text("".join(f"{word} {' '.join(word.upper())}\n" for word in ("ab", "bc", "ca", "abc", "ba", "c")))
    words = ("--task", "phoneme", "--corpus", "the corpus", "--lexicon", lexicon.name, "--stop_stage", "tokenize")
    done = run(recipe, *words)
    assert done.returncode == 2 and "3 words are not in the lexicon" in done.stderr and "): a b cb;" in done.stderr
    lexicon.write_text(lexicon.read_text() + "a A\nb B\ncb C B\n")
    done = run(recipe, *words)
    assert done.returncode == 0, done.stdout + done.stderr
    tokens = recipe / "data" / "phoneme" / "tokens"
    assert (tokens / "tokens.txt").read_text().split() == ["<blank>", "A", "B", "C"]
    lexicon.write_text(lexicon.read_text().replace("ab A B", "ab A B X"))
    run(recipe, *words)  # another lexicon is another input, so nothing is skipped
    assert "X" in (tokens / "tokens.txt").read_text().split()


def test_verification_of_the_template(recipe):
    done = run(recipe, "--task", "verification", "--corpus", "the corpus")
    assert done.returncode == 0, done.stdout + done.stderr
    trials = (recipe / "data" / "verification" / "test" / "trials").read_text().splitlines()
    assert [line.split()[2] for line in trials] == ["nontarget", "target", "nontarget"]
    assert not (recipe / "data" / "verification" / "train" / "trials").exists()
    assert "| EER % |" in (recipe / "exp" / "verification_results.md").read_text()
    (recipe / "data" / "verification" / "test" / "trials").write_text("".join(f"{line}\n" for line in trials[1:]))
    again = run(recipe, "--task", "verification", "--stop_stage", "score")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "decode, again: data/verification/test/trials changed" in again.stdout


def test_a_table_with_a_mistake_is_one_error_with_its_line(recipe, tmp_path):
    corpus = make_corpus(tmp_path / "broken")
    lines = (corpus / "train.tsv").read_text().splitlines()
    (corpus / "train.tsv").write_text("\n".join([*lines[:2], "\tbc\tlong\tmachine"]) + "\n")
    done = run(recipe, "--corpus", str(corpus), "--stage", "download", "--stop_stage", "prepare")
    assert done.returncode == 2
    assert f"{corpus}/train.tsv, line 3: the column 'audio' is empty" in done.stderr
