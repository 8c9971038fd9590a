"""Several processes train one model: each takes its share of every step, and the few gradients are summed.

torchrun (sure/train/launch.py) starts them and says in the environment who is who. The loss of each is divided by the
utterances of the whole step and the gradients of adapters and head are summed in one explicit all-reduce, so uneven
shares and empty ones are exact; DDP would average over processes. What has to be agreed on goes over the CPU (gloo),
and waits for no GPU.
"""

from __future__ import annotations

import ctypes
import logging
import math
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from sure.device import pick_device
from sure.errors import SureError

log = logging.getLogger(__name__)

Value = TypeVar("Value")
FAILED = "failed"  # key of the store: what the first process to fail said
WAIT_SECONDS = 3.0  # for the last words of a process that is gone
ROUND = 16  # values that a process makes before it gets the others'
PR_SET_PDEATHSIG = 1  # linux/prctl.h


class OtherFailed(SureError):
    """Another process of this training failed; it has said why, or it was killed."""


class Processes:
    """The processes of one training. One alone does without torch.distributed."""

    def __init__(self, rank: int = 0, size: int = 1, local_rank: int = 0, store: dist.Store | None = None):
        self.rank, self.size, self.local_rank = rank, size, local_rank
        self.store = store

    @property
    def first(self) -> bool:
        """Whether this is the one that writes files and logs."""
        return self.rank == 0

    def device(self, name: str) -> torch.device:
        """As `pick_device`, and a GPU for each process. Raises SureError where there are too few."""
        if self.size == 1 or name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
            return pick_device(name)
        if name not in ("auto", "cuda"):
            raise SureError(f"train.device={name}: with several processes it is auto, cuda or cpu")
        if self.local_rank >= torch.cuda.device_count():
            raise SureError(
                f"more processes than the {torch.cuda.device_count()} GPUs here; "
                "start fewer (--processes; run.sh: --gpus), or train on the CPU with train.device=cpu"
            )
        torch.cuda.set_device(self.local_rank)
        return torch.device("cuda", self.local_rank)

    def share(self, step: Sequence[list[int]]) -> list[list[int]]:
        """What this process computes of the batches of one step: all of one, or an even part of each."""
        cuts = self.size // math.gcd(len(step), self.size)
        pieces = [batch[cut::cuts] for batch in step for cut in range(cuts)]
        return [piece for piece in pieces[self.rank :: self.size] if piece]

    def sum_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Over all processes, in one all-reduce; a process without utterances adds zeros."""
        if self.size == 1:
            return
        parameters = list(parameters)
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        self._call(lambda: dist.all_reduce(flat))
        for parameter, summed in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
            parameter.grad = summed.view_as(parameter)

    def most(self, numbers: Sequence[int]) -> list[int]:
        """The highest of each number over all processes."""
        if self.size == 1:
            return list(numbers)
        highest = torch.tensor(numbers, dtype=torch.int64)
        self._call(lambda: dist.all_reduce(highest, dist.ReduceOp.MAX))
        return highest.tolist()

    def gather(self, value: Value) -> list[Value]:
        """The value of each process, to all of them."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        self._call(lambda: dist.all_gather_object(found, value))
        return found

    def merge(self, values: Sequence[Value]) -> list[Value]:
        """The list of which process r has values[r :: size], to all of them."""
        parts = self.gather(list(values))
        return [part[row] for row in range(len(parts[0])) for part in parts if row < len(part)]

    def spread(self, count: int, make: Callable[[int], Value], pause: Callable[[], None]) -> list[Value]:
        """[make(0), ..., make(count - 1)] in all processes, each of which makes some, in order.

        pause: called now and then, in all of them at the same place.
        """
        made: list[Value] = []
        at_once = self.size * (ROUND if self.size > 1 else 1)
        for start in range(0, count, at_once):
            own = range(start + self.rank, min(count, start + at_once), self.size)
            made += self.merge([make(index) for index in own])
            pause()
        return made

    def of_first(self, make: Callable[[], Value]) -> Value:
        """What `make` returns in the first process, to all."""
        if self.size == 1:
            return make()
        found = [make() if self.first else None]
        self._call(lambda: dist.broadcast_object_list(found))
        return found[0]

    def wait(self) -> None:
        """Until all are here."""
        self.most([0])

    @contextmanager
    def first_goes_first(self) -> Iterator[None]:
        """The others run the block when the first has."""
        if not self.first:
            self.wait()
        yield
        if self.first:
            self.wait()

    def check_same(self, what: str, value: object) -> None:
        """Raises SureError unless it is the same in all processes."""
        values = self.gather(value)
        for rank, other in enumerate(values):
            if other != values[0]:
                raise SureError(
                    f"{what} of process {rank} of {self.size} differs from that of process 0; "
                    "all of them need the same files, weights and versions"
                )

    def check_same_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        """Raises SureError unless they are the same, bit for bit, in all processes."""
        if self.size > 1:  # a sum of integers is exact in whatever order a device adds
            sums = [tensor.detach().view(torch.int32).sum(dtype=torch.int64) for tensor in tensors.values()]
            self.check_same("what trains", torch.stack(sums).tolist())

    def own(self, saved: Sequence[Value] | Value, what: str) -> Value | None:
        """What this process had saved, where there were as many then; with more now, nothing for the new ones."""
        saved = saved if isinstance(saved, list) else [saved]  # by one alone, before there were several
        if len(saved) != self.size:
            log.warning("saved by %d processes, now there are %d: other %s", len(saved), self.size, what)
        return saved[self.rank] if self.rank < len(saved) else None

    def _call(self, collective: Callable[[], object]) -> None:
        try:
            collective()
        except RuntimeError as error:
            raise OtherFailed(self._last_words() or f"another process of this training has ended ({error})") from None

    def _last_words(self) -> str:
        """What the process that failed said; nothing where it was killed."""
        end = time.monotonic() + WAIT_SECONDS
        with suppress(RuntimeError):  # the store may be gone with process 0
            while time.monotonic() < end:
                if self.store.check([FAILED]):
                    return self.store.get(FAILED).decode()
                time.sleep(0.1)
        return ""

    def announce(self, message: str) -> bool:
        """Leave a message for the others, when this is the first to fail; whether it is."""
        with suppress(RuntimeError):
            return self.store.compare_set(FAILED, "", message).decode() == message
        return True


ALONE = Processes()


@contextmanager
def joined() -> Iterator[Processes]:
    """The processes that torchrun started, or this one alone.

    When one fails it says why, and the others end without a word of their own.
    """
    if not dist.is_torchelastic_launched() or os.environ["WORLD_SIZE"] == "1":
        yield ALONE
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)  # no orphans train on when torchrun is killed
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
