"""Headless Chromium for tests of pages: its keys, its console, the width of a telephone, light and dark."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

PHONE = 360  # CSS pixels


class Browser:
    """A browser with one page; its microphone is a file, and no page can reach a network except this machine."""

    def __init__(self, microphone: Path):
        webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
        if not (program := shutil.which("chromium")) or not (driver := shutil.which("chromedriver")):
            pytest.skip("Chromium is not installed: apt-get install chromium chromium-driver")
        options = webdriver.ChromeOptions()
        options.binary_location = program
        for word in ("headless=new", "no-sandbox", "disable-gpu", "autoplay-policy=no-user-gesture-required",
                     "use-fake-device-for-media-stream", "use-fake-ui-for-media-stream",
                     f"use-file-for-fake-audio-capture={microphone}",
                     "host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1"):  # fmt: skip
            options.add_argument(f"--{word}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(driver))

    def open(self, address: str, width: int = 1000, scheme: str = "light") -> None:
        metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width == PHONE}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.colours(scheme)
        self.driver.get(address)

    def colours(self, scheme: str) -> None:
        """light or dark"""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def do(self, script: str, *given: Any) -> Any:
        """The value of JavaScript."""
        return self.driver.execute_script(script, *given)

    def until(self, script: str, seconds: float = 60) -> Any:
        """Wait until the value of JavaScript is true; returns it. Raises selenium's TimeoutException."""
        from selenium.webdriver.support.wait import WebDriverWait

        return WebDriverWait(self.driver, seconds, 0.05).until(lambda _: self.do(script))

    def press(self, key: str) -> None:
        """A key of selenium's Keys, such as TAB, for the focused element."""
        from selenium.webdriver import ActionChains, Keys

        ActionChains(self.driver).send_keys(getattr(Keys, key)).perform()

    def tab_to(self, script: str, most: int = 40) -> None:
        """Press TAB until JavaScript is true for the focused element, `it`."""
        for _ in range(most):
            self.press("TAB")
            if self.do(f"const it = document.activeElement; return {script}"):
                return
        raise AssertionError(f"no focus where {script}")

    def messages(self) -> list[str]:
        """Those of the console since the last call."""
        return [json.dumps(entry) for entry in self.driver.get_log("browser")]

    def fits(self) -> bool:
        """Whether the page needs no horizontal scrolling."""
        return self.do("return document.documentElement.scrollWidth <= window.innerWidth")

    def faintest(self) -> float:
        """The least contrast of a visible text with its background (WCAG 2, 1 to 21)."""
        return self.do(CONTRAST)


CONTRAST = """
const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
function rgb(colour, under) {
  canvas.fillStyle = under; canvas.fillRect(0, 0, 1, 1);
  canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
  return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
}
const light = ([r, g, b]) => [r, g, b].map(each => each / 255)
  .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4)
  .reduce((sum, each, place) => sum + each * [0.2126, 0.7152, 0.0722][place], 0);
const hex = colour => "#" + colour.map(each => each.toString(16).padStart(2, "0")).join("");
const probe = document.createElement("p");
probe.style.background = "Canvas"; document.body.append(probe);
const base = getComputedStyle(probe).backgroundColor; probe.remove();
let least = 21;
for (const each of document.querySelectorAll("body *")) {
  const own = [...each.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
  if (!own || !each.checkVisibility() || each.closest("script, option, :disabled")) continue;
  const chain = [];
  for (let at = each; at; at = at.parentElement) chain.unshift(getComputedStyle(at).backgroundColor);
  const under = chain.reduce((below, colour) => hex(rgb(colour, below)), hex(rgb(base, "#fff")));
  const style = getComputedStyle(each), text = each instanceof SVGElement ? style.fill : style.color;
  const [one, other] = [light(rgb(text, under)), light(rgb(under, under))];
  least = Math.min(least, (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05));
}
return least;
"""
