"""Stage 2: a recipe's prepare.py, its options, and the validation of what it made."""

from __future__ import annotations

from pathlib import Path

import pytest
from audio_files import tone, write_audio

from sure.bin import prepare
from sure.data.data_dir import read_data_dir
from sure.errors import SureError

RECIPE = '''
"""A recipe."""
from sure.data.data_dir import Utterance, write_data_dir
from beside import SUFFIX

def prepare(corpus, out, lang="en", shout="false"):
    for number, name in enumerate(("train", "dev", "test")):
        utterances = []
        for path in sorted((corpus / name).glob(f"*{SUFFIX}")):
            text = f"{lang} {path.stem}"
            utterances.append(Utterance(path.stem, str(path), text=text.upper() if shout == "true" else text))
        write_data_dir(out / name, utterances)
'''


@pytest.fixture
def recipe(here: Path) -> Path:
    folder = here / "egs" / "mine"
    for number, name in enumerate(("train", "dev", "test")):
        for id in "ab":
            write_audio(folder / "downloads" / "corpus" / name / f"{name}_{id}.wav", tone(0.5, seed=number))
    (folder / "prepare.py").write_text(RECIPE)
    (folder / "beside.py").write_text('SUFFIX = ".wav"\n')
    return folder


def run(recipe: Path, *words: str) -> None:
    prepare.main(["--recipe", str(recipe), "--out", "data/mine", *words])


def texts(name: str) -> list[str]:
    return [utterance.text for utterance in read_data_dir(f"data/mine/{name}")]


def test_out_must_be_a_folder(recipe: Path) -> None:
    Path("data").write_text("a file")
    for out in ("data", "data/mine"):
        with pytest.raises(SureError, match=f"--out {out}: cannot create this folder"):
            prepare.main(["--recipe", str(recipe), "--out", out])
    with pytest.raises(SureError, match=r"--out '.*udcff': the name is not UTF-8"):
        prepare.main(["--recipe", str(recipe), "--out", "\udcff"])


def test_a_recipe_is_prepared_and_validated(recipe: Path, capsys: pytest.CaptureFixture) -> None:
    run(recipe)
    printed = capsys.readouterr().out
    for name in ("train", "dev", "test"):
        assert f"data/mine/{name}: 2 utterances" in printed
        assert (Path("data/mine") / name / "utt2dur").is_file()
        assert texts(name) == [f"en {name}_a", f"en {name}_b"]


def test_options_reach_prepare_as_strings(recipe: Path) -> None:
    prepare.main(["lang=es", "--recipe", str(recipe), "shout=true", "--out", "data/mine"])
    assert texts("dev") == ["ES DEV_A", "ES DEV_B"]


def test_the_corpus_given_the_one_recorded_or_the_one_downloaded(recipe: Path, here: Path) -> None:
    (recipe / "downloads" / "corpus").rename(here / "my copy")
    with pytest.raises(SureError, match="run stage 1"):
        run(recipe)
    with pytest.raises(SureError, match="--corpus nowhere does not exist"):
        run(recipe, "--corpus", "nowhere")
    run(recipe, "--corpus", "my copy")
    assert len(texts("test")) == 2
    (recipe / "downloads" / "corpus.txt").write_text(f"{here / 'my copy'}\n")
    run(recipe, "lang=fr")
    assert texts("test")[0] == "fr test_a"


@pytest.mark.parametrize("word", ["langs=es", "lang", "out=x", "a b=c"])
def test_unknown_options_list_the_known_ones(recipe: Path, word: str) -> None:
    with pytest.raises(SureError, match=rf"'{word}': this recipe's prepare.py takes lang=en, shout=false"):
        run(recipe, word)
    assert not Path("data").exists()


def test_an_option_without_default_is_asked_for(recipe: Path) -> None:
    (recipe / "prepare.py").write_text("def prepare(corpus, out, fold):\n    pass\n")
    with pytest.raises(SureError, match=r"fold=\.\.\. is missing: .* takes fold=\.\.\."):
        run(recipe)
    (recipe / "prepare.py").write_text("def prepare(corpus, out):\n    pass\n")
    with pytest.raises(SureError, match="takes no options"):
        run(recipe, "a=b")


