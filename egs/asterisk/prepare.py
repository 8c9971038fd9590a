"""Asterisk core sounds: a copy of the corpus in, data folders out. What and why: README.md."""

from __future__ import annotations

import gzip
import hashlib
import math
import re
import unicodedata
import zlib
from pathlib import Path
from typing import NamedTuple

import yaml

from sure.corpus.selection import Selection, read_lists
from sure.corpus.walk import walk
from sure.data.data_dir import Utterance
from sure.data.tables import format_table
from sure.errors import SureError
from sure.files import replace_file
from sure.text.normalize import drop_stage_directions, normalize

HERE = Path(__file__).resolve().parent
TASKS = ("asr", "phoneme", "language", "speaker", "intent", "keyword", "tts")
OF_TEXT = {"asr": "es", "phoneme": "en"}  # and the language without lang
VOICES = {  # language -> folder of the Debian packages, speaker
    "en": ("en_US_f_Allison", "allison"),
    "es": ("es_MX_f_Allison", "allison"),
    "fr": ("fr_CA_f_June", "june"),
    "it": ("it_IT_m_Carlo", "carlo"),
    "ru": ("ru_RU_f_IvrvoiceRU", "ivrvoice"),
}
NOT_SPEECH = re.compile(r"silence/.*|(a|de)scending-2tone|beep(err)?|confbridge-(join|leave)|tt-monkeys")
INTENTS = {  # the prompt family: the folder, or the first word of the file name; others have few items
    "agent": "agent", "conf": "conference", "confbridge": "conference", "demo": "demo", "dictate": "dictate",
    "digits": "digits", "dir": "directory", "letters": "letters", "phonetic": "phonetic", "priv": "privacy",
    "privacy": "privacy", "queue": "queue", "spy": "channel", "vm": "voicemail",
}  # fmt: skip
G722_BYTES_PER_SECOND = 8000
SHORTEST = 0.1  # seconds; one Russian file is empty
LONG = 15  # seconds; all of these are in train
KEYWORDS = {"alphabet": re.compile("phonetic/[a-z]_p"), "digits": re.compile("digits/[0-9]")}
SPEAKERS = ("allison", "june", "carlo", "ivrvoice")


class Prompt(NamedTuple):
    """One recording; `text` is normalised, or None when the corpus has no usable one; `written` has its punctuation."""

    language: str
    key: str  # file name without ending: digits/1, vm-login; parallel prompts share it
    path: Path
    text: str | None
    written: str | None = None

    @property
    def id(self) -> str:
        return f"{self.language}-{self.key.replace('/', '-')}"

    @property
    def seconds(self) -> float:
        return self.path.stat().st_size / G722_BYTES_PER_SECOND


def prepare(
    corpus: str | Path,
    out: str | Path,
    task: str = "asr",
    lang: str | None = None,
    keywords: str = "alphabet",
    voice: str = "june",
    minutes: str = "all",
) -> list[Path]:
    """Write the data folders `out/{train,dev,test}` and return them.

    task: asr or phoneme (`text`, words), language, speaker, intent or keyword (`utt2label`). lang: en, es, fr, it, ru
    or all; without it asr takes es, phoneme en, and intent all; phoneme is about one, language, speaker and keyword
    about all of them. keywords: alphabet or digits; voice: who is left out of training and tested. tts: see
    `prepare_tts`. Raises SureError.
    """
    if task == "tts":
        return prepare_tts(Path(corpus), Path(out), lang, voice.split("+"), minutes)
    languages = _languages(task, lang)
    if task == "keyword":
        return prepare_keyword(Path(corpus), Path(out), languages, keywords, voice)
    split = read_lists(HERE / "splits")
    selection = Selection(f"asterisk {task} ({' '.join(languages)})")
    for prompt in read_prompts(Path(corpus), languages):
        if reason := _why_not(prompt, task, split):
            selection.leave_out(prompt.id, reason)
        else:
            selection.take(split[prompt.key], _utterance(prompt, task))
    return selection.write(Path(out))


