"""Stage 3 of speech synthesis: the table `phones` of each set; phones, speakers and statistics in tokenizer.folder."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sure.config import Config
from sure.data.data_dir import Utterance, read_data_dir
from sure.data.synthesis.durations import PHONES
from sure.data.synthesis.features import FRAMES, STATISTICS
from sure.data.synthesis.features import LEFT_OUT as FEATURES_LEFT_OUT
from sure.data.tables import format_table, read_table
from sure.errors import SureError, counted, some_lines
from sure.files import replace_file, replace_folder
from sure.text.phonemize import FILE, Phonemizer

SYMBOLS, SPEAKERS, LANGUAGES, LEFT_OUT = "phones.txt", "speakers.txt", "utt2lang", "phones_left_out.txt"
PADDING, UNKNOWN = "<pad>", "<unk>"


def phonemize(config: Config, like: Path | None, on_bad_utterance: str) -> None:
    """Write `phones` of all sets, and replace tokenizer.folder.

    like: tokenizer.folder of a pretraining, whose list of phones is kept. Raises SureError for texts without phones.
    """
    known = _read(like / SYMBOLS, "run stage 3 of the pretraining (--like)").split() if like else []
    for folder in map(Path, config.data.sets().values()):
        utterances, languages = read_data_dir(folder), read_table(folder / LANGUAGES)
        voices = {languages.get(one.id, config.text.language) for one in utterances}
        phonemizers = {language: _phonemizer(config, language, known) for language in sorted(voices)}
        phones = _write_phones(folder, utterances, languages, phonemizers, config.text.language, on_bad_utterance)
        symbols = {phone for found in phones.values() for phone in found}
        counts = f"{counted(len(phones), 'utterance')}, {counted(len(symbols), 'symbol')}"
        print(f"{folder / PHONES}: {counts}, in {' '.join(sorted(voices))}")
        if folder == Path(config.data.train):
            known = known or [PADDING, UNKNOWN, *sorted(symbols)]  # the other sets use the phones of the training set
            speakers = {one.speaker or "" for one in utterances if one.id in phones}
        if new := sorted(symbols - set(known)):
            print(f"  not in {like or config.data.train}, so encoded as {UNKNOWN}: {' '.join(new)}")
    if not all(speakers):
        raise SureError(f"{config.data.train} has no utt2spk; write it, also for a single speaker")
    tokens = {
        SYMBOLS: "\n".join(known) + "\n",
        SPEAKERS: "\n".join(sorted(speakers)) + "\n",
        STATISTICS: _read(
            Path(config.data.train).parent / STATISTICS, "run python -m sure.bin.features, end of stage 2"
        ),
    }

    def write(folder: Path) -> None:
        for name, content in tokens.items():
            replace_file(folder / name, content)
        _phonemizer(config, config.text.language, known).save(folder / FILE)

    replace_folder(Path(config.tokenizer.folder), write)


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
    """Write `phones`; phones by utterance id. Raises SureError listing texts without phones, or with too many."""
    frames, phones, problems = read_table(folder / FRAMES), {}, []
    if utterances[0].text is None:
        raise SureError(f"{folder} has no file text; run stage 2, prepare")
    for language, phonemizer in phonemizers.items():
        chosen = [one for one in utterances if languages.get(one.id, default) == language]
        phonemizer.prepare(one.text for one in chosen)
        for one in chosen:
            try:
                if frames and one.id not in frames:
                    raise SureError(f"no features; {folder / FEATURES_LEFT_OUT} has the reason")
                found = phonemizer.phones(one.text)
                most = int(frames.get(one.id, len(found)))
                if len(found) > most:
                    raise SureError(f"{len(found)} phones in {most} frames; correct the text, or the recording")
                phones[one.id] = found
            except SureError as error:
                problems.append(f"{one.id}: {error}")
    replace_file(folder / LEFT_OUT, "".join(f"{line}\n" for line in sorted(problems)))
    if problems and (on_bad_utterance == "stop" or not phones):
        raise SureError(
            f"{folder}: {len(problems)} texts cannot be phonemized; all of them: {folder / LEFT_OUT}"
            f"{some_lines(sorted(problems))}"
        )
    if problems:
        print(f"  left out: {counted(len(problems), 'utterance')}; all of them: {folder / LEFT_OUT}")
    replace_file(folder / PHONES, format_table((id, " ".join(found)) for id, found in sorted(phones.items())))
    return phones


def _read(path: Path, remedy: str) -> str:
    if not path.is_file():
        raise SureError(f"{path} is missing; {remedy}, which writes it")
    return path.read_text(encoding="utf-8")
