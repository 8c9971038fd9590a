"""The server as a process of its own, used through OpenAI's client; it stops after its last answers."""

import signal
import socket
import time
import urllib.request
from contextlib import closing

import openai
import pytest
import toys

from sure.bin import serve
from sure.errors import SureError
from sure.inference import Sure


@pytest.fixture(scope="module")
def port():
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def server(bundles, port, tmp_path_factory):
    """The process, ready to answer."""
    key = tmp_path_factory.mktemp("key") / "key"
    key.write_text("secret\n")
    words = [f"spanish={bundles['asr']}", f"who={bundles['verification']}", "--port", str(port), "--key-file", str(key)]
    child = toys.Child(lambda: serve.main(words), key.with_name("stderr"))
    toys.wait_for(lambda: answers(port), child)
    yield child
    child.kill(signal.SIGTERM)
    assert child.status() == 0, toys.read(child.stderr)


def answers(port):
    try:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5).status == 200
    except OSError:
        time.sleep(0.05)
        return False


def client(port, key="secret"):
    return openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=key, max_retries=0)


def test_openais_client_transcribes(server, port, bundles, sounds):
    expected = Sure.load(bundles["asr"], name="a").results(sounds[0], ["a"])[0]["a"]
    one = client(port)
    assert [each.id for each in one.models.list()] == ["spanish", "who"]
    given = {"model": "spanish", "file": ("a.wav", sounds[0])}
    assert one.audio.transcriptions.create(**given).text == expected.line
    assert one.audio.transcriptions.create(**given, response_format="vtt").startswith("WEBVTT")
    times = {"response_format": "verbose_json", "timestamp_granularities": ["word"]}
    words = one.audio.transcriptions.create(**given, **times).words
    assert [each.word for each in words] == [each.word for each in expected.words]
    assert [each.start for each in words] == pytest.approx([each.start for each in expected.words], abs=1e-3)


def test_openais_client_raises_with_the_reason(server, port, sounds):
    with pytest.raises(openai.NotFoundError, match="no adapter 'spain'"):
        client(port).audio.transcriptions.create(model="spain", file=("a.wav", sounds[0]))
    with pytest.raises(openai.BadRequestError, match="unreadable audio file"):
        client(port).audio.transcriptions.create(model="spanish", file=("a.wav", b"nothing"))
    with pytest.raises(openai.AuthenticationError, match="key is missing or wrong"):
        client(port, "other").models.list()


def test_a_slow_upload_is_ended_and_others_are_served(server, port, sounds):
    with closing(socket.create_connection(("127.0.0.1", port))) as slow:
        slow.sendall(b"POST /v1/audio/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc")
        assert client(port).audio.transcriptions.create(model="spanish", file=("a.wav", sounds[1])).text is not None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a=nowhere", "--host", "0.0.0.0"], "needs a key: --key-file"),
        (["nowhere"], "nowhere is not a bundle; pass name=BUNDLE"),
        ([], "pass bundles, such as name="),
        (["a=nowhere"], "nowhere is not a bundle"),
        (["a=nowhere", "a=other"], "two bundles have the name a"),
        (["a=nowhere", "--seconds", "0"], "--seconds 0: expected more than 0"),
        (["--adapters", "nowhere"], "--adapters nowhere is not a folder"),
    ],
)
def test_wrong_arguments_are_named(words, message, monkeypatch):
    monkeypatch.delenv("SURE_SERVE_KEY", raising=False)
    with pytest.raises(SureError, match=message):
        serve.main(words)


def test_bundles_have_the_names_of_their_experiments(tmp_path):
    for name in ("exp/asr_moonshine_lora/seed1/bundle", "plain"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "adapter.json").touch()
    words = [str(tmp_path / name) for name in ("exp/asr_moonshine_lora/seed1/bundle", "plain")]
    backbone, bundles = serve.named_bundles(["backbone.safetensors", *words, f"third={words[1]}"])
    assert backbone == "backbone.safetensors" and list(bundles) == ["asr_moonshine_lora", "plain", "third"]
