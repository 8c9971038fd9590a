"""A corpus of tones that a tiny model can learn, and stages in processes of their own that can be killed."""

import contextlib
import json
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
import torch
import torch._dynamo  # the first optimizer of a process does it, which takes seconds; forks of this one have it
import torch.distributed as dist
import yaml
from safetensors.torch import load_file

from sure.bin import tokenize, train
from sure.data.data_dir import Utterance, write_data_dir
from sure.errors import run

RATE = 16000
PITCHES = {"a": 220.0, "b": 440.0, "c": 880.0, "d": 1760.0}


def tones(text: str) -> np.ndarray:
    """One tone of .12 s a letter, with pauses; (samples,) float32."""
    time = np.arange(int(0.12 * RATE)) / RATE
    pause = np.zeros(int(0.05 * RATE))
    parts = [part for letter in text for part in (0.3 * np.sin(2 * math.pi * PITCHES[letter] * time), pause)]
    return np.concatenate([pause, *parts]).astype(np.float32)


def make_set(folder: Path, name: str, count: int) -> None:
    """data/<name> with texts, and the letter that is most of each as its label."""
    generator = np.random.default_rng(len(name))
    utterances = []
    (folder / "wav").mkdir(parents=True, exist_ok=True)
    for index in range(count):
        label, path = "abcd"[index % 4], folder / "wav" / f"{name}{index}.wav"
        text = "".join([label, label, *generator.choice(list(PITCHES), size=generator.integers(0, 4))])
        soundfile.write(path, tones(text), RATE, subtype="PCM_16")
        utterances.append(Utterance(f"{name}-{index:03d}", str(path), text=text, labels={"label": label}))
    data = write_data_dir(folder / "data" / name, utterances)
    seconds = [f"{u.id} {len(tones(u.text)) / RATE:.4f}\n" for u in utterances]
    (data / "utt2dur").write_text("".join(seconds))


def make_corpus(folder: Path) -> Path:
    for name, count in (("train", 24), ("dev", 6), ("test", 7)):
        make_set(folder, name, count)
    for task in ("asr", "language"):
        tokenize.main(["--config", str(write_config(folder, folder / f"{task}.yaml", task=task))])
    return folder


def settings(corpus: Path, **changes: object) -> dict:
    """A config for the corpus of tones or, if task="tts", of synthesis; `train__epochs` changes train.epochs."""
    train, dev, test = (str(corpus / "data" / name) for name in ("train", "dev", "test"))
    given: dict = {"task": "language", "seed": 1, "data": {"train": train, "valid": dev, "tests": [test]}}
    given["train"] = {"epochs": 3, "batch_seconds": 3.0, "lr_adapter": 3e-3, "lr_head": 3e-3, "threads": 1}
    if changes.get("task") == "tts":
        given |= {"backbone": {"name": "fastspeech2", "weights": "random:tiny"}, "petl": {"name": "full"}}
        given["train"] |= {"epochs": 2, "batch_seconds": 4.0, "lr_adapter": 5e-3, "lr_head": 5e-3}
    else:
        given |= {"backbone": {"name": "tiny", "weights": "random:moonshine"}, "head": {"dropout": 0.1}}
        given["petl"] = {"name": "lora", "rank": 2, "dropout": 0.1}
        given["tokenizer"] = {"folder": str(corpus / f"tokens_{changes.get('task', 'language')}")}
    for key, value in changes.items():
        *path, last = key.split("__")
        place = given
        for part in path:
            place = place.setdefault(part, {})
        place[last] = value
    return given


def write_config(corpus: Path, path: Path, **changes: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(settings(corpus, **changes)))
    return path


def train_arguments(corpus: Path, exp: Path, **changes: object) -> list[str]:
    return ["--config", str(write_config(corpus, exp.with_suffix(".yaml"), **changes)), "--exp", str(exp)]


def train_here(corpus: Path, exp: Path, *more: str, **changes: object) -> Path:
    """Train in this process."""
    train.main([*train_arguments(corpus, exp, **changes), *more])
    return exp


