"""Tokenizer of Moonshine from its package, which has a sentencepiece model in a format of its own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any


def read_tokenizer(source: Path) -> dict[str, Any]:
    """tokenizer.json of a tokenizer.bin: the pieces of a sentencepiece BPE model, by id, each after its length.

    A length has one byte, or two: the lower seven bits with the eighth bit set, then the upper bits. A piece that was
    made earlier has a lower id, so the order of merges follows from the ids.
    """
    pieces = list(_pieces(source.read_bytes()))
    names = [f"<0x{piece[0]:02X}>" if 3 <= id < 259 else piece.decode() for id, piece in enumerate(pieces)]
    special = [id for id, name in enumerate(names) if id < 3 or not name or name.startswith("<<ST_")]
    names = [name or f"<empty_{id}>" for id, name in enumerate(names)]
    vocabulary = {name: id for id, name in enumerate(names)}
    merges = []
    for name in names[259:]:
        parts = ((name[:cut], name[cut:]) for cut in range(1, len(name)))
        known = [pair for pair in parts if pair[0] in vocabulary and pair[1] in vocabulary]
        merges += sorted(known, key=lambda pair: (vocabulary[pair[0]], vocabulary[pair[1]]))
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    space, mark = {"String": " "}, {"String": "\u2581"}
    begin = {"type": "Prepend", "prepend": "\u2581"}
    join = [{"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]
    return {
        "version": "1.0",
        "added_tokens": [{"id": id, "content": names[id], **flags} for id in special],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [begin, {"type": "Replace", "pattern": space, "content": "\u2581"}],
        },
        "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": mark, "content": " "}, *join]},
        "model": {
            "type": "BPE",
            "unk_token": "<unk>",
            "fuse_unk": True,
            "byte_fallback": True,
            "vocab": vocabulary,
            "merges": [list(pair) for pair in merges],
        },
    }


def _pieces(content: bytes) -> Iterator[bytes]:
    place = 0
    while place < len(content):
        length, place = content[place], place + 1
        if length >= 128:
            length, place = length - 128 + 128 * content[place], place + 1
        yield content[place : place + length]
        place += length
