"""Promises of egs/fillets: its reader of Lua files, and prepare.py on the miniature in its layouts."""

import importlib.util
import os
import shutil
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import fillets as game
import pytest

from sure.corpus.sources import Archive, Debian, read_sources
from sure.data.data_dir import read_data_dir
from sure.data.validate import validate_data_dir
from sure.errors import SureError
from sure.stages.prepare import load_prepare

RECIPE = Path(__file__).parents[2] / "egs" / "fillets"
prepare = load_prepare(RECIPE / "prepare.py")
read_dialogs = prepare.__globals__["read_dialogs"]
SETS = ("train", "dev", "test")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """The unpacked tarball."""
    folder = tmp_path_factory.mktemp("release")
    game.make(folder)
    return folder


def read(out: Path) -> dict[str, dict]:
    return {name: {u.id: u for u in read_data_dir(out / name)} for name in SETS}


def utterances(out: Path) -> dict:
    return {id: one for found in read(out).values() for id, one in found.items()}


def left_out(out: Path) -> set[tuple[str, str]]:
    return {tuple(line.split("\t")) for line in (out / "left_out.txt").read_text().splitlines()}


def dialogs(tmp_path: Path, text: str) -> tuple[dict, list[int]]:
    path = tmp_path / "dialogs_cs.lua"
    path.write_text(text, encoding="utf-8")
    return read_dialogs(path)


@pytest.mark.parametrize(
    "written, text",
    [
        ('"Co?"', "Co?"),
        ("'Co?'", "Co?"),
        ('"je \\"to\\""', 'je "to"'),
        ("'a' .. \"b\"..'c'", "abc"),
        ("[[dva\nřádky]]", "dva\nřádky"),
        ("[==[\na ]] b]==]", "a ]] b"),
        ('"-- ne, tohle ne"', "-- ne, tohle ne"),
        ('"a) b, c"', "a) b, c"),
        ('"lo\\196\\143 \\x41\\t\\/etc"', "loď A\t/etc"),
        ('"dva\\\nřádky"', "dva\nřádky"),
        ('"a" --[[ b ]] .. --c\n "d"', "ad"),
        ('""', ""),
    ],
)
def test_strings_of_lua(tmp_path, written, text):
    """Expectations are those of the Lua 5.1 manual, section 2.1 (\\x is of 5.2)."""
    lines, unreadable = dialogs(tmp_path, f'dialogId("n", "font_big", "x")\ndialogStr({written})\n')
    assert lines == {"n": ("font_big", text)} and not unreadable


@pytest.mark.parametrize("argument", ["text", '"a" .. name', "f('a')", "1", '"a" "b"', '"a" ..', '{"a"}', '"a\nb"'])
def test_what_is_no_constant_string_is_reported(tmp_path, argument):
    text = f'dialogId("n", "font_big", "x")\ndialogStr({argument})\n\ndialogId("o", "font_big", "x")\ndialogStr("b")'
    lines, unreadable = dialogs(tmp_path, text)
    assert lines == {"n": ("font_big", None), "o": ("font_big", "b")}
    assert unreadable == [2]


def test_calls_that_are_not_closed_or_not_there(tmp_path):
    text = """\
-- dialogId("a", "font_big", "x")
--[=[ dialogId("b", "font_big", "x")
]=]
dialogStr("before any name")
dialogId("c", "font_big", "x"
dialogStr("c")
print(dialogId)
dialogId("d", "font_big")
dialogStr"d"
dialogId("d", "font_small", "again")
dialogStr("not this")
"""
    lines, unreadable = dialogs(tmp_path, text)
    assert lines == {"c": ("font_big", "c"), "d": ("font_big", "d")}
    assert unreadable == []


def test_a_file_that_is_not_utf8_is_named(tmp_path):
    (tmp_path / "dialogs_cs.lua").write_bytes(b'dialogStr("\xe8")')
    with pytest.raises(SureError, match=r"dialogs_cs.lua: cannot be read as UTF-8.*unpack it again"):
        read_dialogs(tmp_path / "dialogs_cs.lua")


