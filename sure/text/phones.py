"""English phone sets, and folding to smaller sets."""

from typing import Literal

from sure.errors import SureError

Fold = Literal["no_stress", "timit_48", "timit_39"]

# ARPAbet as in CMUdict and the lexicon of LibriSpeech: 39 phones, 69 with the stress of vowels, 71 with SIL and SPN.
VOWELS = "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split()
CONSONANTS = "B CH D DH F G HH JH K L M N NG P R S SH T TH V W Y Z ZH".split()
NOT_SPEECH = "SIL SPN".split()

# TIMIT has 61 phones. Lee and Hon (IEEE Transactions on Acoustics, Speech, and Signal Processing 37, 1989, tables I
# and II) train 48 phones, without the glottal stop q, and score 39 classes of these.
TIMIT_48 = (
    "aa ae ah ao aw ax ay b ch cl d dh dx eh el en epi er ey f g hh ih ix iy jh k l m n ng ow oy p r s sh sil t th uh "
    "uw v vcl w y z zh"
).split()
TIMIT_61_TO_48 = {
    "ax-h": "ax", "axr": "er", "bcl": "vcl", "dcl": "vcl", "gcl": "vcl", "em": "m", "eng": "ng", "h#": "sil",
    "hv": "hh", "kcl": "cl", "pcl": "cl", "tcl": "cl", "nx": "n", "pau": "sil", "q": "", "ux": "uw",
}  # fmt: skip
TIMIT_48_TO_39 = {
    "ao": "aa", "ax": "ah", "cl": "sil", "vcl": "sil", "epi": "sil", "el": "l", "en": "n", "ix": "ih", "zh": "sh",
}  # fmt: skip

_timit_48 = {phone: phone for phone in TIMIT_48} | TIMIT_61_TO_48
# Folding of each phone, also of those in the smaller set; an empty string removes the phone.
FOLDS: dict[str, dict[str, str]] = {
    "no_stress": {phone: phone for phone in VOWELS + CONSONANTS + NOT_SPEECH}
    | {f"{vowel}{stress}": vowel for vowel in VOWELS for stress in "012"},
    "timit_48": _timit_48,
    "timit_39": {phone: TIMIT_48_TO_39.get(folded, folded) for phone, folded in _timit_48.items()},
}


def fold(phones: str, name: str | None) -> str:
    """Map phones, separated by spaces, to a smaller set of FOLDS; None changes nothing. Repeats are kept.

    Raises SureError naming a phone that is not in the set.
    """
    words = phones.split()
    if name is None:
        return " ".join(words)
    table = FOLDS[name]
    if other := [phone for phone in words if phone not in table]:
        raise SureError(f"fold {name}: unknown phone {other[0]!r}; expected one of: {' '.join(table)}")
    return " ".join(table[phone] for phone in words if table[phone])
