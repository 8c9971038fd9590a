"""egs/snips/prepare.py on a miniature of s3prl's archive, and on other ways to write its lines."""

import pytest
from harness import Case, append, edit, move, remove, table, write

from sure.text.normalize import normalize
from sure.text.slots import normalize_marked, slots_of

RECIPE, ROOT = "snips", "SNIPS"
LINES, FIRST = "all.iob.snips.txt", "Ivy-snips-train-0"
NO_LINE = f"recordings without a usable line in {LINES}"


def test_all_voices_are_in_all_sets(prepared):
    result = prepared()
    assert [len(utterances) for utterances in result.sets.values()] == [16, 4, 4]
    assert result.values("speaker") == dict.fromkeys(result.sets, {"Amy", "Brian", "Ivy", "Joey"})
    assert "train: 16, published for the full corpus: 209344" in result.printed and "dev: 4, " in result.printed
    assert result.left_out == [
        ("lines without a recording", "Ivy-snips-train-8"),
        ("lines without one slot for each word", "Ivy-snips-train-9"),
        (NO_LINE, "train/Ivy-snips-train-7.wav"),
    ]


def test_superb_keeps_voices_apart(prepared):
    result = prepared(speakers="superb")
    assert result.values("speaker") == {"train": {"Ivy", "Joey"}, "dev": {"Amy"}, "test": {"Brian"}}
    assert "published for the full corpus: 104672" in result.printed
    assert result.reasons["utterances of a voice that SUPERB has in another set or in none"] == 14


def test_texts(prepared):
    train = prepared().sets["train"]
    assert [train[f"Ivy-snips-train-{number}"].text for number in range(4)] == [
        "play B-artist adele E-artist",
        "rate B-object_select it E-object_select B-rating_value five E-rating_value B-rating_unit stars E-rating_unit",
        "play B-genre r and b pop E-genre",
        "meteo in B-city otone E-city",
    ]
    assert all(normalize_marked(one.text, "en") == one.text for one in train.values())


def ids(*names: str) -> dict[str, list[str]]:
    return {NO_LINE: [f"train/{name}.wav" for name in names]}


def with_line(line: str):
    """`line` in the place of the first utterance's."""

    def change(content: bytes) -> bytes:
        lines = [other for other in content.decode().splitlines() if not other.startswith(f"{FIRST} ")]
        return "\n".join([*lines, f"{FIRST}{line}\n"]).encode()

    return edit(LINES, change)


@table({
    "the same line again": Case(append(LINES, "Amy-snips-train-0 BOS PLAY ADELE EOS\tO O artist PlayMusic\n")),
    "another line": Case(
        append(LINES, "Joey-snips-train-0 BOS PLAY SADE EOS\tO O artist PlayMusic\n\nJoey-snips-train-1\n"),
        gone="Joey-snips-train-0 Joey-snips-train-1",
        left_out={"ids with several different lines": ["Joey-snips-train-0", "Joey-snips-train-1"]}
        | ids("Joey-snips-train-0", "Joey-snips-train-1")),
    "no id": Case(append(LINES, "Ivy-train-4 BOS PLAY EOS\tO O PlayMusic\n"), left_out={
        "lines without an id SPEAKER-snips-SET-NUMBER": f"{LINES}, line 27: Ivy-train-4 BOS PLAY EOS O O PlayMusic"}),
    "no words": Case([append(LINES, "Ivy-snips-train-7 BOS ?! , EOS\tO O O X\n")],
                     left_out={"lines without words": "Ivy-snips-train-7"}, not_left_out=ids("Ivy-snips-train-7")),
    "an id alone": Case(with_line(""), gone=FIRST, left_out={"lines without words": FIRST}),
    "files of macOS": Case(write(f"train/._{FIRST}.wav")),
    "other formats": Case([write(f"train/{FIRST}.flac"),  # the wav is preferred
                           move("train/Joey-snips-train-0.wav", "train/Joey-snips-train-0.mp3")],
                          audio={FIRST: f"train/{FIRST}.wav", "Joey-snips-train-0": "train/Joey-snips-train-0.mp3"}),
    "no recordings": Case(remove("train", "valid", "test"),
                          error="no recordings .* below it; are train, valid and test unpacked"),
    "no text file": Case(write(LINES, b"\xff\xfe\x00"), error=f"{LINES}: cannot be read as UTF-8 text"),
})  # fmt: skip
def test_a_change(check, case):
    check(case)


@table({line: (line, slots) for line, *slots in [
    # one tab between all columns; no BOS and EOS; the intent in a column of its own or none
    ("\tPLAY ADELE\tO artist\tPlayMusic", ("artist", "adele")),
    (" PLAY ADELE\tO artist PlayMusic", ("artist", "adele")),
    (" BOS PLAY ADELE EOS\tO O artist O\tPlayMusic", ("artist", "adele")),
    (" BOS PLAY ADELE EOS\tO O artist O PlayMusic", ("artist", "adele")),
    (" BOS Play adele EOS\tO O PlayMusic/artist PlayMusic", ("artist", "adele")),
    # B- begins a slot, also after one of the same type; I- of another type, or without B-, as well
    (" BOS ADELE SADE EOS\tO B-artist B-artist X", ("artist", "adele"), ("artist", "sade")),
    (" BOS ADELE SADE EOS\tO artist artist X", ("artist", "adele sade")),
    (" BOS ADELE SADE EOS\tO B-artist I-artist X", ("artist", "adele sade")),
    (" BOS ADELE POP EOS\tO B-artist I-genre X", ("artist", "adele"), ("genre", "pop")),
    (" BOS PLAY ADELE SADE EOS\tO O I-artist I-artist X", ("artist", "adele sade")),
    (" BOS ADELE , SADE EOS\tO B-artist O I-artist X", ("artist", "adele sade")),
    # digits, apostrophes, brackets, other scripts
    (" BOS IT 'S 42ND EOS\tO O O rank X", ("rank", "forty second")),
    (" BOS DON'T ( STOP ) EOS\tO track track track track X", ("track", "don't stop")),
    (" BOS PLAY (REMIX) EOS\tO O track X", ("track", "remix")),
    (" BOS 楽園追放 官方杂志 EOS\tO movie movie X", ("movie", "expelled")),
    (" BOS PLAY - EOS\tO O artist X",),
    (" BOS  PLAY   ADELE EOS \tO O  artist X \r", ("artist", "adele")),
    (" BOS PLAY\u00a0IT \u00a0 ADELE EOS\tO O O artist X", ("artist", "adele")),  # a word, and one without letters
]})  # fmt: skip
def test_ways_to_write_a_line(recipe, corpus, prepared, case):
    line, slots = case
    with_line(line)(corpus)
    text = prepared(corpus).of("text")[FIRST]
    assert slots_of(text) == slots and normalize_marked(text, "en") == text
    assert normalize(text, "en")


@pytest.mark.parametrize("line", [" BOS PLAY EOS", " BOS PLAY EOS\tO X", " BOS PLAY EOS\tO O artist X", "\tO X"])
def test_a_line_without_a_slot_for_each_word_is_left_out(check, line):
    check(Case(with_line(line), gone=FIRST, left_out={"lines without one slot for each word": FIRST} | ids(FIRST)))


@pytest.mark.parametrize("given", ["../deeper", ".."])
def test_the_folder_may_be_above(check, given):
    check(move("", "../deeper/SNIPS"), given)


def test_three_folders_above_is_too_far(check):
    check(Case(move("", "../a/b/SNIPS"), given="..",
               error=f"no {LINES} there or up to two folders below.*train, valid"))  # fmt: skip
