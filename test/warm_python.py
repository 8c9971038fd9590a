"""`python -m sure.bin.NAME` of a clone in forks of one process, in all stages and all calls of its recipes."""

import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from clone import Clone

PYTHON = """#!/bin/sh
case "$1 $2" in "-m sure.bin."*) exec {client} "$@" ;; esac
exec {python} "$@"
"""


@contextmanager
def warm_python(clone: Clone) -> Iterator[None]:
    """Replace the Python of the clone's environment; its run.sh then makes no forks of its own."""
    bin = clone.root / ".venv" / "bin"
    with tempfile.TemporaryDirectory() as folder, subprocess.Popen(["sleep", "1h"]) as run:
        client = [sys.executable, "-S", str(clone.root / "sure/forks/client.py"), folder, str(run.pid)]
        text = PYTHON.format(client=shlex.join(client), python=shlex.quote(sys.executable))
        (bin / "python").write_text(text)
        clone.variables["SURE_FORKS"] = str(bin)
        try:
            yield
        finally:
            run.kill()  # the server ends with it