def prepare_keyword(corpus: Path, out: Path, languages: list[str], keywords: str, voice: str) -> list[Path]:
    """test is `voice`, dev the last of the other SPEAKERS who say the words, train the rest of them."""
    if keywords not in KEYWORDS:
        raise SureError(f"keywords={keywords}: the asterisk recipe has the keywords {' '.join(KEYWORDS)}")
    spellings = yaml.safe_load((HERE / "keywords.yaml").read_text(encoding="utf-8"))[keywords]
    word_of = {text: word for word, texts in spellings.items() for text in texts}
    selection = Selection(f"asterisk keyword ({keywords}, {voice} left out)")
    said: dict[str, list[Utterance]] = {}
    for prompt in read_prompts(corpus, languages):
        if not KEYWORDS[keywords].fullmatch(prompt.key):
            selection.leave_out(prompt.id, "prompts that are none of the words")
        elif prompt.text not in word_of:
            selection.leave_out(prompt.id, "recordings of another word, by their text")
        else:
            speaker = VOICES[prompt.language][1]
            labels = {"label": word_of[prompt.text]}
            said.setdefault(speaker, []).append(Utterance(prompt.id, str(prompt.path), labels=labels, speaker=speaker))
    others = [speaker for speaker in SPEAKERS if speaker in said and speaker != voice]
    if voice not in said or len(others) < 2:
        who = " ".join(speaker for speaker in SPEAKERS if speaker in said)
        raise SureError(
            f"voice={voice}: the {keywords} are said by {who}; one of them can be left out, of three or more"
        )
    for speaker, utterances in said.items():
        name = "test" if speaker == voice else "dev" if speaker == others[-1] else "train"
        for utterance in utterances:
            selection.take(name, utterance)
    return selection.write(out)


def prepare_tts(corpus: Path, out: Path, lang: str | None, voices: list[str], minutes: str) -> list[Path]:
    """`text` as it is written, and `utt2lang`, of these voices, each in its own language (Allison: English).

    minutes: of the training set of each voice, `all` or how many at most; fewer are a part of more, and recordings
    longer than LONG come last.
    """
    known = {speaker: language for language, (_, speaker) in VOICES.items() if language != "es"}
    if lang is not None or not set(voices) <= known.keys():
        raise SureError(f"task=tts takes voice={'+'.join(known)}, one or more of them, and no lang")
    if minutes != "all" and not re.fullmatch(r"[0-9]+(\.[0-9]+)?", minutes):
        raise SureError(f"minutes={minutes}: expected all, or a number such as 5")
    split = read_lists(HERE / "splits")
    selection = Selection(f"asterisk tts ({' '.join(voices)}, {minutes} minutes)")
    left = dict.fromkeys(voices, math.inf if minutes == "all" else 60 * float(minutes))
    prompts = read_prompts(corpus, [known[voice] for voice in voices])
    for prompt in sorted(prompts, key=_tts_order):
        reason = _why_not(prompt, "tts", split)
        speaker = VOICES[prompt.language][1]
        if reason is None and split[prompt.key] == "train":
            left[speaker] -= prompt.seconds
            reason = f"training prompts beyond {minutes} minutes of a voice" if left[speaker] < 0 else None
        if reason:
            selection.leave_out(prompt.id, reason)
        else:
            selection.take(split[prompt.key], _utterance(prompt, "tts"))
    folders = selection.write(out)
    for folder, utterances in zip(folders, selection.sets.values(), strict=True):
        rows = sorted((utterance.id, utterance.id.partition("-")[0]) for utterance in utterances)
        replace_file(folder / "utt2lang", format_table(rows))
    return folders


def _tts_order(prompt: Prompt) -> tuple[bool, bytes]:
    return prompt.seconds > LONG, hashlib.sha256(prompt.key.encode()).digest()


def read_prompts(corpus: Path, languages: list[str]) -> list[Prompt]:
    """The recordings of these languages, sorted by language and key."""
    corrections = yaml.safe_load((HERE / "corrections.yaml").read_text(encoding="utf-8"))
    prompts = []
    for language, (folder, transcript) in find_languages(corpus, languages).items():
        texts = _correct(read_transcript(transcript), corrections.get(language, {}))
        recordings = (place / name for place, _, files in walk(folder) for name in files if name.endswith(".g722"))
        for path in sorted(recordings):
            key = path.relative_to(folder).with_suffix("").as_posix()
            written = drop_stage_directions(texts.get(key) or "") if not NOT_SPEECH.fullmatch(key) else ""
            text = _spoken(written, language)
            prompts.append(Prompt(language, key, path.absolute(), text or None, written if text else None))
    return prompts


