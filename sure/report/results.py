"""Markdown report of result.json files: one table per task and test set, one row per experiment, mean over seeds."""

import itertools
import re
import shlex
import statistics
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sure.errors import SureError
from sure.parsing import read_json
from sure.report.by_language import rows_by_language
from sure.report.different_data import different_data
from sure.report.markdown import code_block, escaped, inline_code, table
from sure.report.other_languages import is_other_language, section_of_other_languages

SCORES = {
    "wer": "WER %", "cer": "CER %", "per": "PER %", "accuracy": "accuracy %", "macro_f1": "macro F1 %",
    "wer_whisper": "WER % in Whisper's normalisation", "cer_whisper": "CER % in Whisper's normalisation",
    "weighted_f1": "weighted F1 %", "unweighted_average_recall": "UAR %", "slot_type_f1": "slot type F1 %",
    "slot_value_cer": "slot value CER %", "eer": "EER %", "mcd": "MCD dB", "f0_rmse_hz": "F0 RMSE Hz",
    "f0_rmse_cents": "F0 RMSE cents", "voicing_error": "voicing error %", "duration_error": "duration error %",
    "speaker_similarity": "speaker similarity", "bleu": "BLEU", "chrf": "chrF",
}  # fmt: skip
UNITS = {
    "mcd": "dB",
    "f0_rmse_hz": "Hz",
    "f0_rmse_cents": "cents",
    "speaker_similarity": "",
    "bleu": "",
    "chrf": "",
}  # of other scores: %
DIGITS = {"speaker_similarity": 3, "f0_rmse_hz": 1, "f0_rmse_cents": 0}  # decimals of other scores: 2
REQUIRED = ("task", "set", "method", "score_name", "higher_is_better", "score", "utterances")
AGAIN = "run stage 6 (sure.bin.score) again"
STAGES = "run stages 4 to 6 (sure.bin.train, sure.bin.decode, sure.bin.score)"

Item = TypeVar("Item")


@dataclass(frozen=True)
class Result:
    """One result.json; `experiment` is the folder with all seeds, `seed` the folder of this seed."""

    experiment: Path
    seed: Path
    values: dict[str, Any]
    folder: Path = Path()  # of the decoded set

    def __getitem__(self, key: str) -> Any:
        return self.values.get(key)

    @property
    def decoding(self) -> str:
        return self["decoding"] or "greedy"  # results of earlier versions have no such key

    @property
    def variant(self) -> str:
        """Decoding or vocoder, which tells rows of one method apart; empty for upper bounds."""
        if self.is_upper_bound:
            return ""
        return (self["vocoder"] or "greedy") if self.decoding == "greedy" else self.decoding

    @property
    def is_upper_bound(self) -> bool:
        """True for the upper bounds for TTS: recordings and copy synthesis."""
        return self["made_of"] is not None


def collect(folders: Sequence[Path]) -> tuple[list[Result], list[Path]]:
    """Results in the given experiment or seed folders, in order, and the seed folders without results.

    Raises SureError for a missing folder, for an invalid result.json, and if there are no results at all.
    """
    results, without = [], []
    waiting = list(dict.fromkeys(seed for folder in folders for seed in _seeds(folder)))
    for seed in waiting:
        experiment = seed.parent if re.fullmatch(r"seed\d+", seed.name) else seed
        paths = sorted(seed.glob("decode_*/result.json"))
        found = [Result(experiment, seed, read_json(path, AGAIN, REQUIRED), path.parent) for path in paths]
        results += found
        # upper bounds have folders next to the experiments
        bounds = [Path(path) for result in found for path in result["ceilings"] or []]
        waiting += [path for path in dict.fromkeys(bounds) if path not in waiting]
        without += [] if found else [seed]
    if not results:
        names = ", ".join(map(str, folders)) or "no folder given"
        above = next((folder for folder in folders if any(folder.glob("*/seed*"))), None)  # such as exp itself
        remedy = f"pass its experiments: {above}/*" if above else STAGES
        raise SureError(f"nothing to report: no decode_<set>/result.json in {names}; {remedy}")
    return results, without


def markdown(results: Sequence[Result], without: Sequence[Path] = ()) -> str:
    """The report of the results of `collect`, and a list of the seed folders without results."""
    others = [one for one in results if is_other_language(one)]
    parts = [_section(group) for group in tests_of(results)]
    for group in grouped(others, lambda one: (one["task"], one["training_language"])).values():
        parts.append(section_of_other_languages(rows_of(group), _score, SCORES))
    if without:
        parts.append(f"Without scores ({STAGES}): {', '.join(inline_code(seed) for seed in without)}\n")
    return "\n".join(parts)


