"""Every recipe: its sets, whatever the order of files; links and files of macOS; unknown options; sources."""

import os
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from harness import EGS, Case, below, expected

from sure.corpus.sources import read_sources
from sure.data.validate import validate_data_dir

RECIPES = sorted(path.parent.name for path in EGS.glob("*/prepare.py") if path.parent.name != "TEMPLATE")
SECTIONS = [(name, words) for name in RECIPES for words in expected(name)]


def linked(corpus: Path, store: Path) -> Path:
    """A corpus with links for all its files and folders; their targets lie side by side in `store`."""
    places = {Path(folder): store / str(number) for number, (folder, *_) in enumerate(os.walk(corpus))}
    for folder, place in places.items():
        place.mkdir(parents=True)
        for path in folder.iterdir():
            (place / path.name).symlink_to(places.get(path, path))
    return places[corpus]


def add_files_of_macos(corpus: Path) -> None:
    """A second file for each, next to it and in the folder that its archives have."""
    mirror = corpus / "__MACOSX"
    for folder in [Path(folder) for folder, *_ in os.walk(corpus, followlinks=True)]:
        names = [path.name for path in folder.iterdir() if path.is_file()]
        for place in (folder, mirror / folder.relative_to(corpus)):
            place.mkdir(parents=True, exist_ok=True)
            for name in names:
                (place / f"._{name}").write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
        (folder / ".DS_Store").write_bytes(b"\0\0\0\1Bud1")


@pytest.mark.parametrize("name", RECIPES)
def test_links_and_files_of_macos_change_nothing(recipe_of, name, tmp_path):
    recipe = recipe_of(name)
    other = linked(recipe.corpus, tmp_path / "store")
    add_files_of_macos(other)
    before, after = recipe.unchanged(), recipe(other, tmp_path / "out")
    for attribute in ("set", "text", "labels", "speaker", "start", "end"):
        assert after.of(attribute) == before.of(attribute)
    names = [{id: Path(audio).name for id, audio in one.of("audio").items()} for one in (before, after)]
    assert names[0] == names[1]
    assert before.reasons.keys() <= after.reasons.keys() and all(before.ids.values())


class Backwards(closing):
    """The entries of `os.scandir` in reverse order."""

    def __init__(self, entries):
        super().__init__(entries)
        self.entries = iter(sorted(entries, key=lambda entry: entry.name, reverse=True))

    def __enter__(self):
        return self

    def __iter__(self):
        return self.entries

    def __next__(self):
        return next(self.entries)


@pytest.mark.parametrize(("name", "words"), SECTIONS)
def test_expected_sets_whatever_the_order_of_folders(recipe_of, name, words, tmp_path, monkeypatch, capsys):
    """From a relative path, with the utterances that stage 2 removes."""
    recipe = recipe_of(name)
    options = dict(word.split("=") for word in words.split())
    corpus = below(recipe.corpus, options.pop("corpus", ""))
    listdir, scandir = os.listdir, os.scandir
    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", lambda path=".": sorted(listdir(path), reverse=True))
        patch.setattr(os, "scandir", lambda path=".": Backwards(scandir(path)))
        patch.chdir(corpus.parent)
        result = recipe(Path(corpus.name), tmp_path, **options)
    lines = replace(result, printed=capsys.readouterr().out).lines(corpus)
    monkeypatch.chdir(tmp_path)
    for set_name in result.sets:
        table = tmp_path / set_name / "wav.scp"
        before = table.read_bytes()
        removed = validate_data_dir(table.parent, on_bad_utterance="skip").removed
        assert removed or table.read_bytes() == before
        lines += ["\t".join(["removed", one.id, one.reason]) for one in removed]
    assert lines == expected(name)[words]


