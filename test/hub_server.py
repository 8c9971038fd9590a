"""A small Hugging Face Hub on the loopback interface, for the client huggingface_hub."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from huggingface_hub import constants

from sure import hub

NOT_FOUND = {"repository": "RepoNotFound", "revision": "RevisionNotFound", "file": "EntryNotFound"}


class Hub:
    """Repositories by name (`datasets/owner/name` for datasets), each a list of commits: path -> content.

    The last commit is `main`.

    requests: method and path. gated: names of repositories that refuse access. status: what every request gets.
    break_after: bytes after which the next downloads are cut, one for each.
    """

    def __init__(self, port: int):
        self.url = f"http://127.0.0.1:{port}"
        self.repositories: dict[str, list[dict[str, bytes]]] = {}
        self.requests: list[tuple[str, str]] = []
        self.gated: set[str] = set()
        self.status = 0
        self.break_after: list[int] = []

    def add(self, name: str, files: dict[str, bytes] | Path) -> str:
        """Commit files, or those of a folder; returns the commit."""
        if isinstance(files, Path):
            files = {path.name: path.read_bytes() for path in files.iterdir() if path.is_file()}
        self.repositories.setdefault(name, []).append(files)
        return commit_of(name, len(self.repositories[name]) - 1)

    def find(self, name: str, revision: str) -> tuple[str, dict[str, bytes]] | None:
        commits = self.repositories[name]
        wanted = {"main": len(commits) - 1, **{commit_of(name, i): i for i in range(len(commits))}}
        index = wanted.get(revision)
        return None if index is None or index < 0 else (commit_of(name, index), commits[index])

    def fetched(self) -> set[str]:
        """The names of the downloaded files."""
        return {path.rsplit("/", 1)[-1] for method, path in self.requests if method == "GET" and "/resolve/" in path}


def commit_of(name: str, index: int) -> str:
    return hashlib.sha1(f"{name} {index}".encode()).hexdigest()


@contextmanager
def serve() -> Iterator[Hub]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Handler,), {}))
    server.handle_error = lambda *_: None
    state = server.RequestHandlerClass.state = Hub(server.server_port)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def on_loopback(cache: Path) -> Iterator[Hub]:
    """A hub that the client uses, with a cache of its own."""
    with serve() as state, pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "ENDPOINT", state.url)
        template = state.url + "/{repo_id}/resolve/{revision}/{filename}"
        patch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        patch.setattr(constants, "HF_HUB_CACHE", str(cache))
        patch.setattr(constants, "HF_TOKEN_PATH", str(cache / "token"))
        forget()
        yield state
    forget()


def forget() -> None:
    """Forget the commits that this process has used."""
    hub.model_folder.cache_clear()
    hub.bundle_folder.cache_clear()


class Handler(BaseHTTPRequestHandler):
    state: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.state.requests.append((self.command, path))
        if self.state.status:
            return self.reply({"error": "as the test wants"}, self.state.status)
        if found := re.fullmatch(r"/api/(?:models|(datasets))/([^/]+/[^/]+)(?:/(revision|tree)/([^/]+)(/.*)?)?", path):
            name, kind, revision = found[2], found[3], found[4] or "main"
            name, below = f"datasets/{name}" if found[1] else name, (found[5] or "/")[1:]
        elif found := re.fullmatch(r"/((?:datasets/)?[^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
            name, revision, kind = found[1], found[2], "file"
        else:
            return self.missing("file")
        if name in self.state.gated:
            return self.reply({}, 403, {"X-Error-Code": "GatedRepo"})
        if name not in self.state.repositories:
            return self.missing("repository", 401)  # as the hub does, which does not tell private names from others
        known = self.state.find(name, revision)
        if known is None:
            return self.missing("revision")
        commit, files = known
        if kind == "file":
            return self.send_file(commit, files.get(found[3])) if found[3] in files else self.missing("file")
        if kind == "tree":
            return self.reply(tree(files, below, "recursive=true" in self.path.lower()))
        self.reply(
            {"id": name.removeprefix("datasets/"), "sha": commit, "siblings": [{"rfilename": path} for path in files]}
        )

    def do_POST(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = unquote(urlsplit(self.path).path)
        self.state.requests.append((self.command, path))
        if self.state.status:
            self.reply({"error": "as the test wants"}, self.state.status)
        elif path == "/api/validate-yaml":
            self.reply({"errors": [], "warnings": []})
        elif found := re.fullmatch(r"/api/datasets/([^/]+/[^/]+)/paths-info/([^/]+)", path):
            files = self.state.find(f"datasets/{found[1]}", found[2])[1]
            wanted = json.loads(content)["paths"] if content[:1] == b"{" else parse_qs(content.decode())["paths"]
            folders = [{"type": "directory", "path": one, "oid": "0"} for one in wanted if self.holds(files, one)]
            self.reply([*folders, *(about(one, files[one]) for one in wanted if one in files)])
        elif path == "/api/repos/create":
            about = json.loads(content)
            name = f"{about['organization']}/{about['name']}"
            self.state.repositories.setdefault(name, [])
            self.reply({"url": f"{self.state.url}/{name}", "name": name, "id": name})
        elif path.endswith("/preupload/main"):
            files = json.loads(content)["files"]
            self.reply({"files": [{"path": f["path"], "uploadMode": "regular", "shouldIgnore": False} for f in files]})
        elif found := re.fullmatch(r"/api/models/([^/]+/[^/]+)/commit/main", path):
            lines = [json.loads(line) for line in content.splitlines()]
            files = {one["value"]["path"]: base64.b64decode(one["value"]["content"]) for one in lines[1:]}
            commits = self.state.repositories[found[1]]
            commit = self.state.add(found[1], {**(commits[-1] if commits else {}), **files})
            self.reply({"commitUrl": f"{self.state.url}/{found[1]}/commit/{commit}", "commitOid": commit})
        else:
            self.missing("file")

    def send_file(self, commit: str, content: bytes) -> None:
        first = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").split("-")[0])
        part = content[first:]
        self.send_response(206 if first else 200)
        about = {"ETag": f'"{etag(content)}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if first:
            about["Content-Range"] = f"bytes {first}-{len(content) - 1}/{len(content)}"
        for header in {**about, "Content-Length": str(len(part))}.items():
            self.send_header(*header)
        self.end_headers()
        if self.command == "GET":
            cut = self.state.break_after.pop(0) if self.state.break_after else None
            self.wfile.write(part[:cut])
            self.close_connection = cut is not None

    def holds(self, files: dict[str, bytes], folder: str) -> bool:
        return any(path.startswith(f"{folder}/") for path in files)

    def missing(self, what: str, status: int = 404) -> None:
        self.reply({"error": f"no such {what}"}, status, {"X-Error-Code": NOT_FOUND[what]})

    def reply(self, value: object, status: int = 200, headers: dict[str, str] | None = None) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        for header in {**(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(*header)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


def tree(files: dict[str, bytes], below: str, recursive: bool) -> list[dict[str, object]]:
    """The files below a folder, and the folders."""
    inside = [path for path in files if path.startswith(f"{below}/" if below else "")]
    folders = {path.rpartition("/")[0] for path in inside} - {"", below}
    listed = [{"type": "directory", "path": folder, "oid": "0"} for folder in sorted(folders)]
    depth = below.count("/") + (below != "")
    return listed + [about(path, files[path]) for path in inside if recursive or path.count("/") == depth]


def about(path: str, content: bytes) -> dict[str, object]:
    return {"type": "file", "path": path, "size": len(content), "oid": etag(content)}


def etag(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()