def tests_of(results: Sequence[Result]) -> list[list[Result]]:
    """Results grouped by task, score and test set, with the digest of the references: sets of one name may differ.

    Without results in languages that were not trained, which have a table of their own.
    """
    return sets_of([one for one in results if not is_other_language(one)])


def sets_of(results: Sequence[Result]) -> list[list[Result]]:
    """All results grouped as by `tests_of`."""
    keys = ("task", "score_name", "set", "references_sha256")
    return list(grouped(results, lambda one: tuple(one[key] for key in keys)).values())


def rows_of(results: Sequence[Result]) -> dict[str, list[Result]]:
    """Results of one test set by experiment and decoding, one result per seed; the keys are the names of the rows.

    Upper bounds come first.
    """
    rows = list(grouped(results, lambda result: (result.experiment, result.decoding)).values())
    rows.sort(key=lambda row: not row[0].is_upper_bound)
    return dict(zip(_row_names(rows), rows, strict=True))


def grouped(items: Iterable[Item], key: Callable[[Item], Hashable]) -> dict[Any, list[Item]]:
    """Items by key, in the order in which the keys first occur."""
    groups: dict[Any, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def distinct(results: Iterable[Result], key: str) -> str:
    """The different values of the results, `-` without any."""
    return ", ".join(dict.fromkeys(str(result[key]) for result in results if result[key] is not None)) or "-"


def summary_of(results: list[Result]) -> list[list[str]]:
    """Cells of the table of one test set, header first: the name of each row, its seeds, scores, sizes and rates."""
    measured = [[name for name in result.values if result[f"{name}_interval"]] for result in results]
    main = results[0]["score_name"]
    scores = list(dict.fromkeys([main, *itertools.chain(*sorted(measured, key=len, reverse=True))]))
    header = ["method", "seeds", *(SCORES.get(score, f"{score.replace('_', ' ')} %") for score in scores)]
    header += ["dev", "trained without head", "with head", "of all %", "bundle kB", "training s", "peak MB"]
    header += ["learning rate adapter / head"]
    return [header, *(_row(name, row, scores) for name, row in rows_of(results).items())]


def by_language(results: list[Result]) -> list[list[str]]:
    """Cells of the table of each language, header first; [] for a test set of one language."""
    return rows_by_language(rows_of(results), _score, SCORES)


def _section(results: list[Result]) -> str:
    first = results[0]
    main = first["score_name"]
    header, *lines = summary_of(results)
    shown = [[escaped(name) for name in header], *([escaped(name), *cells] for name, *cells in lines)]
    better = "higher" if first["higher_is_better"] else "lower"
    title = f"## {escaped(first['task'])}, {escaped(first['data'] or first['set'])}"
    weights = " and the search weights" if any(result.decoding != "greedy" for result in results) else ""
    dev = next(
        (escaped(one["dev_score_name"]) for one in results if one["dev_score_name"] not in (None, main)), "the same"
    )
    drawn = "speakers" if main == "eer" else "utterances"
    notes = (
        f"{header[2]}: {better} is better; dev: {dev} on the dev set, which selects the epoch{weights}.\n"
        f"One seed: 95 % bootstrap interval over {drawn}; several: mean ± sample standard deviation."
    )
    if main == "cer" and SCORES["wer"] in header:
        notes += "\nRead CER, not WER: the language is written without spaces between words, and CER ignores spaces."
    rows = {name: [(one.seed.name, one.values) for one in row] for name, row in rows_of(results).items()}
    notes += "".join(f"\n{line}" for line in different_data(rows))
    parts = [title, table(shown), notes]
    if several := by_language(results):
        parts.append(table([[escaped(cell) for cell in line] for line in several]))
    return "\n\n".join([*parts, _facts(results), code_block(commands_of(results))]) + "\n"


def _row(name: str, row: list[Result], scores: Iterable[str]) -> list[str]:
    rates = dict.fromkeys(f"{_number(r['lr_adapter'], 'g')} / {_number(r['lr_head'], 'g')}" for r in row)
    return [
        name,
        str(len(row)),
        *(_score(row, score) for score in scores),
        _spread(row, "dev_score", 2),
        _mean(row, "adapter_parameters", ",.0f"),
        _mean(row, "trained_parameters", ",.0f"),
        _mean(row, "trained_percent", ".2f"),
        _mean(row, "bundle_bytes", ",.1f", 1e-3),
        _mean(row, "training_seconds", ",.0f"),
        _mean(row, "peak_memory_megabytes", ",.0f"),
        ", ".join(rates),
    ]


def _score(row: list[Result], score: str) -> str:
    interval, digits = row[0][f"{score}_interval"], DIGITS.get(score, 2)
    if len(row) > 1 or not interval:
        return _spread(row, score, digits)
    return f"{_number(row[0][score], f'.{digits}f')} [{interval[0]:.{digits}f}, {interval[1]:.{digits}f}]"


def _spread(row: list[Result], key: str, digits: int) -> str:
    values = [result[key] for result in row if result[key] is not None]
    deviation = f" ± {statistics.stdev(values):.{digits}f}" if len(values) > 1 else ""
    number = f" ({len(values)})" if 0 < len(values) < len(row) else ""  # of seeds with this value
    return _mean(row, key, f".{digits}f") + deviation + number


def _mean(row: list[Result], key: str, form: str, unit: float = 1.0) -> str:
    values = [result[key] * unit for result in row if result[key] is not None]
    return _number(statistics.fmean(values) if values else None, form)


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)


