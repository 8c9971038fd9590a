"""Stage 2: a recipe's prepare.py, its options, and the validation of the sets it made."""

import os
from pathlib import Path

import pytest
import soundfile
from audio_files import tone, write_audio

from sure.bin import prepare
from sure.data.data_dir import read_data_dir
from sure.errors import SureError

SETS = ("train", "dev", "test")
RECIPE = '''
"""A recipe."""
from sure.data.data_dir import Utterance, write_data_dir
from module import SUFFIX

def prepare(corpus, out, lang="en", shout="false"):
    for number, name in enumerate(("train", "dev", "test")):
        utterances = []
        for path in sorted((corpus / name).glob(f"*{SUFFIX}")):
            text = f"{lang} {path.stem}"
            utterances.append(Utterance(path.stem, str(path), text=text.upper() if shout == "true" else text))
        write_data_dir(out / name, utterances)
'''


MINE = Path("egs/mine")


@pytest.fixture(autouse=True)
def recipe(here):
    for number, name in enumerate(SETS):
        for seed, id in enumerate("ab", 2 * number):
            write_audio(MINE / "downloads" / "corpus" / name / f"{name}_{id}.wav", tone(0.5, seed=seed))
    (MINE / "module.py").write_text('SUFFIX = ".wav"\n')


def run(*words, source=RECIPE):
    """Run stage 2 with these words; `source`: content of prepare.py."""
    (MINE / "prepare.py").write_text(source)
    prepare.main([*words, "--recipe", str(MINE), "--out", "data/mine"])


def texts(name):
    return [utterance.text for utterance in read_data_dir(f"data/mine/{name}")]


def test_the_corpus_is_given_recorded_or_downloaded(here):
    run("lang=es")
    for name in SETS:
        assert (Path("data/mine") / name / "utt2dur").is_file()
        assert texts(name) == [f"es {name}_a", f"es {name}_b"]
    (MINE / "downloads" / "corpus").rename(here / "my copy")
    with pytest.raises(SureError, match="run stage 1"):
        run()
    with pytest.raises(SureError, match="--corpus nowhere does not exist"):
        run("--corpus", "nowhere")
    run("--corpus", "my copy")
    assert len(texts("test")) == 2
    (MINE / "downloads" / "corpus.txt").write_text(f"{here / 'my copy'}\n")
    run("lang=fr")
    assert texts("test")[0] == "fr test_a"


@pytest.mark.parametrize(("name", "content", "message"), [
    ("data/en/audio/train.tar.gz", b"", "write\n  there are archives: data/en/audio/train.tar.gz; unpack each"),
    ("x/train-00000-of-00001.parquet", b"", "tables with recordings inside: x/train-00000.*egs/TEMPLATE$"),
    ("en.tar.gz.part", b"", "unfinished downloads: en.tar.gz.part; wait"),
    ("cuts.jsonl.gz", b"", "manifests of Lhotse or NeMo: cuts.jsonl.gz; SURE reads no manifests"),
    ("train/a.flac", b"version https://git-lfs.github.com/spec/v1\n", "of Git LFS.*: train/a.flac; .*git lfs pull$"),
    ("a/b/c/d/e/f.zip", b"", "no utterances to write$"),  # deeper than corpora are
])  # fmt: skip
def test_packed_files_are_named_where_a_recipe_does_not_find_its_own(here, name, content, message):
    (here / "packed" / name).parent.mkdir(parents=True)
    (here / "packed" / name).write_bytes(content)
    with pytest.raises(SureError, match=message):
        run("--corpus", "packed")


def test_recordings_in_two_sets_are_named_whatever_their_files_are_called(here, capsys):
    downloads = MINE / "downloads" / "corpus"
    run()
    assert "warning" not in capsys.readouterr().out
    write_audio(downloads / "test" / "x.flac", soundfile.read(downloads / "train" / "train_b.wav")[0])
    (downloads / "test" / "x.flac").rename(downloads / "test" / "x.wav")
    run()
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning")]
    assert "data/mine/test: 1 of 3 recordings are also in data/mine/train: x = train_b;" in line


