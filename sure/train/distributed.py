"""Several processes train one model: each computes its share of every step, and gradients are summed.

torchrun (sure/train/launch.py) starts them and sets rank and size in the environment. Each process divides its losses
by the utterances of the whole step, and one all-reduce sums the gradients of adapters and head. So uneven and empty
shares are exact; DDP would average over processes. All other communication uses the CPU (gloo) and waits for no GPU.
"""

import ctypes
import logging
import math
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from sure.device import pick_device
from sure.errors import SureError
from sure.progress import progress_bar

Value = TypeVar("Value")
FAILED = "failed"  # key in the store: the message of the first process that failed
WAIT_SECONDS = 3.0  # for the message of a process that has ended
ROUND = 16  # values that each process computes between two exchanges
PR_SET_PDEATHSIG = 1  # linux/prctl.h


@dataclass
class Processes:
    """The processes of one training. A single process needs no torch.distributed."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0  # on this machine
    store: dist.Store | None = None

    @property
    def first(self) -> bool:
        """Whether this is process 0, which writes files and logs."""
        return self.rank == 0

    def device(self, name: str) -> torch.device:
        """As `pick_device`, with one GPU per process. Raises SureError if there are too few GPUs."""
        if self.size == 1 or name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
            return pick_device(name)
        if name not in ("auto", "cuda"):
            raise SureError(f"train.device={name}: with several processes it is auto, cuda or cpu")
        if self.local_rank >= torch.cuda.device_count():
            raise SureError(
                f"there are more processes than the {torch.cuda.device_count()} GPUs of this machine; "
                "start fewer (--processes; run.sh: --gpus), or train on the CPU with train.device=cpu"
            )
        torch.cuda.set_device(self.local_rank)
        return torch.device("cuda", self.local_rank)

    def share(self, step: Sequence[list[int]]) -> list[list[int]]:
        """This process's part of the batches of one step: whole batches, or an even part of each batch."""
        cuts = self.size // math.gcd(len(step), self.size)
        pieces = [batch[cut::cuts] for batch in step for cut in range(cuts)]
        return [piece for piece in pieces[self.rank :: self.size] if piece]

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Sum over all processes in one all-reduce; a process without utterances adds zeros."""
        if self.size == 1:
            return
        parameters = list(parameters)
        flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).flatten() for p in parameters])
        self._call(lambda: dist.all_reduce(flat))
        for parameter, summed in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
            parameter.grad = summed.view_as(parameter)

    def maximum(self, numbers: Sequence[int]) -> list[int]:
        """The maximum of each number over all processes."""
        if self.size == 1:
            return list(numbers)
        highest = torch.tensor(numbers, dtype=torch.int64)
        self._call(lambda: dist.all_reduce(highest, dist.ReduceOp.MAX))
        return highest.tolist()

    def gather(self, value: Value) -> list[Value]:
        """Return the values of all processes, by rank, in every process."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        self._call(lambda: dist.all_gather_object(found, value))
        return found

    def merge(self, values: Sequence[Value]) -> list[Value]:
        """Return the whole list in every process, where process r gives values[r :: size]."""
        parts = self.gather(list(values))
        return [part[row] for row in range(len(parts[0])) for part in parts if row < len(part)]

    def spread(self, count: int, make: Callable[[int], Value], pause: Callable[[], None], name: str) -> list[Value]:
        """Return [make(0), ..., make(count - 1)] in every process; each computes a part, in order.

        pause: called between exchanges, in all processes at the same place. name: of the progress bar.
        """
        made: list[Value] = []
        at_once = self.size * (ROUND if self.size > 1 else 1)
        with progress_bar(None, name, count, disable=not self.first) as bar:
            for start in range(0, count, at_once):
                own = range(start + self.rank, min(count, start + at_once), self.size)
                made += self.merge([make(index) for index in own])
                bar.update(len(made) - bar.n)
                pause()
        return made

    def from_first(self, make: Callable[[], Value]) -> Value:
        """Call `make` in process 0 and return its value in every process."""
        if self.size == 1:
            return make()
        found = [make() if self.first else None]
        self._call(lambda: dist.broadcast_object_list(found))
        return found[0]

    def wait(self) -> None:
        """Wait until all processes have called this."""
        self.maximum([0])

    def check_same(self, what: str, value: object) -> None:
        """Raises SureError unless `value` is the same in all processes."""
        first, *others = self.gather(value)
        for rank, other in enumerate(others, start=1):
            if other != first:
                raise SureError(
                    f"{what} of process {rank} of {self.size} differs from process 0; "
                    "all processes need the same files, weights and versions"
                )

    def check_same_tensors(self, tensors: Iterable[Tensor]) -> None:
        """Raises SureError unless the tensors (float32) are equal, bit for bit, in all processes."""
        if self.size > 1:  # a sum of integers is exact in any order of addition
            sums = [tensor.detach().view(torch.int32).sum(dtype=torch.int64) for tensor in tensors]
            self.check_same("the trained parameters", torch.stack(sums).tolist())

    def _call(self, collective: Callable[[], object]) -> None:
        """Raises SureError if another process failed, with its message, or was killed."""
        try:
            collective()
        except RuntimeError as error:
            message = f"another process of this training has ended ({error})"
            end = time.monotonic() + WAIT_SECONDS
            with suppress(RuntimeError):  # the store may be gone with process 0
                while time.monotonic() < end and not self.store.check([FAILED]):
                    time.sleep(0.1)
                if self.store.check([FAILED]):
                    message = self.store.get(FAILED).decode()
            raise SureError(message) from None

    def announce(self, message: str) -> bool:
        """Leave a message for the others if no process has failed before. Returns whether it was left."""
        with suppress(RuntimeError):
            return self.store.compare_set(FAILED, "", message).decode() == message
        return True


ALONE = Processes()


@contextmanager
def joined() -> Iterator[Processes]:
    """The processes that torchrun started, or this process alone.

    When a process fails it reports why, and the others end without a message.
    """
    if not dist.is_torchelastic_launched() or os.environ["WORLD_SIZE"] == "1":
        yield ALONE
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # or workers would go on training when torchrun is killed
    store, rank, size = next(dist.rendezvous("env://"))
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
    dist.init_process_group(backend, store=dist.PrefixStore("torch", store), rank=rank, world_size=size)
    processes = Processes(rank, size, int(os.environ["LOCAL_RANK"]), dist.PrefixStore("sure", store))
    if not processes.first:
        logging.getLogger("sure").setLevel(logging.ERROR)
    try:
        yield processes
        processes.wait()
    except KeyboardInterrupt:
        if processes.first:
            raise
        raise SystemExit(130) from None
    except Exception as error:
        if processes.announce(f"process {rank} of {size}: {error}"):
            raise
        raise SystemExit(2) from None
    dist.destroy_process_group()
