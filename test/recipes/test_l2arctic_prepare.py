"""egs/l2arctic/prepare.py on a miniature of the corpus: phones, transcripts, damaged files and other layouts."""

from pathlib import Path

import pytest
from harness import Case, copy, edit, move, remove, rename, replace, table, write

from sure.errors import SureError

RECIPE, ROOT = "l2arctic", "l2arctic_release_v5.0"
SPEAKERS = ["ABA", "SKA", "YDCK"]
PERCEIVED, TTS = {"phones": "perceived"}, {"task": "tts"}


def test_every_speaker_is_in_every_set(prepared, recipe):
    result = prepared()
    assert [len(found) for found in result.sets.values()] == [30, 3, 3]
    assert result.ids["dev"] == [f"{speaker}_arctic_b0011" for speaker in SPEAKERS]
    assert result.ids["test"] == [f"{speaker}_arctic_b0012" for speaker in SPEAKERS]
    one = result.sets["train"]["SKA_arctic_a0001"]
    assert (one.speaker, one.text) == ("SKA", "HH EH S AE IY D")
    assert one.audio == str(recipe.corpus / "SKA/wav/arctic_a0001.wav")
    assert "3 of 24 speakers: ABA SKA YDCK" in result.printed
    assert "dev: 3, published for the full corpus: 2682" in result.printed
    assert result.left_out == [("folders of spontaneous speech, which is not aligned", "suitcase_corpus")]


def test_perceived_phones_are_those_of_annotators(prepared):
    result = prepared(**PERCEIVED)
    texts = result.of("text")
    assert texts["ABA_arctic_a0001"] == "EH S AE IY T AH"  # no HH, T for D, and AX added
    assert texts["ABA_arctic_a0004"] == "W EH ERR OW"  # W*: foreign; G: err
    assert len(texts) == 3 * 11 - 1
    assert ("utterances without a TextGrid in annotation", "ABA_arctic_a0002") in result.left_out
    (damaged,) = (item for reason, item in result.left_out if reason == "unusable TextGrids")
    assert damaged.startswith("YDCK/annotation/arctic_a0001.TextGrid: tier 'phones': ")


def test_transcripts_for_synthesis(prepared):
    result = prepared(**TTS)
    assert result.of("set") == prepared().of("set")
    one = result.sets["train"]["ABA_arctic_a0002"]
    assert (one.text, one.speaker) == ("A dog", "ABA")


FIRST, GRID = "ABA_arctic_a0001", "ABA/textgrid/arctic_a0001.TextGrid"
CASES = {
    "unknown words and silence": Case([replace(GRID, '"S"', '"spn"'), replace(GRID, '"HH"', '"sil "')],
                                      texts={FIRST: "EH AE IY D"}),
    "no TextGrid": Case(remove(GRID), gone=FIRST, left_out={"utterances without a TextGrid in textgrid": FIRST}),
    "no recording": Case(remove("ABA/wav/arctic_a0001.wav"), gone=FIRST,
                         left_out={"utterances without a recording": FIRST}),
    "no transcript": Case(remove("ABA/transcript/arctic_a0001.txt"), TTS, gone=FIRST,
                          left_out={"utterances without a transcript in transcript": FIRST}),
    "an empty transcript": Case(write("ABA/transcript/arctic_a0001.txt", "\n"), TTS, gone=FIRST,
                                left_out={"unusable transcripts": "ABA/transcript/arctic_a0001.txt: no words"}),
    "a copied speaker": Case(copy("SKA", "copies/SKA"), left_out={"second folders of a speaker": "copies/SKA"}),
    "no speakers": Case(remove(*SPEAKERS), error="no L2-ARCTIC found: .*; pass --corpus with"),
    "zips": Case([remove(*SPEAKERS), write("ABA.zip"), write("ASI.zip")], error="unpack ABA.zip ASI.zip: each has a"),
}  # fmt: skip


@table(CASES)
def test_a_change(check, case):
    check(case)


@table({
    "empty": (write(GRID), "not a TextGrid"),
    "cut": (edit(GRID, lambda content: content[:-40]), "damaged or incomplete"),
    "no tier": (replace(GRID, '"phones"', '"IPA"'), "no interval tier 'phones'"),
    "no phone": (replace(GRID, '"EH1"', '"X"'), "'X' is "),
    "silence alone": ([replace(GRID, f'"{phone}"', '""') for phone in "HH EH1 S AE1 IY1 D".split()], "no phones in"),
})  # fmt: skip
def test_a_damaged_textgrid_is_left_out_with_its_fault(check, tmp_path, case):
    change, fault = case
    check(Case(change, gone=FIRST, left_out={"unusable TextGrids": 1}))
    assert f"{GRID}: {fault}" in (tmp_path / "out" / "left_out.txt").read_text()


@table({
    "above": ([], ".."),
    "a folder in a folder": ([move("ABA", "x"), move("x", "ABA/ABA")], ""),
    "UTF-16": (edit("ABA/textgrid/*.TextGrid",
                    lambda content: content.decode().replace("\n", "\r\n").encode("utf-16")), ""),
    "other names": ([move("SKA/textgrid", "SKA/TextGrid"), rename("YDCK/wav/*", str.upper),
                     rename("YDCK/wav/*", lambda name: name.lower().replace(".wav", ".WAV"))], ""),
})  # fmt: skip
def test_layouts(check, case):
    check(*case)


LABELS = {
    "AH": "AH", "AH0 ": "AH", "ax": "AH", "AO1,AO*,s": "AO", "ER,ER),s": "ER", "V,V``,s": "V", "sil,ah,a": "AH",
    "T, sil ,d": "", "CH,SP,d": "", "sp": "", "": "", "R,err,s": "ERR", "NG,N": "N",
    "ʃ1Q": None, "AO,XX,s": None, "T,S T,s": None,
}  # fmt: skip


@pytest.mark.parametrize("label", LABELS)
def test_labels_of_annotators(recipe, label):
    def phone():
        return recipe.parts["_phone"](Path("a.TextGrid"), recipe.parts["_perceived"](label))

    if LABELS[label] is None:
        with pytest.raises(SureError, match="a.TextGrid: .* is not an ARPAbet phone"):
            phone()
    else:
        assert phone() == LABELS[label]


def test_published_counts(recipe):
    recorded, annotated = (recipe.parts[name] for name in ("RECORDED", "ANNOTATED"))
    assert sum(recorded.values()) == 26867 and sum(annotated.values()) == 3599 and len(recorded) == 24
