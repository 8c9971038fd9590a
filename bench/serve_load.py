"""Load a server of bundles with mixed requests and faults, and check every answer and the server's memory.

    python bench/serve_load.py                                        # 20 minutes, 200 clients, small random models
    python bench/serve_load.py --minutes 5 --clients 50 --audio a.wav b.flac --bundles spanish=exp/A/seed1/bundle ...

Starts a server in a process of its own: by default with eight bundles of small random models on one backbone, and two
whole recognisers on another. The answers of each bundle alone are computed first. After --kill-after seconds of load
the server is killed (kill -9) and started again at the same address. From then on it has to answer all requests: right
ones with the results of the bundle alone, faulty ones with their status: bad audio, wrong names, 1 GB of upload, slow
heads, bodies and readers, clients that leave, and an adapter that comes and goes. --temporary is the folder of the
server for uploads of more than 1 MB. A small file system (mount -t tmpfs -o size=3m none FOLDER) adds a full disk.
Prints seconds (of the client, which shares the machine) by kind of request, statuses, and the resident memory of the
server. Fails after a wrong answer, an error in the server's log, or memory that grows by more than --growth percent
between minute 1 and the end.
"""

import argparse
import asyncio
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np
import soundfile
import torch
from serve_clients import GUEST, Clients, Expected, Seen

from sure import SAMPLE_RATE
from sure.bin.serve import named_bundles
from sure.config import make_config
from sure.data.data_dir import Utterance
from sure.models.build import build_model, build_task
from sure.petl.bundle import write_bundle
from sure.registry import find

HEADS = {"asr": "lora", "language": "prefix", "verification": "weighted_sum", "slots": "bottleneck", "phoneme": "ssf",
         "keyword": "ia3", "speaker": "bitfit", "intent": "conv_adapter"}  # fmt: skip
RECOGNISERS = {"transcription": "lora", "translation": "bottleneck"}
TEXTS = {"slots": ["B-x the E-x quick", "B-y fox E-y jumps"], "phoneme": ["AA1 B CH", "CH AA1 B"]}
WORDS = ["the quick brown fox", "jumps over the lazy dog"]
FORMATS = ("WAV", "FLAC", "OGG", "MP3")


def toy_bundle(folder: Path, task: str, method: str, number: int) -> Path:
    """The bundle of a small random model whose trained parameters are away from their start."""
    whole = task in RECOGNISERS
    config = make_config(
        {
            "task": task,
            "seed": 1,
            "data": {"train": "", "valid": ""},
            "tokenizer": {"folder": str(folder / "tokens" / task)},
            "backbone": {"name": "whisper", "weights": "random:toy", "padding": "masked"} if whole else
                        {"name": "tiny", "weights": "random:wav2vec2"},
            "petl": {"name": method},
            **({"decode": {"generation": {"max_tokens": 30}}} if whole else {}),
        },
        "bench",
    )  # fmt: skip
    examples = [
        Utterance(f"u{index}", "", seconds=2.0, text=text, labels={"label": word}, speaker=word)
        for index, (text, word) in enumerate(zip(TEXTS.get(task, WORDS), WORDS, strict=True))
    ]
    find("tasks", task).fit(examples, folder / "tokens" / task, tokenizer=config.tokenizer, language="en")
    model, generator = build_model(config, build_task(config)), torch.Generator().manual_seed(number)
    with torch.no_grad():
        for group, parameters in model.parameter_groups().items():
            size = 0.05 if group == "head" else 0.2  # so that no class has all the probability
            for parameter in parameters.values():
                parameter += size * torch.randn(parameter.shape, generator=generator)
    write_bundle(folder / task, model.bundle(config, folder / "tokens" / task))
    return folder / task


def tones() -> list[bytes]:
    """Recordings of 0.4 to 3 s in several formats: tones of other pitch and loudness in each, with noise."""
    generator, found = np.random.default_rng(3), []
    for number, seconds in enumerate(np.linspace(0.4, 3.0, 16)):
        size = round(seconds * SAMPLE_RATE)
        tone = np.sin(2 * np.pi * 100 * 1.3**number * np.arange(size) / SAMPLE_RATE)
        noise = generator.standard_normal(size)
        found.append(encoded(0.02 * (1 + number % 5) * (tone + 0.3 * noise), FORMATS[number % len(FORMATS)]))
    return found


def encoded(samples: np.ndarray, form: str, rate: int = SAMPLE_RATE) -> bytes:
    content = io.BytesIO()
    soundfile.write(content, samples.clip(-1, 1), rate, format=form)
    return content.getvalue()


