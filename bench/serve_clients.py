"""Clients of a server of bundles, with and without faults, that check every answer. Used by serve_load.py."""

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx

from sure.inference import Sure
from sure.models.result import Result
from sure.serve.adapters import Adapters

ROUNDING = 1e-4  # of probabilities and embeddings in batches
RECOGNISING = ("asr", "phoneme", "slots", "transcription")  # tasks of the path of transcriptions
GUEST = "guest"  # the adapter that clients add and remove while others ask for it
FORM = b"Content-Type: multipart/form-data; boundary=x\r\n"
CLOSED = "closed"  # in place of a status: the server ended the connection


class Expected:
    """The answer of each bundle to each recording, computed alone and before the server starts.

    lines: of `Sure.predict`. results: of `Sure.results`. timed: texts of `Sure.transcribe` with timestamps.
    """

    def __init__(self, bundles: dict[str, Any], sounds: list[bytes]):
        self.lines: dict[str, list[str]] = {}
        self.results: dict[str, list[Result]] = {}
        self.timed: dict[str, list[str]] = {}
        self.tasks: dict[str, str] = {}
        for name, folder in bundles.items():
            adapters = Adapters(device="cpu")
            adapters.add(name, folder)
            sure, about = Sure.load(folder, device="cpu", name=name), adapters.of(name)
            self.tasks[name] = about.task
            self.results[name] = [sure.results(sound, [name])[0][name] for sound in sounds]
            self.lines[name] = (
                [one.line for one in self.results[name]]
                if about.task == "verification"
                else [sure.predict(sound)[0] for sound in sounds]
            )
            if about.generates:
                timed = [sure.transcribe(sound, timestamps=about.timestamps)[0] for sound in sounds]
                self.timed[name] = [one.text for one in timed]

    def wrong(self, name: str, sound: int, shown: dict[str, Any]) -> str:
        """Why an answer of /v1/audio/predict is not the expected one; empty if it is."""
        alone, line = self.results[name][sound], self.lines[name][sound]
        if alone.embedding is not None:
            pairs = list(zip(shown["embedding"], alone.embedding.tolist(), strict=True))
        elif alone.scores:
            pairs = [(shown["scores"][group][label], share) for group, of_label in alone.scores.items()
                     for label, share in of_label.items()]  # fmt: skip
        else:
            pairs = [
                (one["start"], round(other.start, 3)) for one, other in zip(shown["words"], alone.words, strict=True)
            ]
        far = max((abs(one - other) for one, other in pairs), default=0.0)
        text = shown.get("text", shown.get("label", line))
        return "" if text == line and far < ROUNDING else f"{name}, recording {sound}: {text!r} for {line!r}, {far:g}"


@dataclass
class Seen:
    """Statuses and seconds by kind of request, and all wrong answers."""

    statuses: dict[str, Counter] = field(default_factory=lambda: defaultdict(Counter))
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: list[str] = field(default_factory=list)