def test_texts_and_speakers(corpus, tmp_path):
    prepare(corpus, tmp_path)
    level = game.places()["train"][0]
    found = utterances(tmp_path)
    texts = {id.removeprefix("cs-").replace(f"{level}-", ""): one.text for id, one in found.items() if level in id}
    assert texts == texts | {
        "big-x-v-joined": "kde jsi",
        "small-x-m-long": "kde jsi",
        "small-x-m-quoted": "tady jsi é",
        "parrot-x-p-parrot": "krutý",
    }
    assert all(one.speaker == "-".join(id.split("-")[:2]) for id, one in found.items())
    assert found["cs-big-border-sp-shout_big_00"].text == "kde jsi"
    assert not any("-en-" in one.audio or "/en/" in one.audio for one in found.values())


def test_what_is_left_out_of_asr(corpus, tmp_path):
    prepare(corpus, tmp_path)
    level = game.places()["train"][0]
    assert left_out(tmp_path) == {
        ("dialogue lines that cannot be read", f"{level}/dialogs_cs.lua:{row_of(corpus, level, 'who')}"),
        ("dialogue lines without a recording", f"{level}/cs/{game.NOT_RECORDED}"),
        ("recordings that no dialogue file names", f"{level}/cs/{game.NO_LINE}.ogg"),
        ("recordings without a single sample", f"{level}/cs/{game.NO_SAMPLES}.ogg"),
        ("recordings without text", f"{level}/cs/x-c-7.ogg"),
        ("recordings without text", f"{level}/cs/x-v-variable.ogg"),
        ("texts into which the game puts a number", f"{level}/cs/x-c-filled.ogg"),
        ("texts with digits or signs that can be read in several ways", f"{level}/cs/x-v-f3.ogg"),
    }


def row_of(corpus: Path, level: str, word: str) -> int:
    rows = (corpus / game.ROOT / "script" / level / "dialogs_cs.lua").read_text().splitlines()
    return next(number for number, row in enumerate(rows, 1) if word in row)


def test_labels_of_the_two_fish(corpus, tmp_path):
    prepare(corpus, tmp_path / "cs", task="speaker")
    prepare(corpus, tmp_path / "all", task="speaker", lang="all")
    one, two = (Counter(u.labels["label"] for u in utterances(tmp_path / name).values()) for name in ("cs", "all"))
    assert set(one) == {"small", "big"}
    assert set(two) == {"cs-small", "cs-big", "nl-small", "nl-big"}
    assert two["cs-small"] == one["small"] and two["cs-big"] == one["big"]
    reasons = Counter(reason for reason, _ in left_out(tmp_path / "cs"))
    assert reasons["other characters than the two fish"] == 3  # the parrot, a number, a filled text


def test_levels_with_other_voices(corpus, tmp_path):
    """Their speakers are others in asr, and they are not in task speaker."""
    with_keys = tmp_path / "corpus"
    shutil.copytree(corpus / game.ROOT, with_keys)
    for language in ("cs", "nl"):
        game.write_level(with_keys, "keys", language)
    prepare(with_keys, tmp_path / "asr", lang="all")
    speakers = {one.speaker for id, one in utterances(tmp_path / "asr").items() if "-keys-" in id}
    assert speakers == {"cs-small-keys", "cs-big-keys", "nl-small", "nl-big"}
    prepare(with_keys, tmp_path / "speaker", task="speaker", lang="all")
    assert {id[:2] for id in utterances(tmp_path / "speaker") if "-keys-" in id} == {"nl"}
    assert sum(reason.startswith("levels in which") for reason, _ in left_out(tmp_path / "speaker")) == 4


def test_every_layout_gives_the_same(corpus, tmp_path):
    """The parent, the game's folder, an installed game, and packages unpacked beside each other."""
    installed = tmp_path / "usr/share/games/fillets-ng"
    shutil.copytree(corpus / game.ROOT, installed)
    packages = tmp_path / "packages"
    shutil.copytree(corpus / game.ROOT / "script", packages / "data/usr/share/games/fillets-ng/script")
    for language in ("cs", "nl"):
        for folder in (corpus / game.ROOT / "sound").rglob(language):
            place = folder.relative_to(corpus / game.ROOT)
            shutil.copytree(folder, packages / f"data-{language}/usr/share/games/fillets-ng" / place)
    outs = []
    for number, place in enumerate([corpus, corpus / game.ROOT, installed, tmp_path / "usr", packages]):
        prepare(place, tmp_path / str(number), lang="all")
        outs.append({id: (one.text, one.speaker) for id, one in utterances(tmp_path / str(number)).items()})
    assert all(out == outs[0] for out in outs)