def test_the_same_recording_with_another_text_is_named(here, capsys):
    train = MINE / "downloads" / "corpus" / "train"
    write_audio(train / "train_c.wav", soundfile.read(train / "train_a.wav")[0])
    run()
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning")]
    assert (
        "train/text: 1 repeated recording with another value than before: train_c (line 3) = train_a (line 1)" in line
    )


CUT = """
from sure.data.data_dir import Utterance, write_data_dir

def prepare(corpus, out):
    audio = str(corpus / "train" / "train_a.wav")
    parts = {"train": (0.0, 0.3), "dev": (0.2, 0.5), "test": (0.1, 0.4)}  # seconds; train and dev share a third
    for name, (start, end) in parts.items():
        write_data_dir(out / name, [Utterance(f"{name}{n}", audio, start, end, text="a") for n in range(2)])
"""


def test_overlapping_parts_in_two_sets_and_texts_that_are_all_the_same_are_named(here, capsys):
    run(source=CUT)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning")]
    pairs = "test0 and {0}0, test0 and {0}1, test1 and {0}0, test1 and {0}1"
    assert [line.partition(": ")[2].partition(";")[0] for line in lines] == [
        "data/mine/train/text: all 2 texts are 'a', so that there is nothing to learn",
        f"data/mine/test: 4 parts of recordings overlap in time with parts in data/mine/train: {pairs.format('train')}",
        f"data/mine/test: 4 parts of recordings overlap in time with parts in data/mine/dev: {pairs.format('dev')}",
    ]


TAKES = "this recipe's prepare.py takes lang=en, shout=false"


@pytest.mark.parametrize(("word", "source", "message"), [
    *((word, RECIPE, f"'{word}': unknown option; {TAKES}") for word in ("langs=es", "lang", "out=x", "a b=c")),
    ("a=b", "def prepare(corpus, out):\n    pass\n", "takes no options"),
    ("a=b", "def prepare(corpus, out, a, x):\n    pass\n", r"x=\.\.\. is missing: .* takes a=\.\.\., x=\.\.\."),
    ("a=b", "x = 1\n", "expected a function prepare"),
])  # fmt: skip
def test_wrong_options_list_the_known_ones(word, source, message):
    with pytest.raises(SureError, match=message):
        run(word, source=source)
    assert not Path("data").exists()


def test_options_and_sets_with_any_names(capsys):
    source = "def prepare(corpus, out, **options):\n    (out / str(sorted(options.items()))).mkdir()\n    return []\n"
    run("b=1=2", "a=", source=source)
    assert [path.name for path in Path("data/mine").iterdir()] == ["[('a', ''), ('b', '1=2')]"]
    with pytest.raises(SureError, match=r"data/mine/dev: prepare\.py did not write this set"):
        run(source=RECIPE.replace('("train", "dev", "test")', '("train", "test")'))
    source = RECIPE.replace("out / name", 'out / "fold1" / name')
    run(source=f'{source}    return ["fold1/train", out / "fold1" / "test"]\n')
    printed = capsys.readouterr().out
    assert all(f"data/mine/fold1/{name}: 2 utterances" in printed for name in SETS)


@pytest.mark.parametrize(("options", "message"), [
    ({"--recipe": "nowhere"}, r"nowhere/prepare\.py does not exist"),
    ({"--out": "file/mine"}, "--out file/mine: cannot create this folder"),
    ({"--out": os.fsdecode(b"out\xff")}, "--out .*udcff.*: the name is not UTF-8"),
])  # fmt: skip
def test_wrong_folders(options, message):
    Path("file").touch()
    (MINE / "prepare.py").write_text(RECIPE)
    options = {"--recipe": str(MINE), "--corpus": ".", "--out": "data", **options}
    with pytest.raises(SureError, match=message):
        prepare.main([word for pair in options.items() for word in pair])