class Clients:
    """count clients that send requests of random kinds until `stop`."""

    def __init__(self, port: int, expected: Expected, sounds: list[bytes], large: bytes, guest: str, count: int):
        """large: a recording of more than 1 MB, which waits on the server's disk. guest: the bundle of GUEST."""
        self.port, self.expected, self.sounds, self.large, self.guest = port, expected, sounds, large, guest
        self.count, self.seen, self.ends, self.down = count, Seen(), float("inf"), False
        tasks = expected.tasks.items()
        self.transcribers = [name for name, task in tasks if task in RECOGNISING]
        self.translators = [name for name, task in tasks if task == "translation"]
        self.kinds: dict[str, tuple[int, Callable[..., Awaitable[tuple[Any, str]]]]] = {
            "predict": (35, self.predict),
            "predict by several": (10, self.predict_by_several),
            "transcriptions": (20 if self.transcribers else 0, self.transcribe),
            "transcriptions with times": (10 if self.transcribers else 0, self.transcribe_with_times),
            "translations": (5 if self.translators else 0, self.translate),
            "overview": (5, self.overview),
            "large upload": (1, self.large_upload),
            "adapter comes and goes": (6, self.guest_adapter),
            "bad audio": (3, self.bad_audio),
            "wrong request": (3, self.wrong_request),
            "1 GB announced": (1, self.announced_gigabyte),
            "1 GB sent": (1, self.sent_gigabyte),
            "client leaves": (2, self.leaving),
            "slow head": (1, self.slow_head),
            "slow body": (1, self.slow_body),
            "slow reader": (1, self.slow_reader),
        }

    async def run(self) -> None:
        await asyncio.gather(*(self._client(number) for number in range(self.count)))

    async def _client(self, number: int) -> None:
        choose = random.Random(number)
        names, weights = list(self.kinds), [weight for weight, _ in self.kinds.values()]
        base = f"http://127.0.0.1:{self.port}"
        async with httpx.AsyncClient(base_url=base, timeout=300, limits=httpx.Limits(keepalive_expiry=2)) as http:
            while time.monotonic() < self.ends:
                (kind,) = choose.choices(names, weights)
                begin, seen, was_down = time.perf_counter(), self.seen, self.down
                try:
                    status, wrong = await self.kinds[kind][1](http, choose)
                except (OSError, httpx.TransportError, asyncio.IncompleteReadError) as error:
                    status, wrong = type(error).__name__, f"{type(error).__name__}: {error}"
                if was_down or self.down:  # killed while this request ran, or before
                    await asyncio.sleep(0.2)
                    continue
                seen.statuses[kind][status] += 1
                seen.seconds[kind].append(time.perf_counter() - begin)
                if wrong:
                    seen.wrong.append(f"{kind}: {status}, {wrong}")

    async def _post(self, http: httpx.AsyncClient, path: str, sound: bytes, **given: Any) -> httpx.Response:
        return await http.post(f"/v1/audio/{path}", files={"file": ("a", sound)}, data=given)

    async def _ask(self, http: httpx.AsyncClient, names: list[str], sound: int) -> tuple[int, str]:
        found = await self._post(http, "predict", self.sounds[sound], model=names)
        if found.status_code != 200:
            return found.status_code, found.text
        shown = found.json()["results"]
        if list(shown) != names:
            return 200, f"{list(shown)} for {names}"
        return 200, "; ".join(filter(None, (self.expected.wrong(name, sound, shown[name]) for name in names)))

    def _sound(self, choose: random.Random) -> int:
        return choose.randrange(len(self.sounds))

    async def predict(self, http: httpx.AsyncClient, choose: random.Random) -> tuple[int, str]:
        return await self._ask(http, [choose.choice(list(self.expected.tasks))], self._sound(choose))

    async def predict_by_several(self, http: httpx.AsyncClient, choose: random.Random) -> tuple[int, str]:
        names = choose.sample(list(self.expected.tasks), min(3, len(self.expected.tasks)))
        return await self._ask(http, names, self._sound(choose))

    async def transcribe(self, http: httpx.AsyncClient, choose: random.Random) -> tuple[int, str]:
        return await self._text(http, choose, "transcriptions", self.transcribers)

    async def translate(self, http: httpx.AsyncClient, choose: random.Random) -> tuple[int, str]:
        return await self._text(http, choose, "translations", self.translators)

    async def _text(
        self, http: httpx.AsyncClient, choose: random.Random, path: str, names: list[str]
    ) -> tuple[int, str]:
        name, sound = choose.choice(names), self._sound(choose)
        found = await self._post(http, path, self.sounds[sound], model=name)
        text, line = found.json().get("text"), self.expected.lines[name][sound]
        return found.status_code, "" if text == line else f"{name}, recording {sound}: {found.text} for {line!r}"

    async def transcribe_with_times(self, http: httpx.AsyncClient, choose: random.Random) -> tuple[int, str]:
        name, sound = choose.choice(self.transcribers), self._sound(choose)
        form = choose.choice(["verbose_json", "srt", "vtt"])
        found = await self._post(http, "transcriptions", self.sounds[sound], model=name, response_format=form)
        line = self.expected.timed.get(name, self.expected.lines[name])[sound]
        if found.status_code != 200 or (form == "verbose_json" and found.json()["text"] != line):
            return found.status_code, f"{name}, recording {sound}: {found.text} for {line!r}"
        return 200, "" if form == "verbose_json" or not line.strip() or "-->" in found.text else found.text

    async def overview(self, http: httpx.AsyncClient, choose: random.Random) -> tuple[int, str]:
        path = choose.choice(["/health", "/v1/models", "/metrics", "/"])
        found = await http.get(path)
        return found.status_code, "" if found.status_code == 200 else found.text

    async def large_upload(self, http: httpx.AsyncClient, choose: random.Random) -> tuple[int, str]:
        found = await self._post(http, "predict", self.large, model=choose.choice(list(self.expected.tasks)))
        return found.status_code, "" if found.status_code in (200, 507) else found.text

    async def guest_adapter(self, http: httpx.AsyncClient, choose: random.Random) -> tuple[int, str]:
        """Each of these requests may find the adapter or not."""
        what = choose.choice(["add", "remove", "ask", "ask"])
        if what == "ask":
            sound = self._sound(choose)
            found = await self._post(http, "predict", self.sounds[sound], model=GUEST)
            if found.status_code == 200:
                return 200, self.expected.wrong(self.guest, sound, found.json()["results"][GUEST])
            return found.status_code, "" if found.status_code == 404 else found.text
        if what == "add":
            found, fine = await http.post("/v1/adapters", json={"name": GUEST, "bundle": GUEST}), (201, 400)
        else:
            found, fine = await http.delete(f"/v1/adapters/{GUEST}"), (200, 404, 400)
        return found.status_code, "" if found.status_code in fine else found.text

    async def bad_audio(self, http: httpx.AsyncClient, choose: random.Random) -> tuple[int, str]:
        sound = self.sounds[self._sound(choose)]
        bad = choose.choice([b"", b"not audio", choose.randbytes(5000), b"RIFF" + choose.randbytes(2000), sound[:100]])
        found = await self._post(http, "predict", bad, model=choose.choice(list(self.expected.tasks)))
        return found.status_code, "" if found.status_code == 400 else found.text

    async def wrong_request(self, http: httpx.AsyncClient, choose: random.Random) -> tuple[int, str]:
        given, status = choose.choice([
            ({"model": "nobody"}, 404), ({}, 400), ({"model": next(iter(self.expected.tasks)), "stream": "true"}, 400),
        ])  # fmt: skip
        found = await self._post(http, "transcriptions", self.sounds[0], **given)
        return found.status_code, "" if found.status_code == status else found.text

    async def _raw(self, content: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(content)
        return reader, writer

    def _head(self, more: bytes) -> bytes:
        return b"POST /v1/audio/predict HTTP/1.1\r\nHost: localhost\r\n" + FORM + more

    async def announced_gigabyte(self, http: httpx.AsyncClient, choose: random.Random) -> tuple[Any, str]:
        return await self._refused(await self._raw(self._head(b"Content-Length: 1000000000\r\n\r\n")), (413,))

    async def sent_gigabyte(self, http: httpx.AsyncClient, choose: random.Random) -> tuple[Any, str]:
        """In chunks, without a length in the head; a client that does not stop at the answer."""
        connection = await self._raw(self._head(b"Transfer-Encoding: chunked\r\n\r\n"))
        writer, chunk = connection[1], b"10000\r\n" + bytes(1 << 16) + b"\r\n"
        part = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        writer.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        answer = asyncio.create_task(self._refused(connection, (413, 507)))
        for _ in range(1 << 14):
            if answer.done():
                break
            writer.write(chunk)
            try:
                await writer.drain()
            except ConnectionError:
                break
        return await answer

    async def leaving(self, http: httpx.AsyncClient, choose: random.Random) -> tuple[Any, str]:
        """A whole request, without waiting for its answer."""
        files, given = (
            {"file": ("a", self.sounds[self._sound(choose)])},
            {"model": choose.choice(list(self.expected.tasks))},
        )
        request = http.build_request("POST", "/v1/audio/predict", files=files, data=given)
        head = b"".join(name + b": " + value + b"\r\n" for name, value in request.headers.raw)
        _, writer = await self._raw(b"POST /v1/audio/predict HTTP/1.1\r\n" + head + b"\r\n" + await _content(request))
        await writer.drain()
        await asyncio.sleep(choose.random() * 0.1)
        writer.transport.abort()
        return "left", ""

    async def slow_head(self, http: httpx.AsyncClient, choose: random.Random) -> tuple[Any, str]:
        return await self._slow(self._head(b""), (CLOSED,))

    async def slow_body(self, http: httpx.AsyncClient, choose: random.Random) -> tuple[Any, str]:
        return await self._slow(self._head(b"Content-Length: 1000\r\n\r\n--x\r\n"), (408,))

    async def _slow(self, content: bytes, statuses: tuple[Any, ...]) -> tuple[Any, str]:
        """The rest of a request, a byte at a time."""
        connection = await self._raw(content)
        answer = asyncio.create_task(self._refused(connection, statuses))
        while not answer.done():
            connection[1].write(b"a")  # of the name of a header
            await asyncio.wait((answer,), timeout=0.5)
        return await answer

    async def _refused(
        self, connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], statuses: tuple[Any, ...]
    ) -> tuple[Any, str]:
        reader, writer = connection
        try:
            line = await asyncio.wait_for(reader.readline(), 120)
        except ConnectionError:
            line = b""
        writer.transport.abort()
        status = int(line.split()[1]) if line else CLOSED
        return status, "" if status in statuses else f"{line!r} for {statuses}"

    async def slow_reader(self, http: httpx.AsyncClient, choose: random.Random) -> tuple[Any, str]:
        """10 MB of answers that the client does not read, until the server ends the connection."""
        reader, writer = await self._raw(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1000)
        reader._transport.pause_reading()
        for _ in range(240):
            await asyncio.sleep(0.5)
            try:
                writer.write(b"\r\n")  # fails after the end
                await writer.drain()
            except ConnectionError:
                return CLOSED, ""
        writer.transport.abort()
        return "open", "the server kept the connection of a client that reads nothing for 120 s"


async def _content(request: httpx.Request) -> bytes:
    stream: AsyncIterator[bytes] = request.stream  # type: ignore[assignment]
    return b"".join([part async for part in stream])
