"""Writing of languages: lower case, Unicode forms, optional marks and spaces; docs/text.md shows all of FLEURS."""

import re
import unicodedata
from typing import NamedTuple

from sure.errors import SureError


class Rule(NamedTuple):
    """Replacements (regular expressions) in lower-cased text in Unicode NFC, and their description in docs/text.md."""

    meaning: str
    changes: dict[str, str]


ARABIC = Rule(
    "vowel marks and tatweel are removed", {"[\u0610-\u061a\u0640\u064b-\u0652\u0670\u06d6-\u06dc\u06df-\u06ed]": ""}
)
PERSIAN = Rule("ي, ى and ك become ی and ک", {"[يى]": "ی", "ك": "ک"})
CENTRAL_KURDISH = Rule("ه with a zero-width non-joiner becomes ە", {"ه\u200c": "ە"})
HEBREW = Rule(
    "vowel marks are removed; צה״ל becomes צהל; geresh becomes an apostrophe",
    {"[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7]": "", '(?<=[א-ת])["״”](?=[א-ת])': "", "׳": "'"},
)
ARMENIAN = Rule("՛ ՜ ՞ inside words are removed; եւ becomes և", {"[՛՜՞]": "", "եւ": "և"})
BENGALI = Rule("ত্ with a zero-width joiner becomes ৎ", {"ত্\u200d": "ৎ"})
MALAYALAM = Rule(
    "letters with a zero-width joiner become chillu letters: ൺ ൻ ർ ൽ ൾ ൿ",
    {f"{letter}്\u200d": chillu for letter, chillu in zip("ണനരലളക", "ൺൻർൽൾൿ", strict=True)},
)
ROMANIAN = Rule("ş and ţ with cedilla become ș and ț with comma", {"ş": "ș", "ţ": "ț"})
UZBEK = Rule("o and g with any apostrophe become oʻ and gʻ", {"(?<=[og])['ʻ]": "ʻ"})
CATALAN = Rule("l·l becomes ll", {"(?<=l)[·‧•](?=l)": ""})
IRISH = Rule("the hyphen of t-athair, n-éan is removed, as capitals have none", {r"\b([nt])-(?=[aeiouáéíóú])": r"\1"})
RUSSIAN = Rule("ё becomes е, because most writers use е for both", {"ё": "е"})

RULES: dict[str, tuple[Rule, ...]] = {
    "ar": (ARABIC,), "ps": (ARABIC,), "sd": (ARABIC,), "fa": (ARABIC, PERSIAN), "ur": (ARABIC, PERSIAN),
    "ckb": (CENTRAL_KURDISH, ARABIC, PERSIAN), "he": (HEBREW,), "hy": (ARMENIAN,), "bn": (BENGALI,), "as": (BENGALI,),
    "ml": (MALAYALAM,), "ro": (ROMANIAN,), "uz": (UZBEK,), "ca": (CATALAN,), "ga": (IRISH,), "ru": (RUSSIAN,),
}  # fmt: skip
CODES = (  # ISO 639-1 = ISO 639-2, and codes of ISO 639-3 for the usual form of a language, such as arb
    "aa=aar ab=abk ae=ave af=afr ak=aka am=amh an=arg ar=ara/arb as=asm av=ava ay=aym az=aze/azj ba=bak be=bel bg=bul "
    "bh=bih bi=bis bm=bam bn=ben bo=bod/tib br=bre bs=bos ca=cat ce=che ch=cha co=cos cr=cre cs=ces/cze cu=chu cv=chv "
    "cy=cym/wel da=dan de=deu/ger dv=div dz=dzo ee=ewe el=ell/gre en=eng eo=epo es=spa et=est/ekk eu=eus/baq "
    "fa=fas/per/pes/prs ff=ful fi=fin fj=fij fo=fao fr=fra/fre fy=fry ga=gle gd=gla gl=glg gn=grn gu=guj gv=glv "
    "ha=hau he=heb hi=hin ho=hmo hr=hrv ht=hat hu=hun hy=hye/arm hz=her ia=ina id=ind ie=ile ig=ibo ii=iii ik=ipk "
    "io=ido is=isl/ice it=ita iu=iku ja=jpn jv=jav ka=kat/geo kg=kon ki=kik kj=kua kk=kaz kl=kal km=khm kn=kan ko=kor "
    "kr=kau ks=kas ku=kur kv=kom kw=cor ky=kir la=lat lb=ltz lg=lug li=lim ln=lin lo=lao lt=lit lu=lub lv=lav/lvs "
    "mg=mlg mh=mah mi=mri/mao mk=mkd/mac ml=mal mn=mon/khk mr=mar ms=msa/may/zsm mt=mlt my=mya/bur na=nau nb=nob "
    "nd=nde ne=nep/npi ng=ndo nl=nld/dut nn=nno no=nor nr=nbl nv=nav ny=nya oc=oci oj=oji om=orm or=ori/ory os=oss "
    "pa=pan pi=pli pl=pol ps=pus/pbt/pbu/pst pt=por qu=que rm=roh rn=run ro=ron/rum ru=rus rw=kin sa=san sc=srd "
    "sd=snd se=sme sg=sag sh=hbs si=sin sk=slk/slo sl=slv sm=smo sn=sna so=som sq=sqi/alb/als sr=srp ss=ssw st=sot "
    "su=sun sv=swe sw=swa/swh ta=tam te=tel tg=tgk th=tha ti=tir tk=tuk tl=tgl tn=tsn to=ton tr=tur ts=tso tt=tat "
    "tw=twi ty=tah ug=uig uk=ukr ur=urd uz=uzb/uzn ve=ven vi=vie vo=vol wa=wln wo=wol xh=xho yi=yid yo=yor za=zha "
    "zh=zho/chi zu=zul"
)
TWO_LETTERS = " ".join(pair[:2] for pair in CODES.split())
SHORT = {code: pair[:2] for pair in CODES.split() for code in pair[3:].split("/")}
MIXED = {"all", "mul"}
TURKIC = {"tr", "az", "crh", "gag"}  # I is the capital of ı, and İ of i
UNSPACED = {*"zh cmn yue wuu nan hak gan hsn cdo cjy lzh ja th lo km my bo dz".split()}  # no spaces between words

