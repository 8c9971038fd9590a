"""Whole recognisers and synthesisers in the server, next to encoders with heads."""

import io

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient

from sure.inference import Sure
from sure.serve.app import make_app
from sure.serve.settings import Settings

HOST = "http://localhost"


@pytest.fixture(scope="module")
def client(bundles, recognizers, voice):
    settings = Settings({"asr": bundles["asr"], **recognizers, "voice": voice})
    with TestClient(make_app(settings), base_url=HOST, raise_server_exceptions=False) as found:
        yield found


def post(client, path, sound, **given):
    return client.post(f"/v1/audio/{path}", files={"file": ("a.wav", sound)}, data=given)


def error(response):
    return response.json()["error"]["message"]


def test_whole_recognisers_transcribe_and_translate(client, recognizers, sounds):
    sure = Sure.load(recognizers["transcription"], name="transcription")
    sure.add("translation", recognizers["translation"])
    for path, task in (("transcriptions", "transcription"), ("translations", "translation")):
        sure.use(task)
        (text,) = sure.predict(sounds[0])
        assert text or task == "transcription"  # whose text is normalised
        assert post(client, path, sounds[0], model=task).json() == {"text": text}
        shown = post(client, path, sounds[0], model=task, response_format="verbose_json").json()
        assert shown["task"] == {"transcription": "transcribe", "translation": "translate"}[task]
        assert shown["duration"] == 0.562 and shown["language"] == "en"
        for one in shown["segments"]:
            assert 0 <= one["start"] <= one["end"] <= 0.6 and one["avg_logprob"] <= 0, one
    assert "use /v1/audio/translations" in error(post(client, "transcriptions", sounds[0], model="translation"))
    both = post(client, "predict", sounds[0], model=["transcription", "translation", "asr"]).json()["results"]
    assert list(both) == ["transcription", "translation", "asr"] and both["translation"]["text"] == text


def test_a_recogniser_takes_a_language(client, sounds):
    assert post(client, "transcriptions", sounds[0], model="transcription", language="es").status_code == 200
    answer = post(client, "transcriptions", sounds[0], model="transcription", language="xx")
    assert answer.status_code == 400 and "xx" in error(answer)


def test_speech_in_several_formats(client):
    """All of one waveform; the numbers of formats without loss are those of the PCM."""
    given = {"model": "voice", "input": "word", "voice": "ann"}
    pcm = client.post("/v1/audio/speech", json={**given, "response_format": "pcm"})
    samples, rate = np.frombuffer(pcm.content, "<i2"), int(pcm.headers["x-sample-rate"])
    assert len(samples) > 500 and samples.any()
    for form, slack in (("flac", 0), ("mp3", 3000)):
        answer = client.post("/v1/audio/speech", json={**given, "response_format": form})
        found, found_rate = soundfile.read(io.BytesIO(answer.content))
        assert answer.status_code == 200 and found_rate == rate and abs(len(found) - len(samples)) <= slack
        assert slack or abs(found * 32768 - samples).max() <= 2


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        ({"voice": "nobody"}, 400, "nobody"),
        ({"voice": ""}, 400, "pass a speaker, one of: ann, bob"),
        ({"model": "asr"}, 400, "does not synthesise speech"),
        ({"model": "none"}, 404, "no adapter 'none'"),
        ({"response_format": "opus"}, 400, "expected one of mp3, wav, flac, pcm"),
        ({"speed": 9}, 400, "speed"),
        ({"input": ""}, 400, "input"),
        ({"input": "a" * 5000}, 413, "the text has 5000 letters"),
    ],
)
def test_wrong_texts_and_voices_are_named(client, change, status, message):
    answer = client.post("/v1/audio/speech", json={"model": "voice", "input": "word", "voice": "ann", **change})
    assert answer.status_code == status and message in error(answer)


def test_a_voice_recognises_nothing(client, sounds):
    assert "use /v1/audio/speech" in error(post(client, "predict", sounds[0], model="voice"))
    assert "use /v1/audio/speech" in error(post(client, "transcriptions", sounds[0], model="voice"))
