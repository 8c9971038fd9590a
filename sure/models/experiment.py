"""The experiment folder: config, command, versions, log and summary of a training."""

import datetime
import hashlib
import importlib.metadata
import json
import logging
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sure import hub
from sure.config import Config, read_plain_config
from sure.errors import SureError
from sure.files import replace_file
from sure.models.build import build_task
from sure.parsing import parse_json, read_json
from sure.provenance import git_hash
from sure.tasks.base import BaseTask

log = logging.getLogger(__name__)

# Keys that may change when a training is resumed: they do not affect the result.
FREE_KEYS = ("data.tests", "data.cache_gigabytes", "data.on_bad_utterance", "data.max_bad_percent", "decode.")
FREE_KEYS += ("train.prefix_cache_",)  # which cache a training has is compared with its checkpoint
FREE_KEYS += ("train.device", "train.memory", "train.recompute_layers", "train.save_minutes", "train.threads")
FREE_KEYS += ("train.track", "train.workers")
RESULTS = ("checkpoints", "tokens", "tensorboard", "images", "bundle", "decode_*", "tuned_*", "left_out.txt")
RESULTS += (
    "code.json",
    "config.yaml",
    "metrics.jsonl",
    "best.json",
    "best.safetensors",
    "backbone.safetensors",
    "memory.json",
    "summary.json",
    "track.json",
)
PACKAGES = ("torch", "torchaudio", "numpy", "safetensors", "sentencepiece", "soundfile", "av", "pydantic")


