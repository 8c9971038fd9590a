"""Data folders from the dialogues of the game Fish Fillets; README.md describes the corpus and the decisions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import soundfile
import yaml
from dialogs import Line, read_dialogs

from sure.corpus.selection import Selection, read_lists
from sure.corpus.walk import walk
from sure.data.data_dir import Utterance
from sure.errors import SureError
from sure.text.normalize import normalize

HERE = Path(__file__).resolve().parent
LANGUAGES = ("cs", "nl")
FISH = ("small", "big")
SHARED = {"black": "blackjokes", "bore": "borejokes", "shout": "border"}  # script/share/bore_dialogs_cs.lua
# F3, 737, C:\WINDOWS: texts that can be read in several ways
UNCLEAR = re.compile(r"[0-9%/\\]")
DRAWN_OUT = re.compile(r"([^\W\d_])\1{2,}")


class Recording(NamedTuple):
    """An audio file; `line` is None if its name is not in the dialogue files."""

    language: str
    level: str
    name: str
    path: Path
    line: Line | None

    @property
    def key(self) -> str:
        return f"{self.level}/{self.name}"

    @property
    def role(self) -> str:
        """The character, by the font of the subtitles: small, big, parrot, viking1."""
        return self.line.font.removeprefix("font_") if self.line else ""


def prepare(
    corpus: str | Path,
    out: str | Path,
    task: Literal["asr", "speaker"] = "asr",
    lang: Literal["cs", "nl", "all"] = "cs",
) -> list[Path]:
    """Write the data folders `out/{train,dev,test}` and return them.

    task: asr (`text`) or speaker (`utt2label`: small or big, for two languages cs-small and so on). Raises SureError
    for missing or unreadable files.
    """
    languages = LANGUAGES if lang == "all" else (lang,)
    split = read_lists(HERE / "splits")
    corrections = yaml.safe_load((HERE / "corrections.yaml").read_text(encoding="utf-8"))
    selection = Selection(f"fillets {task} ({' '.join(languages)})")
    game = Game(Path(corpus), languages)
    for language in languages:
        recordings = game.recordings(language, selection)
        for recording in recordings:
            corrected = corrections[language]
            if reason := _why_not(recording, task, corrected, split):
                selection.leave_out(f"{recording.level}/{language}/{recording.path.name}", reason)
            else:
                utterance = _utterance(recording, task, corrected, several=len(languages) > 1)
                selection.take(split[recording.level], utterance)
    return selection.write(Path(out))


class Game:
    """The recordings and dialogue files below a folder, in any of the layouts of README.md."""

    def __init__(self, corpus: Path, languages: tuple[str, ...]):
        self.sounds: dict[str, dict[tuple[str, str], Path]] = {language: {} for language in languages}
        self.scripts: dict[str, dict[tuple[str, str], Path]] = {language: {} for language in languages}
        for place, _, files in walk(corpus.absolute()):
            if place.name in languages and "sound" in place.parts:
                for name in files:
                    if name.endswith(".ogg"):
                        self.sounds[place.name].setdefault((place.parent.name, name[:-4]), place / name)
            elif place.parent.name == "script":
                for name in files:
                    match = re.fullmatch(r"(?:(\w+?)_)?dialogs_(\w+)\.lua", name)
                    if match and match[2] in languages:
                        self.scripts[match[2]].setdefault((place.name, name), place / name)
        missing = [
            f"{language} ({kind})"
            for language in languages
            for kind, found in (("recordings", self.sounds), ("dialogue files", self.scripts))
            if not found[language]
        ]
        if missing:
            raise SureError(
                f"{corpus}: not found: {', '.join(missing)}. Expected sound/<level>/<language>/*.ogg and "
                "script/<level>/dialogs_<language>.lua, as in the Debian packages fillets-ng-data, fillets-ng-data-cs "
                "and fillets-ng-data-nl or in the unpacked fillets-ng-data-1.0.1.tar.gz"
            )

    def lines(self, language: str, selection: Selection) -> dict[tuple[str, str], Line]:
        """(Level, name) -> line."""
        found: dict[tuple[str, str], Line] = {}
        for (level, file), path in self.scripts[language].items():
            if level == "share":  # its recordings are in sound/share/<another name>
                prefix = file.partition("_dialogs_")[0]
                level = SHARED.get(prefix, prefix)
            lines, unreadable = read_dialogs(path)
            for name, line in lines.items():
                found.setdefault((level, name), line)
            for row in unreadable:
                selection.leave_out(f"{path.parent.name}/{file}:{row}", "dialogue lines that cannot be read")
        return found

    def recordings(self, language: str, selection: Selection) -> list[Recording]:
        """The recordings of a language, sorted by level and name. Lines without a recording are left out."""
        lines, sounds = self.lines(language, selection), self.sounds[language]
        for level, name in lines.keys() - sounds.keys():
            selection.leave_out(f"{level}/{language}/{name}", "dialogue lines without a recording")
        return [Recording(language, *key, path, lines.get(key)) for key, path in sorted(sounds.items())]


def spoken_text(recording: Recording, corrected: Mapping[str, Any]) -> str | None:
    """The normalised text, or None if the dialogue file has no reliable one."""
    text = recording.line.text if recording.line else None
    text = corrected["texts"].get(recording.key, text)
    if not text or UNCLEAR.search(text):
        return None
    text = normalize(text, recording.language)
    for old, new in corrected["words"].items():
        text = re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", new, text)
    return _short(text, recording.language) or None


def _short(text: str, language: str) -> str:
    """`text` with one letter for three or more, which mark a long sound: haló for halóóó (two in Dutch: nee)."""
    doubled = "aeou" if language == "nl" else ""
    return DRAWN_OUT.sub(lambda match: match[1] * (2 if match[1] in doubled else 1), text)


def _why_not(recording: Recording, task: str, corrected: Mapping[str, Any], split: Mapping[str, str]) -> str | None:
    if _is_empty(recording.path):
        return "recordings without a single sample"
    if recording.line is None:
        return "recordings that no dialogue file names"
    if task == "speaker" and recording.role not in FISH:
        return "other characters than the two fish"
    if task == "speaker" and recording.level in corrected["other_voices"]:
        return "levels in which the fish have other voices"
    if task == "asr" and (reason := _why_no_text(recording, corrected)):
        return reason
    if recording.level not in split:
        return "levels that are in no list of splits/"
    return None


def _why_no_text(recording: Recording, corrected: Mapping[str, Any]) -> str | None:
    if recording.key in corrected["noises"]:
        return "cries and mumbling"
    if recording.key not in corrected["texts"] and "%1" in (recording.line.text or ""):
        return "texts into which the game puts a number"
    if recording.key not in corrected["texts"] and UNCLEAR.search(recording.line.text or ""):
        return "texts with digits or signs that can be read in several ways"
    return None if spoken_text(recording, corrected) else "recordings without text"


def _is_empty(path: Path) -> bool:
    try:
        return soundfile.info(path).frames == 0
    except (soundfile.SoundFileError, OSError):
        return False  # stage 2 reports the fault


def _utterance(recording: Recording, task: str, corrected: Mapping[str, Any], several: bool) -> Utterance:
    language, role = recording.language, recording.role
    other = f"-{recording.level}" if recording.level in corrected["other_voices"] else ""
    return Utterance(
        id=f"{language}-{role}-{recording.level}-{recording.name}",
        audio=str(recording.path),
        text=spoken_text(recording, corrected) if task == "asr" else None,
        labels={"label": f"{language}-{role}" if several else role} if task == "speaker" else {},
        speaker=f"{language}-{role}{other}",
    )
