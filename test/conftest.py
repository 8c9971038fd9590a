"""What all tests share: one thread, so that they time and round alike everywhere, and signals as in a terminal."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from sure.train.curves import History

torch.set_num_threads(1)
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background, and by children too
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the same under nohup
HERE = Path(__file__).parent
for folder in ("", "backbones", "contract", "corpora", "corpus", "data", "exchange", "recipes", "shell"):
    sys.path.insert(0, str(HERE / folder))


@pytest.fixture(scope="session", autouse=True)
def no_curves() -> Iterator[None]:
    """Trainings draw no pictures of their curves, which would take a third of the time of a tiny training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(History, "_plot", lambda history, name, keys: None)
        yield


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """Headless Chromium, whose microphone hears a tone. Skips where it is not installed."""
    from browser import Browser

    microphone = tmp_path_factory.mktemp("browser") / "tone.wav"
    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(48000) / 16000)
    soundfile.write(microphone, tone, 16000)
    found = Browser(microphone)
    yield found
    found.driver.quit()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """A training in this process may change the number of threads; the next test has one again."""
    yield
    torch.set_num_threads(1)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a space in its name as the current directory, as paths in wav.scp are relative to it."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder
