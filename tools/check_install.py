#!/usr/bin/env python3
"""Check the installation and print remedies for problems; exit status 1 if an essential part is missing."""

from __future__ import annotations

import importlib
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
INSTALL = "run tools/install.sh"
PACKAGES = (
    "torch torchaudio numpy av click huggingface_hub jiwer matplotlib num2words pydantic yaml sacrebleu safetensors "
    "sklearn sentencepiece tokenizers soundfile tensorboardX tqdm"
).split()
RATE = 16000
SECONDS = 0.5
SMALLEST_FREE_GIGABYTES = 5


class Missing(Exception):
    """A part does not work; the message has the remedy."""


@dataclass(frozen=True)
class Check:
    name: str
    essential: bool
    run: Callable[[], str]  # returns a description, or raises an exception


def main() -> int:
    failed = False
    for check in CHECKS:
        try:
            mark, found = "ok", check.run()
        except Exception as error:  # a broken library may raise anything
            mark, found = ("MISSING" if check.essential else "no"), _one_line(error)
            failed |= check.essential
        print(f"{mark:8}{check.name:16}{found}", flush=True)
    if failed:
        print("\nRecipes need the parts that are MISSING above.")
    return int(failed)


def python() -> str:
    if not (3, 10) <= sys.version_info < (3, 14):
        raise Missing(f"found Python {platform.python_version()}, expected 3.10 to 3.13; {INSTALL}")
    return f"{platform.python_version()} in {sys.prefix}"


def packages() -> str:
    broken = []
    for name in PACKAGES:
        try:
            importlib.import_module(name)
        except Exception as error:  # a wheel that does not fit the machine may raise anything
            broken.append(f"{name} ({_one_line(error)})")
    if broken:
        is_other = (ROOT / ".venv" / "bin").is_dir() and Path(sys.prefix).resolve() != (ROOT / ".venv").resolve()
        advice = "not the Python of tools/install.sh: `. .venv/bin/activate`" if is_other else f"{INSTALL} --force"
        raise Missing(f"cannot import {', '.join(broken)}; {advice}")
    return f"all {len(PACKAGES)} can be imported"


def project() -> str:
    import sure

    if Path(sure.__file__).resolve().parents[1] != ROOT:
        raise Missing(f"sure is imported from {Path(sure.__file__).parent}, not from {ROOT}; {INSTALL}")
    return f"sure {sure.__version__}"


def torch_version() -> str:
    import torch
    import torchaudio

    kind = f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU"
    threads = torch.get_num_threads()
    return f"{torch.__version__} ({kind} build), torchaudio {torchaudio.__version__}, {threads} threads"


def gpu() -> str:
    import torch

    if not torch.cuda.is_available():
        raise Missing("none that torch can use; everything runs on the CPU, which is slower")
    torch.ones(8, device="cuda").sum().item()  # fails with a driver that is too old
    names = [torch.cuda.get_device_properties(index) for index in range(torch.cuda.device_count())]
    return ", ".join(f"{device.name} {device.total_memory / 2**30:.0f} GiB" for device in names)


def bf16() -> str:
    import torch

    from sure.device import BF16_WIDTH, autocast, pick_device

    device = pick_device()
    with autocast("auto", device, BF16_WIDTH):
        if not torch.is_autocast_enabled(device.type):
            raise Missing("no instructions for bf16; training uses float32 (train.precision: auto)")
    return f"used for backbones of width {BF16_WIDTH} or more (train.precision: auto)"


def audio_of(suffix: str) -> Callable[[], str]:
    """A check that writes a tone of half a second and reads it with sure.data.audio."""

    def check() -> str:
        from sure.data.audio import read_audio

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"tone.{suffix}"
            _write_tone(path, suffix)
            seconds = len(read_audio(path)) / RATE
        if abs(seconds - SECONDS) > 0.1:
            raise Missing(f"{SECONDS} s written, but {seconds:.2f} s read; {INSTALL} --force")
        return "written and read"

    return check


def _write_tone(path: Path, suffix: str) -> None:
    import av
    import numpy as np
    import soundfile

    tone = 0.3 * np.sin(2 * np.pi * 440 * np.arange(int(RATE * SECONDS)) / RATE)
    if suffix != "g722":
        soundfile.write(path, tone, RATE)
        return
    with av.open(path, "w", format="g722") as container:
        stream = container.add_stream("g722", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray((tone * 32767).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)


def sentencepiece() -> str:
    from sure.text.tokenizer import Tokenizer, train_tokenizer

    with tempfile.TemporaryDirectory() as folder:
        train_tokenizer(["abcab", "bcabc", "cab"], "bpe", 12, Path(folder))
        tokenizer = Tokenizer.load(Path(folder))
        if tokenizer.decode(tokenizer.encode("cab")) != "cab":
            raise Missing(f"a trained tokenizer does not decode its own text; {INSTALL} --force")
    return "a tokenizer was trained and used"


def ark() -> str:
    import numpy as np

    from sure.data import ark

    name = ark.library().__name__
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    with tempfile.TemporaryDirectory() as folder:
        scp = ark.write_ark(Path(folder) / "test.ark", [("a", array)])
        if not np.array_equal(ark.Scp(scp)["a"], array):
            raise Missing(f"{name} reads other values than it wrote; {INSTALL} --force")
    licence = "NTT's evaluation licence; omniio is the free alternative" if name == "kaldiio" else "MIT"
    return f"written and read by {name} ({licence})"


def slurm() -> str:
    if not shutil.which("sbatch"):
        raise Missing("no sbatch; recipes run on this machine (--launch local)")
    done = subprocess.run(["sinfo", "-h", "-o", "%P %D nodes"], capture_output=True, text=True, timeout=20)
    if done.returncode:
        raise Missing(f"sbatch is installed, but the controller does not answer: {_one_line(done.stderr)}")
    return ", ".join(done.stdout.split("\n")).strip(", ")


def disk() -> str:
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < SMALLEST_FREE_GIGABYTES:
        raise Missing(f"{free:.1f} GB free; below {SMALLEST_FREE_GIGABYTES} GB checkpoints may not fit")
    return f"{free:.0f} GB free"


def _one_line(error: object) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, (str, Missing)) else f"{type(error).__name__}: {text}"[:200]


CHECKS = (
    Check("python", True, python),
    Check("packages", True, packages),
    Check("project", True, project),
    Check("torch", True, torch_version),
    Check("GPU", False, gpu),
    Check("bf16", False, bf16),
    Check("wav", True, audio_of("wav")),
    Check("flac", True, audio_of("flac")),
    Check("ogg", False, audio_of("ogg")),
    Check("mp3", False, audio_of("mp3")),
    Check("g722", True, audio_of("g722")),
    Check("sentencepiece", True, sentencepiece),
    Check("ark", False, ark),
    Check("Slurm", False, slurm),
    Check("disk", False, disk),
)

if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    sys.exit(main())
