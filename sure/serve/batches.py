"""Dynamic batches: requests that arrive while the model computes are computed together afterwards, in one thread."""

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from sure.serve.settings import Stopping

Compute = Callable[[Any, Sequence[Any]], Sequence[Any]]


@dataclass
class Job:
    """key: jobs with equal keys can be computed together. seconds: of audio, counted once for each adapter."""

    key: Hashable
    item: Any
    seconds: float
    future: Future = field(default_factory=Future)


class Batches:
    """A thread that computes jobs; the oldest first, with all others that fit it."""

    def __init__(self, compute: Compute, batch_seconds: float, watch: Callable[[Sequence[Job]], object] = len):
        """compute: returns the results of items with one key, in order. watch: is called with each batch."""
        self.compute, self.batch_seconds, self.watch = compute, batch_seconds, watch
        self.jobs: deque[Job] = deque()
        self.changed = threading.Condition()
        self.stopping = False
        self.thread = threading.Thread(target=self._run, name="batches", daemon=True)
        self.thread.start()

    @property
    def waiting(self) -> int:
        return len(self.jobs)

    @property
    def waiting_seconds(self) -> float:
        with self.changed:
            return sum(job.seconds for job in self.jobs)

    def submit(self, key: Hashable, item: Any, seconds: float = 0.0) -> Future:
        """The future of an item's result. Raises Stopping after `close`."""
        job = Job(key, item, seconds)
        with self.changed:
            if self.stopping:
                raise Stopping("the server is stopping; send the request again later")
            self.jobs.append(job)
            self.changed.notify()
        return job.future

    def close(self) -> None:
        """Compute the jobs that wait, then end the thread."""
        with self.changed:
            self.stopping = True
            self.changed.notify()
        self.thread.join()

    def _run(self) -> None:
        while batch := self._next():
            running = [job for job in batch if job.future.set_running_or_notify_cancel()]
            if running:
                self.watch(running)
                self._compute(running)

    def _next(self) -> list[Job]:
        """The oldest job with those of its key, up to `batch_seconds`; empty at the end."""
        with self.changed:
            while not self.jobs and not self.stopping:
                self.changed.wait()
            if not self.jobs:
                return []
            first, chosen, seconds = self.jobs[0], [], 0.0
            for job in self.jobs:
                if job.key == first.key and (job is first or seconds + job.seconds <= self.batch_seconds):
                    chosen.append(job)
                    seconds += job.seconds
            taken = set(map(id, chosen))
            self.jobs = deque(job for job in self.jobs if id(job) not in taken)
            return chosen

    def _compute(self, batch: Sequence[Job]) -> None:
        """Set the results. After an error each job is computed alone, so that only its cause fails."""
        try:
            results = self.compute(batch[0].key, [job.item for job in batch])
        except Exception as error:
            if len(batch) == 1:
                batch[0].future.set_exception(error)
            else:
                for job in batch:
                    self._compute([job])
            return
        for job, result in zip(batch, results, strict=True):
            job.future.set_result(result)
