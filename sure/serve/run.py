"""Run the server until it is stopped."""

import signal
import socket
import sys
from contextlib import suppress
from functools import partial

import uvicorn

from sure.errors import SureError
from sure.serve.app import make_app
from sure.serve.connection import Connection
from sure.serve.settings import Settings

STOP_SECONDS = 30  # in which requests may finish after a signal
WAITING = 2048  # connections that are not accepted yet, as uvicorn has it


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM; requests that run then are finished.

    Raises SureError for an address that cannot be used, before anything is loaded, and for an unusable bundle.
    """
    with _listening(host, port) as address, suppress(KeyboardInterrupt):
        app = make_app(settings)
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises the signal again after it has stopped
        connection = partial(Connection, seconds=settings.upload_seconds)
        config = uvicorn.Config(
            app, host, port, http=connection, server_header=False, timeout_graceful_shutdown=STOP_SECONDS
        )
        uvicorn.Server(config).run([address])


def _listening(host: str, port: int) -> socket.socket:
    """A socket at this address; connections wait until the server accepts them."""
    try:
        family, kind, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # at once after a server that was killed
        found.bind(address)
        found.listen(WAITING)
    except (OSError, OverflowError) as error:
        raise SureError(f"cannot listen on {host}, port {port}: {error}; pass another --host or --port") from None
    return found
