"""Transcripts by a recogniser's own tokens."""

from types import SimpleNamespace

import pytest

from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.tasks.transcription import Task


@pytest.mark.parametrize(("accents", "text"), [(True, "la contraseña número"), (False, "la contrasena numero")])
def test_accents_are_left_out_of_what_is_learned_and_of_what_is_recognised(tmp_path, accents, text):
    Task.fit([], tmp_path, tokenizer=SimpleNamespace(recognizer="random"), language="es")
    task = Task(Task.Config(accents=accents), tmp_path, "es")
    written = "La contraseña: ¡número!"
    assert task.text(task.tokens.encode(written)) == text
    assert task.reference(Utterance("a", "a.wav", 1.0, text=written)) == text
    french = Utterance("b", "b.wav", 1.0, text="Étage", language="fr")
    assert task.reference(french) == "étage", "the corpus of the training alone is written without accents"


def test_with_all_languages_each_utterance_has_its_own_prompt_and_spelling(tmp_path):
    settings = {"tokenizer": SimpleNamespace(recognizer="random"), "language": "all"}
    spanish, french = (Utterance(code, "a.wav", 1.0, text="Qué 2", language=code) for code in ("es", "fr"))
    Task.fit([spanish, french], tmp_path, **settings)
    task = Task(Task.Config(accents=["fr"]), tmp_path, "all")
    assert [task.reference(one) for one in (spanish, french)] == ["que dos", "qué deux"]
    targets = [task.target(one) for one in (spanish, french)]
    assert [target[:4].tolist() for target in targets] == [task.tokens.prompt(code) for code in ("es", "fr")]
    assert [task.prompted(target) for target in targets] == ["es", "fr"]
    assert [task.text(task.tokens.encode("Qué 2"), code) for code in ("es", "fr")] == ["que dos", "qué deux"]
    with pytest.raises(SureError, match="x: text.language=all needs the language of each utterance: add utt2lang"):
        task.target(Utterance("x", "x.wav", 1.0, text="que"))
