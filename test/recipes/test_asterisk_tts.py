"""Task tts of egs/asterisk: transcripts with punctuation, and so many minutes of each voice."""

from harness import EGS, Case, table, write

from sure.corpus.selection import read_lists

RECIPE = "asterisk"
FOLDERS = {"en": "en_US_f_Allison", "it": "it_IT_m_Carlo"}
SECONDS = 5
LONG = "demo-instruct"  # of train
TWO_VOICES = {"task": "tts", "voice": "carlo+allison"}


def build(root):
    """Every prompt of the lists, each of SECONDS but one; recordings are empty of sound: preparing decodes none."""
    for language, name in FOLDERS.items():
        lines = ["beep: [this is a simple beep tone]", "ha/phone: no list has this"]
        for key in read_lists(EGS / RECIPE / "splits"):
            lines.append(f"{key}: Press 1, for {language} -- {key.replace('/', ' ')}! (note: a remark)")
            write(f"{name}/{key}.g722", bytes(8000 * (40 if key == LONG else SECONDS)))(root)
        write(f"{name}/core-sounds-{language}.txt", "\n".join(lines))(root)


def test_texts_keep_their_punctuation_and_languages_are_listed(prepared, tmp_path):
    result = prepared(**TWO_VOICES)
    assert result.of("text")[f"it-{LONG}"] == f"Press 1, for it -- {LONG}!"
    voices = {"it": "carlo", "en": "allison"}
    assert result.of("speaker") == {id: voices[id[:2]] for id in result.of("set")}
    for name, ids in result.ids.items():
        lines = (tmp_path / "out 0" / name / "utt2lang").read_text().splitlines()
        assert lines == [f"{id} {id[:2]}" for id in ids]


def test_minutes_are_of_each_voice_and_within_more_minutes(prepared):
    results = {minutes: prepared(**TWO_VOICES, minutes=minutes) for minutes in ("2", "5", "all")}
    two, five, everything = (set(result.ids["train"]) for result in results.values())
    assert two < five < everything
    for voice in ("en-", "it-"):
        assert sum(id.startswith(voice) for id in two) == 2 * 60 // SECONDS
        assert sum(id.startswith(voice) for id in five) == 5 * 60 // SECONDS
        assert f"{voice}{LONG}" in everything - five, "long recordings come last"
    assert ("training prompts beyond 2 minutes of a voice", f"it-{LONG}") in results["2"].left_out
    for name in ("dev", "test"):
        assert results["2"].ids[name] == results["all"].ids[name] != []


def case(error, **options):
    return Case(options={"task": "tts"} | options, error=error)


@table({
    "an unknown voice": case("voice=allison.june.carlo.ivrvoice", voice="clara"),
    "a language": case("no lang", voice="carlo", lang="it"),
    "no number": case("minutes=few: expected all", voice="carlo", minutes="few"),
    "too few minutes": case("the set train is empty", voice="carlo", minutes="0.01"),
})  # fmt: skip
def test_options_that_do_not_fit(check, case):
    check(case)