def find_languages(corpus: Path, languages: list[str]) -> dict[str, tuple[Path, Path]]:
    """language -> (folder of its recordings, its transcript file), in any of the layouts of README.md."""
    folders: dict[str, Path] = {}
    transcripts: dict[str, Path] = {}
    voices = {voice: language for language, (voice, _) in VOICES.items()}
    corpus = corpus.absolute()
    places = [corpus]
    if corpus.name == "sounds":  # Debian: /usr/share/asterisk/sounds has its texts in /usr/share/doc
        places += sorted((corpus.parent.parent / "doc").glob("asterisk-core-sounds-??"))
    for place in places:
        for folder, _, files in walk(place):
            recordings = any(name.endswith(".g722") for name in files)
            if recordings and folder.name in voices:
                folders[voices[folder.name]] = folder
            for name in files:
                if match := re.fullmatch(r"core-sounds-([a-z]{2})\.txt(\.gz)?", name):
                    transcripts.setdefault(match[1], folder / name)
                    if recordings:  # the release tarballs: text and recordings side by side
                        folders.setdefault(match[1], folder)
    missing = [
        f"{language} ({what})"
        for language in languages
        for what, found in (("g722 recordings", folders), ("core-sounds text", transcripts))
        if language not in found
    ]
    if missing:
        raise SureError(
            f"{corpus}: not found: {', '.join(missing)}. Expected the folders of the Debian packages "
            "asterisk-core-sounds-XX-g722 and asterisk-core-sounds-XX, or one folder per unpacked "
            "asterisk-core-sounds-XX-g722 tarball; the wav and gsm variants (8 kHz) do not serve"
        )
    return {language: (folders[language], transcripts[language]) for language in languages}


def read_transcript(path: Path) -> dict[str, str]:
    """key -> text. Comments start with `;`. Of a key that occurs twice the first line counts."""
    try:
        content = path.read_bytes()
        lines = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8-sig").splitlines()
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise SureError(f"{path}: cannot be read as UTF-8 text ({error}); unpack it again") from None
    texts: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith(";"):
            continue
        key, colon, text = line.partition(":")
        if not colon:
            raise SureError(f"{path}, line {number}: expected `key: text`, found {line!r}")
        texts.setdefault(key.strip(), text.strip())
    return {key: _without_other_rows(text, texts) for key, text in texts.items()}


def _without_other_rows(text: str, texts: dict[str, str]) -> str:
    """Some lines repeat their key, and some run on into the next rows: `... confbridge-mute-in: Per ...`."""
    found = [match for match in re.finditer(r"(?<!\w)([\w/-]+):\s", text) if re.search("[-/]", match[1])]
    found = [match for match in found if match[1] in texts]
    if found and found[0].start() == 0:
        return _without_other_rows(text[found[0].end() :], texts)
    return text[: found[0].start()].strip() if found else text


def _correct(texts: dict[str, str], corrections: dict) -> dict[str, str | None]:
    for written, key in corrections.get("keys", {}).items():
        if written in texts:
            texts.setdefault(key, texts[written])
    for old, new in corrections.get("words", {}).items():
        pattern = r"(?<!\w)" * old[0].isalpha() + re.escape(old) + r"(?!\w)" * old[-1].isalpha()
        texts = {key: re.sub(pattern, new, text) for key, text in texts.items()}
    return {
        **texts,
        **{key: text for key, text in corrections.get("texts", {}).items() if key in texts or text},
    }


def _spoken(text: str, language: str) -> str:
    """The normalised text. Most of the Spanish file has no accents, so none are kept there, nor ñ."""
    text = normalize(text, language)
    if language == "es":
        text = "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))
    return text


def _languages(task: str, lang: str | None) -> list[str]:
    if task not in TASKS:
        raise SureError(f"task={task}: the asterisk recipe has the tasks {' '.join(TASKS)}")
    if lang is None:
        lang = OF_TEXT.get(task, "all")
    if lang not in (*VOICES, "all"):
        raise SureError(f"lang={lang}: the asterisk recipe has the languages {' '.join(VOICES)} and all")
    if task in ("language", "speaker", "keyword") and lang != "all":
        raise SureError(f"task={task} lang={lang}: this task compares the five languages; leave lang out")
    if task == "phoneme" and lang == "all":
        raise SureError("task=phoneme lang=all: a lexicon is of one language; choose one")
    return list(VOICES) if lang == "all" else [lang]


def intent_of(key: str) -> str | None:
    """The family of a key, or None for the many families with few items."""
    return INTENTS.get(re.split("[/-]", key)[0])


def _why_not(prompt: Prompt, task: str, split: dict[str, str]) -> str | None:
    if NOT_SPEECH.fullmatch(prompt.key):
        return "tones, noises and silences"
    if prompt.seconds < SHORTEST:
        return f"recordings shorter than {SHORTEST} s"
    if task in (*OF_TEXT, "tts") and not prompt.text:
        return "recordings without text"
    if task == "intent" and intent_of(prompt.key) is None:
        return "prompts of no intent family"
    if prompt.key not in split:
        return "prompts that are in no list of splits/"
    return None


def _utterance(prompt: Prompt, task: str) -> Utterance:
    speaker = VOICES[prompt.language][1]
    labels = {"language": prompt.language, "speaker": speaker, "intent": intent_of(prompt.key)}
    return Utterance(
        id=prompt.id,
        audio=str(prompt.path),
        text=prompt.written if task == "tts" else prompt.text if task in OF_TEXT else None,
        labels={"label": labels[task]} if task in labels else {},
        speaker=speaker,
    )
