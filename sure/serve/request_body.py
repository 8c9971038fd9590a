"""The body of a request, which is refused when it is too large or too slow; an ASGI `receive`."""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from sure.serve.settings import Settings

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
LEFT = 499  # the status, as other servers log it, of a client that disconnected before its answer


class Refused(Exception):
    """A request that is answered with `status` and `message`."""

    def __init__(self, status: int, message: str):
        super().__init__(message)
        self.status = status


class RequestBody:
    """Counts bytes and seconds of a body while the application receives it.

    refusal: the reason why the body could not be read, for which the application may send another error.
    """

    def __init__(self, receive: Receive, settings: Settings):
        self.original, self.settings = receive, settings
        self.size, self.ends = 0, time.monotonic() + settings.upload_seconds
        self.complete = asyncio.Event()
        self.refusal: Refused | None = None

    async def receive(self) -> Message:
        """The next message. Raises Refused."""
        if self.complete.is_set():
            return await self.original()
        try:
            message = await asyncio.wait_for(self.original(), max(0.0, self.ends - time.monotonic()))
        except asyncio.TimeoutError:
            raise self._refused(408, f"the request took more than {self.settings.upload_seconds:g} s") from None
        if message["type"] == "http.disconnect":
            raise self._refused(LEFT, "the client disconnected")
        self.size += len(message.get("body", b""))
        if self.size > most_bytes(self.settings):
            raise self._refused(413, too_large(self.settings))
        if not message.get("more_body", False):
            self.complete.set()
        return message

    async def client_left(self) -> None:
        """Wait until the client disconnects after its request, or has its answer."""
        await self.complete.wait()
        while (await self.original())["type"] != "http.disconnect":
            pass

    def _refused(self, status: int, message: str) -> Refused:
        self.refusal = Refused(status, message)
        return self.refusal


def most_bytes(settings: Settings) -> float:
    return settings.megabytes * 1e6


def too_large(settings: Settings) -> str:
    return f"the request is larger than {settings.megabytes:g} MB; send a shorter or compressed recording"
