"""Text normalisation of lines of the Asterisk transcripts, of numbers in each language, and of any text."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sure.errors import SureError
from sure.text.languages import has_spaces, usual_forms
from sure.text.normalize import normalize
from sure.text.numbers import LANGUAGES

LANGUAGE_LINES = Path(__file__).with_name("languages.tsv").read_text(encoding="utf-8").splitlines()
CODES = Path(__file__).parents[2] / "egs" / "fleurs" / "languages.txt"
NUMBERS = [
    ("en", "press * to toggle pause, press # to enter", "press star to toggle pause press pound to enter"),
    ("en", 'IAX (note: does not say "2")', "iax"),
    ("fr", "quatre-vingt-dix", "quatre vingt dix"),
    ("it", "premere 3 per l’opzione", "premere tre per l'opzione"),
    ("ru", "Нажмите 7 и решётку", "нажмите семь и решетку"),
    ("ru", "клавишу «звёздочка».Чтобы", "клавишу звездочка чтобы"),
    ("ru", "не ниже 28,8 килобит", "не ниже двадцать восемь целых восемь десятых килобит"),
    ("en", "1,234.50", "one thousand two hundred and thirty four point five zero"),
    ("en", "007", "zero zero seven"),
    ("en", "0th, 1,000,000th", "zero one million"),
    ("en", "In 1905, 2005; 1,963", "in nineteen oh five two thousand five one thousand nine hundred and sixty three"),
    ("en", "the 1960s, the '80s, 1939-45", "the nineteen sixties the eighties nineteen thirty nine forty five"),
    ("en", "£1.01, $0.99, $3.00, $1", "one pound one penny ninety nine cents three dollars one dollar"),
    ("en", "$2.5 million or $7 bn", "two point five million dollars or seven dollars bn"),
    ("en", "3/4, 1½ and 2 1/4; 24/7", "three quarters one and a half and two and a quarter twenty four seven"),
    ("en", "1/2/2020 at 10:05", "one two twenty twenty at ten oh five"),
    ("en", "in 1990 1/3", "in nineteen ninety one third"),
    ("en", "1500 m, 1000%", "fifteen hundred m one thousand percent"),
    ("en", "1.2.3", "one two three"),
    ("en", "AT&T 50%", "at and t fifty percent"),
    ("en", "mid-1945, US$3.5m, \u20ac2bn, $7k",
     "mid nineteen forty five us three point five million dollars two billion euros seven thousand dollars"),
    ("en", "12:00, 12:00 pm, 9:00-5:00, 08:05", "twelve o'clock twelve pm nine o'clock five o'clock eight oh five"),
    ("en", "16:9, 10:30:05, 1:05.32", "sixteen nine ten thirty zero five one zero five point three two"),
    ("en", "x\u00b2 y\u00b3, 3 -2", "x squared y cubed three minus two"),
    ("en", "1800s, 2000s, 1990's, 80s", "eighteen hundreds two thousands nineteen nineties eighties"),
    ("en", "9" * 13, " ".join(["nine"] * 13)),
    ("en", "٣", "three"),
    ("es", "1.234,5", "mil doscientos treinta y cuatro punto cinco"),
    ("es", "28.8 y 28,8", "veintiocho punto ocho y veintiocho punto ocho"),
    ("fr", "1er 1re 2e 3ème", "premier première deuxième troisième"),
    ("fr", "1\u202f234 €", "mille deux cent trente quatre euros"),
    ("it", "28,05", "ventotto virgola zero cinque"),
    ("it", "2º 3ª", "secondo terza"),
    ("ru", "1% 22% 5% 11%", "один процент двадцать два процента пять процентов одиннадцать процентов"),
    ("ru", "2-й 3-я", "второй третья"),
    ("en", "1080p, UA1549, 1920x1080", "ten eighty p ua fifteen forty nine nineteen twenty x ten eighty"),
    ("es", "21.000, 31.000, 21.000.000", "veintiún mil treinta y un mil veintiún millones"),
    ("es", "1 €, 21 €, 21 %, 1,21 €", "un euro veintiún euros veintiuno por ciento uno punto dos uno euros"),
    ("es", "1 £, 21 £, 200 £, 1.000.000 €", "una libra veintiuna libras doscientas libras un millón de euros"),
    ("it", "1 €, 1 $, 1 £, 1 %, 2.000.000 £", "un euro un dollaro una sterlina uno per cento due milioni di sterline"),
    ("fr", "21 £, 1.000.000 €, 2.000.000 $", "vingt et une livres un million d'euros deux millions de dollars"),
    ("ru", "1 $, 2 $, 1 €", "один доллар два доллара один евро"),
    ("fr", "17 000 îles, 1 000 000 €, 10\u2009000,5", "dix sept mille îles un million d'euros dix mille virgule cinq"),
    ("es", "10 000 de 2 1000; A320 200", "diez mil de dos mil a trescientos veinte doscientos"),
    ("en", "20\u2009000 but 5 100", "twenty thousand but five one hundred"),
    ("en", "the 1,000th, the 10,000th", "the one thousandth the ten thousandth"),
    ("es", "1.000º, 11º, 112ª, 40º, 700º", "milésimo undécimo centésima duodécima cuadragésimo septingentésimo"),
    ("es", "1.er 2do 3ra 4to 10mo", "primer segundo tercera cuarto décimo"),
    ("fr", "1.000e 80e 200e 2nd 2nde", "millième quatre vingtième deux centième second seconde"),
    ("ru", "7-го, 1-му, в 2010-м, 12-ю", "седьмого первому в две тысячи десятом двенадцатую"),
    ("ru", "80-е, 2010-е, 90-х, 10-е", "восьмидесятые две тысячи десятые девяностых десятое"),
    ("ru", "2-х, 5-ти, 3-ей, 5м", "двух пяти третьей пять м"),
    ("es", "10%-20%, 5€-10€, «Apolo»-11", "diez por ciento veinte por ciento cinco euros diez euros apolo once"),
    ("es", "-5, 3 -2, - 2", "menos cinco tres menos dos dos"),
    ("it", "25°-30°", "venticinque gradi trenta gradi"),
    ("en", "3%-$5; -$5.50", "three percent five dollars minus five dollars fifty cents"),
    ("en", "In 2008 $5,000; 5 $10; 5 $", "in two thousand eight five thousand dollars five ten dollars five dollars"),
    ("es", "en 2008 $5.000, 5 $ 6", "en dos mil ocho cinco mil dólares cinco dólares seis"),
    ("es", "n.º 5", "número cinco"),
    ("fr", "l'article n° 5 %", "l'article numéro cinq pour cent"),
    ("it", "n° 7", "numero sette"),
    ("ru", "№ 5", "номер пять"),
    ("en", "$ 1500, $ 5.50, $.50", "one thousand five hundred dollars five dollars fifty cents fifty cents"),
    ("en", "a .5 chance, a .22 rifle, v.2", "a point five chance a point two two rifle v two"),
    ("en", "$1½ million, £½ million", "one and a half million dollars one half million pounds"),
    ("en", "2 1/8, ⅓, 1⅔, ⅞", "two and an eighth one third one and two thirds seven eighths"),
    ("en", "-1/2, -½, 2/3rds", "minus one half minus one half two thirds"),
    ("es", "½, 1½, 2 ¼, ⅔", "un medio uno y medio dos y cuarto dos tercios"),
    ("fr", "½, 1½, ¾", "un demi un et demi trois quarts"),
    ("it", "½, 1½, ¾", "un mezzo uno e mezzo tre quarti"),
    ("ru", "½, 2½, ⅔", "одна вторая два с половиной две трети"),
    ("en", "13:00, 0:00, 24:00, 12:00:00", "thirteen hundred zero hundred twenty four hundred twelve o'clock"),
    ("es", "20:00, 21:00 horas, a las 8:00", "veinte horas veintiuna horas a las ocho"),
    ("fr", "20:00, 20h30, 1h05, 48 h", "vingt heures vingt heures trente une heure cinq quarante huit heures"),
    ("it", "l'8 marzo, dell'11%, un po' di", "l'otto marzo dell'undici per cento un po di"),
    ("fr", "qu'1 €", "qu'un euro"),
    ("it", "alle 20:00, 20:30", "alle venti venti trenta"),
    ("ru", "20:00", "двадцать ноль ноль"),
]  # fmt: skip


@pytest.mark.parametrize("language, line, spoken", NUMBERS)
def test_spoken_words(language, line, spoken):
    assert normalize(line, language) == spoken


@pytest.mark.parametrize(("language", "text", "words"), [
    ("es-MX", "1", "uno"), ("ES_mx", "1", "uno"),
    ("fr", unicodedata.normalize("NFD", "Où é Й"), "où é й"),
    ("tur", "ILIK", "ılık"), ("azj", "I", "ı"), ("rum", "ş", "ș"), ("pes", "ي", "ی"), ("fre-CA", "2e", "deuxième"),
    ("ja", "⽇本⼀（株）㈱", "日本一 株"), ("de", "🄷ⓐLLO", "hallo"),
    ("en", "\ufeffco\u00adope\u200brate", "cooperate"),
    ("ru", "Ещё", "еще"), ("be", "Ещё", "ещё"),  # other languages are normalised except digits
    ("de", "Grüß Gott, Welt!", "grüß gott welt"),
    *[("en", text, "") for text in ("[ascending tones]", "(beep)", "<beep up>", "([a] b (c))", "...", " \t\n", "")],
])  # fmt: skip
def test_letters_and_languages(language, text, words):
    assert normalize(text, language) == words


@pytest.mark.parametrize("language", "zh zho chi jpn_JP tha mya bur khm lao lzh gan bo tib dz dzo".split())
def test_languages_without_spaces(language):
    assert not has_spaces(language) and has_spaces("deu")


@pytest.mark.parametrize("written", "5 ٥ ５ ½ ² ①".split())
def test_numbers_in_a_language_without_number_words_are_an_error(written):
    with pytest.raises(SureError, match=r"'de'.*'[15½²]'.*en es fr it ru"):
        normalize(f"Taste {written}", "de")


@pytest.mark.parametrize("line", LANGUAGE_LINES, ids=lambda line: line.split("\t")[0])
def test_languages_of_fleurs(line):
    language, text, words = line.split("\t")
    for form in (text, unicodedata.normalize("NFD", text), words):
        assert normalize(form, language) == words
    assert normalize(words, "all") == words


def test_every_language_of_fleurs_has_a_line():
    assert [line.split("\t")[0] for line in LANGUAGE_LINES] == CODES.read_text().split()


@pytest.mark.parametrize(("text", "words"), [
    ("ﬃ Ａ１％ ﾊﾟ Ⅳ ﷺ", "ffi A1% パ IV صلى الله عليه وسلم"), ("½ ² № ™ 1ª", "½ ² № ™ 1ª"), ("㎏ ㎡ ℃", "kg m² °C"),
    ("น้ำ นํ้า", "น้ำ น้ำ"), ("ĳ ŀ ſ µ", "ij l· s μ"),
    ("⽇本⼀ ⺟ 〡〸 ㈱ ㋿ ㊙ ㋀ 🈚 🉀", "日本一 母 一十 株 令和 秘 1月 無 本"),
    ("ⓗⒶ🄷⒜ ⑴ ⒈ ㉑ （Ａ．）", "hAHa 1 1 21 (A.)"),
])  # fmt: skip
def test_usual_forms(text, words):
    assert usual_forms(text) == words


TEXTS = st.text() | st.text(alphabet="aé'’-.,:/0123456789 $€£%°@#*[]()<>ºªё\u0308eяхmhn№½⅛\u00a0\u2009", max_size=40)


@settings(max_examples=300, deadline=None)
@given(text=TEXTS, language=st.sampled_from([*LANGUAGES]))
def test_normalised_text_has_only_words_and_stays_unchanged(text, language):
    once = normalize(text, language)
    assert normalize(once, language) == once
    assert normalize(once, "de") == once  # nothing depends on the language any more
    assert once == " ".join(once.split())
    assert all(char in " '〇" or unicodedata.category(char)[0] in "LM" for char in once)
    assert not any(word.startswith("'") or word.endswith("'") for word in once.split())


@settings(max_examples=200, deadline=None)
@given(number=st.integers(0, 10**12 - 1), language=st.sampled_from([*LANGUAGES]))
def test_different_numbers_have_different_words(number, language):
    assert normalize(str(number), language) != normalize(str(number + 1), language)
