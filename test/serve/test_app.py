"""The server's answers: results equal those of the bundles, and faults have statuses and texts."""

import asyncio
import io
import os
import re
import resource
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from resource import RLIMIT_FSIZE

import numpy as np
import pytest
import soundfile
from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from sure.inference import Sure
from sure.serve.app import make_app
from sure.serve.settings import Settings

HOST = "http://localhost"


@pytest.fixture(scope="module")
def client(bundles):
    settings = Settings(bundles, folder=bundles["asr"].parent, seconds=2.0, megabytes=0.1, requests=64)
    with TestClient(make_app(settings), base_url=HOST, raise_server_exceptions=False) as found:
        yield found


def post(client, path, sound, **given):
    return client.post(f"/v1/audio/{path}", files={"file": ("a.wav", sound)}, data=given)


def short():
    file = io.BytesIO()
    soundfile.write(file, np.zeros(20), 16000, format="WAV")
    return file.getvalue()


def error(response):
    return response.json()["error"]["message"]


@pytest.fixture(scope="module")
def alone(bundles, sounds):
    """Results of each bundle by itself, by task and recording."""
    found = {}
    for task, folder in bundles.items():
        sure = Sure.load(folder, name=task)
        found[task] = [sure.results(sound, [task])[0][task] for sound in sounds]
    return found


def same(shown, result):
    """Whether an answer has the numbers of a result."""
    if result.embedding is not None:
        return shown["embedding"] == pytest.approx(result.embedding.tolist(), abs=1e-5)
    if result.scores:
        return shown["label"] == result.line and shown["scores"]["label"] == pytest.approx(
            result.scores["label"], abs=1e-5
        )
    assert [each["word"] for each in shown["words"]] == [each.word for each in result.words]
    return shown["text"] == result.line


def test_concurrent_requests_for_different_adapters_find_what_each_finds_alone(client, bundles, sounds, alone):
    """32 requests at once, each for one adapter or all; some are computed together."""
    wanted = [(number % 4, [list(bundles)[number % 5]] if number % 3 else list(bundles)) for number in range(32)]
    start = threading.Barrier(len(wanted))

    def ask(sound, names):
        start.wait()
        return post(client, "predict", sounds[sound], model=names)

    with ThreadPoolExecutor(len(wanted)) as pool:
        answers = list(pool.map(lambda each: ask(*each), wanted))
    for (sound, names), answer in zip(wanted, answers, strict=True):
        assert answer.status_code == 200, answer.text
        found = answer.json()["results"]
        assert list(found) == names and all(same(found[name], alone[name][sound]) for name in names)
    families = {each.name: each for each in text_string_to_metric_families(client.get("/metrics").text)}
    batches = {each.name: each.value for each in families["sure_batch_requests"].samples if not each.labels}
    assert batches["sure_batch_requests_sum"] >= 32 > batches["sure_batch_requests_count"]
    assert families["sure_waiting"].samples[0].value == 0


def test_every_form_of_a_transcript(client, sounds, alone):
    text = alone["asr"][0].line
    assert text and post(client, "transcriptions", sounds[0], model="asr").json() == {"text": text}
    assert post(client, "transcriptions", sounds[0], model="asr", response_format="text").text == f"{text}\n"
    for form, begin in (("srt", "1\n00:00:00,"), ("vtt", "WEBVTT\n")):
        shown = post(client, "transcriptions", sounds[0], model="asr", response_format=form).text
        assert shown.startswith(begin) and " ".join(shown.split("\n")).count("-->") >= 1
    given = {"response_format": "verbose_json", "timestamp_granularities[]": ["word", "segment"]}
    shown = post(client, "transcriptions", sounds[0], model="asr", **given).json()
    assert shown["text"] == text == " ".join(each["word"] for each in shown["words"])
    assert shown["duration"] == 0.562 and " ".join(each["text"] for each in shown["segments"]) == text


@pytest.mark.parametrize(
    ("path", "given", "status", "message"),
    [
        ("transcriptions", {"model": "none"}, 404, "no adapter 'none'; there are: asr, language"),
        ("transcriptions", {"model": "language"}, 400, "has the task language; use /v1/audio/predict"),
        ("translations", {"model": "asr"}, 400, "translations need one of the task translation"),
        ("transcriptions", {"model": "asr", "response_format": "doc"}, 400, "expected one of json, text, srt"),
        ("transcriptions", {"model": "asr", "language": "es"}, 400, "was trained for en, not for 'es'"),
        ("transcriptions", {"model": "asr", "stream": "true"}, 400, "stream is not supported"),
        ("transcriptions", {}, 400, "model: Field required"),
        ("predict", {"model": ["asr", "none"]}, 404, "no adapter 'none'"),
    ],
)
def test_wrong_requests_are_named(client, sounds, path, given, status, message):
    answer = post(client, path, sounds[0], **given)
    assert answer.status_code == status and message in error(answer)


