"""Data folders from the Asterisk core sounds; README.md describes the corpus and the decisions."""

from __future__ import annotations

import hashlib
import math
import re
from collections import defaultdict
from pathlib import Path
from typing import Literal, NamedTuple

import yaml

from sure.corpus.selection import Selection, read_lists
from sure.corpus.texts import read_text
from sure.corpus.walk import files_below, walk
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.text.normalize import drop_stage_directions, normalize, without_accents

HERE = Path(__file__).resolve().parent
LANG = {"asr": "es", "phoneme": "en", "translation": "es"}  # tasks with texts in words -> default of lang
VOICES = {  # language -> folder of the Debian packages, speaker
    "en": ("en_US_f_Allison", "allison"),
    "es": ("es_MX_f_Allison", "allison"),
    "fr": ("fr_CA_f_June", "june"),
    "it": ("it_IT_m_Carlo", "carlo"),
    "ru": ("ru_RU_f_IvrvoiceRU", "ivrvoice"),
}
NOT_SPEECH = re.compile(r"silence/.*|(a|de)scending-2tone|beep(err)?|confbridge-(join|leave)|tt-monkeys")
INTENTS = {  # folder or first word of the file name -> family of prompts; other families have few items
    "agent": "agent", "conf": "conference", "confbridge": "conference", "demo": "demo", "dictate": "dictate",
    "digits": "digits", "dir": "directory", "letters": "letters", "phonetic": "phonetic", "priv": "privacy",
    "privacy": "privacy", "queue": "queue", "spy": "channel", "vm": "voicemail",
}  # fmt: skip
G722_BYTES_PER_SECOND = 8000
SHORTEST = 0.1  # seconds; one Russian file is empty
LONG = 15  # seconds; longer prompts are all in train
KEYWORDS = {"alphabet": re.compile("phonetic/[a-z]_p"), "digits": re.compile("digits/[0-9]")}
SPEAKERS = ("allison", "june", "carlo", "ivrvoice")


class Prompt(NamedTuple):
    """A recording; `text` is normalised, `written` has its punctuation; both are None if the corpus has no text."""

    language: str
    key: str  # file name without ending, such as digits/1; the same in all languages
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
    task: Literal["asr", "phoneme", "language", "speaker", "intent", "keyword", "tts", "translation"] = "asr",
    lang: Literal["", "en", "es", "fr", "it", "ru", "all"] = "",
    keywords: Literal["alphabet", "digits"] = "alphabet",
    voice: str = "june",
    minutes: str = "all",
) -> list[Path]:
    """Write the data folders `out/{train,dev,test}` and return them.

    task: asr or phoneme (`text` in words), translation (`text` is the English prompt as it is written), language,
    speaker, intent or keyword (`utt2label`), or tts (`prepare_tts`). lang: a language or all; by default es for asr and
    translation, en for phoneme, and all for the other tasks; phoneme takes one language, language, speaker and keyword
    take all. For translation, all are es, fr, it and ru. voice: for keyword, the speaker of the test set. Raises
    SureError for options that exclude each other and for missing or unreadable files.
    """
    if task == "tts":
        return prepare_tts(Path(corpus), Path(out), lang, voice.split("+"), minutes)
    languages = _languages(task, lang)
    if task == "keyword":
        return prepare_keyword(Path(corpus), Path(out), languages, keywords, voice)
    split = read_lists(HERE / "splits")
    selection = Selection(f"asterisk {task} ({' '.join(languages)})")
    prompts = read_prompts(Path(corpus), languages, selection, with_text=task in LANG)
    if task == "translation":
        prompts = _translated(prompts, Path(corpus))
    for prompt in prompts:
        if reason := _why_not(prompt, task, split):
            selection.leave_out(prompt.id, reason)
        else:
            selection.take(split[prompt.key], _utterance(prompt, task))
    return selection.write(Path(out))


def _translated(prompts: list[Prompt], corpus: Path) -> list[Prompt]:
    """The prompts with the English text of the same key, as it is written, or none."""
    corrections = yaml.safe_load((HERE / "corrections.yaml").read_text(encoding="utf-8"))
    transcript = find_languages(corpus, ["en"], with_text=True)["en"][1]
    english = _correct(read_transcript(transcript), corrections.get("en", {}))
    texts = {key: drop_stage_directions(text or "").strip() for key, text in english.items()}
    return [prompt._replace(text=prompt.text and texts.get(prompt.key) or None) for prompt in prompts]


