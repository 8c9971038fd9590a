"""Time limits of a connection that uvicorn does not have: for a request to arrive, and for its answer to be taken."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

ARRIVING = (h11.IDLE, h11.SEND_BODY)  # states of a client whose request is not complete


class Connection(H11Protocol):
    """A connection that is aborted where a request takes more than twice `seconds`, or taking an answer more than one.

    Head and body of a request have one limit together, so a client that sends one byte at a time gains nothing. It is
    twice `seconds`, because a body that takes longer than `seconds` is answered with 408 first.
    """

    def __init__(self, *given: Any, seconds: float, **more: Any):
        super().__init__(*given, **more)
        self.seconds = seconds
        self.request: asyncio.TimerHandle | None = None
        self.answer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        transport.set_write_buffer_limits(0)  # `pause_writing` as soon as the client does not take everything
        self.request = self._abort_after(2 * self.seconds)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.conn.their_state not in ARRIVING:
            self.request = _cancelled(self.request)
        elif self.request is None:
            self.request = self._abort_after(2 * self.seconds)

    def pause_writing(self) -> None:
        super().pause_writing()
        self.answer = self._abort_after(self.seconds)

    def resume_writing(self) -> None:
        super().resume_writing()
        self.answer = _cancelled(self.answer)

    def connection_lost(self, error: Exception | None) -> None:
        self.request, self.answer = _cancelled(self.request), _cancelled(self.answer)
        super().connection_lost(error)

    def _abort_after(self, seconds: float) -> asyncio.TimerHandle:
        return self.loop.call_later(seconds, self.transport.abort)


def _cancelled(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