class Child:
    """A process forked from this one, so everything is imported already; its stderr goes to a file."""

    def __init__(self, function: Callable[[], object], stderr: Path):
        self.stderr = stderr
        self.process = os.fork()
        if self.process == 0:
            status = 1
            with contextlib.suppress(BaseException):
                descriptor = os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                os.dup2(descriptor, 2)
                sys.stderr = os.fdopen(2, "w", buffering=1)
                try:
                    run(function)
                except SystemExit as error:
                    status = error.code
                except BaseException as error:
                    print(f"{type(error).__name__}: {error}", file=sys.stderr)
            os._exit(status)

    def kill(self, signal: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process, signal)

    def ended(self) -> bool:
        return os.waitid(os.P_PID, self.process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def status(self) -> int:
        """Wait for its end; negative for a signal."""
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


def train_child(corpus: Path, exp: Path, before: Callable[[], object] = int, **changes: object) -> Child:
    """before: called in the child before it trains."""
    arguments = train_arguments(corpus, exp, **changes)
    return Child(lambda: (before(), train.main(arguments)), exp.with_suffix(".stderr"))


def assert_same(exp: Path, reference: Path) -> None:
    """Best weights, last weights, optimizer, and every number that is not a time."""
    one, other = load_file(exp / "best.safetensors"), load_file(reference / "best.safetensors")
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)
    one, other = (torch.load(e / "checkpoints" / "last.pt", weights_only=True) for e in (exp, reference))
    for part in ("weights", "best_weights"):
        assert all(torch.equal(one[part][name], other[part][name]) for name in other[part])
    for key, values in other["optimizer"]["state"].items():
        assert all(torch.equal(one["optimizer"]["state"][key][name], values[name]) for name in values)
    for name in ("metrics.jsonl", "best.json"):
        one, other = ([strip(line) for line in (e / name).read_text().splitlines()] for e in (exp, reference))
        assert one == other


def strip(line: str) -> dict:
    timed = ("seconds", "audio_seconds_per_second", "peak_memory_megabytes")
    return {key: value for key, value in json.loads(line).items() if key not in timed}


def read_lines(exp: Path) -> list[dict]:
    """The lines of metrics.jsonl, one for each epoch."""
    return [json.loads(line) for line in (exp / "metrics.jsonl").read_text().splitlines()]


def read(path: Path) -> str:
    return path.read_text() if path.exists() else ""


def written(path: Path) -> int | None:
    """When a file was written, or None if it does not exist."""
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_mtime_ns


def wait_for(condition: Path | Callable[[], object], *children: Child) -> None:
    """Wait for a file or a condition. Fails with the children's messages when one of them ends before."""
    met = condition.exists if isinstance(condition, Path) else condition
    while not met():
        assert not any(child.ended() for child in children), [read(child.stderr) for child in children]
        time.sleep(0.002)


def kill(number: int, *children: Child) -> list[int]:
    """Send a signal to all children and wait for their ends. Returns their exit statuses."""
    for child in children:
        child.kill(number)
    return [child.status() for child in children]


STORES = []  # of torchrun's agent, one a training; it outlives the processes


def children(corpus: Path, exp: Path, count: int, inside: list[Path] | None = None, **changes: object) -> list[Child]:
    """The processes of one training, with the environment that torchrun gives. inside: a folder for each to run in."""
    arguments = train_arguments(corpus, exp, **changes)
    STORES.append(dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False))
    port = STORES[-1].port

    def start(rank):
        given = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "MASTER_PORT": port}
        os.environ.update({key: str(value) for key, value in given.items()}, MASTER_ADDR="127.0.0.1")
        os.environ.update(TORCHELASTIC_RUN_ID="x", TORCHELASTIC_USE_AGENT_STORE="True", GLOO_SOCKET_IFNAME="lo")
        os.chdir(inside[rank] if inside else ".")
        train.main(arguments)

    return [Child(lambda rank=rank: start(rank), exp.with_suffix(f".{rank}.stderr")) for rank in range(count)]
