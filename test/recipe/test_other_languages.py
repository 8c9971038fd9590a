"""The plan of --also: data of other languages, and the recogniser as it is beside the adapted one."""

from pathlib import Path

import pytest

from sure.errors import SureError
from sure.recipe.plan import Call, make_plan
from sure.recipe.shell import from_words

WORDS = ("task=transcription", "dataset=transcription_es", "backbone=whisper", "petl=lora", "lang=es", "seeds=2 3",
         "pipeline=recognizer", "decode_methods=greedy", "prepare_options=task=asr", "prepare_options=lang=es",
         "source_options=lang=es")  # fmt: skip


@pytest.fixture(autouse=True)
def recipe(tmp_path, monkeypatch):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "transcription.yaml").touch()
    monkeypatch.chdir(tmp_path)


def plan(*words):
    return make_plan(from_words(Call, [*WORDS, *words]))


def test_other_languages_have_the_data_of_their_own_call_and_scores_without_an_adapter():
    found = plan("also=fr en")
    first = found.other_languages[0]
    assert [one.other_dataset for one in found.other_languages] == ["transcription_fr", "transcription_en"]
    assert (first.other_prepare, first.other_sources) == (["task=asr", "lang=fr"], ["lang=fr"])
    assert (first.other_set, first.other_name) == ("data/transcription_fr/test", "test_transcription_fr")
    assert [(one.method, one.seed) for one in found.experiments] == [
        *(("linear_probe", "2"), ("lora", "2"), ("lora", "3"))
    ]
    plain = plan()
    assert plain.other_languages == [] and plain.experiments == found.experiments[1:], "no training is repeated"
    assert len(plan("also=fr", "petl=linear_probe", "seeds=1").experiments) == 1


@pytest.mark.parametrize(("words", "message"), [
    (["also=es"], "--also es: this is the language of the training"),
    (["also=fr fr"], "--also has fr twice"),
    (["also=../x"], "--also takes languages such as \"en fr\", not '../x'"),
    (["also=fr", "task=asr"], "--also fr: only whole recognisers .* --head decoder"),
    (["also=fr", "lang=it"], "--also fr: this recipe prepares no data by language"),
])  # fmt: skip
def test_errors_name_the_language(words, message):
    Path("conf/asr.yaml").touch()
    with pytest.raises(SureError, match=message):
        plan(*words)