UNSPACED_LETTERS = (  # Thai, Lao, Myanmar, Khmer; Chinese characters, kana, bopomofo
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0edf\u1000-\u109f\u1780-\u17d3\ua9e0-\ua9fe\uaa60-\uaa7f"
    "\u2e80-\u2fdf\u3005-\u3007\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u31a0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
FREE_SPACE = re.compile(rf"(?<=[{UNSPACED_LETTERS}]) +| +(?=[{UNSPACED_LETTERS}])")
DOT_ABOVE = re.compile("(?<=[iįj])\u0307")  # the dot of İ, and of the Lithuanian i̇́
AM = {"\u0e4d([\u0e48-\u0e4b]?)\u0e32": r"\1ำ", "\u0ecd([\u0ec8-\u0ecb]?)\u0eb2": r"\1ຳ"}  # one letter in Thai and Lao
OTHER_FORMS = re.compile(  # Ⅳ, ① ⓗ, ⺟ ⽇, ㈱ ㋿, Ａ, 🄷 🈚
    "[\u2160-\u2188\u2460-\u24ff\u2e80-\u2fd5\u3038-\u303a\u3200-\u32ff\uff01-\uffdc\uffe0-\uffe2\uffe4-\uffee"
    "\U0001f100-\U0001f2ff]"
)
SUZHOU = str.maketrans("〡〢〣〤〥〦〧〨〩", "一二三四五六七八九")  # they have no NFKC
UNITS = re.compile("[℃℉\u3300-\u33ff]")  # ㎏ ㎡
KEPT = "ªºև"  # the number rules read ª and º


def language_code(language: str) -> str:
    """`es` for `es-MX`, `ES_mx` or `spa`."""
    code = re.split("[-_]", language.lower())[0]
    return SHORT.get(code, code)


def is_mixed(language: str) -> bool:
    """Whether the name stands for several languages: `all`, or `mul` of ISO 639."""
    return language_code(language) in MIXED


def check_language(language: str) -> str:
    """`language` if its first part is a two-letter code of ISO 639-1, or has three letters (ISO 639-3; all, mul).

    Raises SureError naming the codes.
    """
    code = language_code(language)
    if code not in TWO_LETTERS.split() and not re.fullmatch("[a-z]{3}", code):
        raise SureError(
            f"unknown language {language!r} (--lang, text.language): expected a three-letter code of ISO 639-3, all, "
            f"or one of {TWO_LETTERS}"
        )
    return language


def has_spaces(language: str) -> bool:
    """Whether the language is written with spaces between words; if not, the CER is the score to read, not the WER."""
    return language_code(language) not in UNSPACED


def lower(text: str, language: str) -> str:
    """Lower case, with the I of Turkish and Azerbaijani; İ becomes i in every language."""
    text = unicodedata.normalize("NFC", text)
    if language_code(language) in TURKIC:
        text = text.replace("İ", "i").replace("I", "ı")
    return unicodedata.normalize("NFC", DOT_ABOVE.sub("", text.lower()))


def usual_forms(text: str) -> str:
    """Unicode NFKC of letters, marks, full-width characters, radicals, circled letters, Roman numbers, and units.

    ﬃ becomes ffi, Ａ A, ｶﾞ ガ, ﻻ لا, ㎏ kg, ⽇ 日, ㈱ 株 without its brackets. ½, ², ª, № and ™ are unchanged, because
    the number rules read or remove them; so are ำ of Thai, ຳ of Lao and և of Armenian.
    """
    if text.isascii():
        return text
    text = UNITS.sub(_parts, unicodedata.normalize("NFC", text.translate(SUZHOU)))
    text = unicodedata.normalize("NFC", "".join(map(_usual_form, text)))
    for parts, letter in AM.items():
        text = re.sub(parts, letter, text)
    return text


def respell(text: str, language: str) -> str:
    """`text` by the language's own rules (RULES)."""
    for rule in RULES.get(language_code(language), ()):
        for pattern, replacement in rule.changes.items():
            while (changed := unicodedata.normalize("NFC", re.sub(pattern, replacement, text))) != text:
                text = changed  # again, as a letter may compose with a further mark
    return text


def without_free_spaces(text: str) -> str:
    """`text` without the spaces next to letters of scripts that are written without spaces, such as 你 好 or สวัสดี."""
    return FREE_SPACE.sub("", text)


def _usual_form(char: str) -> str:
    if char in KEPT or not (unicodedata.category(char)[0] in "LM" or OTHER_FORMS.match(char)):
        return char
    form = unicodedata.normalize("NFKC", char).lstrip()  # some marks have a space as their base
    return form.strip("()〔〕.,") or form  # of ㈱ ⑴ ⒈, where brackets would leave out the text; a full-width ( stays


def _parts(match: re.Match[str]) -> str:
    """Characters of a unit; ² stays ²."""
    return "".join(chr(int(code, 16)) for code in unicodedata.decomposition(match[0]).split()[1:]) or match[0]