@pytest.mark.parametrize(("name", "option", "choices"), [
    ("asterisk", "task=emotion", "asr phoneme language speaker intent keyword tts"),
    ("asterisk", "lang=de", "en es fr it ru all"),
    ("asterisk", "keywords=months", "alphabet digits"),
    ("esd", "task=intent", "emotion speaker asr"),
    ("esd", "lang=de", "en zh all"),
    ("fillets", "task=emotion", "asr speaker"),
    ("fillets", "lang=de", "cs nl all"),
    ("fleurs", "lang=de", "af_za am_et"),
    ("fluent_speech_commands", "labels=31", "slots joint"),
    ("iemocap", "task=asr", "emotion"),
    ("iemocap", "classes=5", "4 11"),
    ("iemocap", "fold=6", "1 5"),
    ("l2arctic", "task=speech", "phoneme tts"),
    ("l2arctic", "phones=ipa", "forced perceived"),
    ("librispeech_100", "test_other=yes", "true false"),
    ("libritts", "split=x", "utterance speaker"),
    ("meld", "task=speaker", "emotion asr"),
    ("snips", "speakers=women", "all superb"),
    ("speech_commands", "labels=35", "sure superb all"),
    ("speech_commands", "release=v0.03", "v0.01 v0.02"),
    ("vctk", "task=asr", "speaker verification tts"),
    ("vctk", "mic=mic3", "mic1 mic2"),
    ("voxpopuli", "lang=pt", "en de fr es pl it ro hu cs nl fi hr sk sl et lt"),
])  # fmt: skip
def test_unknown_options(recipe_of, name, option, choices, tmp_path):
    key, _, value = option.partition("=")
    options = {"task": "keyword", key: value} if key == "keywords" else {key: value}
    case = Case(options=options, error=f"{option}: .*" + r"\W.*".join(choices.split()))
    recipe_of(name).check(case, recipe_of(name).corpus, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def items(file: str, **options: str) -> list:
    return read_sources(EGS / file, options).items


def test_sources_of_alternatives():
    kinds = {"asterisk": ["debian", "archive"], "fillets": ["debian", "archive"], "snips": ["archive", "manual"]}
    groups = {}
    for name, first_of_each in kinds.items():
        (one_of,) = items(f"{name}/sources.yaml")
        groups[name] = [group.items for group in one_of.any_of]
        assert [group[0].kind for group in groups[name]] == first_of_each
    assert len(groups["asterisk"][0][0].packages) == 10 and len({item.into for item in groups["asterisk"][1]}) == 5
    assert len(groups["fillets"][0][0].packages) == 3 and groups["fillets"][1][0].sha256


SUBSETS = ("train-clean-100", "dev-clean", "test-clean", "test-other")


@pytest.mark.parametrize(("file", "names"), [
    ("librispeech_100/sources.yaml", [*(f"{name}.tar.gz" for name in SUBSETS), "librispeech-lexicon.txt"]),
    ("libritts/sources.yaml", ["train-clean-100.tar.gz"]),
    ("meld/sources.yaml", ["MELD.Raw.tar.gz"]),
    ("speech_commands/sources.yaml", ["speech_commands_v0.02.tar.gz", "speech_commands_test_set_v0.02.tar.gz"]),
    ("speech_commands/sources_v0.01.yaml", ["speech_commands_v0.01.tar.gz", "speech_commands_test_set_v0.01.tar.gz"]),
    ("vctk/sources.yaml", ["VCTK-Corpus-0.92.zip"]),
])  # fmt: skip
def test_sources_of_archives(file, names):
    found = items(file)
    assert [item.file_name for item in found] == names
    assert all((item.sha256 or item.md5) and item.bytes for item in found if item.file_name.endswith(("gz", "zip")))
    if file.startswith("librispeech"):
        assert all(len(item.urls) == 4 and len({url.rpartition("/")[2] for url in item.urls}) == 1 for item in found)
    if file.startswith("speech_commands"):
        assert len({item.into for item in found}) == 2 and all(item.sha256 for item in found)
    assert len(found[0].nested) == (3 if file.startswith("meld") else 0)


def test_the_recordings_of_all_languages_of_voxpopuli_come_once():
    english, german = (items("voxpopuli/sources.yaml", lang=lang) for lang in ("en", "de"))
    assert english[0].file_name == "asr_en.tsv.gz" and german[0].file_name == "asr_de.tsv.gz"
    assert english[1:] == german[1:] and len(english) == 13


@pytest.mark.parametrize(("name", "words"), [
    ("fluent_speech_commands", "--corpus"), ("timit", "--corpus DIR"), ("l2arctic", "zip for each speaker"),
    ("iemocap", "--corpus"), ("esd", "--corpus"),
])  # fmt: skip
def test_sources_of_a_corpus_that_users_download(name, words):
    (item,) = items(f"{name}/sources.yaml")
    assert item.kind == "manual" and words in item.instructions
