"""Every recipe: its sets, whatever the order of files; links and files of macOS; unknown options; sources; TEMPLATE."""

import inspect
import os
import re
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest
from harness import EGS, Case, below, expected, layout, write

from sure.corpus.sources import read_sources
from sure.data.validate import validate_data_dir
from sure.errors import SureError
from sure.stages.prepare import load_prepare

RECIPES = sorted(path.parent.name for path in EGS.glob("*/prepare.py") if path.parent.name != "TEMPLATE")
FREE = {"asterisk": ("voice", "minutes"), "iemocap": ("lists",)}  # options without a list of choices
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
    assert lines == expected(name)[words]


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
        if option not in {"corpus", "out", *FREE.get(name, ())}:
            choices = r"\W+".join(filter(None, get_args(parameter.annotation)))
            recipe.check(Case((), {option: "none"}, error=rf"{option}=none: .* {choices}$"), recipe.corpus, tmp_path)


def test_archives_have_sums_and_corpora_without_archives_instructions():
    sums = Counter()
    for path in EGS.glob("*/sources*.yaml"):
        text = path.read_text(encoding="utf-8")
        assert "--corpus" in text or "kind: manual" not in text
        sums[f"{path.parent.name} {path.stem}"] = len(re.findall(r"(sha256|md5): \w{32}", text))
    assert {name: count for name, count in sums.items() if count} == SUMS


def test_the_recordings_of_all_languages_of_voxpopuli_come_once():
    english, german = (read_sources(EGS / "voxpopuli/sources.yaml", {"lang": lang}).items for lang in ("en", "de"))
    assert english[0].file_name == "asr_en.tsv.gz" and german[0].file_name == "asr_de.tsv.gz"
    assert english[1:] == german[1:] and len(english) == 13


TEMPLATE = load_prepare(EGS / "TEMPLATE" / "prepare.py")
GOOD = "audio\ttext\tlabel\na.wav\tlight on\ton\n"


@pytest.mark.parametrize(
    ("train", "task", "message"),
    [
        ("audio\ttxt\na.wav\ton\n", "asr", "train.tsv, line 1: no column 'text'; the columns are 'audio' 'txt'"),
        (GOOD.replace("\t", ","), "asr", "no column 'audio'; the columns are 'audio,text,label' .put tabs"),
        (GOOD, "verification", "train.tsv, line 1: no column 'speaker'"),
        (GOOD + "\ton\ton\n", "asr", "train.tsv, line 3: the column 'audio' is empty"),
        (GOOD + "b.wav\ton\n", "intent", "train.tsv, line 3: the column 'label' is empty"),
        (GOOD + "a.wav\toff\toff\n", "asr", "the id 'a' is given to two utterances; each needs its own id"),
        (None, "asr", "train.tsv is missing; a corpus needs train.tsv, dev.tsv, test.tsv"),
    ],
)
def test_a_mistake_in_a_table_of_the_template_is_one_error(tmp_path, train, task, message):
    for name, table in {"train": train, "dev": GOOD, "test": GOOD}.items():
        if table is not None:
            (tmp_path / f"{name}.tsv").write_text(table)
    with pytest.raises(SureError, match=message):
        TEMPLATE(tmp_path, tmp_path / "data", task=task)


def test_an_empty_text_of_the_template_is_left_to_stage_2(tmp_path):
    for name in ("train", "dev", "test"):
        (tmp_path / f"{name}.tsv").write_text("audio\ttext\na.wav\t\nb.wav\n")
    folders = TEMPLATE(tmp_path, tmp_path / "data", task="asr")
    assert [(folder / "text").read_text().split() for folder in folders] == [["a", "b"]] * 3
