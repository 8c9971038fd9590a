"""Every recipe: its sets, whatever the order of files; links and files of macOS; unknown options; sources; TEMPLATE."""

import inspect
import os
import re
import shutil
from collections import Counter
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args, get_origin

import numpy as np
import pytest
import soundfile
from harness import EGS, Case, below, expected, layout, write

from sure.corpus.sources import read_sources
from sure.data.commands import run_command
from sure.data.tables import read_lines
from sure.data.validate import validate_data_dir
from sure.errors import SureError
from sure.stages.prepare import load_prepare

RECIPES = sorted(path.parent.name for path in EGS.glob("*/prepare.py") if path.parent.name != "TEMPLATE")
SUMS = {"asterisk sources": 10, "fillets sources": 4, "librispeech_100 sources": 9, "libritts sources": 1,
        "meld sources": 1, "snips sources": 1, "speech_commands sources": 2, "speech_commands sources_v0.01": 2,
        "vctk sources": 1}  # fmt: skip
SECTIONS = [(name, words) for name in RECIPES for words in expected(name)]


def linked(corpus: Path, store: Path) -> Path:
    """A corpus with links for all its files and folders; their targets lie side by side in `store`. Each file has a
    second one of macOS next to it, and in the folder that archives of macOS have.
    """
    places = {Path(folder): store / str(number) for number, (folder, *_) in enumerate(os.walk(corpus))}
    for folder, place in places.items():
        write(".DS_Store", b"\0\0\0\1Bud1")(place)
        for path in (path for path in folder.iterdir() if not path.name.startswith(".")):
            (place / path.name).symlink_to(places.get(path, path))
            if path not in places:
                for second in (place, places[corpus] / "__MACOSX" / folder.relative_to(corpus)):
                    write(f"._{path.name}", b"\0\5\x16\7\0\2\0\0Mac OS X")(second)
    return places[corpus]


@pytest.mark.parametrize("name", RECIPES)
def test_links_and_files_of_macos_change_nothing(recipe_of, name, tmp_path):
    recipe = recipe_of(name)
    before, after = recipe.unchanged(), recipe(linked(recipe.corpus, tmp_path / "store"), tmp_path / "out")
    for name, utterances in before.sets.items():
        found = [replace(one, audio=Path(one.audio).name) for one in after.sets[name].values()]
        assert found == [replace(one, audio=Path(one.audio).name) for one in utterances.values()] != []
    assert before.reasons.keys() <= after.reasons.keys()


def backwards(walk):
    """`os.walk` in the reverse order."""

    def walked(*place, **settings):
        for folder, inside, files in walk(*place, **settings):
            inside.sort(reverse=True)  # in place, as the walk goes on with this list
            yield folder, inside, sorted(files, reverse=True)

    return walked


@pytest.mark.parametrize(("name", "words"), SECTIONS)
def test_expected_sets_whatever_the_order_of_folders(recipe_of, name, words, tmp_path, monkeypatch, capsys):
    """From a relative path, with the utterances that stage 2 removes."""
    recipe = recipe_of(name)
    options = dict(word.split("=") for word in words.split())
    corpus = below(recipe.corpus, options.pop("corpus", ""))
    listdir = os.listdir  # of Path.iterdir too
    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", lambda path=".": sorted(listdir(path), reverse=True))
        patch.setattr(os, "walk", backwards(os.walk))
        patch.chdir(corpus.parent)
        result = recipe(Path(corpus.name), tmp_path, **options)
    lines = replace(result, printed=capsys.readouterr().out).lines(corpus)
    monkeypatch.chdir(tmp_path)
    for set_name in result.sets:
        table = tmp_path / set_name / "wav.scp"
        before = table.read_bytes()
        removed = validate_data_dir(table.parent, on_bad_utterance="skip").removed
        assert removed or table.read_bytes() == before
        lines += ["\t".join(["removed", one.id, one.reason]) for one in removed]
    found = "\n".join(["", f"## options: {words}", *lines])
    assert lines == expected(name)[words], f"other lines than in expected/{name}.txt; found:{found}"


@pytest.mark.parametrize("name", RECIPES)
def test_the_folder_above_gives_the_same(recipe_of, name, tmp_path):
    recipe = recipe_of(name)
    (tmp_path / "above").mkdir()
    shutil.copytree(recipe.corpus, corpus := tmp_path / "above" / recipe.corpus.name)
    recipe.check(layout((), ".."), corpus, tmp_path / "out")


