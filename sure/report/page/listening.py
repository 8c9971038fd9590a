"""The listening table of a TTS test set: a row for each utterance, a column for each method."""

from collections.abc import Sequence

from sure.report.page.html import Html, joined, table, tag
from sure.report.page.recordings import Recordings
from sure.report.results import Result, rows_of

NOTE = "Scores of each utterance, and its transcript by the independent recogniser, if there is one."


def listening_table(results: Sequence[Result], recordings: Recordings) -> Html:
    """The first seed of each row. Empty for other tasks. Raises SureError for a missing or damaged utterances.json."""
    if results[0]["task"] != "tts":
        return Html()
    from sure.report.listening_page import SHOWN, UTTERANCE_SCORES, score_texts  # with torch
    from sure.score.synthesis.folder import UTTERANCES, read_utterances

    rows = {name: row[0] for name, row in rows_of(results).items() if (row[0].folder / UTTERANCES).is_file()}
    columns = {name: read_utterances(one.folder) for name, one in rows.items()}
    texts = {id: line["text"] for column in columns.values() for id, line in column.items()}
    if not texts:
        return Html()
    shown = list(texts)[:: -(-len(texts) // SHOWN)]
    lines = [["text", *columns]]
    for id in shown:
        line = [joined([tag("div", str(texts[id]), dir="auto"), tag("small", id)])]
        for name, column in columns.items():
            if (one := column.get(id)) is None:
                line.append("-")
                continue
            player = recordings.player(one["audio"], *one.get("segment", ()), label=f"{name}: {id}")
            facts = [tag("small", text) for text in score_texts(one, UTTERANCE_SCORES)]
            heard = [tag("small", f"recognised: {one['heard']}", dir="auto")] if one.get("heard") else []
            line.append(joined([player, *facts, *heard]))
        lines.append(line)
    note = tag("p", f"{len(shown):,} of {len(texts):,} utterances. {NOTE}", class_="note")
    return joined([note, table(lines, "Listening table", "players")])