class Server:
    """The process of a server, which can be killed and started again."""

    def __init__(self, bundles: dict[str, Path], options: argparse.Namespace, folder: Path):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        limits = ["--megabytes", "8", "--upload-seconds", "5", "--adapters", str(folder), "--requests", "400"]
        names = [f"{name}={path}" for name, path in bundles.items()]
        self.command = [sys.executable, "-m", "sure.bin.serve", *names, "--port", str(self.port), *limits]
        self.command += ["--device", options.device]
        self.log = folder / "server.log"
        temporary = {"TMPDIR": str(options.temporary)} if options.temporary else {}
        self.environment = os.environ | temporary | {"OMP_NUM_THREADS": str(options.threads)}

    def start(self) -> None:
        with self.log.open("a") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log, env=self.environment)
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{self.port}/health", timeout=60).raise_for_status()
                return
            except httpx.HTTPError:
                if self.process.poll() is not None:
                    sys.exit(f"the server ended:\n{self.log.read_text()[-3000:]}")
                time.sleep(0.1)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def megabytes(self) -> float:
        """Resident memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


async def load(server: Server, clients: Clients, options: argparse.Namespace) -> list[tuple[float, float]]:
    """Run the clients; returns (seconds, MB) of the server that was started last."""
    running = asyncio.ensure_future(clients.run())
    if options.kill_after:
        await asyncio.sleep(options.kill_after)
        clients.down = True
        server.kill()
        await asyncio.to_thread(server.start)
        await asyncio.sleep(1)
        clients.down = False
    clients.seen, begin = Seen(), time.monotonic()
    clients.ends, memory = begin + 60 * options.minutes, []
    while not running.done():
        memory.append((time.monotonic() - begin, server.megabytes()))
        await asyncio.wait((running,), timeout=5)
    await running
    memory.append((time.monotonic() - begin, server.megabytes()))
    return memory


def report(seen: Seen, memory: list[tuple[float, float]]) -> float:
    """Print the tables; returns the growth of memory in percent, between minute 1 (or the first half) and the end."""
    total, seconds = sum(map(len, seen.seconds.values())), memory[-1][0]
    print(f"{total} requests in {seconds:.0f} s, {total / seconds:.1f} in a second; wrong: {len(seen.wrong)}")
    print("| request | number | p50 s | p95 s | p99 s | statuses |\n|---|---:|---:|---:|---:|---|")
    for kind, each in sorted(seen.seconds.items()):
        p50, p95, p99 = np.percentile(each, (50, 95, 99))
        statuses = ", ".join(f"{status}: {count}" for status, count in sorted(seen.statuses[kind].items(), key=str))
        print(f"| {kind} | {len(each)} | {p50:.2f} | {p95:.2f} | {p99:.2f} | {statuses} |")
    early = [size for at, size in memory if at >= min(60, seconds / 2)][:6]
    first, before, after = memory[0][1], float(np.median(early)), float(np.median([size for _, size in memory[-6:]]))
    largest = max(size for _, size in memory)
    print(
        f"memory MB: {first:.0f} at the start, {before:.0f} after a minute, {after:.0f} at the end; most {largest:.0f}"
    )
    return 100 * (after / before - 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--bundles", nargs="+", metavar="NAME=BUNDLE", help="default: small random models")
    parser.add_argument("--audio", nargs="+", type=Path, help="recordings; default: tones")
    parser.add_argument("--kill-after", type=float, default=10.0, help="seconds; 0: never; default: %(default)s")
    parser.add_argument("--growth", type=float, default=10.0, help="of memory, in percent; default: %(default)s")
    parser.add_argument("--temporary", type=Path, help="the server's folder for large uploads")
    parser.add_argument("--threads", type=int, default=1, help="of the server; default: %(default)s")
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        if options.bundles:
            _, bundles = named_bundles(options.bundles)
        else:
            tasks = enumerate((HEADS | RECOGNISERS).items())
            bundles = {task: toy_bundle(folder, task, method, number) for number, (task, method) in tasks}
        sounds = [path.read_bytes() for path in options.audio] if options.audio else tones()
        guest = next(iter(bundles))
        shutil.copytree(bundles[guest], folder / GUEST)
        expected, server = Expected(bundles, sounds), Server(bundles, options, folder)
        generator = np.random.default_rng(5)
        large = encoded(0.1 * generator.standard_normal((192_000, 4)), "WAV", 192_000)  # 1 s
        clients = Clients(server.port, expected, sounds, large, guest, options.clients)
        server.start()
        memory = asyncio.run(load(server, clients, options))
        growth = report(clients.seen, memory)
        status, log = server.stop(), server.log.read_text()
        faults = clients.seen.wrong[:20] + ([f"exit status {status}"] if status else [])
        if "Traceback" in log:
            faults.append(log[log.index("Traceback") :][:3000])
        if growth > options.growth:
            faults.append(f"memory grew by {growth:.1f} %")
        print(f"growth of memory {growth:.1f} %; " + ("every answer was right" if not faults else "FAILED"))
        if faults:
            sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