def prepare_keyword(corpus: Path, out: Path, languages: list[str], keywords: str, voice: str) -> list[Path]:
    """Data folders without a speaker in two sets: `voice` is test, the last other of SPEAKERS dev, the rest train."""
    spellings = yaml.safe_load((HERE / "keywords.yaml").read_text(encoding="utf-8"))[keywords]
    word_of = {text: word for word, texts in spellings.items() for text in texts}
    selection = Selection(f"asterisk keyword ({keywords}, {voice} left out)")
    utterances: dict[str, list[Utterance]] = {}  # by speaker
    for prompt in read_prompts(corpus, languages, selection):
        if not KEYWORDS[keywords].fullmatch(prompt.key):
            selection.leave_out(prompt.id, "prompts that are none of the words")
        elif prompt.text not in word_of:
            selection.leave_out(prompt.id, "recordings of another word, by their text")
        else:
            speaker = VOICES[prompt.language][1]
            utterance = Utterance(prompt.id, str(prompt.path), labels={"label": word_of[prompt.text]}, speaker=speaker)
            utterances.setdefault(speaker, []).append(utterance)
    others = [speaker for speaker in SPEAKERS if speaker in utterances and speaker != voice]
    if voice not in utterances or len(others) < 2:
        known = " ".join(speaker for speaker in SPEAKERS if speaker in utterances)
        raise SureError(f"voice={voice}: the speakers of {keywords} are {known}; pass one of three or more")
    for speaker, found in utterances.items():
        name = "test" if speaker == voice else "dev" if speaker == others[-1] else "train"
        for utterance in found:
            selection.take(name, utterance)
    return selection.write(out)


def prepare_tts(corpus: Path, out: Path, lang: str, voices: list[str], minutes: str) -> list[Path]:
    """Data folders with `text` as it is written and `utt2lang`, for voices in their own languages (Allison: English).

    minutes: `all`, or the most for the training set of each voice. Smaller sets are parts of larger ones; recordings
    longer than LONG come last.
    """
    known = {speaker: language for language, (_, speaker) in VOICES.items() if language != "es"}
    if lang or not set(voices) <= known.keys():
        raise SureError(f"task=tts: expected one or more voices, voice={'+'.join(known)}, and no lang")
    if minutes != "all" and not re.fullmatch(r"[0-9]+(\.[0-9]+)?", minutes):
        raise SureError(f"minutes={minutes}: expected all, or a number such as 5")
    split = read_lists(HERE / "splits")
    selection = Selection(f"asterisk tts ({' '.join(voices)}, {minutes} minutes)")
    left = dict.fromkeys(voices, math.inf if minutes == "all" else 60 * float(minutes))
    prompts = read_prompts(corpus, [known[voice] for voice in voices], selection)
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
    return selection.write(out)


def _tts_order(prompt: Prompt) -> tuple[bool, bytes]:
    return prompt.seconds > LONG, hashlib.sha256(prompt.key.encode()).digest()


def read_prompts(corpus: Path, languages: list[str], selection: Selection, with_text: bool = True) -> list[Prompt]:
    """The recordings of these languages, sorted by language and key. Texts without a recording are left out."""
    corrections = yaml.safe_load((HERE / "corrections.yaml").read_text(encoding="utf-8"))
    prompts = []
    for language, (folder, transcript) in find_languages(corpus, languages, with_text).items():
        corrected, written = corrections.get(language, {}), read_transcript(transcript) if with_text else {}
        texts = _correct(written, corrected)
        paths = {path.relative_to(folder).with_suffix("").as_posix(): path for path in files_below(folder, ".g722")}
        for key in written.keys() - paths.keys() - corrected.get("keys", {}).keys():
            selection.leave_out(f"{language}-{key}", "texts without a recording")
        for key, path in sorted(paths.items(), key=lambda item: item[1]):
            written = drop_stage_directions(texts.get(key) or "") if not NOT_SPEECH.fullmatch(key) else ""
            text = _spoken(written, language)
            prompts.append(Prompt(language, key, path.absolute(), text or None, written if text else None))
    return prompts


