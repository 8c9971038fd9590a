"""A local HTTP server that misbehaves on request."""

import threading
from collections.abc import Iterator, Sequence
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
            wanted, content = self.headers.get("Range"), state.files.get(self.path)
            state.requests.append((self.path, wanted))
            if state.statuses:
                self.send_error(state.statuses.pop(0))
            elif state.heads:
                status, *header = state.heads.pop(0)
                self.begin(status, header)
            elif content is None:
                self.send_error(404)
            else:
                self.send_content(content, wanted if state.ranges else None)

        def begin(self, status: int, *headers: Sequence[str]) -> None:
            self.send_response(status)
            for header in headers:
                self.send_header(*header)
            self.end_headers()

        def send_content(self, content: bytes, wanted: str | None) -> None:
            first, whole = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0, len(content)
            if wanted and first >= whole:
                self.begin(416, ("Content-Range", f"bytes */{whole}"), ("Content-Length", "0"))
                return
            place = [("Content-Range", f"bytes {first}-{whole - 1}/{whole}")] if wanted else []
            length = [("Content-Length", str(whole - first))] if state.lengths else []
            self.begin(206 if wanted else 200, *place, *length)
            cut = state.break_after.pop(0) if state.break_after else None
            self.wfile.write(content[first:][:cut])
            self.wfile.flush()
            if cut is not None and state.pause.is_set():
                finished.wait(60)

    finished = threading.Event()

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.handle_error = lambda *_: None  # clients that go away are what the tests are about
    state = FileServer(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)  # asks often whether to end
    thread.start()
    try:
        yield state
    finally:
        finished.set()
        server.shutdown()
        server.server_close()
        thread.join()
