"""Commands in wav.scp, such as `sox x.sph -t wav - |`, which stage 2 runs once if the user allows it."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from sure.data.ark import is_command
from sure.data.tables import Line
from sure.errors import SureError


def find_commands(scp: Path, lines: Mapping[str, Line], allowed: bool) -> dict[str, Line]:
    """The lines of wav.scp that are commands. Raises SureError if there are any and they are not allowed."""
    commands = {id: line for id, line in lines.items() if is_command(line.value)}
    if commands and not allowed:
        line = next(iter(commands.values()))
        raise SureError(
            f"{scp}:{line.number}: '{line.value}' is a command, which would run with your permissions; read wav.scp, "
            "and if you trust it, give --allow_commands true"
        )
    return commands


def run_command(command: str, output: Path) -> str:
    """Write the output of a command to a file. Returns the exit code and message of a failure, else an empty text."""
    with output.open("wb") as file:
        # by the shell, because entries of Kaldi's wav.scp are pipelines
        done = subprocess.run(command.strip().strip("|"), shell=True, stdout=file, stderr=subprocess.PIPE)
    message = " ".join(done.stderr.decode(errors="replace").split())[-200:]
    return f"exit {done.returncode}, {message}" if done.returncode else ""
