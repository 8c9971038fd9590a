"""Fish Fillets 1.0.1: the release tarball with dialogue files in Lua, and recordings by level and language."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
from audio_files import write_audio
from speech import speech

ROOT = "fillets-ng-data-1.0.1"
SPLITS = Path(__file__).parents[2] / "egs" / "fillets" / "splits"
LEVELS = {"train": 3, "dev": 1, "test": 1}
WORDS = {
    "cs": ("kde jsi", "tady dole", "co je to", "to je loď"),
    "nl": ("waar ben je", "hier", "wat is dat", "een schip"),
}
# Constructs of a few files: name -> Lua in the Czech file; the Dutch file has none of them.
QUIRKS = {
    "x-v-joined": 'dialogId("x-v-joined", "font_big", "A " ..\n  "joke") -- a remark\ndialogStr("Kde " .. \'jsi\')',
    "x-m-long": 'dialogId("x-m-long", "font_small",\n"Over two lines")\ndialogStr(\n[[Kde\njsi]])',
    "x-m-quoted": 'dialogId("x-m-quoted", "font_small", "A \\"quote\\"")\ndialogStr("\\"Tady\\" \\106si \\195\\169")',
    "x-p-parrot": 'dialogId("x-p-parrot", "font_parrot", "Cruel!")\ndialogStr("Krrrutý!")',
    "x-c-7": 'dialogId("x-c-7", "", "")\ndialogStr("")',
    "x-c-filled": 'dialogId("x-c-filled", "font_white", "%1 hours!")\ndialogStr("%1 hodin!")',
    "x-v-f3": 'dialogId("x-v-f3", "font_big", "Press F3.")\ndialogStr("Stiskni F3.")',
    "x-v-variable": 'dialogId("x-v-variable", "font_big", "No constant")\ndialogStr("Kde " .. who)',
}
NO_LINE, NO_SAMPLES, NOT_RECORDED = "x_m_nameless", "x-m-empty", "x-m-silent"


def make(folder: Path) -> None:
    """Write the archive of sources.yaml."""
    game = folder / ROOT
    for language in WORDS:
        for levels in places().values():
            for level in levels:
                write_level(game, level, language)
        write_shared(game, language)
    write_quirks(game, places()["train"][0])
    write_audio(game / "sound" / "share" / "sp-impact_heavy.ogg", speech("o", rate=22050), 22050)
    write_audio(game / "sound" / places()["train"][0] / "en" / "x-x-noise.ogg", speech("o", rate=22050), 22050)
    with tarfile.open(folder / f"{ROOT}.tar.gz", "w:gz") as tar:
        tar.add(game, ROOT)


def places() -> dict[str, list[str]]:
    """Set -> levels of the recipe's lists, without the shared dialogues."""
    lists = {name: (SPLITS / f"{name}.txt").read_text().split() for name in LEVELS}
    shared = {"border", "borejokes", "blackjokes"}
    return {name: [level for level in lists[name] if level not in shared][:count] for name, count in LEVELS.items()}


def write_level(game: Path, level: str, language: str) -> None:
    lines = ["-- " + level, 'dialogLoad("script/"..codename.."/")']
    for number, text in enumerate(WORDS[language]):
        fish, letter = (("big", "v"), ("small", "m"))[number % 2]
        name = f"{level[:3]}-{letter}-{number}"
        lines.append(f'dialogId("{name}", "font_{fish}", "English")\ndialogStr("{text.capitalize()}?")\n')
        write_sound(game / "sound" / level / language / f"{name}.ogg", text, language + fish)
    write_script(game, level, f"dialogs_{language}.lua", lines)


def write_shared(game: Path, language: str) -> None:
    lines = ['dialogId("sp-shout_big_00", "font_big", "Yes!")', f'dialogStr("{WORDS[language][0]}!")']
    write_script(game, "share", f"shout_dialogs_{language}.lua", lines)
    write_sound(game / "sound" / "share" / "border" / language / "sp-shout_big_00.ogg", WORDS[language][0], language)


def write_quirks(game: Path, level: str) -> None:
    script = game / "script" / level / "dialogs_cs.lua"
    unrecorded = f'dialogId("{NOT_RECORDED}", "font_small", "?")\ndialogStr("Kde")'
    empty = f'dialogId("{NO_SAMPLES}", "font_small", "?")\ndialogStr("Kde")'
    commented = '--[[ dialogId("x-v-joined", "font_small", "?")\ndialogStr("Co") ]]'
    more = [commented, *QUIRKS.values(), unrecorded, empty]
    script.write_text(script.read_text(encoding="utf-8") + "\n".join(more) + "\n", encoding="utf-8")
    sounds = game / "sound" / level / "cs"
    for name in (*QUIRKS, NO_LINE):
        write_sound(sounds / f"{name}.ogg", "kde jsi", "cs", rate=44100)
    write_audio(sounds / f"{NO_SAMPLES}.ogg", np.zeros((0, 2), np.float32), 22050)


def write_script(game: Path, level: str, name: str, lines: list[str]) -> None:
    path = game / "script" / level / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_sound(path: Path, text: str, speaker: str, rate: int = 22050) -> None:
    """Write a recording in stereo, as the Dutch ones are."""
    wave = speech(text, speaker, rate)
    write_audio(path, np.stack([wave, wave], axis=1), rate)