def test_unusable_recordings_are_named(client, sounds):
    silence = io.BytesIO()
    soundfile.write(silence, np.zeros(16000 * 60), 16000, format="FLAC")  # small, and a minute long
    for sound, status, message in (
        (b"not audio at all", 400, "a.wav: unreadable audio file"),
        (b"", 400, "a.wav: empty audio file"),
        (sounds[0][:2000], 400, "truncated"),
        (short(), 400, "shorter than the backbone's limit"),
        (silence.getvalue(), 413, "longer than the limit: 2 s"),
        (sounds[0] + bytes(10**6), 413, "larger than 0.1 MB"),
    ):
        answer = post(client, "predict", sound, model="asr")
        assert answer.status_code == status and message in error(answer), answer.text
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    form = {"content-type": "multipart/form-data; boundary=x"}
    answer = client.post("/v1/audio/predict", content=iter([head, *[bytes(10**4)] * 20]), headers=form)
    assert answer.status_code == 413 and "larger than 0.1 MB" in error(answer)  # without a length in its header


def test_adapters_come_and_go(client, bundles, sounds, alone):
    given = {"name": "new", "bundle": bundles["asr"].name}
    assert client.post("/v1/adapters", json=given).json()["task"] == "asr"
    assert "new" in [each["id"] for each in client.get("/v1/models").json()["data"]]
    assert post(client, "transcriptions", sounds[1], model="new").json()["text"] == alone["asr"][1].line
    assert "exists already" in error(client.post("/v1/adapters", json=given))
    assert client.delete("/v1/adapters/new").json()["deleted"]
    for gone in (client.delete("/v1/adapters/new"), post(client, "predict", sounds[1], model="new")):
        assert gone.status_code == 404 and "no adapter 'new'" in error(gone)


def test_only_bundles_of_the_allowed_folder_are_added(client, bundles, tmp_path):
    """Not a usable one elsewhere, by a path or by a link."""
    folder, outside = bundles["asr"].parent, shutil.copytree(bundles["asr"], tmp_path / "outside")
    (folder / "link").symlink_to(outside)
    for bundle in (os.path.relpath(outside, folder), str(outside), "link", "", "."):
        answer = client.post("/v1/adapters", json={"name": "new", "bundle": bundle})
        assert answer.status_code == 400 and "is not a folder inside the folder of adapters" in error(answer)
    assert "is not a bundle" in error(client.post("/v1/adapters", json={"name": "new", "bundle": "nothing"}))


def test_an_adapter_that_is_removed_meanwhile_fails_its_own_requests_alone(bundles, sounds, alone):
    """A removal and requests wait for the thread at the same time."""
    settings = Settings(bundles, hosts=("localhost",))
    app = make_app(settings)
    batches, waiting = app.state.engine.batches, threading.Event()
    compute, batches.compute = batches.compute, lambda *given: (waiting.wait(), compute(*given))[1]
    with TestClient(app, base_url=HOST) as client, ThreadPoolExecutor(4) as pool:
        held = pool.submit(post, client, "predict", sounds[0], model="language")
        wait_until(lambda: client.get("/health").json()["waiting"] == 0)
        removed = pool.submit(client.delete, "/v1/adapters/asr")
        wait_until(lambda: client.get("/health").json()["waiting"] == 1)
        gone = pool.submit(post, client, "predict", sounds[0], model="asr")
        kept = pool.submit(post, client, "predict", sounds[1], model="language")
        wait_until(lambda: client.get("/health").json()["waiting"] == 3)
        waiting.set()
        assert held.result().status_code == removed.result().status_code == kept.result().status_code == 200
        assert same(kept.result().json()["results"]["language"], alone["language"][1])
        assert gone.result().status_code == 404


def wait_until(condition):
    ends = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.005)


