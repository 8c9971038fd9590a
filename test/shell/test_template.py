"""The folder to copy, run end to end in a path with a space and a quote, on real audio with a tiny backbone."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import datasets
import numpy as np
import pytest
import soundfile
from audio_files import tone, write_audio
from clone import Clone
from warm_python import warm_python

RATE = 16000
NOTES = {"a": 300, "b": 600, "c": 900}  # Hz: each letter of a text is a tone
WORDS = ("--backbone", "tiny", "--weights", "random:moonshine", "--petl", "lora", "--set", "train.epochs=1")
EVIL_NAMES = ["$(touch pwned)", "`touch pwned`", "a;touch pwned", "'\"; touch pwned; '", "| touch pwned"]
EVIL_NAMES += ["a b", "-n", "*", "~"]
TEXTS = {"train": ["ab", "bc", "ca", "abc"], "dev": ["ba", "c", "a"], "test": ["cb", "a", "b"]}


class Template:
    """A copy of egs/TEMPLATE in a new clone, and next to the clone a corpus in three tables."""

    def __init__(self, folder: Path):
        self.clone, self.folder, self.corpus = Clone(folder / "it's a new clone"), folder, folder / "the corpus"
        self.recipe = self.clone.recipe("TEMPLATE", "my corpus")
        (self.corpus / "clips").mkdir(parents=True)
        for name, texts in TEXTS.items():
            table = "audio\ttext\tlabel\tspeaker\n"
            for number, text in enumerate(texts):
                path = f"clips/{name} {number}.wav"
                notes = np.repeat([NOTES[letter] for letter in text], RATE // 4)  # a quarter of a second each
                soundfile.write(self.corpus / path, 0.3 * np.sin(6.283 * notes * np.arange(len(notes)) / RATE), RATE)
                table += f"{path}\t{text}\t{'long' if number % 2 else 'short'}\tmachine{number % 2}\n"
            (self.corpus / f"{name}.tsv").write_text(table)

    def run(self, *words: str, status: int = 0, recipe: Path | None = None) -> str:
        """The output of run.sh, or its errors if it is expected to fail."""
        process = self.clone.start(recipe or self.recipe, *WORDS, *words, cwd=self.folder)
        out, err = process.communicate(timeout=600)
        assert process.returncode == status, out + err
        return err if status else out

    def read(self, path: str) -> str:
        return (self.recipe / path).read_text()


@pytest.fixture(scope="module")
def template(tmp_path_factory) -> Iterator[Template]:
    template = Template(tmp_path_factory.mktemp("template"))
    with warm_python(template.clone):
        yield template


def test_a_copy_of_the_template_runs_from_corpus_to_bundle(template):
    missing = template.run(status=2)
    assert "stage 1 download failed" in missing and "--corpus DIR" in missing and "resume:" not in missing
    assert missing.rstrip().partition("after the correction: ")[2].endswith("train.epochs=1")
    printed = template.run("--corpus", "the corpus")
    assert not any(title in printed for title in ("Licence:", "Attribution:"))  # the template has none
    table = template.read("exp/asr_results.md")
    assert all("| lora_random | 1 |" in one for one in (table, printed))  # the printed table is a short one
    assert printed.rstrip().endswith(f"The whole report is in {template.recipe}/exp/asr_results.md")
    seed = template.recipe / "exp" / "asr_tiny_lora_random" / "seed1"
    assert (seed / "bundle" / "adapter.safetensors").exists() and (seed / "decode_test" / "result.json").exists()
    assert template.run().count("  skip ") == 8  # the corpus is remembered


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
    assert "--allow_commands true" in template.run(*words, status=2)
    printed = template.run(*words, "--allow_commands", "true")
    assert "data/asr/train: 4 utterances, 0.00 hours, no problems" in printed, printed
    assert (template.recipe / "data" / "asr" / "train" / "utt2dur").is_file()
    (kaldi / "dev" / "text").unlink()
    assert "dev/text: no such file, which this task needs" in template.run(*words, "--force", "true", status=2)


def test_a_folder_of_datasets_is_a_corpus_and_is_remembered_with_its_columns(template):
    for name in ("train", "test"):
        clips = sorted(template.corpus.glob(f"clips/{name} *.wav"))
        content = {"sound": [{"bytes": clip.read_bytes(), "path": clip.name} for clip in clips], "text": TEXTS[name]}
        path = template.folder / "a dataset" / "data" / f"{name}-0.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        datasets.Dataset.from_dict(content).to_parquet(path)
    recipe = template.clone.recipe("TEMPLATE", "dataset recipe")
    words = ("--corpus", "hf://./a dataset", "--stop_stage", "tokenize")
    missing = template.run(*words, status=2, recipe=recipe)
    assert "no column 'audio'; it has sound, text; name it:" in missing and "--columns audio=NAME" in missing
    printed = template.run(*words, "--columns", "audio=sound", recipe=recipe)
    assert "data/asr/train: 3 utterances" in printed and "data/asr/dev: 1 utterance," in printed, printed
    assert template.run(*words[2:], recipe=recipe).count("  skip ") == 3


def test_phones_by_a_lexicon_of_the_callers_folder(template):
    lexicon = template.folder / "my lexicon.txt"
    lexicon.write_text("".join(f"{word} {' '.join(word.upper())}\n" for word in ("ab", "bc", "ca", "abc", "ba", "c")))
    words = ("--task", "phoneme", "--corpus", "the corpus", "--lexicon", lexicon.name, "--stop_stage", "tokenize")
    missing = template.run(*words, status=2)
    assert "3 words are not in the lexicon" in missing and "): a b cb;" in missing
    lexicon.write_text(lexicon.read_text() + "a A\nb B\ncb C B\n")
    template.run(*words)
    assert template.read("data/phoneme/tokens/tokens.txt").split() == ["<blank>", "A", "B", "C"]
    lexicon.write_text(lexicon.read_text().replace("ab A B", "ab A B X"))
    template.run(*words)  # another lexicon is another input, so stage 3 runs again
    assert "X" in template.read("data/phoneme/tokens/tokens.txt").split()


def test_classification_and_verification_of_the_template(template):
    template.run("--task", "intent", "--corpus", "the corpus", "--stop_stage", "prepare")
    assert template.read("data/intent/train/utt2label").split()[1::2] == ["short", "long"] * 2
    words = ("--task", "verification", "--corpus", "the corpus", "--stop_stage")
    template.run(*words, "report")
    trials = template.read("data/verification/test/trials").splitlines()
    assert [line.split()[2] for line in trials] == ["nontarget", "target", "nontarget"]
    assert not (template.recipe / "data" / "verification" / "train" / "trials").exists()
    assert "| EER % |" in template.read("exp/verification_results.md")
    (template.recipe / "data" / "verification" / "test" / "trials").write_text("\n".join(trials[1:]) + "\n")
    assert "decode, again: data/verification/test/trials changed" in template.run(*words, "decode")


def test_names_that_a_shell_would_run(template):
    made = template.folder / "$(touch pwned) 'a' \"b\" `touch pwned`"
    for name in TEXTS:
        for number, evil in enumerate(EVIL_NAMES):
            write_audio(made / name / f"{evil}.wav", tone(1.0, seed=number))
        rows = [f"{name}/{evil}.wav\twords {evil}" for evil in EVIL_NAMES]
        (made / f"{name}.tsv").write_text("\n".join(["audio\ttext", *rows]) + "\n")
    recipe = template.clone.recipe("TEMPLATE", "$(touch pwned) recipe")
    words = ("--corpus", str(made), "--stop_stage", "tokenize")
    template.run(*words, recipe=recipe)
    printed = template.run(*words, "--dry_run", "true", recipe=recipe)
    (pasted,) = (line for line in printed.splitlines() if "sure.bin.prepare" in line)
    assert str(made) in shlex.split(pasted)
    lines = (recipe / "data/asr/test/wav.scp").read_text().splitlines()
    assert len(lines) == len(EVIL_NAMES) and any("$(touch_pwned)" in line.split(" ")[0] for line in lines)
    assert not list(template.folder.rglob("pwned"))
