"""Start the processes of one training run with torchrun's agent, pass signals on, and exit with their status."""

import logging
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.elastic.rendezvous import RendezvousError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from sure.errors import SureError
from sure.interrupt import EXIT_STATUS, SIGNALS

GRACE_SECONDS = 15.0  # after the end of one process, until the others are killed
RENDEZVOUS_SECONDS = 600  # until all nodes have to be at the rendezvous


def launch(module: str, arguments: Sequence[str], processes: int, nodes: int, rendezvous: str) -> None:
    """Run `python -m MODULE ARGUMENTS` in `processes` processes on this node, and wait for them.

    rendezvous: host:port of one of the nodes, the same on all of them; empty for one node.
    Raises SystemExit with the status of the first process that failed: 75 when a signal stopped the training.
    """
    if processes < 1 or nodes < 1:
        raise SureError(f"--processes {processes} --nodes {nodes}: both have to be at least 1")
    if nodes > 1 and not rendezvous:
        raise SureError(f"--nodes {nodes} needs --rendezvous HOST:PORT, of one of the nodes, the same on all")
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)  # errors are reported here
    threads = int(os.environ.get("OMP_NUM_THREADS") or len(os.sched_getaffinity(0)))
    os.environ["OMP_NUM_THREADS"] = str(max(1, threads // processes))
    if not rendezvous:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    received: list[int] = []

    def pass_on(number: int, frame: object) -> None:
        received.append(number)
        workers = children_of(os.getpid())
        for worker in workers:
            with suppress(ProcessLookupError):
                os.kill(worker, number)
        if not workers:
            raise SystemExit(EXIT_STATUS)

    for number in SIGNALS:
        signal.signal(number, pass_on)
    threading.Thread(target=_end_together, args=(processes,), daemon=True).start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            config = _config(processes, nodes, rendezvous, folder)
            elastic_launch(config, sys.executable)("-m", module, *arguments)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        raise SystemExit(_status(rank, failure.exitcode, received)) from None
    except SignalException as error:
        raise SystemExit(128 + error.sigval) from None
    except RendezvousError as error:
        raise SureError(f"the {nodes} nodes did not all reach the rendezvous {rendezvous}: {error}") from None


def _config(processes: int, nodes: int, rendezvous: str, folder: str) -> LaunchConfig:
    return LaunchConfig(
        min_nodes=nodes,
        max_nodes=nodes,
        nproc_per_node=processes,
        run_id=os.environ.get("SLURM_JOB_ID", "sure"),  # two jobs on one node are never mixed
        rdzv_backend="c10d",
        rdzv_endpoint=rendezvous or "127.0.0.1:0",  # 0: any free port
        rdzv_configs={"timeout": RENDEZVOUS_SECONDS},
        local_addr=None if rendezvous else "127.0.0.1",
        max_restarts=0,
        signals_to_handle="SIGINT,SIGHUP,SIGQUIT",
        logs_specs=DefaultLogsSpecs(log_dir=folder),
    )


def _status(rank: int, exitcode: int, received: Sequence[int]) -> int:
    if exitcode >= 0:
        return exitcode  # the process has reported its error
    if -exitcode in received:
        return EXIT_STATUS  # stopped before it handled signals
    name = signal.Signals(-exitcode).name
    hint = " (by the system, if memory ran out)" if name == "SIGKILL" else ""
    node = os.environ.get("SLURMD_NODENAME") or socket.gethostname()
    print(
        f"error: process {rank}, on {node}, was ended by {name}{hint}, and the other processes have ended too; "
        "run the same command again to go on",
        file=sys.stderr,
    )
    return 128 - exitcode


def children_of(process: int) -> list[int]:
    """Ids of the running child processes of a process."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # the process has ended
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == process and state != "Z":
                found.append(int(stat.parent.name))
    return found


def _end_together(processes: int) -> None:
    """Kill the other processes some seconds after the first has ended: they may wait for it on a GPU forever."""
    while len(children_of(os.getpid())) < processes:
        time.sleep(0.5)
    while len(children_of(os.getpid())) == processes:
        time.sleep(0.5)
    time.sleep(GRACE_SECONDS)
    for worker in children_of(os.getpid()):
        with suppress(ProcessLookupError):
            os.killpg(worker, signal.SIGKILL)