def test_too_many_requests_are_refused(bundles, sounds):
    app = make_app(Settings({"asr": bundles["asr"]}, hosts=("localhost",), requests=1))
    begun, waiting, batches = threading.Event(), threading.Event(), app.state.engine.batches
    compute, batches.compute = batches.compute, lambda *given: (begun.set(), waiting.wait(), compute(*given))[2]
    with TestClient(app, base_url=HOST) as client, ThreadPoolExecutor(1) as pool:
        first = pool.submit(post, client, "predict", sounds[0], model="asr")
        assert begun.wait(30)
        refused = post(client, "predict", sounds[0], model="asr")
        assert refused.status_code == 429 and refused.headers["retry-after"] == "1"
        assert "1 requests are running already" in error(refused)
        waiting.set()
        assert first.result().status_code == 200
        assert client.get("/health").status_code == 200


def test_a_request_whose_client_left_is_not_computed(client, sounds):
    """By the server's interface alone: a request, then the end of its connection, while the model computes another."""
    batches, begun, waiting = client.app.state.engine.batches, threading.Event(), threading.Event()
    computed, compute = [], batches.compute
    batches.compute = lambda *given: (begun.set(), waiting.wait(), computed.append(given), compute(*given))[3]
    part = b'--x\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
    body = part % (b"model", b"", b"asr") + part % (b"file", b'; filename="a"', sounds[0]) + b"--x--\r\n"
    messages = [{"type": "http.request", "body": body}, {"type": "http.disconnect"}]
    headers = {"host": "localhost", "content-type": "multipart/form-data; boundary=x"}
    scope = {"type": "http", "method": "POST", "path": "/v1/audio/predict", "query_string": b"", "root_path": ""}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in headers.items()]
    sent = []

    async def receive():
        while len(messages) == 1 and not batches.waiting:
            await asyncio.sleep(0.005)
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(post, client, "predict", sounds[1], model="asr")
        assert begun.wait(30)
        asyncio.run(client.app(scope, receive, send))
        waiting.set()
        assert held.result().status_code == 200
    wait_until(lambda: not batches.waiting)
    batches.compute = compute
    assert sent[0]["status"] == 499 and len(computed) == 1


def test_a_full_disk_is_named(bundles, sounds):
    """Where large uploads wait; the limit of the size of a process's files takes the place of a small disk."""
    app, limits = make_app(Settings({"asr": bundles["asr"]}, hosts=("localhost",))), resource.getrlimit(RLIMIT_FSIZE)
    with TestClient(app, base_url=HOST) as client:
        resource.setrlimit(RLIMIT_FSIZE, (2**20, limits[1]))
        try:
            answer = post(client, "predict", sounds[0] + bytes(2**21), model="asr")
        finally:
            resource.setrlimit(RLIMIT_FSIZE, limits)
        assert answer.status_code == 507 and "the upload cannot be stored: File too large" in error(answer)
        assert post(client, "predict", sounds[0], model="asr").status_code == 200


def test_too_much_audio_waits(bundles, sounds):
    """Beside a running request one may wait, of any length; more are refused."""
    app = make_app(Settings({"asr": bundles["asr"]}, hosts=("localhost",), waiting_seconds=0.1))
    begun, waiting, batches = threading.Event(), threading.Event(), app.state.engine.batches
    compute, batches.compute = batches.compute, lambda *given: (begun.set(), waiting.wait(), compute(*given))[2]
    with TestClient(app, base_url=HOST) as client, ThreadPoolExecutor(2) as pool:
        held = [pool.submit(post, client, "predict", sounds[0], model="asr")]
        assert begun.wait(30)
        held.append(pool.submit(post, client, "predict", sounds[0], model="asr"))
        wait_until(lambda: batches.waiting)
        refused = post(client, "predict", sounds[0], model="asr")
        assert refused.status_code == 429 and "1 s of audio wait already" in error(refused)
        waiting.set()
        assert [each.result().status_code for each in held] == [200, 200]


def test_a_key_a_name_and_an_origin(bundles):
    app = make_app(Settings({"asr": bundles["asr"]}, hosts=("localhost",), key="secret"))
    with TestClient(app, base_url=HOST) as client:
        assert client.get("/health").status_code == client.get("/").status_code == 200
        for given in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}):
            assert client.get("/v1/models", headers=given).status_code == 401
        right = {"Authorization": "Bearer secret"}
        assert client.get("/v1/models", headers=right).status_code == 200
        for more in ({"Host": "evil.example"}, {"Origin": "http://evil.example"}):
            assert client.get("/v1/models", headers=right | more).status_code == 403
        assert client.get("/v1/models", headers=right | {"Origin": HOST}).status_code == 200


def test_the_page_needs_nothing_from_elsewhere(client):
    page = client.get("/")
    assert not re.findall(r"(?:src|href|url\()\s*=?\s*[\"'(]?(?:https?:)?//", page.text)
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-") and "connect-src 'self'" in policy
