"""Limits of every request: key, host, size, time of arrival, number at the same time; an ASGI middleware."""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import JSONResponse

from sure.serve.metrics import Metrics
from sure.serve.settings import Settings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
OPEN = {"/", "/health"}  # without a key


class Refused(Exception):
    """A request that is answered with `status` and `message`."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class Guard:
    """Passes acceptable requests on to `app`, and counts all of them."""

    def __init__(self, app: Callable[..., Awaitable[None]], settings: Settings, metrics: Metrics):
        self.app, self.settings, self.metrics = app, settings, metrics
        self.running = 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        begin, status, refusals = time.perf_counter(), [0], []

        async def watched(message: Message) -> None:
            if refusals and not status[0]:
                return  # the application's own answer to a body that it could not read
            if message["type"] == "http.response.start":
                status[0] = message["status"]
            await send(message)

        counted = scope["method"] not in ("GET", "HEAD")
        self.running += counted
        try:
            self._check(scope, counted)
            await self.app(scope, self._limited(receive, refusals), watched)
        except Refused as error:
            refusals = refusals or [error]
        finally:
            if refusals and not status[0]:
                status[0] = refusals[0].status
                await answer(status[0], str(refusals[0]))(scope, receive, send)
            self.running -= counted
            path = getattr(scope.get("route"), "path", "other")
            self.metrics.requests.labels(path, str(status[0])).inc()
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
        if not length.isdecimal() or int(length) > self._most:
            raise Refused(413, self._too_large)

    @property
    def _most(self) -> float:
        return self.settings.megabytes * 1e6

    @property
    def _too_large(self) -> str:
        return f"the request is larger than {self.settings.megabytes:g} MB; send a shorter or compressed recording"

    def _limited(self, receive: Receive, refusals: list[Refused]) -> Receive:
        """`receive` that raises Refused, and adds it to `refusals`, for a body that is too large or too slow."""

        def refuse(status: int, message: str) -> Refused:
            refusals.append(Refused(status, message))
            return refusals[-1]

        size, ends, complete = 0, time.monotonic() + self.settings.upload_seconds, False

        async def limited() -> Message:
            nonlocal size, complete
            if complete:  # waits for the end of the connection
                return await receive()
            try:
                message = await asyncio.wait_for(receive(), max(0.0, ends - time.monotonic()))
            except asyncio.TimeoutError:
                raise refuse(408, f"the request took more than {self.settings.upload_seconds:g} s") from None
            size += len(message.get("body", b""))
            complete = message["type"] != "http.request" or not message.get("more_body", False)
            if size > self._most:
                raise refuse(413, self._too_large)
            return message

        return limited


def answer(status: int, message: str) -> JSONResponse:
    """An error in the form of OpenAI's API."""
    kind = "server_error" if status >= 500 else "invalid_request_error"
    headers = {"Retry-After": "1"} if status in (429, 503) else {}
    error = {"message": message, "type": kind, "param": None, "code": None}
    return JSONResponse({"error": error}, status, headers)


def _name(host: str) -> str:
    """A host without its port."""
    return host if host.endswith("]") else host.rpartition(":")[0] or host
