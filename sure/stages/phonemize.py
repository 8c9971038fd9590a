"""Stage 3 of speech synthesis: the table `phones` of each set, and what the model learns from, in tokenizer.folder."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from sure.config import Config
from sure.data.data_dir import Utterance, read_data_dir
from sure.data.synthesis.durations import PHONES
from sure.data.synthesis.features import FRAMES, STATISTICS
from sure.data.tables import format_table, read_lines
from sure.errors import SureError
from sure.files import replace_file
from sure.text.phonemize import FILE, Phonemizer

SYMBOLS, SPEAKERS, LANGUAGES, LEFT_OUT = "phones.txt", "speakers.txt", "utt2lang", "phones_left_out.txt"
PADDING, UNKNOWN = "<pad>", "<unk>"
SHOWN = 20  # problems in an error


def phonemize(config: Config, like: Path | None, on_bad_utterance: str) -> None:
    """Write `phones` of all sets, and replace tokenizer.folder as a whole. Raises SureError for what has no phones."""
    known = _symbols(like) if like else []
    for folder in map(Path, config.data.sets().values()):
        utterances, languages = read_data_dir(folder), _table(folder / LANGUAGES)
        voices = {languages.get(one.id, config.text.language) for one in utterances}
        phonemizers = {language: _phonemizer(config, language, known) for language in sorted(voices)}
        phones = _write_phones(folder, utterances, languages, phonemizers, config.text.language, on_bad_utterance)
        symbols = {phone for spoken in phones.values() for phone in spoken}
        print(f"{folder / PHONES}: {len(phones):,} utterances, {len(symbols)} symbols, in {' '.join(sorted(voices))}")
        if folder == Path(config.data.train):
            known = known or [PADDING, UNKNOWN, *sorted(symbols)]  # the other sets are written in what is learned here
            speakers = {one.speaker or "" for one in utterances if one.id in phones}
        if new := sorted(symbols - set(known)):
            print(f"  not learned from {like or config.data.train}, so spoken as {UNKNOWN}: {' '.join(new)}")
    if not all(speakers):
        raise SureError(f"{config.data.train}: no utt2spk; write it, with one name for all if there is one speaker")
    tokens = {
        SYMBOLS: "\n".join(known) + "\n",
        SPEAKERS: "\n".join(sorted(speakers)) + "\n",
        STATISTICS: _statistics(Path(config.data.train).parent / STATISTICS),
    }
    _replace_folder(Path(config.tokenizer.folder), tokens, _phonemizer(config, config.text.language, known))


def _phonemizer(config: Config, language: str, known: Sequence[str]) -> Phonemizer:
    return Phonemizer(language, config.tokenizer.lexicon or [], config.text.phones, known)


def _write_phones(
    folder: Path,
    utterances: Sequence[Utterance],
    languages: Mapping[str, str],
    phonemizers: Mapping[str, Phonemizer],
    default: str,
    on_bad_utterance: str,
) -> dict[str, list[str]]:
    """Phones by id. Raises SureError listing the utterances that have none, or more than frames."""
    frames, phones, problems = _table(folder / FRAMES), {}, []
    if utterances[0].text is None:
        raise SureError(f"{folder}: no text, which is to be said; run stage 2, prepare")
    for language, phonemizer in phonemizers.items():
        spoken = [one for one in utterances if languages.get(one.id, default) == language]
        phonemizer.prepare(one.text for one in spoken)
        for one in spoken:
            try:
                found = phonemizer.phones(one.text)
                if one.id in frames and len(found) > int(frames[one.id]):
                    raise SureError(f"{len(found)} phones in {frames[one.id]} frames: is that what is said there?")
                phones[one.id] = found
            except SureError as error:
                problems.append(f"{one.id}: {error}")
    replace_file(folder / LEFT_OUT, "".join(f"{line}\n" for line in sorted(problems)))
    if problems and (on_bad_utterance == "stop" or not phones):
        shown = "".join(f"\n  {line}" for line in sorted(problems)[:SHOWN])
        raise SureError(f"{folder}: {len(problems)} utterances cannot be said; all of them: {folder / LEFT_OUT}{shown}")
    if problems:
        print(f"  left out: {len(problems)} utterances; all of them: {folder / LEFT_OUT}")
    replace_file(folder / PHONES, format_table((id, " ".join(found)) for id, found in sorted(phones.items())))
    return phones


def _table(path: Path) -> dict[str, str]:
    return {line.id: line.value for line in read_lines(path)} if path.is_file() else {}


def _symbols(like: Path) -> list[str]:
    if not (like / SYMBOLS).is_file():
        raise SureError(f"--like {like}: no {SYMBOLS} there; stage 3 of the pretraining makes it")
    return (like / SYMBOLS).read_text(encoding="utf-8").split()


def _statistics(path: Path) -> str:
    if not path.is_file():
        raise SureError(f"{path} is not there; the end of stage 2 makes it: python -m sure.bin.features")
    return path.read_text(encoding="utf-8")


def _replace_folder(folder: Path, files: Mapping[str, str], phonemizer: Phonemizer) -> None:
    beside, before = folder.with_name(folder.name + ".partial"), folder.with_name(folder.name + ".before")
    for leftover in (beside, before):
        shutil.rmtree(leftover, ignore_errors=True)
    for name, content in files.items():
        replace_file(beside / name, content)
    phonemizer.save(beside / FILE)
    if folder.exists():
        os.rename(folder, before)
    os.rename(beside, folder)
    shutil.rmtree(before, ignore_errors=True)