@pytest.mark.parametrize("annotation", ['Literal["true", "false", ""]', "Literal[CHOICES]"])
@pytest.mark.parametrize("future", ["", "from __future__ import annotations\n"])
def test_values_that_are_not_among_the_choices_of_an_option(recipe: Path, annotation: str, future: str) -> None:
    source = (recipe / "prepare.py").read_text().replace('shout="false"', f'shout: {annotation} = "false"')
    source = source.replace(
        '"""A recipe."""\n', f'"""A recipe."""\n{future}from typing import Literal\nCHOICES = "true", "false"\n'
    )
    (recipe / "prepare.py").write_text(source)
    with pytest.raises(SureError, match="^shout=yes: expected shout to be one of true, false$"):
        run(recipe, "shout=yes", "lang=es")
    assert not Path("data").exists()
    run(recipe, "shout=true", "lang=es")
    assert texts("dev") == ["ES DEV_A", "ES DEV_B"]


def test_options_with_any_name(recipe: Path) -> None:
    source = "def prepare(corpus, out, **options):\n    (out / str(sorted(options.items()))).mkdir()\n"
    source += "    return []\n"
    (recipe / "prepare.py").write_text(source)
    run(recipe, "b=1=2", "a=")
    assert [path.name for path in Path("data/mine").iterdir()] == ["[('a', ''), ('b', '1=2')]"]


def test_a_set_that_was_not_made(recipe: Path) -> None:
    (recipe / "prepare.py").write_text(RECIPE.replace('("train", "dev", "test")', '("train", "test")'))
    with pytest.raises(SureError, match=r"data/mine/dev: prepare\.py did not write this set"):
        run(recipe)


def test_sets_with_other_names(recipe: Path, capsys: pytest.CaptureFixture) -> None:
    source = (
        RECIPE.replace("out / name", 'out / "fold1" / name') + '    return ["fold1/train", out / "fold1" / "test"]\n'
    )
    (recipe / "prepare.py").write_text(source)
    run(recipe)
    printed = capsys.readouterr().out
    assert all(f"data/mine/fold1/{name}: 2 utterances" in printed for name in ("train", "dev", "test"))


def test_bad_utterances(recipe: Path, capsys: pytest.CaptureFixture) -> None:
    bad = recipe / "downloads/corpus/train/train_b.wav"
    bad.write_bytes(bad.read_bytes()[:-500])
    with pytest.raises(SureError, match=r"train_b \(.*train_b\.wav, .* bytes that its header promises"):
        run(recipe)
    run(recipe, "--on_bad_utterance", "skip")
    assert texts("train") == ["en train_a"]
    assert "1 truncated audio file: train_b" in capsys.readouterr().out
    assert "train_b" in Path("data/mine/train/validation.txt").read_text()
    run(recipe, "--on_bad_utterance", "skip")  # the sets are made anew, so the report says the same again
    assert "1 truncated audio file: train_b" in capsys.readouterr().out


def test_other_sets_are_compared_with_the_letters_of_the_training_texts(recipe: Path) -> None:
    text = '"αβγ" if name == "dev" else "abc"'
    (recipe / "prepare.py").write_text(RECIPE.replace('f"{lang} {path.stem}"', text), encoding="utf-8")
    with pytest.raises(SureError, match="data/mine/dev.*(?s:.)*without a letter of the training texts"):
        run(recipe)


def test_commands(recipe: Path) -> None:
    source = (recipe / "prepare.py").read_text().replace("str(path)", "f\"cat '{path}' |\"")
    (recipe / "prepare.py").write_text(source)
    with pytest.raises(SureError, match="--allow_commands true"):
        run(recipe)
    run(recipe, "--allow_commands", "true")
    assert len(texts("train")) == 2
    run(recipe, "--allow_commands", "true")
    assert len(texts("train")) == 2


def test_no_recipe(recipe: Path) -> None:
    with pytest.raises(SureError, match=r"prepare\.py does not exist"):
        prepare.main(["--recipe", "nowhere", "--corpus", str(recipe), "--out", "data"])
    (recipe / "prepare.py").write_text("x = 1\n")
    with pytest.raises(SureError, match="expected a function prepare"):
        run(recipe)
