"""A real browser, Chromium without a window, over the protocol of chromedriver (W3C WebDriver)."""

from __future__ import annotations

import base64
import contextlib
import json
import re
import shutil
import subprocess
import urllib.request

import pytest

CHROMIUM, DRIVER = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="needs a browser: apt-get install chromium chromium-driver"
)
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--window-size=1400,1000",
)  # fmt: skip


class Browser:
    def __init__(self, address: str, profile):
        self.address = address
        chrome = {"binary": CHROMIUM, "args": [*OPTIONS, f"--user-data-dir={profile}"]}
        wanted = {"browserName": "chrome", "goog:chromeOptions": chrome, "goog:loggingPrefs": {"browser": "ALL"}}
        self.session = self._ask("/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]

    def open(self, path) -> None:
        self.ask("/url", {"url": path.resolve().as_uri()})

    def run(self, script: str, asynchronously: bool = False):
        """What the script returns, or gives to the function that is its last argument."""
        return self.ask(f"/execute/{'async' if asynchronously else 'sync'}", {"script": script, "args": []})

    def console(self) -> list[str]:
        """Every message since the last call."""
        return [entry["message"] for entry in self.ask("/se/log", {"type": "browser"})]

    def screenshot(self, path) -> None:
        path.write_bytes(base64.b64decode(self._ask(f"/session/{self.session}/screenshot")))

    def ask(self, command: str, content: dict):
        return self._ask(f"/session/{self.session}{command}", content)

    def close(self) -> None:
        self._ask(f"/session/{self.session}", method="DELETE")

    def _ask(self, command: str, content: dict | None = None, method: str | None = None):
        data = None if content is None else json.dumps(content).encode()
        request = urllib.request.Request(self.address + command, data, method=method)
        request.add_header("Content-Type", "application/json")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=300) as answer:
            return json.load(answer)["value"]


@contextlib.contextmanager
def browser(profile):
    driver = subprocess.Popen([DRIVER, "--port=0"], stdout=subprocess.PIPE, text=True)
    try:
        port = next(found[1] for line in driver.stdout if (found := re.search(r"on port (\d+)\.", line)))
        one = Browser(f"http://127.0.0.1:{port}", profile)
        try:
            one.ask("/timeouts", {"script": 240000, "pageLoad": 240000})
            yield one
        finally:
            one.close()
    finally:
        driver.terminate()
        driver.wait()
