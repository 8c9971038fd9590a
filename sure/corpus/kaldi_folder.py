"""Kaldi data folders of a user: copies of the tables that a task needs, with paths that are valid here."""

import os
import re
import shlex
from pathlib import Path

import soundfile

from sure.data.ark import is_command
from sure.data.tables import format_table, read_lines
from sure.errors import SureError, counted, some_of
from sure.files import replace_file

PARTNERS = {"utt2spk": "trials", "text": "utt2lang"}  # table that a task needs -> table that is copied with it


def copy_data_dir(source: Path, out: Path, needed: str) -> Path:
    """Copy the tables that a task needs, and report an unusable `utt2spk`; stage 2 validates them.

    needed: the table with the targets. Raises SureError if this table or wav.scp is missing.
    """
    _check_channels(source)
    out.mkdir(parents=True, exist_ok=True)
    ids: set[str] = set()
    for name in ("wav.scp", "segments", needed, "utt2spk", "utt2lang", "trials"):
        table = source / name
        used = table.is_file() and name not in {"trials", "utt2lang"} - {PARTNERS.get(needed)}
        lines = [(line.id, line.value) for line in read_lines(table)] if used else []
        if name == "wav.scp":
            lines = [(id, _place(audio, source)) for id, audio in lines]
        if name in ("wav.scp", "segments") and used:
            ids = {id for id, _ in lines}
        if used and name == "utt2spk" != needed:
            without = ids - {id for id, speaker in lines if len(speaker.split()) == 1}
            if without:
                print(f"{table}: no speaker of {counted(len(without), 'utterance')} ({min(without)}), so none is used")
            used = not without
        if used:
            replace_file(out / name, format_table(lines))
        elif name in ("wav.scp", needed):
            found = listed(source if source.is_dir() else source.parent)
            raise SureError(f"{table}: no such file, which this task needs; found {found}")
        else:
            (out / name).unlink(missing_ok=True)
    return out


def _check_channels(source: Path) -> None:
    """Raise SureError for a line of `reco2file_and_channel` whose channel the entry in wav.scp does not select.

    A command may select it; a file with several channels would be averaged.
    """
    table = source / "reco2file_and_channel"
    if not (table.is_file() and (source / "wav.scp").is_file()):
        return
    places = {line.id: line.value for line in read_lines(source / "wav.scp")}
    sides: dict[str, str] = {}
    for line in read_lines(table):
        audio = places.get(line.id, "")
        channel = line.value.rpartition(" ")[2]
        repeated = sides.setdefault(audio, channel) != channel
        if audio and (repeated or (not is_command(audio) and channels(_place(audio, source)) > 1)):
            raise SureError(
                f"{table}:{line.number}: '{line.id}' is channel {channel} of {audio}, of which SURE would average all "
                "channels; select it in wav.scp, such as: sox FILE -t wav - remix 1 |"
            )


def channels(audio: str) -> int:
    """The number of channels in the header of a file; 1 if it is unknown, because stage 2 reports unreadable files."""
    try:
        return soundfile.info(audio).channels
    except (OSError, soundfile.LibsndfileError):
        return 1


def _place(audio: str, folder: Path) -> str:
    """A path or command of wav.scp with an existing file, from the folder that Kaldi's relative paths start from.

    That is the recipe's folder, two above a data folder; the two folders below are accepted too.
    """
    command = audio.strip().strip("|").strip() if is_command(audio) else ""
    audio = audio if command else os.path.expanduser(audio)
    files = _words(command) if command else [re.sub(r":\d+$", "", audio)]  # feats.ark:123
    places = (folder.parent.parent, folder.parent, folder)
    there = os.path.exists if command else os.path.isfile  # `cd folder && ...` names a folder
    base = max(places, key=lambda base: sum(there(base / file) for file in files))
    if not any(there(base / file) for file in files):
        return audio
    return f"cd {shlex.quote(str(base.absolute()))} && {command} |" if command else str(base / audio)


def _words(command: str) -> list[str]:
    """The words of a command that may be relative paths, also those in quotes, as in `bash -c 'cat a.wav'`."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        found = [part for word in lexer for part in word.split("=")]
    except ValueError:  # an open quote
        found = []
    found += re.split(r"[\s'\"=()<>|;&]+", command)
    return [word for word in dict.fromkeys(found) if word.strip("./") and not word.startswith("/")]


def listed(folder: Path) -> str:
    """The first names in a folder, for errors."""
    names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir()) if folder.is_dir() else []
    return some_of(names) if names else "no files"
