"""The server as a process of its own: OpenAI's client, slow clients, its end by a signal, and a start after kill -9."""

import signal
import socket
import time
import urllib.request
from contextlib import closing
from pathlib import Path

import openai
import pytest
import toys

from sure.bin import serve
from sure.errors import SureError
from sure.inference import Sure
from sure.serve import run
from sure.serve.settings import Settings


@pytest.fixture(scope="module")
def port():
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.fixture(scope="module")
def start(bundles, port, tmp_path_factory):
    """Starts the process, ready to answer."""
    key = tmp_path_factory.mktemp("key") / "key"
    key.write_text("secret\n")
    words = [f"spanish={bundles['asr']}", f"who={bundles['verification']}", "--port", str(port), "--key-file", str(key)]

    def start():
        child = toys.Child(lambda: serve.main([*words, "--upload-seconds", "1"]), key.with_name("stderr"))
        toys.wait_for(lambda: answers(port), child)
        return child

    return start


@pytest.fixture(scope="module")
def server(start):
    """The process; the first one is killed, and another takes its address at once."""
    child = start()
    child.kill(signal.SIGKILL)
    assert child.status() == -signal.SIGKILL
    child = start()
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


HEAD = (
    b"POST /v1/audio/predict HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret\r\n"
    b"Content-Type: multipart/form-data; boundary=x\r\n"
)


def open_connection(port, content):
    found = socket.create_connection(("127.0.0.1", port), timeout=20)
    found.sendall(content)
    return found


def rest(connection):
    """All that the server sends until it ends the connection."""
    found = b""
    with closing(connection):
        try:
            while part := connection.recv(1 << 16):
                found += part
        except ConnectionResetError:
            pass
        return found


def is_closed(connection):
    """Whether the server has closed the connection. The content of an answer is not read."""
    try:
        connection.send(b"\r\n")
    except ConnectionError:
        return True
    time.sleep(0.05)
    return False


def test_slow_clients_are_ended_and_others_are_served(server, port, sounds):
    """The head of a request, its body, and an answer that nobody takes."""
    head = open_connection(port, HEAD)
    body = open_connection(port, HEAD + b"Content-Length: 100\r\n\r\n--x")
    reader = open_connection(port, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2000)  # 20 MB of answers
    begin = time.monotonic()
    given = {"model": "spanish", "file": ("a.wav", sounds[1])}
    assert client(port).audio.transcriptions.create(**given).text is not None
    assert rest(head) == b""
    answer = rest(body)
    assert answer.startswith(b"HTTP/1.1 408 ") and b"took more than 1 s" in answer
    with closing(reader):
        assert any(is_closed(reader) for _ in range(600))
    assert time.monotonic() - begin > 1.5


def test_a_large_upload_is_refused_before_it_arrives(server, port):
    for length in (b"Content-Length: 1000000000\r\nExpect: 100-continue\r\n\r\n", b"Content-Length: -1\r\n\r\n"):
        with closing(open_connection(port, HEAD + length)) as connection:
            status = connection.recv(100).split()[1]
        assert status == (b"413" if length.startswith(b"Content-Length: 1") else b"400")


def test_an_address_in_use_is_named_before_bundles_are_read(server, port):
    with pytest.raises(SureError, match=f"cannot listen on 127.0.0.1, port {port}: .*in use; pass another"):
        run.serve(Settings({"a": Path("nowhere")}), "127.0.0.1", port)


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