@pytest.mark.parametrize("name", RECIPES)
def test_every_option_with_choices_refuses_another_with_their_list(recipe_of, name, tmp_path):
    recipe = recipe_of(name)
    for option, parameter in inspect.signature(recipe.prepare, eval_str=True).parameters.items():
        if get_origin(parameter.annotation) is Literal:
            choices = r"\W+".join(filter(None, get_args(parameter.annotation)))
            recipe.check(Case((), {option: "none"}, error=rf"{option}=none: .* {choices}$"), recipe.corpus, tmp_path)


def test_archives_have_sums_and_corpora_without_archives_instructions():
    sums = Counter()
    for path in EGS.glob("*/sources*.yaml"):
        text = path.read_text(encoding="utf-8")
        assert "--corpus" in text or "kind: manual" not in text
        sums[f"{path.parent.name} {path.stem}"] = len(re.findall(r"(sha256|md5): \w{32}", text))
    assert {name: sums[name] for name in SUMS} == SUMS


def test_the_recordings_of_all_languages_of_voxpopuli_come_once():
    english, german = (read_sources(EGS / "voxpopuli/sources.yaml", {"lang": lang}).items for lang in ("en", "de"))
    assert english[0].file_name == "asr_en.tsv.gz" and german[0].file_name == "asr_de.tsv.gz"
    assert english[1:] == german[1:] and len(english) == 13


TEMPLATE = load_prepare(EGS / "TEMPLATE" / "prepare.py")
GOOD = "audio\ttext\tlabel\na.wav\tlight on\ton\n"


@pytest.mark.parametrize(
    ("train", "task", "message"),
    [
        ("audio\ttxt\na.wav\ton\n", "asr", "line 1: no column 'text'; expected .* audio, text; found 'audio', 'txt'"),
        ("clips/a.wav,light on\n", "asr", "no column 'audio'; .*; found 'clips/a.wav', 'light on'"),
        ("", "asr", "train.tsv, line 1: no column 'audio'; .* found an empty table"),
        ("audio\ttext\n", "asr", "train.tsv: no rows after the header"),
        ("audio\ttext\ttext\na.wav\ta\tb\n", "asr", "train.tsv, line 1: more than one column 'text'"),
        (GOOD, "verification", "train.tsv, line 1: no column 'speaker'"),
        (GOOD + "\ton\ton\n", "asr", "train.tsv, line 3: the column 'audio' is empty"),
        (GOOD + "b.wav\ton\t\n", "intent", "train.tsv, line 3: the column 'label' is empty"),
        ("audio\ttext\tlanguage\na.wav\ton\ten\nb.wav\ton\t\n", "asr", "line 3: the column 'language' is empty"),
        (GOOD + "b.wav\ton\n", "asr", "train.tsv, line 3: 2 cells, but the header has 3 columns; put one tab"),
        (GOOD + "b.wav\thello\tworld\tand\tmore\n", "asr", "train.tsv, line 3: 5 cells, but the header has 3"),
        (GOOD + "b.wav\ton\ta=b\n", "intent", "train.tsv, line 3: 'b': '=' separates group and label"),
        ('audio,text\na.wav,"on\nb.wav,off"\n', "asr", "train.tsv, line 2: a line break in the column 'text'"),
        ('audio,text\na.wav,on\nb.wav,"on" off\n', "asr", "train.tsv, line 3: not a row of a table .*double quotes"),
        ("id\taudio\ttext\na b\tb.wav\ton\n", "asr", "train.tsv, line 2: the id 'a b' contains whitespace"),
        ("audio\ttext\na/b.wav\ton\n\na-b.wav\tx\n", "asr", "4: the id 'a-b' of .*a-b.wav .*/a/b.wav .line 2.; .*'id'"),
        (None, "asr", "no table and no data folder of train; expected train.tsv, .*; found dev.tsv, test.tsv"),
        ("audio\ttext\tstart\na.wav\ton\t1,5\n", "asr", "train.tsv, line 2: expected seconds in the column 'start'"),
        ("audio\ttext\tstart\tend\na.wav\ton\t2\t1.5\n", "asr", "line 2: expected start < end, found 2 and 1.5"),
        (b"PK\3\4", "asr", "train.tsv is not text, but a spreadsheet .* or zip archive; save the table as .tsv"),
        ("audio\ttext\tStart Time\na.wav\ton\t1\n", "asr", "the column 'Start Time' is not known; .* call it 'start'"),
        ("audio\ttext\tstart\tstop\na.wav\ton\t1\t2\n", "asr", "the column 'stop' is not known; .* call it 'end'"),
        ("audio\ttext\tstart\tduration\na.wav\ton\t1\t2\n", "asr", "'start' and 'duration' without 'end'"),
        ("audio\ttext\tfrom\tto\na.wav\ton\t1\t2\n", "asr", "the column 'from' is not known; .* call it 'start'"),
        ("audio\ttext\tstart\tend_sample\na.wav\ton\t1\t2\n", "asr", "the column 'end_sample' is not known"),
        ("audio\ttext\na.wav\tnan\n", "asr", "line 2: 'nan' in the column 'text' means no value"),
        (GOOD + "b.wav\ton\t#N/A\n", "intent", "line 3: '#N/A' in the column 'label' means no value"),
        ("audio\ttext\nclips\\a.wav\ton\n", "asr", r"line 2: there is no file clips.a.wav; write / between folders"),
        (b"7z\xbc\xaf", "asr", "train.tsv is not text, but an archive .7z."),
        (b"SQLite format 3\0", "asr", "train.tsv is not text, but a file with zero bytes"),
        (b"\x1f\x8b\x08", "asr", "train.tsv is not text, but compressed with gzip; unpack it: gunzip"),
        (b"audio\ttext\na.wav\t\xe9t\xe9\n", "asr", "train.tsv:2: not UTF-8 .*; convert the file to UTF-8"),
    ],
)
def test_a_mistake_in_a_table_of_the_template_is_one_error(tmp_path, train, task, message):
    for name, table in {"train": train, "dev": GOOD, "test": GOOD}.items():
        if table is not None:
            (tmp_path / f"{name}.tsv").write_bytes(table if isinstance(table, bytes) else table.encode())
    with pytest.raises(SureError, match=message):
        TEMPLATE(tmp_path, tmp_path / "data", task=task)


