"""egs/fillets: its reader of Lua files, prepare.py on a miniature of the game in its layouts, and its lists."""

import importlib.util
import sys
from collections import Counter
from types import SimpleNamespace

import fillets as game
import pytest
from harness import SETS, Case, copy, move, remove, table

from sure.errors import SureError

RECIPE, ROOT = "fillets", game.ROOT
LEVEL = game.places()["train"][0]
ALL, SPEAKER = {"lang": "all"}, {"task": "speaker"}
build = game.make


def test_texts_and_speakers(prepared):
    result = prepared()
    texts = {id: text for id, text in result.of("text").items() if f"-{LEVEL}-" in id}
    assert texts == texts | {
        f"cs-big-{LEVEL}-x-v-joined": "kde jsi",
        f"cs-small-{LEVEL}-x-m-long": "kde jsi",
        f"cs-small-{LEVEL}-x-m-quoted": "tady jsi é",
        f"cs-parrot-{LEVEL}-x-p-parrot": "krutý",
    }
    assert result.of("speaker") == {id: "-".join(id.split("-")[:2]) for id in result.of("set")}
    assert result.of("text")["cs-big-border-sp-shout_big_00"] == "kde jsi"
    assert not any("/en/" in audio for audio in result.of("audio").values())
    places = game.places() | {"train": [*game.places()["train"], "border"]}
    assert {name: {id.split("-")[2] for id in ids} for name, ids in result.ids.items()} == {
        name: set(levels) for name, levels in places.items()
    }


def test_recordings_that_are_left_out_of_asr(prepared, recipe):
    rows = (recipe.corpus / "script" / LEVEL / "dialogs_cs.lua").read_text().splitlines()
    row = next(number for number, row in enumerate(rows, 1) if "who" in row)
    assert set(prepared().left_out) == {
        ("dialogue lines that cannot be read", f"{LEVEL}/dialogs_cs.lua:{row}"),
        ("dialogue lines without a recording", f"{LEVEL}/cs/{game.NOT_RECORDED}"),
        ("recordings that no dialogue file names", f"{LEVEL}/cs/{game.NO_LINE}.ogg"),
        ("recordings without a single sample", f"{LEVEL}/cs/{game.NO_SAMPLES}.ogg"),
        ("recordings without text", f"{LEVEL}/cs/x-c-7.ogg"),
        ("recordings without text", f"{LEVEL}/cs/x-v-variable.ogg"),
        ("texts into which the game puts a number", f"{LEVEL}/cs/x-c-filled.ogg"),
        ("texts with digits or signs that can be read in several ways", f"{LEVEL}/cs/x-v-f3.ogg"),
    }


def test_labels_of_the_two_fish(prepared):
    one, two = prepared(**SPEAKER), prepared(**SPEAKER, **ALL)
    counts = [Counter(result.of("label").values()) for result in (one, two)]
    assert counts[0].keys() == {"small", "big"}
    assert counts[1].keys() == {"cs-small", "cs-big", "nl-small", "nl-big"}
    assert all(counts[1][f"cs-{fish}"] == counts[0][fish] for fish in ("small", "big"))
    assert one.reasons["other characters than the two fish"] == 3  # the parrot, a number, a filled text


def test_levels_with_other_voices(corpus, prepared):
    """Their speakers are others in asr, and they are not in task speaker."""
    for language in ("cs", "nl"):
        game.write_level(corpus, "keys", language)
    result = prepared(corpus, **ALL)
    speakers = {one.speaker for id, one in result.sets["train"].items() if "-keys-" in id}
    assert speakers == {"cs-small-keys", "cs-big-keys", "nl-small", "nl-big"}
    result = prepared(corpus, **SPEAKER, **ALL)
    assert {id[:2] for id in result.of("set") if "-keys-" in id} == {"nl"}
    assert result.reasons["levels in which the fish have other voices"] == 4


PACKAGES = "../packages/{}/usr/share/games/fillets-ng"


def as_packages(corpus):
    """The game's data, and the recordings of each language, unpacked next to each other."""
    data = PACKAGES.format("data")
    copy("script", f"{data}/script")(corpus)
    for language in ("cs", "nl"):
        for folder in (corpus / "sound").rglob(language):
            place = folder.relative_to(corpus)
            copy(f"{place}", f"{PACKAGES.format(f'data-{language}')}/{place}")(corpus)


