"""Fish Fillets 1.0.1: the release tarball with dialogue files in Lua, and recordings by level and language."""

from pathlib import Path

import numpy as np
from miniature import lines, pack, write_files
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
COMMENTED = '--[[ dialogId("x-v-joined", "font_small", "?")\ndialogStr("Co") ]]'
WITHOUT_SAMPLES = 'dialogId("{0}", "font_small", "?")\ndialogStr("Kde")'
NO_LINE, NO_SAMPLES, NOT_RECORDED = "x_m_nameless", "x-m-empty", "x-m-silent"


def make(folder: Path) -> None:
    """Write the archive of sources.yaml and its content."""
    quirky, noise = places()["train"][0], speech("o", rate=22050)
    files = {"sound/share/sp-impact_heavy.ogg": noise, f"sound/{quirky}/en/x-x-noise.ogg": noise}
    files[f"sound/{quirky}/cs/{NO_SAMPLES}.ogg"] = np.zeros((0, 2), np.float32)
    for language, texts in WORDS.items():
        for level in sum(places().values(), []):
            files |= level_files(level, language)
        shout = f'dialogId("sp-shout_big_00", "font_big", "Yes!")\ndialogStr("{texts[0]}!")\n'
        files[f"script/share/shout_dialogs_{language}.lua"] = shout
        files[f"sound/share/border/{language}/sp-shout_big_00.ogg"] = stereo(texts[0], language)
    more = [COMMENTED, *QUIRKS.values(), *(WITHOUT_SAMPLES.format(name) for name in (NOT_RECORDED, NO_SAMPLES))]
    files[f"script/{quirky}/dialogs_cs.lua"] += lines(more)
    write_files(folder / ROOT, files, 22050)
    sounds = {f"sound/{quirky}/cs/{name}.ogg": stereo("kde jsi", "cs", 44100) for name in (*QUIRKS, NO_LINE)}
    write_files(folder / ROOT, sounds, 44100)
    pack(folder / f"{ROOT}.tar.gz", folder, ROOT)


def places() -> dict[str, list[str]]:
    """Set -> levels of the recipe's lists, without the shared dialogues."""
    lists = {name: (SPLITS / f"{name}.txt").read_text().split() for name in LEVELS}
    shared = {"border", "borejokes", "blackjokes"}
    return {name: [level for level in lists[name] if level not in shared][:count] for name, count in LEVELS.items()}


def level_files(level: str, language: str) -> dict:
    rows, sounds = ["-- " + level, 'dialogLoad("script/"..codename.."/")'], {}
    for number, text in enumerate(WORDS[language]):
        fish, letter = (("big", "v"), ("small", "m"))[number % 2]
        name = f"{level[:3]}-{letter}-{number}"
        rows.append(f'dialogId("{name}", "font_{fish}", "English")\ndialogStr("{text.capitalize()}?")\n')
        sounds[f"sound/{level}/{language}/{name}.ogg"] = stereo(text, language + fish)
    return sounds | {f"script/{level}/dialogs_{language}.lua": lines(rows)}


def stereo(text: str, speaker: str, rate: int = 22050) -> np.ndarray:
    """(samples, 2), as the Dutch recordings are."""
    return np.stack([speech(text, speaker, rate)] * 2, axis=1)
