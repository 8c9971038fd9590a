"""Run the server until it is stopped."""

import signal
import sys

import uvicorn

from sure.serve.app import make_app
from sure.serve.settings import Settings

STOP_SECONDS = 30  # in which requests may finish after a signal


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGINT or SIGTERM; requests that run then are finished. Raises SureError for an unusable bundle."""
    app = make_app(settings)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # uvicorn raises the signal again after it has stopped
    uvicorn.run(app, host=host, port=port, server_header=False, timeout_graceful_shutdown=STOP_SECONDS)
