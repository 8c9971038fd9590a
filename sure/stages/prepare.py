"""Stage 2: a corpus to validated data folders, with the `prepare` function of a recipe's prepare.py."""

import importlib.util
import inspect
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal, get_args, get_origin

from sure.corpus.download import make_folder
from sure.corpus.packed import packed_files
from sure.corpus.selection import SETS
from sure.data.data_dir import read_data_dir
from sure.data.limits import Limits, alphabet
from sure.data.measure import SILENT
from sure.data.tables import Line, read_lines
from sure.data.validate import validate_data_dir
from sure.data.validation_report import BACKUP, REPORT
from sure.errors import SureError, counted, some_of

TARGETS = ("text", "utt2label")


def load_prepare(path: Path) -> Callable:
    """The function `prepare(corpus, out, **options)` of a recipe. Raises SureError if there is none."""
    if not path.is_file():
        raise SureError(f"{path} does not exist; give the --recipe folder, which has a prepare.py")
    spec = importlib.util.spec_from_file_location(f"recipe_{path.resolve().parent.name}_prepare", path)
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.resolve().parent))  # for a recipe's own modules
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    prepare = getattr(module, "prepare", None)
    if not callable(prepare):
        raise SureError(f"{path}: expected a function prepare(corpus, out, **options)")
    return prepare


def parse_options(prepare: Callable, words: Iterable[str]) -> dict[str, str]:
    """`key=value` words as keyword arguments of `prepare`.

    Raises SureError for an unknown or missing key, and for a value that is not among the choices of a parameter whose
    type is `Literal[...]`.
    """
    known = dict(list(inspect.signature(prepare, eval_str=True).parameters.items())[2:])
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
    known = {name: p for name, p in known.items() if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)}
    options = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key.isidentifier() or not (open_ended or key in known):
            raise SureError(f"'{word}': unknown option; this recipe's prepare.py takes {_describe(known)}")
        expected = known[key].annotation if key in known else None
        if get_origin(expected) is Literal and value not in get_args(expected):
            raise SureError(f"{word}: expected {key} to be one of {', '.join(filter(None, get_args(expected)))}")
        options[key] = value
    for name, parameter in known.items():
        if parameter.default is parameter.empty and name not in options:
            raise SureError(f"{name}=... is missing: this recipe's prepare.py takes {_describe(known)}")
    return options


def prepare_sets(prepare: Callable, corpus: Path, out: Path, options: dict[str, str]) -> list[Path]:
    """Call `prepare`; the data folders below `out`, sorted.

    The sets that `prepare` returns (names or folders), by default train, dev and test, are expected there. Raises
    SureError for a missing set, and adds the packed files of the corpus to errors of `prepare`.
    """
    make_folder(out)
    try:
        returned = prepare(corpus, out, **options)
    except SureError as error:
        raise SureError(f"{error}{packed_files(corpus)}") from None
    expected = [made if isinstance(made, Path) else out / made for made in (SETS if returned is None else returned)]
    for folder in expected:
        if not (folder / "wav.scp").is_file():
            raise SureError(f"{folder}: prepare.py did not write this set (it has no wav.scp)")
    return sorted({*expected, *(file.parent for file in out.rglob("wav.scp") if BACKUP not in file.parts)})


def validate_sets(folders: Sequence[Path], policy: str, commands: bool, nj: int | None, limits: Limits) -> None:
    """Validate the training set, then the others against it. Raises SureError after all sets are checked."""
    letters: frozenset[str] = frozenset()
    errors, contents = [], {}
    for folder in sorted(folders, key=lambda folder: folder.name != SETS[0]):
        try:
            report = validate_data_dir(folder, policy, commands, nj, limits, letters)
        except SureError as error:
            errors.append(str(error))
            continue
        print(report.summary())
        contents[folder] = report.contents
        if report.removed:
            print(f"  complete list: {folder / REPORT}; the tables before this: {folder / BACKUP}")
        for line in (*_contradictions(folder, report.contents), *_one_text(folder)):
            print(f"warning: {line}")
        if folder.name == SETS[0] and (folder / "text").is_file():
            letters = alphabet(line.value for line in read_lines(folder / "text"))
    for line in (*_in_two_sets(contents), *_overlapping(contents)):
        print(f"warning: {line}")
    if errors:
        raise SureError("\n".join(errors))


def _in_two_sets(contents: dict[Path, dict[str, str]]) -> Iterator[str]:
    """A line for each two sets that have recordings in common, whatever their files and ids are called."""
    for (one, first), (other, second) in itertools.combinations(contents.items(), 2):
        ids = {content: id for id, content in first.items() if content != SILENT}
        same = [f"{id} = {ids[content]}" for id, content in second.items() if content in ids]
        if same:
            yield (
                f"{other}: {len(same)} of {len(second)} recordings are also in {one}: {some_of(same)}; leave them "
                "out of one of the sets, or scores are better than on new recordings"
            )


def _overlapping(contents: dict[Path, dict[str, str]]) -> Iterator[str]:
    """A line for each two sets with other parts of the same recording that overlap by half of the shorter part."""
    sets = {folder: _parts(folder) for folder in contents}
    for (one, first), (other, second) in itertools.combinations(sets.items(), 2):
        same = [
            f"{id} and {known}"
            for audio, parts in second.items()
            for (id, start, end), (known, begin, stop) in itertools.product(parts, first.get(audio, ()))
            if 2 * (min(end, stop) - max(start, begin)) > min(end - start, stop - begin)
            and contents[other].get(id) != contents[one].get(known)
        ]
        if same:
            yield (
                f"{other}: {counted(len(same), 'part')} of recordings overlap in time with parts in {one}: "
                f"{some_of(same)}; leave them out of one of the sets, or scores are better than on new recordings"
            )


def _parts(folder: Path) -> dict[str, list[tuple[str, float, float]]]:
    """Id, start and end in seconds of the utterances of each recording."""
    parts: dict[str, list[tuple[str, float, float]]] = {}
    for one in read_data_dir(folder):
        start = one.start or 0.0
        parts.setdefault(one.audio, []).append((one.id, start, start + one.seconds))
    return parts


def _contradictions(folder: Path, contents: dict[str, str]) -> Iterator[str]:
    """A line for each table in which recordings with the same samples have different values."""
    for name in TARGETS:
        seen: dict[str, Line] = {}
        table = read_lines(folder / name) if (folder / name).is_file() else []
        pairs = []
        for line in table:
            content = contents.get(line.id, SILENT)
            first = seen.setdefault(content, line) if content != SILENT else line
            if first.value != line.value:
                pairs.append(f"{line.id} (line {line.number}) = {first.id} (line {first.number})")
        if pairs:
            problem = f"{counted(len(pairs), 'repeated recording')} with another value than before: {some_of(pairs)}"
            yield f"{folder / name}: {problem}; correct or leave out the wrong one"


def _one_text(folder: Path) -> Iterator[str]:
    """A line for a training set whose texts are all the same."""
    table = read_lines(folder / "text") if folder.name == SETS[0] and (folder / "text").is_file() else []
    if len(table) > 1 and len({line.value for line in table}) == 1:
        yield f"{folder / 'text'}: all {len(table):,} texts are {table[0].value!r}, so that there is nothing to learn"


def _describe(known: dict[str, inspect.Parameter]) -> str:
    values = {name: "..." if one.default is one.empty else one.default for name, one in known.items()}
    return ", ".join(f"{name}={value}" for name, value in values.items()) or "no options"
