"""The experiment folder: its config, command, versions and log, and the summary at the end."""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import json
import logging
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sure
from sure.config import Config, read_plain_config
from sure.errors import SureError
from sure.files import replace_file
from sure.models.build import build_task
from sure.parsing import parse_json
from sure.tasks.base import BaseTask

log = logging.getLogger(__name__)

# What may differ from the run that is resumed: it changes where and how fast, not what is learned.
FREE_KEYS = (
    "data.tests",
    "data.cache_gigabytes",
    "data.on_bad_utterance",
    "data.max_bad_percent",
    "decode.",
    "train.device",
    "train.save_minutes",
    "train.threads",
    "train.workers",
)
RESULTS = ("checkpoints", "tokens", "tensorboard", "images", "bundle")
RESULTS += ("config.yaml", "metrics.jsonl", "best.json", "best.safetensors", "backbone.safetensors", "summary.json")
RESULTS += ("left_out.txt",)
PACKAGES = ("torch", "torchaudio", "numpy", "safetensors", "sentencepiece", "soundfile", "av", "pydantic")


class Experiment:
    """A folder `exp/<name>/seed<k>` and what lies in it."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.config = folder / "config.yaml"
        self.tokens = folder / "tokens"  # what stage 3 had learned when training began
        self.checkpoints = folder / "checkpoints"
        self.best_weights = folder / "best.safetensors"
        self.best = folder / "best.json"
        self.summary = folder / "summary.json"

    def begun(self) -> bool:
        """Whether there is anything trained that another config would spoil."""
        return self.config.exists() and (self.summary.exists() or any(self.checkpoints.glob("*.pt")))

    def finished(self) -> bool:
        """Whether the summary is there and whole; what is left of a damaged one is written again at the end."""
        try:
            return isinstance(parse_json(self.summary.read_text(encoding="utf-8")), dict)
        except FileNotFoundError:
            return False
        except (OSError, ValueError):
            log.warning("%s is damaged; going on from the last checkpoint, to write it again", self.summary)
            return False

    def task(self, config: Config, kept: bool = False) -> BaseTask:
        """The task with the tokens or labels that belong to this training; stage 3 may have run again since.

        kept: they are in the folder already.
        """
        if not kept and not self.begun():
            task = build_task(config)
            for name in (*task.files(), *task.target_files()):
                replace_file(self.tokens / name, (Path(config.tokenizer.folder) / name).read_bytes())
        return build_task(config, self.tokens)

    def clear(self) -> None:
        """Delete what training wrote, decoded sets and the bundle made from it included."""
        made = [path for pattern in ("decode_*", "tuned_*") for path in self.folder.glob(pattern)]
        for path in [*(self.folder / name for name in RESULTS), *made]:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def open(self, config: Config, command: str) -> None:
        """Write config and command. Raises SureError naming the keys that differ from what is resumed."""
        if self.begun():
            before = read_plain_config(self.config)
            if differing := _differences(before, config.model_dump(mode="json")):
                raise SureError(
                    f"{self.folder} was begun with another config: {'; '.join(differing)}. "
                    "Use another --exp (run.sh: --tag NAME); or delete the folder, as --restart does, to begin again"
                )
        config.save(self.config)
        with open(self.folder / "command.txt", "a", encoding="utf-8") as file:
            file.write(f"# {datetime.datetime.now():%Y-%m-%d %H:%M:%S}\n{command}\n")

    def write_environment(self, device: str) -> None:
        versions = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
        lines = [f"python {platform.python_version()}", *versions, f"git {git_hash()}", f"device {device}"]
        replace_file(self.folder / "environment.txt", "\n".join(lines) + "\n")

    @contextmanager
    def logging(self) -> Iterator[None]:
        """Send what `sure` logs to train.log and to stderr."""
        logger = logging.getLogger("sure")
        level = logger.level
        file = LogFile(self.folder / "train.log", encoding="utf-8")
        file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
        screen = logging.StreamHandler(sys.stderr)
        screen.setFormatter(logging.Formatter("%(message)s"))
        logger.setLevel(logging.INFO)
        for handler in (file, screen):
            logger.addHandler(handler)
        try:
            yield
        except Exception as error:
            file.handle(logger.makeRecord("sure", logging.ERROR, "", 0, f"{type(error).__name__}: {error}", (), None))
            raise
        finally:
            logger.setLevel(level)
            for handler in (file, screen):
                logger.removeHandler(handler)
                handler.close()

    def read_best_weights(self) -> bytes:
        """The file. Raises OSError, and ValueError where best.json does not say that it is what was trained."""
        content = self.best_weights.read_bytes()
        try:
            digest = json.loads(self.best.read_text(encoding="utf-8"))["sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            raise ValueError("best.json, which has its sha256, is missing or damaged") from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise ValueError("its sha256 is not that of best.json")
        return content

    def write_summary(self, summary: dict[str, Any]) -> None:
        replace_file(self.summary, json.dumps(summary, ensure_ascii=False, indent=2) + "\n")


class LogFile(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """On a full disk lines are lost; the training ends when a file that matters cannot be written."""


def git_hash() -> str:
    """Of the code that runs, with `-dirty` where it was changed since; `unknown` outside a repository."""
    describe = "describe --always --abbrev=12 --exclude=* --dirty"
    command = ["git", "-C", str(Path(sure.__file__).parent), *describe.split()]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _differences(there: Any, now: Any) -> list[str]:
    there, now = dict(_flat(there)), dict(_flat(now))
    keys = [key for key in dict.fromkeys([*there, *now]) if not key.startswith(FREE_KEYS)]
    return [f"{key}: {there.get(key)} there, {now.get(key)} now" for key in keys if there.get(key) != now.get(key)]


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """`train.epochs`, 30 for each value; a list is one value, except `petl` with a single method."""
    if key == "petl" and isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else name)
    else:
        yield key, value
