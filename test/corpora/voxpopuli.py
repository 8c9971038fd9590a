"""VoxPopuli as published: a list with bars between the columns, and a tar of session recordings for each year."""

import gzip
from pathlib import Path

import numpy as np
from miniature import lines, pack, table, write_files
from speech import speech

RATE = 16000
COLUMNS = "session_id id_ original_text normed_text speaker_id split gender accent start_time end_time vad".split()
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
LIST, SOUNDS = "sessions/annotations/asr/asr_en.tsv.gz", "sessions/raw_audios/original"
CUT_COLUMNS = "id raw_text normalized_text speaker_id split gender accent".split()


def make(folder: Path) -> None:
    """Write the archives of sources.yaml; in `sessions` their content; and in `cut` the recordings and lists that the
    publisher's program makes of them. A session in another language has no row.
    """
    rows, sounds = [], {f"{SOUNDS}/2012/20120703-0900-PLENARY-16_original.ogg": speech("ja")}
    cut = {name: [CUT_COLUMNS] for name in ("train", "dev", "test")}
    for session, speeches in [*SESSIONS.items(), LOST]:
        parts, now = [], 0.0
        for number, (speaker, subset, raw, text) in enumerate(speeches):
            pieces = []  # of voice; the other times include a margin
            for half in (text[: len(text) // 2], text[len(text) // 2 :]):
                parts += [np.zeros(RATE // 10), speech(half, speaker)]
                pieces.append((round(now + 0.1, 4), round(now + 0.1 + len(parts[-1]) / RATE, 4)))
                now = sum(map(len, parts)) / RATE
            id = f"en_{session[:8]}-09:00:{number:02d}_{number}"
            cells = (raw, text, speaker, subset, "female", "None")
            rows.append((session, id, *cells, max(0, pieces[0][0] - 0.05), pieces[-1][1], pieces))
            if subset in cut:
                cut[subset].append((f"{session}-{id}", *cells))
                if session in SESSIONS:
                    sounds[f"cut/en/{session[:4]}/{session}-{id}.ogg"] = speech(text, speaker)
        if session in SESSIONS:
            sounds[f"{SOUNDS}/{session[:4]}/{session}_original.ogg"] = np.concatenate(parts)
    published = gzip.compress(table([COLUMNS, *rows], delimiter="|", lineterminator="\r\n").encode())
    lists = {f"cut/en/asr_{name}.tsv": lines(map("\t".join, found)) for name, found in cut.items()}
    write_files(folder, sounds | lists | {LIST: published, "asr_en.tsv.gz": published})
    for year in ("2009", "2012"):
        pack(folder / f"original_{year}.tar", folder / SOUNDS / "..", f"original/{year}")
