"""Kaldi data folders of a user: copies of the tables that a task needs, with paths that are valid here."""

import os
import re
import shlex
from pathlib import Path

from sure.data.ark import is_command
from sure.data.tables import format_table, read_lines
from sure.errors import SureError, some_of
from sure.files import replace_file


def copy_data_dir(source: Path, out: Path, needed: str) -> Path:
    """Copy the tables that a task needs, and report an unusable `utt2spk`; stage 2 validates them.

    needed: the table with the targets. Raises SureError if this table or wav.scp is missing.
    """
    out.mkdir(parents=True, exist_ok=True)
    ids: set[str] = set()
    for name in ("wav.scp", "segments", needed, "utt2spk", "trials"):
        table = source / name
        used = table.is_file() and (needed == "utt2spk" or name != "trials")
        lines = [(line.id, line.value) for line in read_lines(table)] if used else []
        if name == "wav.scp":
            lines = [(id, _place(audio, source)) for id, audio in lines]
        if name in ("wav.scp", "segments") and used:
            ids = {id for id, _ in lines}
        if used and name == "utt2spk" != needed:
            without = ids - {id for id, speaker in lines if len(speaker.split()) == 1}
            if without:
                print(f"{table}: no speaker of {len(without)} utterances ({min(without)}), so none is used")
            used = not without
        if used:
            replace_file(out / name, format_table(lines))
        elif name in ("wav.scp", needed):
            found = listed(source if source.is_dir() else source.parent)
            raise SureError(f"{table}: no such file, which this task needs; found {found}")
        else:
            (out / name).unlink(missing_ok=True)
    return out


def _place(audio: str, folder: Path) -> str:
    """A path or command of wav.scp with an existing file, from the folder that Kaldi's relative paths start from.

    That is the recipe's folder, two above a data folder; the two folders below are accepted too.
    """
    command = audio.strip().strip("|").strip() if is_command(audio) else ""
    files = _words(command) if command else [re.sub(r":\d+$", "", audio)]  # feats.ark:123
    places = (folder.parent.parent, folder.parent, folder)
    base = max(places, key=lambda base: sum(os.path.isfile(base / file) for file in files))
    if not any(os.path.isfile(base / file) for file in files):
        return audio
    return f"cd {shlex.quote(str(base.absolute()))} && {command} |" if command else str(base / audio)


def _words(command: str) -> list[str]:
    """The words of a command that may be relative paths."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        found = [part for word in lexer for part in word.split("=")]
    except ValueError:  # an open quote
        found = command.split()
    return [word for word in found if word and not word.startswith("/")]


def listed(folder: Path) -> str:
    """The first names in a folder, for errors."""
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir()) if folder.is_dir() else []
    return some_of(names) if names else "no files"