def _row_names(rows: list[list[Result]]) -> list[str]:
    """Shortest names that differ: the end of the folder name from the method on, the whole name, or the path."""
    folders = [row[0].experiment for row in rows]
    found = [re.search(rf"(?<=_){re.escape(row[0]['method'])}(_.*)?$", row[0].experiment.name) for row in rows]
    short = [match[0] if match else folder.name for match, folder in zip(found, folders, strict=True)]
    names = (short, [folder.name for folder in folders], [str(folder) for folder in folders])
    if any(row[0].decoding != "greedy" for row in rows):
        ends = [row[0].variant for row in rows]
        names = tuple([", ".join(filter(None, both)) for both in zip(choice, ends, strict=True)] for choice in names)
    return next(choice for choice in names if len(set(choice)) == len(choice))


def _facts(results: list[Result]) -> str:
    return "\n".join(f"- {escaped(name)}: {escaped(value)}" for name, value in facts_of(results).items())


def facts_of(results: list[Result]) -> dict[str, str]:
    """Facts about data, backbone and device; a fact on which results differ has several values."""
    trained = [r for r in results if not r.is_upper_bound] or results
    backbones = dict.fromkeys((r["backbone"], str(r["backbone_sha256"] or "-")[:12]) for r in trained)
    seconds = results[0]["seconds_of_audio"]
    facts = {
        "task": distinct(results, "task"),
        "set": distinct(results, "set"),
        "utterances": f"{results[0]['utterances']:,}" + (f" ({seconds / 60:.1f} minutes)" if seconds else ""),
        "backbone": ", ".join(f"{name or '-'} (sha256 {digest})" for name, digest in backbones),
        "device": distinct(results, "device"),
        "scored on": distinct(results, "date"),
        "code": distinct(results, "git_hash"),
    }
    if any(r["vocoder"] for r in results):
        facts["vocoder"] = distinct(results, "vocoder")
    facts |= {f"independent {kind}": name for r in results for kind, name in (r["judges"] or {}).items()}
    facts |= {f"without {scores}": why for r in results for scores, why in (r["missing"] or {}).items()}
    return facts | {f"decoding {name}": settings for name, settings in _decodings(results).items()}


def _decodings(results: list[Result]) -> dict[str, str]:
    """Settings of each decoding other than greedy; a setting on which results differ has several values."""
    shown = {}
    for name, group in grouped(results, lambda result: result.decoding).items():
        settings = [result["decode"] or {"method": "greedy"} for result in group]
        if any(one != {"method": "greedy"} for one in settings):
            keys = dict.fromkeys(key for one in settings for key in one)
            values = {key: dict.fromkeys(str(one.get(key, "-")) for one in settings) for key in keys}
            tuned = dict.fromkeys(str(result["decode_tuned_on"] or "nothing") for result in group)
            text = ", ".join(f"{key} {' / '.join(found)}" for key, found in values.items())
            shown[name] = f"{text}; tuned on {' / '.join(tuned)}"
    return shown


def commands_of(results: list[Result]) -> str:
    """Commands to repeat the results: training of each seed, each decoding, scoring."""
    commands = dict.fromkeys(result["command"] for result in results if result["command"])
    results = [result for result in results if not result.is_upper_bound]  # made and scored together with the others
    seeds = shlex.join(dict.fromkeys(str(result.seed) for result in results))
    decodings = dict.fromkeys((bool(r["decode_tuned_on"]), tuple(r["decode_overrides"] or ())) for r in results)
    lines = [*commands, f"for exp in {seeds}; do"]
    for tuned, overrides in decodings:
        words = " ".join(['--exp "$exp"', *map(shlex.quote, overrides)])
        lines += [f"    python -m sure.bin.tune_decode {words}"] if tuned else []
        lines.append(f"    python -m sure.bin.decode {words}")
    return "\n".join([*lines, '    python -m sure.bin.score --exp "$exp"', "done"])


def _seeds(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise SureError(f"experiment folder {folder} does not exist; {STAGES}")
    seeds = [path for path in folder.iterdir() if path.is_dir() and re.fullmatch(r"seed\d+", path.name)]
    return sorted(seeds, key=lambda path: int(path.name.removeprefix("seed"))) or [folder]
