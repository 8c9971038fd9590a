"""Promises of text normalisation, on lines of the Asterisk transcripts and on any text."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sure.errors import SureError
from sure.text.normalize import normalize
from sure.text.numbers import LANGUAGES

REAL_LINES = [
    ("en", "Please press 1 to mute or unmute yourself, 8 to exit.",
     "please press one to mute or unmute yourself eight to exit"),
    ("en", "at [@]", "at"),
    ("en", "...letters of your party's first or last name.", "letters of your party's first or last name"),
    ("en", 'a polite "don\'t call" menu', "a polite don't call menu"),
    ("en", "press * to toggle pause, press # to enter", "press star to toggle pause press pound to enter"),
    ("en", "at least a 28.8 kilobit modem", "at least a twenty eight point eight kilobit modem"),
    ("en", "P.M.", "p m"),
    ("en", "De-activated.", "de activated"),
    ("en", 'IAX (note: does not say "2")', "iax"),
    ("es", "marque 500 para intentar; 8500", "marque quinientos para intentar ocho mil quinientos"),
    ("es", "El modo mudo está ahora activado", "el modo mudo está ahora activado"),
    ("es", "Hola Mundo!", "hola mundo"),
    ("fr", "“Pour activer, appuyez sur 1.”", "pour activer appuyez sur un"),
    ("fr", "dès l'arrivé du responsable", "dès l'arrivé du responsable"),
    ("fr", "À l’aide de votre clavier", "à l'aide de votre clavier"),
    ("fr", "quatre-vingt-dix", "quatre vingt dix"),
    ("fr", "Pour (emphase)", "pour"),
    ("it", "premere 3 per l’opzione", "premere tre per l'opzione"),
    ("it", "un modem da 28Kilobit", "un modem da ventotto kilobit"),
    ("it", "Perché ciò può", "perché ciò può"),
    ("ru", "Нажмите 7 и решётку", "нажмите семь и решетку"),
    ("ru", "клавишу «звёздочка».Чтобы", "клавишу звездочка чтобы"),
    ("ru", "не ниже 28,8 килобит", "не ниже двадцать восемь целых восемь десятых килобит"),
    ("ru", "2 - чтобы выйти", "два чтобы выйти"),
]  # fmt: skip

NUMBERS = [
    ("en", "1,234.50", "one thousand two hundred and thirty four point five zero"),
    ("en", "007", "zero zero seven"),
    ("en", "21st and 2nd", "twenty first and second"),
    ("en", "$1 or $5", "one dollar or five dollars"),
    ("en", "-5", "minus five"),
    (
        "en",
        "In 1963, 1905 or 2005; 1,963",
        "in nineteen sixty three nineteen oh five or two thousand five one thousand nine hundred and sixty three",
    ),
    ("en", "the 1960s, the '80s, 1939-45", "the nineteen sixties the eighties nineteen thirty nine forty five"),
    (
        "en",
        "$5.50, £1.01, $0.99, $3.00",
        "five dollars fifty cents one pound one penny ninety nine cents three dollars",
    ),
    ("en", "$2.5 million or $7 bn", "two point five million dollars or seven dollars bn"),
    (
        "en",
        "3/4, 1/3, 1½ and 2 1/4; 24/7",
        "three quarters one third one and a half and two and a quarter twenty four seven",
    ),
    ("en", "1/2/2020 at 10:05", "one two twenty twenty at ten oh five"),
    ("en", "in 1990 1/3", "in nineteen ninety one third"),
    ("en", "1500 m, 1000%", "fifteen hundred m one thousand percent"),
    ("en", "10:30", "ten thirty"),
    ("en", "1.2.3", "one two three"),
    ("en", "AT&T 50%", "at and t fifty percent"),
    ("en", "9" * 13, " ".join(["nine"] * 13)),
    ("en", "٣", "three"),
    ("es", "1.234,5", "mil doscientos treinta y cuatro punto cinco"),
    ("es", "28.8 y 28,8", "veintiocho punto ocho y veintiocho punto ocho"),
    ("es", "1º 1ª 1er 3.º", "primero primera primer tercero"),
    ("fr", "1er 1re 2e 3ème", "premier première deuxième troisième"),
    ("fr", "1\u202f234 €", "mille deux cent trente quatre euros"),
    ("it", "28,05", "ventotto virgola zero cinque"),
    ("it", "2º 3ª", "secondo terza"),
    ("ru", "1% 22% 5% 11%", "один процент двадцать два процента пять процентов одиннадцать процентов"),
    ("ru", "2-й 3-я", "второй третья"),
]


@pytest.mark.parametrize("language, line, spoken", REAL_LINES + NUMBERS)
def test_spoken_words(language, line, spoken):
    assert normalize(line, language) == spoken


@pytest.mark.parametrize("line", ["[ascending tones]", "(beep)", "<beep ascending>", "([a] b (c))", "...", " \t\n", ""])
def test_nothing_spoken_is_empty(line):
    assert normalize(line, "en") == ""


def test_region_and_case_of_the_language_do_not_matter():
    assert normalize("1", "es-MX") == normalize("1", "ES_mx") == "uno"


def test_composed_and_decomposed_are_the_same():
    assert normalize(unicodedata.normalize("NFD", "Où é Й"), "fr") == normalize("Où é Й", "fr")


def test_invisible_characters_do_not_split_words():
    assert normalize("\ufeffco\u00adope\u200brate", "en") == "cooperate"


def test_russian_yo_is_folded_in_russian_only():
    assert normalize("Ещё", "ru") == "еще"
    assert normalize("Ещё", "be") == "ещё"


def test_unknown_language_needs_number_words_only_for_digits():
    assert normalize("Grüß Gott, Welt!", "de") == "grüß gott welt"
    with pytest.raises(SureError, match=r"'de'.*'5'.*en es fr it ru"):
        normalize("Taste 5", "de")


TEXTS = st.text() | st.text(alphabet="aé'’-.,:0123456789 $€%@#*[]()<>ºªё\u0308eя\u00a0", max_size=40)


@settings(max_examples=300, deadline=None)
@given(text=TEXTS, language=st.sampled_from([*LANGUAGES]))
def test_any_text_is_only_words_and_stays_the_same(text, language):
    once = normalize(text, language)
    assert normalize(once, language) == once
    assert normalize(once, "de") == once  # nothing left that depends on a language
    assert once == " ".join(once.split())
    assert all(char in " '" or unicodedata.category(char)[0] in "LM" for char in once)
    assert not any(word.startswith("'") or word.endswith("'") for word in once.split())


@settings(max_examples=200, deadline=None)
@given(number=st.integers(0, 10**12 - 1), language=st.sampled_from([*LANGUAGES]))
def test_different_numbers_sound_different(number, language):
    assert normalize(str(number), language) != normalize(str(number + 1), language)
