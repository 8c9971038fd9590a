"""egs/timit: damaged sentences, and the copies that people have made."""

import shutil

from harness import Case, changes, layout, move, remove, rename, write

SENTENCE, ID = "TRAIN/DR1/FCJF0/SX37", "fcjf0_sx37"


def damaged(content: bytes, reason: str | int) -> Case:
    return Case(write(f"{SENTENCE}.PHN", content), gone=ID, left_out={"damaged .PHN files": reason})


EXPECTED = f"{SENTENCE}.PHN:2: expected `start end phone` with a phone of TIMIT, found "
test_changes = changes({
    "no phones": Case(remove(f"{SENTENCE}.PHN"), gone=ID, left_out={"sentences without a .PHN file": ID}),
    "an empty file": damaged(b"", f"{SENTENCE}.PHN: no phones"),
    **{line: damaged(f"0 10 h#\n{line}\n".encode(), f"{EXPECTED}'{line}'") for line in
       ("10 xx sh", "xx 10 sh", "10 20 AA1", "10 20", "10 20 sh sh")},
    "not ASCII": damaged(b"0 10 \xff\n", 1),
    "other writing": Case(write(f"{SENTENCE}.PHN", b"0 10 H#\r\n10\t20  AX-H\r\n\r\n20 30 h#"),
                          texts={ID: "h# ax-h h#"}),
    "no recording": Case(remove(f"{SENTENCE}.WAV"), gone=ID, left_out={"sentences without a recording": ID}),
    "no test part": Case(remove("TEST"), error="the set dev is empty"),
    "no TIMIT": Case(given="DOC", error="DOC: no TIMIT found: looked for TRAIN/DR1/"),
    "a tree that is there twice": Case(
        lambda corpus: shutil.copytree(corpus, corpus / "COPY"), audio={ID: f"COPY/{SENTENCE}.WAV"},
        left_out={"files that are there twice": 90}),
    "lower case": layout(rename("**/*", str.lower)),
    "lower case, also above": layout([rename("**/*", str.lower), move("", "../timit")], ".."),
    "lower-case files": layout([rename("**/*.WAV", str.lower), rename("**/*.PHN", str.lower)]),
    "two endings": layout(lambda corpus: [shutil.copy(path, f"{path}.wav") for path in corpus.rglob("*.WAV")]),
    **{ending: layout(rename("**/*.WAV", lambda name, ending=ending: name.replace(".WAV", ending)))
       for ending in (".WAV.wav", ".RIFF.WAV", ".wav.riff", ".sph", ".flac", ".wav.flac")},
    "deeper": layout(move("", "../a/data"), "../a"),
    "another name": layout(move("", "../data"), "../data"),
})  # fmt: skip


def test_the_lists_of_speakers(recipe):
    core, development = recipe.parts["CORE_TEST"], recipe.parts["DEVELOPMENT"]
    assert len(set(core)) == 24 and sum(name.startswith("m") for name in core) == 16
    assert len(set(development)) == 50 and not set(core) & set(development)
    sentences = 8  # of each speaker, without the two SA
    assert recipe.parts["PUBLISHED"] == {"train": 462 * sentences, "dev": 50 * sentences, "test": 24 * sentences}
