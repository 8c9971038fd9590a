"""egs/fluent_speech_commands: variants of its tables, missing recordings, other places."""

from pathlib import Path

from fluent_speech_commands import COMMANDS, SPEAKERS, path_of, row
from harness import Case, append, changes, copy, edit, layout, move, replace
from miniature import table

SPEAKER, DATA = SPEAKERS["test"][0], "data/test_data.csv"
LIGHTS, HEAT, CHINESE, GERMAN = COMMANDS


def id_of(text):
    return f"{SPEAKER}-{Path(path_of(SPEAKER, text)).stem}"


def without_numbers(content):
    lines = [line.partition(",")[2].replace("/", "\\") for line in content.decode().splitlines()]
    return b"\xef\xbb\xbf" + "\r\n".join(lines).encode()


UNLISTED, LONG = f"wavs/speakers/{SPEAKER}/unlisted.wav", f"wavs/{'a' * 300}.wav"
NOT_THERE = "rows whose recording is not there"
test_changes = changes({
    "a named first column": Case(replace("data/*_data.csv", ",path", "Unnamed: 0,path")),
    "no numbers, a byte order mark, other line ends and slashes": Case(edit(DATA, without_numbers)),
    "no recording": Case(move(path_of(SPEAKER, LIGHTS), UNLISTED), gone=id_of(LIGHTS), left_out={
        "recordings that no table has": UNLISTED, NOT_THERE: f"{DATA}, line 2: {path_of(SPEAKER, LIGHTS)}"}),
    "an empty column": Case(replace(DATA, "Chinese,none", "Chinese,"), gone=id_of(CHINESE), left_out={
        "rows without path, speaker, action, object or location": f"{DATA}, line 4: {path_of(SPEAKER, CHINESE)}"}),
    "a path longer than any file name": Case(replace(DATA, path_of(SPEAKER, LIGHTS), LONG), gone=id_of(LIGHTS),
        left_out={NOT_THERE: f"{DATA}, line 2: {LONG}", "recordings that no table has": path_of(SPEAKER, LIGHTS)}),
    **{f"again a recording of {name}": Case(append(DATA, table([[9, *again]])), left_out={
        "rows of a recording that an earlier row has": f"{DATA}, line 6: {again[0]}"})
       for name, again in {"test": row(SPEAKER, HEAT), "train": row(SPEAKERS["train"][0], HEAT)}.items()},
    "an unknown column": Case(replace(DATA, "speakerId", "speaker"),
                              error="test_data.csv, line 1: no column 'speakerId'; .*found '', 'path', 'speaker'"),
    "a row too long": Case(replace(DATA, "Chinese,none", "Chinese,none,"), error="test_data.csv, line 4: 8 cells, but"),
    "no tables": Case(given="wavs",
                      error="wavs: not found: data/train_data.csv, data/valid_data.csv, data/test_data.csv"),
    "two copies": Case([copy("data", "a/data"), move("data", "b/data")], error="more than one copy.*/a.*/b"),
    "two above": layout(move("", "../a/b"), ".."),
    "three above": Case(move("", "../a/b/c"), given="..", error="not found: data/train_data.csv"),
})  # fmt: skip
