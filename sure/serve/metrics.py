"""Numbers about the server in the format of Prometheus."""

from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from sure.serve.batches import Job


class Metrics:
    """waiting, adapters: return the present numbers of waiting jobs and of adapters."""

    def __init__(self, waiting: Callable[[], int], adapters: Callable[[], int]):
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        own = {"registry": self.registry}
        self.requests = Counter("sure_requests", "Finished requests", ["path", "status"], **own)
        self.seconds = Histogram("sure_request_seconds", "Time from request to answer", ["path"], **own)
        self.audio = Counter("sure_audio_seconds", "Seconds of audio, once for each adapter", ["adapter"], **own)
        sizes = [1, 2, 4, 8, 16, 32, 64]
        self.batches = Histogram("sure_batch_requests", "Requests computed together", buckets=sizes, **own)
        Gauge("sure_waiting", "Jobs that wait", **own).set_function(waiting)
        Gauge("sure_adapters", "Adapters that are loaded", **own).set_function(adapters)

    def batch(self, jobs: Sequence[Job]) -> None:
        self.batches.observe(len(jobs))

    def forget(self, adapter: str) -> None:
        """After the removal of an adapter, so that the numbers of many in turn need no memory."""
        self.audio.remove(adapter)

    def text(self) -> bytes:
        return generate_latest(self.registry)
