"""egs/libritts: damaged copies, other layouts, and sets without a common reader."""

from harness import SETS, Case, changes, copy, layout, move, remove, write
from libritts import SUBSET, make_tree

FIRST, LAST = "103_1031_000000_000001", ("103_1031_000002_000008", "103_1031_000002_000009")
CHAPTER = f"{SUBSET}/103/1031"
NINE = {"gone": FIRST, "sets": dict.fromkeys(LAST, "train")}  # nine utterances have no tenth
test_changes = changes({
    "two formats": Case(copy(f"{CHAPTER}/{FIRST}.wav", f"{CHAPTER}/{FIRST}.flac"), audio={FIRST: ".flac"},
                        left_out={"recordings that are there twice": f"103/1031/{FIRST}.wav"}),
    "another speaker's folder": Case(
        [move(f"{CHAPTER}/{FIRST}.{end}", f"{SUBSET}/26/261/{FIRST}.{end}") for end in ("wav", "normalized.txt")],
        **NINE, left_out={"recordings in the folder of another speaker": f"26/261/{FIRST}.wav"}),
    "an empty text": Case(write(f"{CHAPTER}/{FIRST}.normalized.txt", " \n"), **NINE,
                          left_out={"recordings without a text": f"103/1031/{FIRST}.wav"}),
    "a text alone": Case(write(f"{CHAPTER}/103_1031_000009_000001.normalized.txt", "No."),
                         left_out={"texts without a recording": "103/1031/103_1031_000009_000001.normalized.txt"}),
    "no corpus": Case(remove("LibriTTS"), error="no recordings of LibriTTS"),
    "the corpus": layout((), "LibriTTS"),
    "the subset": layout((), SUBSET),
})  # fmt: skip


def test_no_reader_in_two_sets(prepared, tmp_path):
    make_tree(tmp_path / "corpus", {str(reader): 1 for reader in range(20)})
    sets = prepared(tmp_path / "corpus", split="speaker").sets
    readers = [{one.speaker for one in sets[name].values()} for name in SETS]
    assert [len(found) for found in readers] == [16, 2, 2] and len(set.union(*readers)) == 20
