"""egs/l2arctic: damaged files, other layouts, and the labels of its annotators."""

from harness import Case, changes, copy, edit, layout, move, remove, rename, replace, write
from l2arctic import SPEAKERS, text_grid

TTS = {"task": "tts"}
FIRST, GRID = "ABA_arctic_a0001", "ABA/textgrid/arctic_a0001.TextGrid"


def perceived(*labels: str, text: str = "") -> Case:
    """Labels as annotators write them, and the phones that they stand for."""
    change = write("ABA/annotation/arctic_a0001.TextGrid", text_grid([labels]))
    effect = {"texts": {FIRST: text}} if text else {"gone": FIRST, "left_out": {"unusable TextGrids": 1}}
    return Case(change, {"phones": "perceived"}, **effect)


NAMES = [f"{'ab'[number > 8]}{number:04}" for number in range(1, 13)]
YDCK = [f"YDCK_arctic_a000{number}" for number in "123"]
test_changes = changes({
    "unknown words and silence": Case([replace(GRID, '"S"', '"spn"'), replace(GRID, '"HH"', '"sil "')],
                                      texts={FIRST: "EH AE IY D"}),
    "no TextGrid": Case(remove(GRID), gone=FIRST, left_out={"utterances without a TextGrid in textgrid": FIRST}),
    "no recording": Case(remove("ABA/wav/arctic_a0001.wav"), gone=FIRST,
                         left_out={"utterances without a recording": FIRST}),
    "no transcript": Case(remove("ABA/transcript/arctic_a0001.txt"), TTS, gone=FIRST,
                          left_out={"utterances without a transcript in transcript": FIRST}),
    "tts needs no TextGrids": Case(
        remove(*(f"{one}/{kind}" for one in SPEAKERS for kind in ("textgrid", "annotation"))), TTS),
    "a speaker without TextGrids": Case(
        remove("SKA/textgrid"), gone=[f"SKA_arctic_{name}" for name in NAMES],
        left_out={"folders with wav and without textgrid": "SKA"}),
    "an empty transcript": Case(write("ABA/transcript/arctic_a0001.txt", "\n"), TTS, gone=FIRST,
                                left_out={"unusable transcripts": "ABA/transcript/arctic_a0001.txt: no words"}),
    "spellings of annotators": perceived("AH", "AH0 ", "ax", "AO1,AO*,s", "ER,ER),s", "V,V``,s", "sil,ah,a", "R,err,s",
                                         "NG,N", text="AH AH AH AO ER V AH ERR N"),
    "deletions and silence": perceived("T, sil ,d", "CH,SP,d", "sp", "", "NG,N", text="N"),
    **{f"{label} of annotators": perceived(label, "AH") for label in ("ʃ1Q", "AO,XX,s", "T,S T,s")},
    "nine utterances, which have a dev and a test utterance": Case(
        remove(*(f"YDCK/wav/arctic_a000{number}.wav" for number in "123")), gone=YDCK,
        left_out={"utterances without a recording": YDCK}),
    "a copied speaker": Case(copy("SKA", "copies/SKA"), left_out={"second folders of a speaker": "copies/SKA"}),
    "no speakers": Case(remove(*SPEAKERS), error="no L2-ARCTIC found: .*; pass --corpus with"),
    "a zip of another speaker": Case(write("ASI.zip"), left_out={"archives that are not unpacked": "ASI.zip"}),
    "zips": Case([remove(*SPEAKERS), write("ABA.zip"), write("ASI.zip")], error="unpack ABA.zip ASI.zip: each has a"),
    **{fault: Case(change, gone=FIRST, left_out={"unusable TextGrids": 1}) for fault, change in {
        "cut": edit(GRID, lambda content: content[:-40]),
        "no phone": replace(GRID, '"EH1"', '"X"'),
        "silence alone": [replace(GRID, f'"{phone}"', '""') for phone in "HH EH1 S AE1 IY1 D".split()],
    }.items()},
    "a folder in a folder": layout([move("ABA", "x"), move("x", "ABA/ABA")]),
    "UTF-16": layout(edit("ABA/textgrid/*", lambda text: text.decode().replace("\n", "\r\n").encode("utf-16"))),
    "other names": layout([move("SKA/textgrid", "SKA/TextGrid"), rename("YDCK/wav/*", str.upper),
                           rename("YDCK/wav/*", lambda name: name.lower().replace(".wav", ".WAV"))]),
})  # fmt: skip


def test_published_counts(recipe):
    recorded, annotated = (recipe.parts[name] for name in ("RECORDED", "ANNOTATED"))
    assert sum(recorded.values()) == 26867 and sum(annotated.values()) == 3599 and len(recorded) == 24