@table({"above": ([], ".."), "installed": (move("", "../usr/share/games/fillets-ng"), "../usr/share/games/fillets-ng"),
        "above an installed game": (move("", "../usr/share/games/fillets-ng"), "../usr"),
        "packages": (as_packages, "../packages")})  # fmt: skip
def test_every_layout_gives_the_same(recipe, corpus, prepared, case):
    change, given = case
    for one in [change] if callable(change) else change:
        one(corpus)
    result = prepared((corpus / given).resolve(), **ALL)
    for attribute in ("set", "text", "speaker"):
        assert result.of(attribute) == recipe.unchanged(**ALL).of(attribute)


@table({
    "no recordings": Case(remove("sound"), error=r"not found: cs \(recordings\).*fillets-ng-data-cs"),
    "no dialogue files": Case(remove("script"), {"lang": "nl"}, error=r"not found: nl \(dialogue f.*fillets-ng-data"),
    "no Lua": Case(lambda corpus: (corpus / "script" / LEVEL / "dialogs_cs.lua").write_bytes(b"\xe8"),
                   error="dialogs_cs.lua: cannot be read as UTF-8.*again"),
    "a level that is in no list": Case(
        lambda corpus: game.write_level(corpus, "new", "cs"),
        left_out={"levels that are in no list of splits/": [
            f"new/cs/new-{letter}-{number}.ogg" for number, letter in enumerate("vmvm")]}),
})  # fmt: skip
def test_a_change(check, case):
    check(case)


def read(recipe, folder, text):
    (folder / "dialogs_cs.lua").write_text(text, encoding="utf-8")
    return recipe.parts["read_dialogs"](folder / "dialogs_cs.lua")


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
def test_strings_of_lua(recipe, tmp_path, written, text):
    """Expectations are those of the Lua 5.1 manual, section 2.1 (\\x is of 5.2)."""
    lines, unreadable = read(recipe, tmp_path, f'dialogId("n", "font_big", "x")\ndialogStr({written})\n')
    assert lines == {"n": ("font_big", text)} and not unreadable


@pytest.mark.parametrize("argument", ["text", '"a" .. name', "f('a')", "1", '"a" "b"', '"a" ..', '{"a"}', '"a\nb"'])
def test_arguments_that_are_not_constant_strings_are_reported(recipe, tmp_path, argument):
    text = f'dialogId("n", "font_big", "x")\ndialogStr({argument})\n\ndialogId("o", "font_big", "x")\ndialogStr("b")'
    lines, unreadable = read(recipe, tmp_path, text)
    assert lines == {"n": ("font_big", None), "o": ("font_big", "b")}
    assert unreadable == [2]


def test_calls_that_are_not_closed_or_not_there(recipe, tmp_path):
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
    lines, unreadable = read(recipe, tmp_path, text)
    assert lines == {"c": ("font_big", "c"), "d": ("font_big", "d")}
    assert unreadable == []


def test_a_file_that_is_not_utf8_is_named(recipe, tmp_path):
    (tmp_path / "dialogs_cs.lua").write_bytes(b'dialogStr("\xe8")')
    with pytest.raises(SureError, match=r"dialogs_cs.lua: cannot be read as UTF-8.*again"):
        recipe.parts["read_dialogs"](tmp_path / "dialogs_cs.lua")


def test_the_lists_of_the_recipe(recipe):
    lists = {name: (recipe.folder / "splits" / f"{name}.txt").read_text().split() for name in SETS}
    levels = [level for levels in lists.values() for level in levels]
    assert len(levels) == len(set(levels)) == 83
    assert all(levels == sorted(levels) for levels in lists.values())
    assert "cabin1" in lists["train"] and "cabin2" in lists["train"]  # they share recordings
    assert {"fdto", "hanoi", "hole", "keys", "linux", "nowall", "rush"} <= set(lists["train"])


def test_new_splits_keep_levels_and_audio_together(recipe, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "prepare", SimpleNamespace(**recipe.parts))
    spec = importlib.util.spec_from_file_location("fillets_make_splits", recipe.folder / "splits" / "make_splits.py")
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
                recordings.append(recipe.parts["Recording"](language, f"l{level}", str(number), audio, None))
    split = module.make_splits(recordings, {"l17", "l5"})
    place = {level: name for name, levels in split.items() for level in levels}
    assert len(place) == sum(map(len, split.values())) == 40
    assert {place[level] for level in ("l3", "l17", "l30", "l5")} == {"train"}
    assert len(split["test"]) == 6 and len(split["dev"]) == 4  # 15 and 10 %
    assert module.make_splits(recordings[::-1], {"l17", "l5"}) == split
