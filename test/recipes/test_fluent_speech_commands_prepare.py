"""egs/fluent_speech_commands/prepare.py on a miniature of the corpus, and variants of its tables."""

from pathlib import Path

from fluent_speech_commands import COLUMNS, COMMANDS, SPEAKERS, TOP, path_of, row, write_table
from harness import Case, copy, edit, move, remove, table, write

RECIPE, ROOT = "fluent_speech_commands", TOP
TABLES = {"train": "train", "dev": "valid", "test": "test"}
SPEAKER, DATA = SPEAKERS["test"][0], "data/test_data.csv"
LIGHTS, HEAT, CHINESE, GERMAN = COMMANDS


def id_of(text, speaker=SPEAKER):
    return f"{speaker}-{Path(path_of(speaker, text)).stem}"


def test_sets_ids_and_speakers(prepared, recipe):
    result = prepared()
    for name, speakers in TABLES.items():
        pairs = [(speaker, text) for speaker in SPEAKERS[speakers] for text in COMMANDS]
        assert {id: (one.speaker, one.audio) for id, one in result.sets[name].items()} == {
            id_of(text, speaker): (speaker, str(recipe.corpus / path_of(speaker, text))) for speaker, text in pairs
        }
    assert result.left_out == []
    assert "fluent_speech_commands (slots): 8 train, 4 dev, 4 test" in result.printed
    assert "test: 4, published for the full corpus: 3793" in result.printed


def test_slots_are_output_groups_and_joint_intents_one_label(prepared):
    assert {id: one.labels for id, one in prepared().sets["test"].items()} == {
        id_of(LIGHTS): {"action": "activate", "object": "lights", "location": "none"},
        id_of(HEAT): {"action": "increase", "object": "heat", "location": "kitchen"},
        id_of(CHINESE): {"action": "change_language", "object": "Chinese", "location": "none"},
        id_of(GERMAN): {"action": "change_language", "object": "German", "location": "none"},
    }
    assert prepared(labels="joint").values("label")["dev"] == {
        "activate-lights-none", "increase-heat-kitchen", "change_language-Chinese-none", "change_language-German-none",
    }  # fmt: skip


def rows(*rows, columns=COLUMNS):
    """Other rows in the table of the test set."""
    return lambda corpus: write_table(corpus / DATA, list(rows), columns)


def all_tables(columns, encoding):
    def change(corpus):
        for name in TABLES.values():
            found = [row(speaker, text) for speaker in SPEAKERS[name] for text in COMMANDS]
            write_table(corpus / "data" / f"{name}_data.csv", found, columns, encoding)

    return change


def without_numbers(content):
    lines = [line.partition(",")[2].replace("/", "\\") for line in content.decode().splitlines()]
    return "\r\n".join(lines).encode()


UNLISTED, LONG = f"wavs/speakers/{SPEAKER}/unlisted.wav", f"wavs/{'a' * 300}.wav"
EVERY = [row(SPEAKER, text) for text in COMMANDS]
LATER = "rows of a recording that an earlier row has"
NOT_THERE = "rows whose recording is not there"
CASES = {
    "a byte order mark": Case(all_tables(COLUMNS, "utf-8-sig")),
    "a named first column": Case(all_tables(["Unnamed: 0", *COLUMNS[1:]], "utf-8")),
    "no numbers, other line ends and slashes": Case(edit(DATA, without_numbers)),
    "no recording": Case(move(path_of(SPEAKER, LIGHTS), UNLISTED), gone=id_of(LIGHTS), left_out={
        "recordings that no table has": UNLISTED, NOT_THERE: f"{DATA}, line 2: {path_of(SPEAKER, LIGHTS)}"}),
    "a row twice": Case(rows(*EVERY, EVERY[1]), left_out={LATER: f"{DATA}, line 6: {EVERY[1][0]}"}),
    "an empty column": Case(rows(*EVERY[:2], [*EVERY[2][:-1], ""], EVERY[3]), gone=id_of(CHINESE), left_out={
        "rows without path, speaker, action, object or location": f"{DATA}, line 4: {path_of(SPEAKER, CHINESE)}"}),
    "a path longer than any file name": Case(rows([LONG, *EVERY[0][1:]], *EVERY[1:]), gone=id_of(LIGHTS), left_out={
        NOT_THERE: f"{DATA}, line 2: {LONG}", "recordings that no table has": path_of(SPEAKER, LIGHTS)}),
    "a recording of two sets": Case(rows(*EVERY, row(SPEAKERS["train"][0], HEAT)), left_out={
        LATER: f"{DATA}, line 6: {path_of(SPEAKERS['train'][0], HEAT)}"}),
    "an unknown column": Case(rows(*EVERY, columns=["", "path", "speaker", *COLUMNS[3:]]),
                              error="test_data.csv: no column 'speakerId'; expected path, .*found , path, speaker"),
    "no text": Case(write(DATA, b"\xff\xfe\x00"), error="test_data.csv: cannot be read"),
    "no table": Case(remove(DATA), error="not found: data/test_data.csv"),
    "no tables": Case(given="wavs",
                      error="wavs: not found: data/train_data.csv, data/valid_data.csv, data/test_data.csv"),
    "two copies": Case([copy("data", "a/data"), move("data", "b/data")], error="more than one copy.*/a.*/b"),
}  # fmt: skip


@table(CASES)
def test_a_change(check, case):
    check(case)


@table({"above": ([], ".."), "two above": (move("", "../a/b"), ".."),
        "through a link": (lambda corpus: (corpus.parent / "link").symlink_to(corpus), "../link")})  # fmt: skip
def test_layouts(check, case):
    check(*case)


def test_three_folders_above_is_too_far(check):
    check(Case(move("", "../a/b/c"), given="..", error="not found: data/train_data.csv"))
