"""The folder to copy, run end to end in a path with a space, on real audio with a tiny backbone."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from small_project import LEFT_OUT, ROOT, SHELL, make_environment
from warm_python import warm_python

RATE = 16000
NOTES = {"a": 300, "b": 600, "c": 900}  # Hz: each letter of a text is a tone
WORDS = ("--backbone", "tiny", "--weights", "random:moonshine", "--petl", "lora", "--set", "train.epochs=1")
TEXTS = {"train": ["ab", "bc", "ca", "abc"], "dev": ["ba", "c", "a"], "test": ["cb", "a", "b"]}


class Template:
    """A copy of egs/TEMPLATE in a new clone, and next to the clone a corpus in three tables."""

    def __init__(self, folder: Path):
        self.folder, root = folder, folder / "a new clone"
        self.recipe, self.corpus = root / "egs" / "my corpus", folder / "the corpus"
        made = shutil.ignore_patterns("__pycache__", "downloads", "data", "exp")
        for name in ("sure", "utils", "tools"):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "egs" / "TEMPLATE", self.recipe, ignore=made)
        shutil.copy(ROOT / "pyproject.toml", root)
        self.python = root / ".venv" / "bin" / "python"
        make_environment(root, root / ".venv", "ark,convert", sys.executable)
        (self.corpus / "clips").mkdir(parents=True)
        for name, texts in TEXTS.items():
            lines = ["audio\ttext\tlabel\tspeaker"]
            for number, text in enumerate(texts):
                path = f"clips/{name} {number}.wav"
                notes = np.repeat([NOTES[letter] for letter in text], RATE // 4)  # a quarter of a second each
                soundfile.write(self.corpus / path, 0.3 * np.sin(6.283 * notes * np.arange(len(notes)) / RATE), RATE)
                lines.append(f"{path}\t{text}\t{'long' if number % 2 else 'short'}\tmachine{number % 2}")
            (self.corpus / f"{name}.tsv").write_text("\n".join(lines) + "\n")

    def run(self, *words: str, status: int = 0) -> subprocess.CompletedProcess:
        variables = {name: text for name, text in os.environ.items() if name not in LEFT_OUT} | {"OMP_NUM_THREADS": "1"}
        command = ["bash", str(self.recipe / "run.sh"), *WORDS, *words]
        done = subprocess.run(command, cwd=self.folder, env=variables, capture_output=True, timeout=600, **SHELL)
        assert done.returncode == status, done.stdout + done.stderr
        return done

    def read(self, path: str) -> str:
        return (self.recipe / path).read_text()


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Iterator[Template]:
    template = Template(tmp_path_factory.mktemp("template"))
    with warm_python(template.python, OMP_NUM_THREADS="1"):
        yield template


def test_a_copy_of_the_template_runs_from_corpus_to_bundle(template):
    missing = template.run(status=2)
    assert "stage 1 download failed" in missing.stderr and "--corpus DIR" in missing.stderr
    done = template.run("--corpus", "the corpus")
    table = template.read("exp/asr_results.md")
    assert "lora" in table and table.strip() in done.stdout
    assert done.stdout.rstrip().endswith(f"The table is in {template.recipe}/exp/asr_results.md")
    seed = template.recipe / "exp" / "asr_tiny_lora_random" / "seed1"
    assert (seed / "bundle" / "adapter.safetensors").exists() and (seed / "decode_test" / "result.json").exists()
    again = template.run()  # the corpus is remembered
    assert again.stdout.count("  skip ") == 8, again.stdout


def test_data_folders_of_kaldi_are_a_corpus_too(template):
    kaldi = template.folder / "s5" / "data"
    for name, texts in TEXTS.items():
        (kaldi / name).mkdir(parents=True)
        clips = [template.corpus / "clips" / f"{name} {number}.wav" for number in range(len(texts))]
        # paths as in a recipe: from its folder, from the root, and by a command
        places = [f"../the corpus/clips/{clips[0].name}", *map(str, clips[1:-1]), f"cat '{clips[-1]}' |"]
        for table, values in {"wav.scp": places, "text": texts}.items():
            lines = [f"{name}{number} {value}\n" for number, value in enumerate(values)]
            (kaldi / name / table).write_text("".join(lines))
    words = ("--corpus", "s5/data", "--tag", "kaldi", "--stop_stage", "tokenize")
    assert "--allow_commands true" in template.run(*words, status=2).stderr
    done = template.run(*words, "--allow_commands", "true")
    assert "data/asr/train: 4 utterances, 0.00 hours, no problems" in done.stdout, done.stdout
    assert (template.recipe / "data" / "asr" / "train" / "utt2dur").is_file()
    (kaldi / "dev" / "text").unlink()
    missing = template.run(*words, "--stop_stage", "prepare", "--force", "true", status=2)
    assert "dev/text: no such file, which this task needs" in missing.stderr


def test_a_classification_task_of_the_template(template):
    template.run("--task", "intent", "--corpus", "the corpus", "--stop_stage", "tokenize")
    labels = template.read("data/intent/train/utt2label").splitlines()
    assert labels[0].split()[1] == "short" and labels[1].split()[1] == "long"
    assert any((template.recipe / "data" / "intent" / "tokens").iterdir())


def test_phones_by_a_lexicon_of_the_callers_folder(template):
    lexicon = template.folder / "my lexicon.txt"
    lexicon.write_text("".join(f"{word} {' '.join(word.upper())}\n" for word in ("ab", "bc", "ca", "abc", "ba", "c")))
    words = ("--task", "phoneme", "--corpus", "the corpus", "--lexicon", lexicon.name, "--stop_stage", "tokenize")
    missing = template.run(*words, status=2).stderr
    assert "3 words are not in the lexicon" in missing and "): a b cb;" in missing
    lexicon.write_text(lexicon.read_text() + "a A\nb B\ncb C B\n")
    template.run(*words)
    assert template.read("data/phoneme/tokens/tokens.txt").split() == ["<blank>", "A", "B", "C"]
    lexicon.write_text(lexicon.read_text().replace("ab A B", "ab A B X"))
    template.run(*words)  # another lexicon is another input, so stage 3 runs again
    assert "X" in template.read("data/phoneme/tokens/tokens.txt").split()


def test_verification_of_the_template(template):
    template.run("--task", "verification", "--corpus", "the corpus", "--stop_stage", "report")
    trials = template.read("data/verification/test/trials").splitlines()
    assert [line.split()[2] for line in trials] == ["nontarget", "target", "nontarget"]
    assert not (template.recipe / "data" / "verification" / "train" / "trials").exists()
    assert "| EER % |" in template.read("exp/verification_results.md")
    (template.recipe / "data" / "verification" / "test" / "trials").write_text(
        "".join(f"{line}\n" for line in trials[1:])
    )
    again = template.run("--task", "verification", "--stop_stage", "decode")
    assert "decode, again: data/verification/test/trials changed" in again.stdout
