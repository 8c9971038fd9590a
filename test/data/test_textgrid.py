"""TextGrid files as Praat and others write them, and damaged ones."""

import codecs

import pytest

from sure.data.textgrid import Interval, read_tier
from sure.errors import SureError

LONG = (
    'File type = "ooTextFile"|Object class = "TextGrid"||xmin = 0|xmax = 1.5|tiers? <exists>|size = 3|item []:|'
    '! a comment with "quotes" and 5|'
    'item [1]:|class = "IntervalTier"|name = "words"|xmin = 0|xmax = 1.5|intervals: size = 2|'
    'intervals [1]:|xmin = 0|xmax = 0.5|text = "say ""a"" 5"|intervals [2]:|xmin = 0.5|xmax = 1.5|text = ""|'
    'item [2]:|class = "TextTier"|name = "clicks"|xmin = 0|xmax = 1.5|'
    'points: size = 1|points [1]:|number = 0.7|mark = "!"|'
    'item [3]:|class = "IntervalTier"|name = "phones"|xmin = 0|xmax = 1.5|intervals: size = 3|'
    'intervals [1]:|xmin = 0|xmax = 0.25|text = "S "|intervals [2]:|xmin = 0.25|xmax = 1e0|text = "EY1, ɛ*,s"|'
    'intervals [3]:|xmin = 1.0|xmax = 1.5|text = "sp"|'
).replace("|", "\n        ")
SHORT = (
    'File type = "ooTextFile"|Object class = "TextGrid"||0|1.5|<exists>|3|'
    '"IntervalTier"|"words"|0|1.5|2|0|0.5|"say ""a"" 5"|0.5|1.5|""|'
    '"TextTier"|"clicks"|0|1.5|1|0.7|"!"|'
    '"IntervalTier"|"ABA - Phones"|0|1.5|3|0|0.25|"S"|0.25|1|"EY1, ɛ*,s"|1|1.5|"sp"|'
).replace("|", "\n")
PHONES = [Interval(0, 0.25, "S"), Interval(0.25, 1, "EY1, ɛ*,s"), Interval(1, 1.5, "sp")]


def write(folder, content):
    (folder / "a.TextGrid").write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder / "a.TextGrid"


@pytest.mark.parametrize(
    "content",
    [LONG, SHORT, LONG.replace('"phones"', '"phones "'), LONG.replace("\n", "\r\n"), SHORT.replace("\n", "\r")],
)
def test_both_forms(tmp_path, content):
    path = write(tmp_path, content)
    assert read_tier(path, "phones") == PHONES
    assert read_tier(path, "words") == [Interval(0, 0.5, 'say "a" 5'), Interval(0.5, 1.5, "")]


@pytest.mark.parametrize("content", [
    codecs.BOM_UTF8 + LONG.encode(),
    *(mark + LONG.encode(code) for code, bom in (("utf-16-le", codecs.BOM_UTF16_LE), ("utf-16-be", codecs.BOM_UTF16_BE))
      for mark in (bom, b"")),
    LONG.replace('"clicks"', '"phones"'),  # a point tier of the same name
    LONG.encode().replace(b'"say ""a"" 5"', b'"caf\xe9"').replace("ɛ".encode(), b"\xe8"),
])  # fmt: skip
def test_encodings(tmp_path, content):
    labels = [interval.label.replace("è", "ɛ") for interval in read_tier(write(tmp_path, content), "PHONES")]
    assert labels == ["S", "EY1, ɛ*,s", "sp"]


def test_tiers_after_the_wanted_one_are_not_read(tmp_path):
    assert len(read_tier(write(tmp_path, LONG[: LONG.index("item [2]")]), "words")) == 2


@pytest.mark.parametrize(("content", "message"), [
    ("", "not a TextGrid"),
    ("0 10 h#\n", "not a TextGrid"),
    (b"ooBinaryFile\x08TextGrid", "not a TextGrid"),
    (LONG[:300], "damaged or incomplete in tier 1"),
    (LONG[: LONG.index("item [2]")], "damaged or incomplete in tier 2"),
    (LONG.replace("size = 3\n        item", "size = many\n        item"), "damaged"),
    (LONG.replace('"IntervalTier"', '"SpectrumTier"'), "damaged"),
    (LONG.replace('"phones"', '"IPA"'), "no interval tier 'phones'; its tiers are: words, clicks, IPA"),
    (LONG.replace("<exists>", "<absent>"), "no interval tier 'phones'; its tiers are: none"),
    (LONG.replace("xmax = 0.25", "xmax = -0.25"), "'S' is from 0 to -0.25 s"),
    (LONG.replace("xmax = 0.5", "xmax = 1e999").replace('"words"', '"phones"'), "'say \"a\" 5' is from 0 to inf"),
    (LONG.replace("xmin = 1.0", "xmin = 0.9"), "'sp' from 0.9 to 1.5 s does not follow 'EY1, ɛ"),
])  # fmt: skip
def test_damaged_files_are_named(tmp_path, content, message):
    with pytest.raises(SureError, match=message) as error:
        read_tier(write(tmp_path, content), "phones")
    assert "a.TextGrid" in str(error.value)
    with pytest.raises(SureError, match="cannot read .*nowhere.TextGrid: No such file"):
        read_tier(tmp_path / "nowhere.TextGrid", "phones")
