"""HTML page to compare synthesised speech by ear: a row for each utterance, a column for each method.

The audio files are in a folder next to the page. The page needs no network and no scripts; text from data is escaped.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sure.data.audio import decode, write_wave
from sure.files import replace_file
from sure.report.results import DIGITS, SCORES, UNITS, Result, rows_of, tests_of
from sure.score.synthesis.folder import UTTERANCES, read_utterances

SHOWN = 50  # utterances of a set at most, evenly spaced
SET_SCORES = ("mcd", "f0_rmse_hz", "voicing_error", "duration_error", "wer", "cer", "speaker_similarity")
UTTERANCE_SCORES = ("mcd", "f0_rmse_hz", "cer", "speaker_similarity")
LEGEND = "below each player: scores of the utterance, and the transcript by the independent recogniser, if there is one"
STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 1.5rem; color: #222; }
table { border-collapse: collapse; }
th, td { border: 1px solid #ccc; padding: .5rem; text-align: left; vertical-align: top; }
thead th { position: sticky; top: 0; background: #f2f2f2; z-index: 1; }
tbody th { min-width: 14rem; max-width: 24rem; font-weight: normal; }
audio { width: 15rem; display: block; }
.id, .scores, .transcript { font-size: 12px; color: #555; }
.transcript { max-width: 15rem; }
"""


@dataclass
class Column:
    """A method or an upper bound. utterances: rows of utterances.json, which stage 6 wrote, by id."""

    name: str
    result: Result
    utterances: dict[str, dict[str, Any]]


def write_page(results: Sequence[Result], path: Path) -> bool:
    """Write the page for all TTS results, with the audio of the first seed; without TTS results, return False.

    Raises SureError for a missing output of stage 6, and for audio that cannot be read.
    """
    tests = [
        [Column(name, row[0], read_utterances(row[0].folder)) for name, row in rows_of(group).items()]
        for group in tests_of(results)
        if (group[0].folder / UTTERANCES).is_file()
    ]
    if not tests:
        return False
    audio = path.with_name(f"{path.stem}_audio")
    if audio.is_dir():
        shutil.rmtree(audio)
    sections = "".join(_section(columns, audio / str(number)) for number, columns in enumerate(tests))
    title = escape(f"{path.stem}: listen")
    replace_file(
        path,
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{sections}</body>\n</html>\n",
    )
    return True


def _section(columns: Sequence[Column], audio: Path) -> str:
    ids = list(next((column for column in columns if not column.result.is_upper_bound), columns[0]).utterances)
    shown = ids[:: -(-len(ids) // SHOWN)]
    first = columns[0].result
    heads = "".join(
        f'<th scope="col">{escape(one.name)}{_scores(one.result.values, SET_SCORES, "<br>")}</th>' for one in columns
    )
    rows = "".join(_row(id, columns, audio) for id in shown)
    return (
        f"<h2>{escape(first['data'] or first['set'])}</h2>\n"
        f"<p>{len(shown):,} of {len(ids):,} utterances; {LEGEND}</p>\n"
        f'<table>\n<thead><tr><th scope="col">text</th>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n'
    )


def _row(id: str, columns: Sequence[Column], audio: Path) -> str:
    text = next((column.utterances[id]["text"] for column in columns if id in column.utterances), "")
    cells = "".join(_cell(id, column, audio / str(number)) for number, column in enumerate(columns))
    return f'<tr><th scope="row" dir="auto">{escape(text)}<div class="id">{escape(id)}</div></th>{cells}</tr>\n'


def _cell(id: str, column: Column, folder: Path) -> str:
    """The audio, copied as a 16-bit WAV file, which every browser plays, with scores and transcript."""
    row = column.utterances.get(id)
    if row is None:
        return "<td>-</td>"
    file = folder / f"{id}.wav"
    file.parent.mkdir(parents=True, exist_ok=True)
    write_wave(file, *decode(row["audio"], *row.get("segment", ())))
    source = escape(quote("/".join(file.parts[-4:])))
    label = escape(f"{column.name}: {id}")
    player = f'<audio controls preload="metadata" src="{source}" aria-label="{label}"></audio>'
    recognised = row.get("heard")
    transcript = f'<div class="transcript" dir="auto">recognised: {escape(recognised)}</div>' if recognised else ""
    return f"<td>{player}{_scores(row, UTTERANCE_SCORES, ' · ')}{transcript}</td>"


def _scores(values: dict[str, Any], names: Sequence[str], separator: str) -> str:
    return f'<div class="scores">{separator.join(map(escape, score_texts(values, names)))}</div>'


def score_texts(values: dict[str, Any], names: Sequence[str]) -> list[str]:
    """Each of the named scores that the values have, as a text with name and unit."""
    scores = []
    for name in names:
        if isinstance(values.get(name), (int, float)):
            unit = UNITS.get(name, "%")
            label = SCORES[name].removesuffix(unit).strip()
            scores.append(f"{label} {values[name]:.{DIGITS.get(name, 2)}f} {unit}".strip())
    return scores
