"""VoxPopuli as published: a list with bars between the columns, and a tar of session recordings for each year."""

from __future__ import annotations

import csv
import gzip
import io
import tarfile
from pathlib import Path

import numpy as np
from audio_files import write_audio
from speech import speech

RATE = 16000
COLUMNS = (
    "session_id id_ original_text normed_text speaker_id split gender is_gold_transcript accent start_time end_time vad"
).split()
SESSIONS = {  # session -> speaker, set, text as written, normalised text
    "20090112-0900-PLENARY-3": [
        ("840", "train", "Madam.", "madam."),
        ("840", "train", 'He said "no".', 'he said "no".'),
        ("None", "train", "5 | men", "five men"),
        ("1122", "train", "Untold.", ""),  # a few have no normalised text
        ("1122", "dev", "A vote.", "a vote,"),
    ],
    "20120703-0900-PLENARY-15": [
        ("2002", "train", "So be it.", "so be it."),
        ("2002", "train", "No, no.", "no, no."),
        ("2003", "dev", "Thanks.", "thanks."),
        ("2004", "test", "Done (applause).", "done (applause)."),
        ("2004", "test", "I say so.", "i say so."),
        ("2004", "invalid", "Out.", "out."),
    ],
}
LOST = ("20200101-0900-PLENARY-1", [("2005", "train", "Lost.", "lost.")])  # without a recording


def make(folder: Path) -> None:
    """Write asr_en.tsv.gz, original_2009.tar and original_2012.tar; a session in another language has no row."""
    rows = []
    for session, speeches in [*SESSIONS.items(), LOST]:
        parts, now = [], 0.0
        for number, (speaker, subset, raw, text) in enumerate(speeches):
            # two pieces of voice; the other times include a margin
            pieces = []
            for half in (text[: len(text) // 2], text[len(text) // 2 :]):
                parts += [np.zeros(RATE // 10), speech(half, speaker)]
                pieces.append((round(now + 0.1, 4), round(now + 0.1 + len(parts[-1]) / RATE, 4)))
                now = sum(map(len, parts)) / RATE
            id = f"en_{session[:8]}-09:00:{number:02d}_{number}"
            times = (max(0, pieces[0][0] - 0.05), pieces[-1][1], pieces)
            rows.append((session, id, raw, text, speaker, subset, "female", "False", "None", *times))
        if session in SESSIONS:
            write_audio(folder / "original" / session[:4] / f"{session}_original.ogg", np.concatenate(parts))
    write_audio(folder / "original" / "2012" / "20120703-0900-PLENARY-16_original.ogg", speech("ja"))
    table = io.StringIO()
    csv.writer(table, delimiter="|").writerows([COLUMNS, *rows])
    (folder / "asr_en.tsv.gz").write_bytes(gzip.compress(table.getvalue().encode()))
    for year in ("2009", "2012"):
        with tarfile.open(folder / f"original_{year}.tar", "w") as tar:
            tar.add(folder / "original" / year, f"original/{year}")
