"""Phone sets and folding, compared with the groups in the paper of Lee and Hon."""

import typing

import pytest

from sure.errors import SureError
from sure.text.phones import CONSONANTS, FOLDS, NOT_SPEECH, TIMIT_48, VOWELS, Fold, fold

# The 61 symbols of TIMIT's documentation, by its own classes.
TIMIT_61 = """
b d g p t k dx q   bcl dcl gcl pcl tcl kcl   jh ch   s sh z zh f th v dh   m n ng em en eng nx   l r w y hh hv el
iy ih eh ey ae aa aw ay ah ao oy ow uh uw ux er ax ix axr ax-h   pau epi h#
""".split()
# Table II of the paper has 39 groups; these have several members.
GROUPS_OF_39 = ["sil cl vcl epi", "el l", "en n", "sh zh", "ao aa", "ih ix", "ah ax"]


def test_sizes_of_phone_sets():
    stressed = {phone for phone in FOLDS["no_stress"] if phone[-1].isdigit()}
    assert len(VOWELS + CONSONANTS) == 39 and len(stressed) + len(CONSONANTS) + len(NOT_SPEECH) == 71
    assert len(set(TIMIT_61)) == 61 and len(set(TIMIT_48)) == 48
    assert set(FOLDS["timit_48"]) == set(FOLDS["timit_39"]) == {*TIMIT_61, *TIMIT_48}
    assert len({FOLDS["timit_48"][phone] for phone in TIMIT_61} - {""}) == 48
    assert len({FOLDS["timit_39"][phone] for phone in TIMIT_61} - {""}) == 39
    assert set(FOLDS) == set(typing.get_args(Fold))


def test_timit_39_has_the_groups_of_the_paper():
    groups = [set(group.split()) for group in GROUPS_OF_39]
    for one in TIMIT_48:
        for other in TIMIT_48:
            together = one == other or any({one, other} <= group for group in groups)
            assert (FOLDS["timit_39"][one] == FOLDS["timit_39"][other]) == together, (one, other)


def test_folding_in_two_steps_equals_one_step():
    for phone in [*TIMIT_61, *TIMIT_48]:
        assert fold(fold(phone, "timit_48"), "timit_39") == fold(phone, "timit_39")
        for name in ("timit_48", "timit_39"):
            assert fold(fold(phone, name), name) == fold(phone, name)


def test_by_hand():
    phones = "h# sh ix hv eh dcl jh ih dcl d ah q k h#"
    assert fold(phones, "timit_48") == "sil sh ix hh eh vcl jh ih vcl d ah k sil"
    assert fold(phones, "timit_39") == "sil sh ih hh eh sil jh ih sil d ah k sil"
    assert fold("HH AH0 L OW1 SIL", "no_stress") == "HH AH L OW SIL"
    assert fold(" AA1  q ", None) == "AA1 q" and fold("q", "timit_39") == ""


@pytest.mark.parametrize(("name", "phone"), [("timit_39", "AA"), ("no_stress", "aa"), ("no_stress", "B1")])
def test_phone_of_another_set_is_named(name, phone):
    with pytest.raises(SureError, match=f"fold {name}: unknown phone '{phone}'"):
        fold(phone, name)
