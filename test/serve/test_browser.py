"""The page of the server in a browser: keys alone, a telephone's width, both colour schemes, and the server's end."""

import signal
import socket
from contextlib import closing

import pytest
import soundfile
import toys
from audio_files import write_audio
from browser import PHONE

from sure.bin import serve
from sure.inference import Sure

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def sound(sounds, tmp_path_factory):
    """A recording, which is also what the browser's microphone hears."""
    path = tmp_path_factory.mktemp("sound") / "some.wav"
    path.write_bytes(sounds[0])
    return path


@pytest.fixture(scope="module")
def server(bundles, voice, tmp_path_factory):
    """The process and its address."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    words = [*(f"{name}={folder}" for name, folder in bundles.items()), f"voice={voice}", "--port", str(port)]
    child = toys.Child(lambda: serve.main(words), tmp_path_factory.mktemp("server") / "stderr")
    toys.wait_for(lambda: answers(port), child)
    yield child, f"http://127.0.0.1:{port}/"
    child.kill(signal.SIGTERM)
    child.status()


def answers(port):
    with closing(socket.socket()) as probe:
        return not probe.connect_ex(("127.0.0.1", port))


def test_the_page_works_with_keys_alone(browser, server, sound, bundles):
    """Record, choose all adapters, recognise, hear a word, synthesise; then upload a file."""
    child, address = server
    browser.open(address, PHONE)
    browser.until("return models.length")
    status = "return document.getElementById('status').textContent"
    browser.tab_to("it.id === 'record'")
    browser.press("ENTER")
    browser.until(f"{status} === 'Recording.'")
    browser.until(
        "return recorder.state === 'recording' && performance.now() - (window.begun ??= performance.now()) > 900"
    )
    browser.press("ENTER")
    browser.until("return document.getElementById('player').duration > 0.5")
    for name in list(bundles)[1:]:
        browser.tab_to(f"it.value === '{name}'")
        browser.press("SPACE")
    browser.tab_to("it.id === 'run'")
    browser.press("ENTER")
    browser.until("return document.querySelectorAll('#results section').length === 5")
    assert browser.do("return [...document.querySelectorAll('#results h2')].map(each => each.textContent)") == list(
        bundles
    )
    assert browser.do("return document.querySelectorAll('#results meter').length") == 3
    assert browser.fits() and browser.faintest() >= 4.5

    browser.driver.find_element("id", "file").send_keys(str(sound))
    browser.tab_to("it.id === 'run'")
    browser.press("ENTER")
    expected = Sure.load(bundles["asr"], name="asr").results(sound, ["asr"])[0]["asr"]
    line = "return [...document.querySelector('#results p').children].map(each => [each.textContent, each.title])"
    browser.until(f"{status} === '0.6 s of audio.'")
    found = browser.do(line)
    assert [word for word, _ in found] == expected.line.split()
    first = expected.words[0]
    assert found[0][1] == f"{first.start:.2f} to {first.start + first.duration:.2f} s"
    browser.tab_to("it.className === 'word'")
    browser.press("ARROW_RIGHT")
    assert browser.do("return document.activeElement.textContent") == found[1][0]
    browser.press("ENTER")
    browser.until("return document.getElementById('player').played.length")
    browser.colours("dark")
    assert browser.fits() and browser.faintest() >= 4.5

    browser.tab_to("it.id === 'text'")
    browser.driver.switch_to.active_element.send_keys("word")
    browser.tab_to("it.type === 'submit'")
    browser.press("ENTER")
    browser.until("return document.getElementById('spoken').duration > 0")
    browser.do("return document.getElementById('spoken').play()")
    browser.until("return document.getElementById('spoken').ended")
    assert browser.messages() == []


def test_errors_are_plain_words(browser, server, sound):
    child, address = server
    browser.open(address)
    browser.until("return models.length")
    field = browser.driver.find_element("id", "file")
    field.send_keys(__file__)
    press, error = (
        "document.getElementById('run').click()",
        "return document.querySelector('#status.error')?.textContent",
    )
    browser.do(press)
    assert browser.until(error).startswith("test_browser.py: unreadable audio file")
    assert browser.faintest() >= 4.5
    field.send_keys(str(write_audio(sound.with_name("a.au"), soundfile.read(sound)[0])))
    browser.do(press)
    browser.until("return document.querySelector('.word')")
    browser.do("document.querySelector('.word').click()")
    browser.until(f"return ({error[7:]})?.startsWith('This browser cannot play')")
    assert not any("Uncaught" in message for message in browser.messages())
    child.kill(signal.SIGKILL)
    field.send_keys(str(sound))
    browser.do(press)
    browser.until(f"return ({error[7:]})?.startsWith('The server cannot be reached')")
