"""egs/fluent_speech_commands: variants of its tables, missing recordings, other places."""

from pathlib import Path

from fluent_speech_commands import COLUMNS, COMMANDS, SPEAKERS, commands, path_of, row, rows
from harness import Case, changes, copy, edit, layout, move, remove, replace, write

RECIPE = "fluent_speech_commands"
SPEAKER, DATA = SPEAKERS["test"][0], "data/test_data.csv"
LIGHTS, HEAT, CHINESE, GERMAN = COMMANDS


def id_of(text):
    return f"{SPEAKER}-{Path(path_of(SPEAKER, text)).stem}"


def rows_of_test(rows, **settings):
    """Other rows in the table of the test set."""
    return write(DATA, commands(rows, **settings))


def without_numbers(content):
    lines = [line.partition(",")[2].replace("/", "\\") for line in content.decode().splitlines()]
    return b"\xef\xbb\xbf" + "\r\n".join(lines).encode()


UNLISTED, LONG = f"wavs/speakers/{SPEAKER}/unlisted.wav", f"wavs/{'a' * 300}.wav"
EVERY, TRAIN = rows("test"), row(SPEAKERS["train"][0], HEAT)
LATER = "rows of a recording that an earlier row has"
NOT_THERE = "rows whose recording is not there"
test_changes = changes({
    "a named first column": Case(replace("data/*_data.csv", ",path", "Unnamed: 0,path")),
    "no numbers, a byte order mark, other line ends and slashes": Case(edit(DATA, without_numbers)),
    "no recording": Case(move(path_of(SPEAKER, LIGHTS), UNLISTED), gone=id_of(LIGHTS), left_out={
        "recordings that no table has": UNLISTED, NOT_THERE: f"{DATA}, line 2: {path_of(SPEAKER, LIGHTS)}"}),
    "a row twice": Case(rows_of_test([*EVERY, EVERY[1]]), left_out={LATER: f"{DATA}, line 6: {EVERY[1][0]}"}),
    "an empty column": Case(rows_of_test([*EVERY[:2], [*EVERY[2][:-1], ""], EVERY[3]]), gone=id_of(CHINESE), left_out={
        "rows without path, speaker, action, object or location": f"{DATA}, line 4: {path_of(SPEAKER, CHINESE)}"}),
    "a path longer than any file name": Case(rows_of_test([[LONG, *EVERY[0][1:]], *EVERY[1:]]), gone=id_of(LIGHTS),
        left_out={NOT_THERE: f"{DATA}, line 2: {LONG}", "recordings that no table has": path_of(SPEAKER, LIGHTS)}),
    "a recording of two sets": Case(rows_of_test([*EVERY, TRAIN]), left_out={LATER: f"{DATA}, line 6: {TRAIN[0]}"}),
    "an unknown column": Case(rows_of_test(EVERY, columns=["", "path", "speaker", *COLUMNS[3:]]),
                              error="test_data.csv: no column 'speakerId'; expected path, .*found , path, speaker"),
    "no text": Case(write(DATA, b"\xff\xfe\x00"), error="test_data.csv: cannot be read"),
    "no table": Case(remove(DATA), error="not found: data/test_data.csv"),
    "no tables": Case(given="wavs",
                      error="wavs: not found: data/train_data.csv, data/valid_data.csv, data/test_data.csv"),
    "two copies": Case([copy("data", "a/data"), move("data", "b/data")], error="more than one copy.*/a.*/b"),
    "above": layout((), ".."),
    "two above": layout(move("", "../a/b"), ".."),
    "through a link": layout(lambda corpus: (corpus.parent / "link").symlink_to(corpus), "../link"),
    "three above": Case(move("", "../a/b/c"), given="..", error="not found: data/train_data.csv"),
})  # fmt: skip
