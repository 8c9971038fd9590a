"""egs/fillets: its layouts, corrections and other voices, its reader of Lua files, and its lists."""

from itertools import product

import fillets as game
import pytest
from harness import Case, append, changes, copy, layout, load_make_splits, move, remove, write

from sure.corpus.selection import read_lists

LEVEL = game.places()["train"][0]
ALL, SPEAKER = {"lang": "all"}, {"task": "speaker"}
PACKAGES, INSTALLED = "../packages/{}/usr/share/games/fillets-ng", "../usr/share/games/fillets-ng"


def as_packages(corpus):
    """The game's data, and the recordings of each language, unpacked next to each other."""
    copy("script", PACKAGES.format("data") + "/script")(corpus)
    for path in [*corpus.glob("sound/**/cs"), *corpus.glob("sound/**/nl")]:
        name = path.relative_to(corpus)
        copy(name, f"{PACKAGES.format(f'data-{path.name}')}/{name}")(corpus)


def line(level, language, name, text):
    """A line of another level, with a recording."""
    lua = f'dialogId("{name}", "font_small", "x")\ndialogStr("{text}")\n'
    sound = copy(f"sound/{LEVEL}/cs/x-v-f3.ogg", f"sound/{level}/{language}/{name}.ogg")
    return [append(f"script/{level}/dialogs_{language}.lua", lua), sound]


OTHER_VOICES = [*line("keys", "cs", "x-m-1", "Kde"), *line("keys", "nl", "x-m-1", "Hier")]  # in Czech
CS, NL = "cs-small-keys-x-m-1", "nl-small-keys-x-m-1"
test_changes = changes({
    "installed": layout(move("", INSTALLED), INSTALLED, ALL),
    "packages": layout(as_packages, "../packages", ALL),
    "no recordings": Case(remove("sound"), error=r"not found: cs \(recordings\).*fillets-ng-data-cs"),
    "corrections": Case(
        [*line("fdto", "cs", "semafor-v", "Stůj"), *line("computer", "cs", "poc-v-pssst", "Pssst"),
         *line("computer", "cs", "x-m-1", "Chapci, chapcisko"), *line("computer", "nl", "x-m-2", "Nouja, neeee")],
        ALL, sets={"cs-small-computer-x-m-1": "train", "nl-small-computer-x-m-2": "train"},
        texts={"cs-small-computer-x-m-1": "chlapci chapcisko", "nl-small-computer-x-m-2": "nou ja nee"},
        left_out={"recordings without text": "fdto/cs/semafor-v.ogg",
                  "cries and mumbling": "computer/cs/poc-v-pssst.ogg"}),
    "a level that is in no list": Case(line("new", "cs", "x-m-1", "Kde"), left_out={
        "levels that are in no list of splits/": "new/cs/x-m-1.ogg"}),
    "other voices": Case(OTHER_VOICES, ALL, sets={CS: "train", NL: "train"}, texts={CS: "kde", NL: "hier"},
                         speakers={CS: "cs-small-keys", NL: "nl-small"}),
    "other voices are no speakers": Case(OTHER_VOICES, SPEAKER | ALL, sets={NL: "train"}, labels={NL: "nl-small"},
                                         left_out={"levels in which the fish have other voices": "keys/cs/x-m-1.ogg"}),
})  # fmt: skip


LINE = 'dialogId("n", "font_big", "x")\ndialogStr({})\n\ndialogId("o", "font_big", "x")\ndialogStr("b")'


@pytest.mark.parametrize("argument, text", [
    # by the Lua 5.1 manual, section 2.1 (\x is of 5.2)
    ('"Co?"', "Co?"), ("'Co?'", "Co?"), ('"je \\"to\\""', 'je "to"'), ("'a' .. \"b\"..'c'", "abc"),
    ("[[dva\nřádky]]", "dva\nřádky"), ("[==[\na ]] b]==]", "a ]] b"), ('"-- ne, tohle ne"', "-- ne, tohle ne"),
    ('"a) b, c"', "a) b, c"), ('"lo\\196\\143 \\x41\\t\\/etc"', "loď A\t/etc"), ('"dva\\\nřádky"', "dva\nřádky"),
    ('"a" --[[ b ]] .. --c\n "d"', "ad"), ('""', ""),
    # not constant strings
    *((argument, None) for argument in
      ("text", '"a" .. name', "f('a')", "1", '"a" "b"', '"a" ..', '{"a"}', '"a\nb"')),
])  # fmt: skip
def test_arguments_of_lua(recipe, tmp_path, argument, text):
    write("dialogs_cs.lua", LINE.format(argument))(tmp_path)
    lines, unreadable = recipe.parts["read_dialogs"](tmp_path / "dialogs_cs.lua")
    assert lines == {"n": ("font_big", text), "o": ("font_big", "b")}
    assert unreadable == [2] * (text is None)


CALLS = """\
--[=[ dialogId("b", "font_big", "x")
]=] dialogStr("before any name")
dialogId("c", "font_big", "x"
dialogStr("c") print(dialogId)
dialogId("d", "font_big") dialogStr"d"
dialogId("d", "font_small", "again") dialogStr("not this")
"""


def test_calls_that_are_not_closed_or_not_there(recipe, tmp_path):
    write("dialogs_cs.lua", CALLS)(tmp_path)
    lines, unreadable = recipe.parts["read_dialogs"](tmp_path / "dialogs_cs.lua")
    assert lines == {"c": ("font_big", "c"), "d": ("font_big", "d")} and unreadable == []


def test_the_lists_of_the_recipe(recipe):
    set_of = read_lists(recipe.folder / "splits")
    same_recordings, other_voices = ["cabin1", "cabin2"], "fdto hanoi hole keys linux nowall rush".split()
    assert len(set_of) == 83 and {set_of[level] for level in same_recordings + other_voices} == {"train"}


def test_new_splits_keep_levels_and_audio_together(recipe, tmp_path, monkeypatch):
    make_splits = load_make_splits(recipe, monkeypatch)
    recordings = []
    for level, language, number in product(range(40), ("cs", "nl"), range(5)):
        audio = tmp_path / f"{level}-{language}-{number}.ogg"
        shared = (language, number) == ("cs", 0) and level in (3, 17, 30)
        audio.write_bytes(b"the same" if shared else audio.name.encode())
        recordings.append(recipe.parts["Recording"](language, f"l{level}", str(number), audio, None))
    split = make_splits(recordings, {"l17", "l5"})
    assert sorted(sum(split.values(), [])) == sorted(f"l{level}" for level in range(40))
    assert {"l3", "l17", "l30", "l5"} < set(split["train"])
    assert len(split["test"]) == 6 and len(split["dev"]) == 4  # 15 and 10 %
    assert make_splits(recordings[::-1], {"l17", "l5"}) == split
