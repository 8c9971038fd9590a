"""Properties of every kind of tokenizer."""

import os
import random
import re
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sure.errors import SureError
from sure.text.tokenizer import KINDS, Tokenizer, train_tokenizer

TEXTS = [
    "por favor ingrese su numero de agente seguido por la tecla de numero",
    "la conferencia ha sido bloqueada", "esta usted ahora en modo mudo", "wow zulu kilo x",
    "l'heure sera exactement à dix", "нажмите решетку", "hola mundo",
]  # fmt: skip
SIZE = {"bpe": 80, "unigram": 55}


@pytest.fixture(params=KINDS, scope="module")
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def tokenizer(kind):
    return train_tokenizer(TEXTS, kind, SIZE.get(kind))


def test_blanks_and_white_space_make_no_difference_and_other_ids_are_errors(tokenizer):
    ids = tokenizer.encode(" hola \t mundo\n")
    assert ids == tokenizer.encode("hola mundo")
    assert tokenizer.decode(torch.tensor([i for id in ids for i in (0, id)] + [0])) == "hola mundo"
    assert tokenizer.decode([]) == "" and tokenizer.encode("") == []
    for bad in (-1, 10**6):
        with pytest.raises(SureError, match=str(bad)):
            tokenizer.decode([1, bad])


def test_texts_round_trip_without_the_blank_also_after_saving(tokenizer, kind, tmp_path):
    characters, words = 1 + len(set(" ".join(TEXTS))), 1 + len(set(" ".join(TEXTS).split()))
    size = {"character": characters, "slot": characters, "phone": words, **SIZE}[kind]
    tokenizer.save(tmp_path / "tokens")
    loaded = Tokenizer.load(tmp_path / "tokens")
    assert (loaded.kind, loaded.size) == (kind, size)
    for text in TEXTS:
        assert loaded.decode(ids := tokenizer.encode(text)) == text and loaded.encode(text) == ids
        assert set(ids) <= set(range(1, size)) and tokenizer.blank == 0
    lines = (tmp_path / "tokens" / "tokens.txt").read_text(encoding="utf-8").splitlines()
    assert lines == loaded.tokens == tokenizer.tokens and lines[0] == "<blank>"


def test_files_do_not_depend_on_order_or_process(kind, tmp_path):
    shuffled = random.Random(1).sample(TEXTS, len(TEXTS))
    train_tokenizer(shuffled, kind, SIZE.get(kind), tmp_path / "here")
    arguments = f"{TEXTS!r}, {kind!r}, {SIZE.get(kind)}, {str(tmp_path / 'there')!r}"
    program = f"from sure.text.tokenizer import train_tokenizer; train_tokenizer({arguments})"
    subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, "PYTHONHASHSEED": "7"})
    here, there = ({path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in ("here", "there"))
    assert here == there


@pytest.mark.parametrize(("kind", "texts", "tokens"), [
    ("character", ["b a", "я à"], ["<space>", "a", "b", "à", "я"]),
    ("phone", ["HH AH0 L OW1", "h# ax-h OW1"], ["AH0", "HH", "L", "OW1", "ax-h", "h#"]),
    ("slot", ["B-b a E-b go"], ["B-b", "E-b", "a", "g", "o"]),
])  # fmt: skip
def test_symbols_are_sorted_by_code_point(kind, texts, tokens):
    assert train_tokenizer(texts, kind).tokens == ["<blank>", *tokens]


WORDS = st.sampled_from(["a", "ab", "B-x", "E-x", "B-", "-", "xB-x", "ñ"])


@pytest.mark.parametrize(("kind", "texts"), [
    ("character", st.lists(st.text(st.characters(codec="utf-8")), min_size=1)),
    ("slot", st.lists(st.lists(WORDS, min_size=1).map(" ".join), min_size=1, max_size=2)),
])  # fmt: skip
@given(data=st.data())
def test_any_text_round_trips(kind, texts, data):
    given = data.draw(texts.filter(lambda texts: "".join(texts).strip()))
    tokenizer = train_tokenizer(given, kind)
    for text in given:
        assert tokenizer.decode(tokenizer.encode(text)) == " ".join(text.split())


def test_unknown_symbols(tokenizer):
    with pytest.raises(SureError, match=r"'ß' \(U\+00DF LATIN SMALL LETTER SHARP S\).*'hola ß mundo'"):
        tokenizer.encode("hola ß mundo")
    unknown, kept = ["ß", "♥", "ß"], "hola mundo la"
    if tokenizer.kind == "phone":
        unknown, kept = ["ßhola", "♥", "munßdo"], "la"
    assert tokenizer.unknown("ßhola ♥ munßdo la") == unknown
    assert tokenizer.decode(tokenizer.encode("ßhola ♥ munßdo la", skip_unknown=True)) == kept


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
@pytest.mark.parametrize(("size", "bound"), [(99999, "at most"), (5, "need")])
def test_errors_of_sizes_name_the_bound(kind, size, bound):
    with pytest.raises(SureError, match=rf"size={size} .*{bound} \d+") as caught:
        train_tokenizer(TEXTS, kind, size)
    named = int(re.search(rf"{bound} (\d+)", str(caught.value))[1])
    assert train_tokenizer(TEXTS, kind, named).size == named  # the bound holds


@pytest.mark.parametrize(("texts", "kind", "message"), [
    (TEXTS, "bpe", "tokenizer.size"), ([], "character", "no words"), (["", " "], "character", "no words"),
])  # fmt: skip
def test_invalid_arguments(texts, kind, message):
    with pytest.raises(SureError, match=message):
        train_tokenizer(texts, kind)


@pytest.mark.parametrize("kind, name, content", [
    *[("phone", "tokens.txt", content) for content in (b"<blank>\na b\n", b"<blank>\n<space>\n")],
    *[("slot", "tokens.txt", content) for content in (b"<blank>\nab\n", b"<blank>\n\n")],
    *[("character", "tokens.txt", content) for content in (b"", b"a\nb\n", b"<blank>\na\na\n", b"<blank>\nab\n")],
    *[("character", "tokenizer.json", content) for content in (b"{", b'{"kind": "words", "size": 3}')],
    ("character", "tokenizer.json", b'{"kind": "character", "size": 3}'),
    ("character", "tokens.txt is not valid", b"<blank>\n\xff\n"),
    ("bpe", "sentencepiece.model is not valid", b"\n\x0e"),
    ("bpe", "sentencepiece.model does not exist", None), ("phone", "tokens.txt does not exist", None),
    ("character", "tokenizer.json does not exist", None),
])  # fmt: skip
def test_damaged_and_missing_files_are_named(kind, name, content, tmp_path):
    train_tokenizer(TEXTS, kind, SIZE.get(kind), tmp_path)
    file = tmp_path / name.split()[0]
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(SureError, match=re.escape(name)):
        Tokenizer.load(tmp_path)
