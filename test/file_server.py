"""A local HTTP server that misbehaves on request."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer:
    """Serves `files` (path -> bytes); `requests` is a list of (path, Range header or None).

    break_after: bytes after which each of the next connections is cut, one entry per connection.
    statuses: HTTP errors that the next requests get.
    heads: status and one header that the next requests get, and nothing else.
    """

    def __init__(self, port: int):
        self.files: dict[str, bytes] = {}
        self.requests: list[tuple[str, str | None]] = []
        self.break_after: list[int] = []
        self.statuses: list[int] = []
        self.heads: list[tuple[int, str, str]] = []
        self.ranges = True
        self.lengths = True
        self.pause = threading.Event()  # set: the connection that is cut hangs instead
        self.url = f"http://127.0.0.1:{port}"


@contextmanager
def serve() -> Iterator[FileServer]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.requests.append((self.path, wanted))
            content = state.files.get(self.path)
            if state.statuses:
                return self.send_error(state.statuses.pop(0))
            if state.heads:
                status, *header = state.heads.pop(0)
                self.send_response(status)
                self.send_header(*header)
                return self.end_headers()
            if content is None:
                return self.send_error(404)
            first, whole = 0, len(content)
            if wanted and state.ranges:
                first = int(wanted.removeprefix("bytes=").rstrip("-"))
                if first >= whole:
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{whole}")
                    self.send_header("Content-Length", "0")
                    return self.end_headers()
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {first}-{whole - 1}/{whole}")
            else:
                self.send_response(200)
            body = content[first:]
            if state.lengths:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if state.break_after:
                self.wfile.write(body[: state.break_after.pop(0)])
                self.wfile.flush()
                if state.pause.is_set():
                    finished.wait(60)
                self.close_connection = True
                return None
            self.wfile.write(body)
            return None

    finished = threading.Event()

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            pass  # clients that go away are what the tests are about

    server = Server(("127.0.0.1", 0), Handler)
    state = FileServer(server.server_port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        finished.set()
        server.shutdown()
        server.server_close()
        thread.join()