@pytest.mark.parametrize(("name", "content"), [
    ("train.tsv", b'audio\ttext\tlabel\tspeaker\na b.wav\t"Oh, ""no"""\tvery happy\tann a\nc.wav\t\tx\tb\n'),
    ("train.csv", '\ufeffspeaker,audio,text,label\r\nann a,a b.wav,"Oh, ""no""",very happy\n,,,\rb,c.wav,,x'.encode()),
    ("train.csv", 'audio;label;text;speaker\na b.wav;"very happy";Oh, "no";ann a\nc.wav;x;;b\n'.encode("utf-16")),
    ("train.tsv", b'id\taudio\ttext\tlabel\tspeaker\na_b\ta b.wav\tOh, "no"\tvery happy\t\nc\tc.wav\t\tx\tb\n'),
])  # fmt: skip
def test_tables_of_the_template(tmp_path, name, content, capsys):
    """Stage 2 reports an empty text; an empty speaker stops no task that needs none."""
    for file in (name, "dev.tsv", "test.tsv"):
        (tmp_path / file).write_bytes(content)
    for task, table, values in (("asr", "text", 'a_b Oh, "no"\nc\n'), ("intent", "utt2label", "a_b very_happy\nc x\n")):
        folder = TEMPLATE(tmp_path, tmp_path / "data", task=task)[0]
        assert (folder / table).read_text() == values
        assert (folder / "wav.scp").read_text() == f"a_b {tmp_path}/a b.wav\nc {tmp_path}/c.wav\n"
        if b"id\ta" in content:
            assert not (folder / "utt2spk").exists() and "no speaker in 1 of 2 rows (line 2)" in capsys.readouterr().out
        else:
            assert (folder / "utt2spk").read_text() == "a_b ann_a\nc b\n"


