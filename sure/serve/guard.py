"""Limits of every request: key, host, number at the same time, size and time of arrival; an ASGI middleware."""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import JSONResponse

from sure.serve.metrics import Metrics
from sure.serve.request_body import LEFT, Message, Receive, Refused, RequestBody, most_bytes, too_large
from sure.serve.settings import Settings

Send = Callable[[Message], Awaitable[None]]
OPEN = {"/", "/health"}  # without a key


class Guard:
    """Passes acceptable requests on to `app`, and counts all of them."""

    def __init__(self, app: Callable[..., Awaitable[None]], settings: Settings, metrics: Metrics):
        self.app, self.settings, self.metrics = app, settings, metrics
        self.running = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        begin, answered = time.perf_counter(), _Answer(send)
        body = RequestBody(receive, self.settings)
        counted = scope["method"] not in ("GET", "HEAD")
        self.running += counted
        refusal = None

        async def forward(message: Message) -> None:
            if answered.status or not body.refusal:  # otherwise the application's own error about the body
                await answered.send(message)

        try:
            self._check(scope, counted)
            if not await _until_left(self.app(scope, body.receive, forward), body, answered):
                refusal = Refused(LEFT, "the client disconnected")
        except Refused as error:
            refusal = error
        finally:
            refusal = body.refusal or refusal
            if refusal and not answered.status:
                await answer(refusal.status, str(refusal))(scope, receive, answered.send)
            self.running -= counted
            path = getattr(scope.get("route"), "path", "other")
            self.metrics.requests.labels(path, str(answered.status)).inc()
            self.metrics.seconds.labels(path).observe(time.perf_counter() - begin)

    def _check(self, scope: Message, counted: bool) -> None:
        """Raises Refused from the headers alone."""
        settings = self.settings
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        if settings.hosts != ("*",) and _name(host) not in settings.hosts:
            raise Refused(403, f"the host {host!r} is not a name of this server; use {settings.hosts[0]}")
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            raise Refused(403, "pages of other sites cannot use this server")
        if settings.key and scope["path"] not in OPEN:
            given = headers.get("authorization", "").removeprefix("Bearer ").encode()
            if not hmac.compare_digest(given, settings.key.encode()):
                raise Refused(401, "the key is missing or wrong; send the header `Authorization: Bearer KEY`")
        if counted and self.running > settings.requests:
            raise Refused(429, f"{settings.requests} requests are running already; send the request again later")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > most_bytes(settings):
            raise Refused(413, too_large(settings))


class _Answer:
    """Sends an answer and keeps its status; 0: not started."""

    def __init__(self, send: Send):
        self.original, self.status = send, 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif message.get("body") and not message.get("more_body"):
            # the last message is sent once the client has taken the others, so that a request counts until then
            await self.original({**message, "more_body": True})
            message = {"type": message["type"], "body": b""}
        await self.original(message)


async def _until_left(work: Coroutine[Any, Any, None], body: RequestBody, answered: _Answer) -> bool:
    """Run `work`, or cancel it, with result false, when the client disconnects before its answer."""
    running, left = asyncio.ensure_future(work), asyncio.ensure_future(body.client_left())
    try:
        await asyncio.wait((running, left), return_when=asyncio.FIRST_COMPLETED)
        if not running.done() and not answered.status:
            return False
        await running
        return True
    finally:
        running.cancel()
        left.cancel()
        await asyncio.gather(running, left, return_exceptions=True)


def answer(status: int, message: str) -> JSONResponse:
    """An error in the form of OpenAI's API."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    headers = {"Retry-After": "1"} if status in (429, 503) else {}
    error = {"message": message, "type": kind, "param": None, "code": None}
    return JSONResponse({"error": error}, status, headers)


def _name(host: str) -> str:
    """A host without its port."""
    return host if host.endswith("]") else host.rpartition(":")[0] or host
