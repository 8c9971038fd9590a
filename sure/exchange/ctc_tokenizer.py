"""A character tokenizer as the files of transformers' Wav2Vec2CTCTokenizer: same ids, the blank as padding token."""

from __future__ import annotations

import json

from sure.text.tokenizer import BLANK, SPACE, Tokenizer

DELIMITER = "|"  # transformers' token for a space


def tokenizer_files(tokenizer: Tokenizer) -> tuple[dict[str, bytes], str]:
    """The files by name, and an empty note; or no files, and a note with the reason."""
    tokens = [DELIMITER if token == SPACE else token for token in tokenizer.tokens()]
    if tokenizer.kind != "character":
        return (
            {},
            f"no tokenizer files: transformers' CTC tokenizer has characters, this tokenizer {tokenizer.kind} tokens",
        )
    if len(set(tokens)) < len(tokens):
        return {}, f"no tokenizer files: the texts contain {DELIMITER!r}, which transformers uses for a space"
    special = {"pad_token": BLANK, "bos_token": None, "eos_token": None, "unk_token": None}
    settings = {
        "tokenizer_class": "Wav2Vec2CTCTokenizer",
        "word_delimiter_token": DELIMITER,
        "do_lower_case": False,
        "clean_up_tokenization_spaces": False,
        **special,
    }
    vocabulary = {token: index for index, token in enumerate(tokens)}
    return {
        "vocab.json": (json.dumps(vocabulary, ensure_ascii=False, indent=2) + "\n").encode(),
        "tokenizer_config.json": (json.dumps(settings, indent=2) + "\n").encode(),
    }, ""