def find_languages(corpus: Path, languages: list[str], with_text: bool) -> dict[str, tuple[Path, Path | None]]:
    """Language -> (folder of the recordings, transcript file), in any of the layouts of README.md.

    with_text: the transcript has to be there. Raises SureError naming languages that are missing, or there twice.
    """
    folders: dict[str, dict[Path, Path]] = defaultdict(dict)  # with the places that links lead to
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
                folders[voices[folder.name]].setdefault(folder.resolve(), folder)
            for name in files:
                if match := re.fullmatch(r"core-sounds-([a-z]{2})\.txt(\.gz)?", name):
                    transcripts.setdefault(match[1], folder / name)
                    if recordings:  # the release tarballs: text and recordings side by side
                        folders[match[1]].setdefault(folder.resolve(), folder)
    missing = [
        f"{language} ({kind})"
        for language in languages
        for kind, found in (("g722 recordings", folders), ("core-sounds text", transcripts))[: 1 + with_text]
        if not found.get(language)
    ]
    if missing:
        raise SureError(
            f"{corpus}: not found: {', '.join(missing)}. Expected the folders of the Debian packages "
            "asterisk-core-sounds-XX-g722 and asterisk-core-sounds-XX, or one folder per unpacked "
            "asterisk-core-sounds-XX-g722 tarball; the wav and gsm variants have 8 kHz only"
        )
    for language in languages:
        if len(folders[language]) > 1:
            copies = " and in ".join(map(str, folders[language].values()))
            raise SureError(f"the recordings of {language} are in {copies}; move one of them out of {corpus}")
    return {language: (*folders[language].values(), transcripts.get(language)) for language in languages}


def read_transcript(path: Path) -> dict[str, str]:
    """Key -> text. Comments start with `;`. If a key occurs twice, the first line is taken."""
    texts: dict[str, str] = {}
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip() or line.startswith(";"):
            continue
        key, colon, text = line.partition(":")
        if not colon:
            raise SureError(f"{path}, line {number}: expected `key: text`, found {line!r}")
        texts.setdefault(key.strip(), text.strip())
    return {key: _without_other_rows(text, texts) for key, text in texts.items()}


def _without_other_rows(text: str, texts: dict[str, str]) -> str:
    """`text` without its own key or the next rows, which some lines contain: `... confbridge-mute-in: Per ...`."""
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
    """The normalised text, in Spanish without accents and ñ, which most of the Spanish file lacks."""
    text = normalize(text, language)
    return without_accents(text) if language == "es" else text


def _languages(task: str, lang: str) -> list[str]:
    lang = lang or LANG.get(task, "all")
    if task in ("language", "speaker", "keyword") and lang != "all":
        raise SureError(f"task={task} lang={lang}: this task compares the five languages; leave lang out")
    if task == "translation" and lang == "en":
        raise SureError("task=translation lang=en: the texts are English; pass es, fr, it, ru or all")
    if task == "phoneme" and lang == "all":
        raise SureError("task=phoneme lang=all: a lexicon has words of one language; pass one with lang")
    if lang != "all":
        return [lang]
    return [language for language in VOICES if task != "translation" or language != "en"]


def intent_of(key: str) -> str | None:
    """The family of a key, or None for the families with few items."""
    return INTENTS.get(re.split("[/-]", key)[0])


def _why_not(prompt: Prompt, task: str, split: dict[str, str]) -> str | None:
    if NOT_SPEECH.fullmatch(prompt.key):
        return "tones, noises and silences"
    if prompt.seconds < SHORTEST:
        return f"recordings shorter than {SHORTEST} s"
    if task in (*LANG, "tts") and not prompt.text:
        return "recordings without text" + (" in both languages" if task == "translation" else "")
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
        text=prompt.written if task == "tts" else prompt.text if task in LANG else None,
        labels={"label": labels[task]} if task in labels else {},
        speaker=speaker,
        language=prompt.language if task in ("asr", "translation", "tts") else None,
    )
