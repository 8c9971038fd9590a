"""Parallel processes of a shell: never more than allowed, no status lost, all ended by one signal."""

import os
import signal
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
# `job NAME:SECONDS:STATUS` writes a line at its begin and at its end; each call of `wait` writes a line too.
START = r"""
set -Eeuo pipefail
. utils/parallel.sh
wait() { echo "asked" >>"$calls"; builtin wait "$@"; }
job() {
  local name seconds status
  IFS=: read -r name seconds status <<<"$1"
  echo "begin $name" >>"$calls"
  sleep "$seconds"
  echo "end $name" >>"$calls"
  exit "$status"
}
"""


def run(tmp_path, script):
    """The written lines, and the output of the script."""
    calls = tmp_path / "calls"
    done = subprocess.run(
        ["bash", "-c", START + script], cwd=ROOT, env=os.environ | {"calls": str(calls)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return calls.read_text().splitlines(), done.stdout.strip()


def test_all_run_also_after_a_failure_and_the_first_failure_counts(tmp_path):
    lines, status = run(tmp_path, 'in_parallel 2 job a:0:0 b:0:3 c:0.5:4 d:0:0; echo "$parallel_status"')
    assert status == "3"
    assert sorted(line for line in lines if line.startswith("end")) == ["end a", "end b", "end c", "end d"]
    assert run(tmp_path, 'in_parallel 2 job a:0:0 b:0:0; echo "$parallel_status"')[1] == "0"


def test_never_more_than_allowed(tmp_path):
    lines, _ = run(tmp_path, "in_parallel 2 job a:0.5:0 b:0.3:0 c:0.3:0 d:0.1:0 e:0.1:0")
    running, most = 0, 0
    for line in lines:
        running += {"begin": 1, "end": -1}.get(line.split()[0], 0)
        most = max(most, running)
    assert most == 2


def test_a_status_is_read_before_the_next_process_begins(tmp_path):
    """At the end of a long sweep, bash may have forgotten the status of an early process."""
    lines, _ = run(tmp_path, "in_parallel 1 job a:0:0 b:0:0 c:0:0")
    assert lines == [line for name in "abc" for line in (f"begin {name}", f"end {name}", "asked")]


def test_one_signal_ends_all(tmp_path):
    calls = tmp_path / "calls"
    script = START + "in_parallel 2 job a:61.37:0 b:61.37:0 c:61.37:0"
    process = subprocess.Popen(["bash", "-c", script], cwd=ROOT, env=os.environ | {"calls": str(calls)})
    while not calls.exists() or len(calls.read_text().splitlines()) < 2:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=30) == 143
    assert sorted(set(calls.read_text().splitlines())) == ["asked", "begin a", "begin b"]
    deadline = time.monotonic() + 10
    while subprocess.run(["pgrep", "-f", "^sleep 61.37"], stdout=subprocess.DEVNULL).returncode == 0:
        assert time.monotonic() < deadline, "a started process still runs"
        time.sleep(0.05)