def test_parts_of_a_recording_and_other_kinds_of_tables(tmp_path):
    for name in ("train.tsv", "dev.tsv", "test.tsv"):
        rows = "a\tx.wav\tone\t0\t1.5\nb\tx.wav\ttwo\t1.5\t\nc\ty.wav\tthree\t\t\n"
        (tmp_path / name).write_text(f"id\taudio\ttext\tstart\tend\n{rows}")
    for name in ("train.csv", "dev.csv", "test.csv"):
        write(name, b"audio,text,language,label\na.wav,uno,es,x\nb.wav,one,en,x\n")(tmp_path / "two")
    assert (TEMPLATE(tmp_path / "two", tmp_path / "asr")[0] / "utt2lang").read_text() == "a es\nb en\n"
    assert not (TEMPLATE(tmp_path / "two", tmp_path / "intent", task="intent")[0] / "utt2lang").exists()
    folder = TEMPLATE(tmp_path, tmp_path / "data")[0]
    assert (folder / "segments").read_text() == "a x 0 1.5\nb x 1.5 -1\nc y 0 -1\n"
    (tmp_path / "test.tsv").rename(tmp_path / "test.xlsm")
    with pytest.raises(SureError, match="test.xlsm cannot be read; unpack it, or save it as test.tsv or test.csv"):
        TEMPLATE(tmp_path, tmp_path / "data")


@pytest.mark.parametrize(("scp", "channels", "refused"), [
    ("a x.wav\nb x.wav\n", 1, True), ("a x.wav\nb y.wav\n", 2, True), ("a x.wav\nb y.wav\n", 1, False),
    ("a sox x.wav -t wav - remix 1 |\nb sox x.wav -t wav - remix 2 |\n", 2, False),
])  # fmt: skip
def test_channels_of_kaldi_are_selected_or_refused(tmp_path, scp, channels, refused):
    for name in ("train", "dev", "test"):
        tables = {"wav.scp": scp, "text": "a one\nb two\n", "reco2file_and_channel": "a x A\nb x B\n"}
        for table, rows in tables.items():
            write(table, rows.encode())(tmp_path / name)
    for name in ("x.wav", "y.wav"):
        soundfile.write(tmp_path / name, np.zeros((1600, channels)), 16000)
    error = "reco2file_and_channel:[12]: '[ab]' is channel [AB]"
    with pytest.raises(SureError, match=error) if refused else nullcontext():
        TEMPLATE(tmp_path, tmp_path / "data")
    for name in ("train", "dev", "test"):
        write(f"{name}.tsv", b"audio\ttext\tchannel\nx.wav\tone\t2\n")(tmp_path / "tables")
    soundfile.write(tmp_path / "tables" / "x.wav", np.zeros((1600, channels)), 16000)
    with pytest.raises(SureError, match="line 2: .*x.wav has several channels") if channels > 1 else nullcontext():
        TEMPLATE(tmp_path / "tables", tmp_path / "data")


LANGUAGES = "a es\nb en\nc en\nd es\n"


def test_kaldi_folders_of_the_template(tmp_path, monkeypatch):
    """Commands and archives with paths from the folder of the recipe; an unknown speaker stops no task without them."""
    corpus = tmp_path / "my corpus"
    commands = "a sed s/x/y/ <my\\ corpus/a.wav | cat |\nb ~/sph/b.ark:12\nc cat elsewhere |\n"
    commands += "d cd sph && bash -c 'cat b.ark' |\n"
    for name in ("train", "dev", "test"):
        for table, rows in {
            "wav.scp": commands,
            "text": "a x\nb y\nc z\nd x\n",
            "utt2spk": "a s\nb\nc s\n",
            "utt2lang": LANGUAGES,
        }.items():
            write(table, rows.encode())(corpus / name)
    for place in ("a.wav", "sph/b.ark"):
        write(place, b"x")(corpus)
    monkeypatch.setenv("HOME", str(corpus))
    folder = TEMPLATE(corpus, tmp_path / "data")[0]
    assert not (folder / "utt2spk").exists() and (folder / "utt2lang").read_text() == LANGUAGES
    first, second, third, fourth = (line.value for line in read_lines(folder / "wav.scp"))
    assert run_command(first, tmp_path / "out") == "" and (tmp_path / "out").read_bytes() == b"y"
    assert run_command(fourth, tmp_path / "out") == "" and (tmp_path / "out").read_bytes() == b"x"
    assert (second, third) == (f"{corpus}/sph/b.ark:12", "cat elsewhere |")
    (corpus / "dev").rename(corpus / "valid")
    with pytest.raises(SureError, match="dev/wav.scp: no such file.*; found .*train/, valid/"):
        TEMPLATE(corpus, tmp_path / "data")