def test_order_never_depends_on_the_file_system(corpus, tmp_path, monkeypatch):
    prepare(corpus, tmp_path / "one", lang="all")
    walk = os.walk

    def reversed_walk(top, **options):
        for folder, subfolders, files in walk(top, **options):
            subfolders.sort(reverse=True)
            files.sort(reverse=True)
            yield folder, subfolders, files

    monkeypatch.setattr(os, "walk", reversed_walk)
    prepare(corpus, tmp_path / "two", lang="all")
    for name in SETS:
        for table in ("wav.scp", "text", "utt2spk"):
            assert (tmp_path / "one" / name / table).read_bytes() == (tmp_path / "two" / name / table).read_bytes()
    assert (tmp_path / "one/left_out.txt").read_bytes() == (tmp_path / "two/left_out.txt").read_bytes()


def test_folders_are_valid_as_written_from_a_relative_path(corpus, tmp_path, monkeypatch):
    monkeypatch.chdir(corpus)
    folders = prepare(game.ROOT, tmp_path / "out", lang="all")
    monkeypatch.chdir(tmp_path)
    for folder in folders:
        assert not validate_data_dir(folder, on_bad_utterance="stop").removed


@pytest.mark.parametrize(
    "options, message",
    [({"task": "emotion"}, "task=emotion.*asr speaker"), ({"lang": "de"}, "lang=de.*cs nl and all")],
)
def test_unknown_options(corpus, tmp_path, options, message):
    with pytest.raises(SureError, match=message):
        prepare(corpus, tmp_path, **options)
    assert not any(tmp_path.iterdir())


def test_missing_packages_are_named(corpus, tmp_path):
    shutil.copytree(corpus / game.ROOT / "script", tmp_path / "data" / "script")
    with pytest.raises(SureError, match=r"not found: cs \(recordings\).*fillets-ng-data-cs"):
        prepare(tmp_path / "data", tmp_path / "out")
    shutil.copytree(corpus / game.ROOT / "sound", tmp_path / "sounds" / "sound")
    with pytest.raises(SureError, match=r"not found: nl \(dialogue files\).*fillets-ng-data"):
        prepare(tmp_path / "sounds", tmp_path / "out", lang="nl")


def test_the_lists_of_the_recipe():
    lists = {name: (RECIPE / "splits" / f"{name}.txt").read_text().split() for name in SETS}
    levels = [level for levels in lists.values() for level in levels]
    assert len(levels) == len(set(levels)) == 83
    assert all(levels == sorted(levels) for levels in lists.values())
    assert "cabin1" in lists["train"] and "cabin2" in lists["train"]  # they share recordings
    assert {"fdto", "hanoi", "hole", "keys", "linux", "nowall", "rush"} <= set(lists["train"])


def test_new_splits_keep_levels_and_audio_together(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "prepare", SimpleNamespace(**prepare.__globals__))
    spec = importlib.util.spec_from_file_location("fillets_make_splits", RECIPE / "splits" / "make_splits.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(sys, "path", [*sys.path])
    spec.loader.exec_module(module)
    recordings = []
    for level in range(40):
        for language in ("cs", "nl"):
            for number in range(5):
                audio = tmp_path / f"{level}-{language}-{number}.ogg"
                shared = language == "cs" and number == 0 and level in (3, 17, 30)
                audio.write_bytes(b"the same" if shared else audio.name.encode())
                recordings.append(prepare.__globals__["Recording"](language, f"l{level}", str(number), audio, None))
    split = module.make_splits(recordings, {"l17", "l5"})
    place = {level: name for name, levels in split.items() for level in levels}
    assert len(place) == sum(map(len, split.values())) == 40
    assert {place[level] for level in ("l3", "l17", "l30", "l5")} == {"train"}
    assert len(split["test"]) == 6 and len(split["dev"]) == 4  # 15 and 10 %
    assert module.make_splits(recordings[::-1], {"l17", "l5"}) == split


def test_sources_name_both_publications():
    (both,) = read_sources(RECIPE / "sources.yaml").items
    packages, archive = (group.items[0] for group in both.any_of)
    assert isinstance(packages, Debian) and len(packages.packages) == 3
    assert isinstance(archive, Archive) and archive.sha256
