"""Transcripts by a recogniser's own tokens."""

from types import SimpleNamespace

import pytest

from sure.data.data_dir import Utterance
from sure.tasks.transcription import Task


@pytest.mark.parametrize(("accents", "text"), [(True, "la contraseña número"), (False, "la contrasena numero")])
def test_accents_are_left_out_of_what_is_learned_and_of_what_is_recognised(tmp_path, accents, text):
    Task.fit([], tmp_path, tokenizer=SimpleNamespace(recognizer="random"), language="es")
    task = Task(Task.Config(accents=accents), tmp_path, "es")
    written = "La contraseña: ¡número!"
    assert task.text(task.tokens.encode(written)) == text
    assert task.reference(Utterance("a", "a.wav", 1.0, text=written)) == text