class Experiment:
    """A folder `exp/<name>/seed<k>` and its files."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.config = folder / "config.yaml"
        self.tokens = folder / "tokens"  # a copy of the results of stage 3, made when training began
        self.checkpoints = folder / "checkpoints"
        self.best_weights = folder / "best.safetensors"
        self.best = folder / "best.json"
        self.summary = folder / "summary.json"
        self.memory = folder / "memory.json"  # the settings that train.memory chose
        self.track = folder / "track.json"  # the runs of trackers
        self.code = folder / "code.json"  # digests of the code that trains here

    def begun(self) -> bool:
        """Whether the folder has results of a training, which must not be mixed with those of another config."""
        return self.config.exists() and (self.summary.exists() or any(self.checkpoints.glob("*.pt")))

    def finished(self) -> bool:
        """Whether there is a readable summary; a damaged one is written again at the end of training."""
        try:
            return isinstance(parse_json(self.summary.read_text(encoding="utf-8")), dict)
        except FileNotFoundError:
            return False
        except (OSError, ValueError):
            log.warning("%s is damaged; resuming from the last checkpoint to write it again", self.summary)
            return False

    def task(self, config: Config, kept: bool = False) -> BaseTask:
        """The task with this experiment's copy of tokens or labels, made unless `kept`; stage 3 may run again later."""
        if not kept and not self.begun():
            task = build_task(config)
            for name in (*task.files(), *task.target_files()):
                replace_file(self.tokens / name, (Path(config.tokenizer.folder) / name).read_bytes())
        return build_task(config, self.tokens)

    def clear(self) -> None:
        """Delete all results: of training, decoding and tuning, and the bundle.

        A Slurm job that was queued again deletes nothing: it resumes the training that it has begun.
        """
        commands = self.folder / "command.txt"
        if os.environ.get("SLURM_RESTART_COUNT", "0") != "0" and commands.exists():
            if f"{_slurm_job()}\n" in commands.read_text(encoding="utf-8"):
                return
        for path in [path for pattern in RESULTS for path in self.folder.glob(pattern)]:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def differences(self, config: Config) -> list[str]:
        """`key: was 3, is 4` for each key that affects the result and differs from the training in this folder."""
        changes = self._changes(config) if self.begun() else []
        return [f"{key}: was {old}, is {new}" for key, old, new in changes if not key.startswith(FREE_KEYS)]

    def _changes(self, config: Config) -> list[tuple[str, Any, Any]]:
        """(key, value before, value now); a key that earlier versions did not have had its default."""
        before, now = flat_values(read_plain_config(self.config)), flat_values(config.model_dump(mode="json"))
        given = flat_values(config.model_dump(mode="json", exclude_defaults=True))
        keys = [key for key in dict.fromkeys([*before, *now]) if key in before or key in given]
        return [(key, before.get(key), now.get(key)) for key in keys if before.get(key) != now.get(key)]

    def open(self, config: Config, command: str) -> None:
        """Write config and command. Raises SureError naming the keys that differ from the training to be resumed."""
        if differing := self.differences(config):
            raise SureError(
                f"{self.folder} was begun with another config: {'; '.join(differing)}. "
                "Use another --exp (run.sh: --tag NAME), or train from the beginning with --restart "
                "(run.sh: --stage train), which deletes its results"
            )
        if not self.begun() or self._changes(config):
            config.save(self.config)  # only if changed: later stages are marked with the digest of the file
        with open(self.folder / "command.txt", "a", encoding="utf-8") as file:
            file.write(f"# {datetime.datetime.now():%Y-%m-%d %H:%M:%S}{_slurm_job()}\n{command}\n")

    def with_commit(self, config: Config) -> Config:
        """The config with the commit of weights on the hub: the one of the training in this folder, or else today's.

        Raises SureError as `hub.pinned`.
        """
        weights = config.backbone.weights
        if not hub.is_name(weights):
            return config
        if self.begun():
            before = str(read_plain_config(self.config).get("backbone", {}).get("weights"))
            weights = before if before.partition("@")[0] == weights else weights  # the branch may be at another commit
        backbone = config.backbone.model_copy(update={"weights": hub.pinned(weights)})
        return config.model_copy(update={"backbone": backbone})

    def write_environment(self, device: str) -> None:
        versions = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
        lines = [f"python {platform.python_version()}", *versions, f"git {git_hash()}", f"device {device}"]
        replace_file(self.folder / "environment.txt", "\n".join(lines) + "\n")

    def read_code(self) -> dict[str, str]:
        """The digests of the code of the training; empty for earlier versions."""
        code = read_json(self.code, "delete it: it only tells which code trained") if self.code.exists() else {}
        return {name: str(digest) for name, digest in code.items()}

    @contextmanager
    def logging(self) -> Iterator[None]:
        """Write the log of `sure` to train.log and to stderr."""
        logger = logging.getLogger("sure")
        level = logger.level
        file, screen = LogFile(self.folder / "train.log", encoding="utf-8"), logging.StreamHandler(sys.stderr)
        for handler, line in ((file, "%(asctime)s %(levelname)s %(message)s"), (screen, "%(message)s")):
            handler.setFormatter(logging.Formatter(line))
            logger.addHandler(handler)
        logger.setLevel(logging.INFO)
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
        """The content of best.safetensors. Raises OSError, and ValueError unless best.json has its sha256."""
        content = self.best_weights.read_bytes()
        try:
            digest = json.loads(self.best.read_text(encoding="utf-8"))["sha256"]
        except (OSError, ValueError, KeyError, TypeError):
            raise ValueError("best.json, which has its sha256, is missing or damaged") from None
        if hashlib.sha256(content).hexdigest() != digest:
            raise ValueError("its sha256 differs from the one in best.json")
        return content

    def write_summary(self, summary: dict[str, Any]) -> None:
        replace_file(self.summary, json.dumps(summary, ensure_ascii=False, indent=2) + "\n")


class LogFile(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:
        """Ignore a full disk: log lines are lost, and training stops at the next file that cannot be written."""


def _slurm_job() -> str:
    """End of the line before a command in command.txt."""
    job = os.environ.get("SLURM_JOB_ID")
    return f", Slurm job {job}" if job else ""


def flat_values(config: dict[str, Any]) -> dict[str, Any]:
    """A config as one dictionary with keys such as `train.epochs`."""
    return dict(_flat(config))


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Pairs such as (`train.epochs`, 30). A list is one value, except `petl` with a single method."""
    if key == "petl" and isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(inner, f"{key}.{name}" if key else name)
    else:
        yield key, value
