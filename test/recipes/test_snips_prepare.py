"""egs/snips: damaged files and other ways to write its lines."""

from harness import Case, append, changes, edit, layout, move, remove, write

LINES, FIRST = "all.iob.snips.txt", "Ivy-snips-train-0"


def unused(*names: str) -> dict[str, list[str]]:
    return {f"recordings without a usable line in {LINES}": [f"train/{name}.wav" for name in names]}


def with_line(line: str):
    """`line` in the place of the first utterance's."""

    def change(content: bytes) -> bytes:
        lines = [other for other in content.decode().splitlines() if not other.startswith(f"{FIRST} ")]
        return "\n".join([*lines, f"{FIRST}{line}\n"]).encode()

    return edit(LINES, change)


test_changes = changes({
    "the same line again": Case(append(LINES, "Amy-snips-train-0 BOS PLAY ADELE EOS\tO O artist PlayMusic\n")),
    "another line": Case(
        append(LINES, "Joey-snips-train-0 BOS PLAY SADE EOS\tO O artist PlayMusic\n\nJoey-snips-train-1\n"),
        gone="Joey-snips-train-0 Joey-snips-train-1",
        left_out={"ids with several different lines": ["Joey-snips-train-0", "Joey-snips-train-1"]}
        | unused("Joey-snips-train-0", "Joey-snips-train-1")),
    "no id": Case(append(LINES, "Ivy-train-4 BOS PLAY EOS\tO O PlayMusic\n"), left_out={
        "lines without an id SPEAKER-snips-SET-NUMBER": f"{LINES}, line 27: Ivy-train-4 BOS PLAY EOS O O PlayMusic"}),
    "no words": Case(append(LINES, "Ivy-snips-train-7 BOS ?! , EOS\tO O O X\n"),
                     left_out={"lines without words": "Ivy-snips-train-7"}, not_left_out=unused("Ivy-snips-train-7")),
    "an id alone": Case(with_line(""), gone=FIRST, left_out={"lines without words": FIRST}),
    "other formats": Case([write(f"train/{FIRST}.flac"),  # the wav is preferred
                           move("train/Joey-snips-train-0.wav", "train/Joey-snips-train-0.mp3")],
                          audio={FIRST: f"train/{FIRST}.wav", "Joey-snips-train-0": "train/Joey-snips-train-0.mp3"}),
    **{f"{line!r} without a slot for each word": Case(with_line(line), gone=FIRST, left_out={
        "lines without one slot for each word": FIRST} | unused(FIRST))
       for line in (" BOS PLAY EOS", " BOS PLAY EOS\tO X", " BOS PLAY EOS\tO O artist X", "\tO X")},
    **{line: Case(with_line(line), texts={FIRST: text}) for line, text in {
        # one tab between all columns; no BOS and EOS; the intent in a column of its own or none
        "\tPLAY ADELE\tO artist\tPlayMusic": "play B-artist adele E-artist",
        " PLAY ADELE\tO artist PlayMusic": "play B-artist adele E-artist",
        " BOS PLAY ADELE EOS\tO O artist O\tPlayMusic": "play B-artist adele E-artist",
        " BOS Play adele EOS\tO O PlayMusic/artist PlayMusic": "play B-artist adele E-artist",
        # B- begins a slot, also after one of the same type; I- of another type, or without B-, as well
        " BOS ADELE SADE EOS\tO B-artist B-artist X": "B-artist adele E-artist B-artist sade E-artist",
        " BOS ADELE SADE EOS\tO B-artist I-artist X": "B-artist adele sade E-artist",
        " BOS ADELE POP EOS\tO B-artist I-genre X": "B-artist adele E-artist B-genre pop E-genre",
        " BOS PLAY ADELE SADE EOS\tO O I-artist I-artist X": "play B-artist adele sade E-artist",
        " BOS ADELE , SADE EOS\tO B-artist O I-artist X": "B-artist adele sade E-artist",
        # digits, apostrophes, brackets, other scripts
        " BOS IT 'S 42ND EOS\tO O O rank X": "it s B-rank forty second E-rank",
        " BOS DON'T ( STOP ) EOS\tO track track track track X": "B-track don't stop E-track",
        " BOS 楽園追放 官方杂志 EOS\tO movie movie X": "B-movie expelled E-movie",
        " BOS PLAY - EOS\tO O artist X": "play",
        " BOS  PLAY   ADELE EOS \tO O  artist X \r": "play B-artist adele E-artist",
        " BOS PLAY\u00a0IT ADELE EOS\tO O artist X": "play it B-artist adele E-artist",
    }.items()},
    "no recordings": Case(remove("train", "valid", "test"),
                          error="no recordings .* below it; are train, valid and test unpacked"),
    "above": layout(move("", "../deeper/SNIPS"), "../deeper"),
    "two above": layout(move("", "../deeper/SNIPS"), ".."),
    "three above": Case(move("", "../a/b/SNIPS"), given="..",
                        error=f"no {LINES} there or up to two folders below.*train, valid"),
})  # fmt: skip
