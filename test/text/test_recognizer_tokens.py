"""Tokens of Whisper and Moonshine, with the byte tokens of random weights; test_published_weights has the real ones."""

import json

import pytest

from sure.errors import SureError
from sure.text.recognizer_tokens import RecognizerTokens

TEXTS = ["one", "ñandú, ¿qué tal?", "你好", "a <|endoftext|> <|0.00|> b", ""]


@pytest.fixture(scope="module")
def tokens():
    return RecognizerTokens.bytes(["en", "es", "zh"])


@pytest.mark.parametrize("text", TEXTS)
def test_text_comes_back_and_never_makes_a_special_token(tokens, text):
    ids = tokens.encode(text)
    assert tokens.decode(ids) == text
    assert all(id < tokens.end for id in ids)
    assert tokens.decode([*tokens.prompt("es"), *ids, tokens.timestamps, tokens.end]) == text


def test_words_begin_with_a_space_where_the_script_has_spaces(tokens):
    first = tokens.encode("one")[0]
    assert tokens.encode("two")[0] == first and tokens.encode("你")[0] != first
    assert tokens.encode("  one\n two ") == tokens.encode("one two")


def test_prompt(tokens):
    start, language, task, without = tokens.prompt("es")
    assert (start, language, task, without) == (
        tokens.start, tokens.languages["es"], tokens.tasks["transcribe"], tokens.no_timestamps
    )  # fmt: skip
    assert tokens.prompt("es-MX") == tokens.prompt("spa") == tokens.prompt("es")
    assert tokens.prompt("cmn", "translate", timestamps=True) == [
        start,
        tokens.languages["zh"],
        tokens.tasks["translate"],
    ]
    for arguments, message in [
        (("eo",), "no language 'eo'"),
        ((None,), "needs the language"),
        (("es", "sing"), "sing"),
    ]:
        with pytest.raises(SureError, match=message):
            tokens.prompt(*arguments)


def test_one_language():
    tokens = RecognizerTokens.bytes()
    assert tokens.prompt("es") == tokens.prompt() == [tokens.start, tokens.no_timestamps]
    assert not tokens.multilingual
    with pytest.raises(SureError, match="cannot translate"):
        tokens.prompt("es", "translate")


def test_timestamps(tokens):
    ids = [tokens.timestamps, *tokens.encode("one"), tokens.timestamps + 60, tokens.end]
    assert tokens.decode(ids, timestamps=True) == "<|0.00|> one<|1.20|>"
    assert tokens.decode(ids) == "one"
    assert tokens.is_time(ids[0]) and not tokens.is_time(ids[1])
    assert tokens.seconds(tokens.size - 1) == pytest.approx(30)


def test_saved_and_damaged(tokens, tmp_path):
    tokens.save(tmp_path)
    again = RecognizerTokens.load(tmp_path)
    assert again.dumps() == tokens.dumps() and again.prompt("es") == tokens.prompt("es")
    path = tmp_path / "recognizer_tokens.json"
    for damage in (
        "{}",
        '{"special": 3, "tokenizer": {}}',
        tokens.dumps().replace(f'"size":{tokens.size}', '"size":9'),
    ):
        path.write_text(damage)
        with pytest.raises(SureError, match=r"recognizer_tokens\.json: the tokens"):
            RecognizerTokens.load(tmp_path)


def test_huggingface_folder(tokens, tmp_path):
    """Settings of generation_config.json, as of Whisper; then a tokenizer without its names, as of Moonshine."""

    def write(**files):
        for name, content in files.items():
            (tmp_path / f"{name}.json").write_text(json.dumps(content))

    settings = {"suppress_tokens": [1, 2], "begin_suppress_tokens": [3], "alignment_heads": [[1, 0]]}
    write(tokenizer=tokens.tokenizer_json, config={"vocab_size": tokens.size, "suppress_tokens": [9]})
    write(generation_config={**settings, "is_multilingual": True})
    read = RecognizerTokens.from_weights(tmp_path)
    assert (read.suppressed, read.suppressed_first, read.alignment_heads) == ([1, 2], [3], [(1, 0)])
    assert read.languages == tokens.languages and read.prompt("en") == tokens.prompt("en")
    write(config={"vocab_size": 5})
    with pytest.raises(SureError, match="does not fit the model"):
        RecognizerTokens.from_weights(tmp_path)
    plain = {**tokens.tokenizer_json, "added_tokens": []}
    write(tokenizer=plain, config={"vocab_size": 256, "decoder_start_token_id": 1, "eos_token_id": 2})
    read = RecognizerTokens.from_weights(tmp_path)
    assert read.prompt("en") == [1] and read.end == 2 and read.timestamps is None


def test_a_folder_with_the_files_of_a_python_tokenizer(tokens, tmp_path):
    model, added = tokens.tokenizer_json["model"], tokens.tokenizer_json["added_tokens"]
    files = {"vocab": model["vocab"], "added_tokens": {one["content"]: one["id"] for one in added}}
    files["config"] = {"vocab_size": tokens.size, "is_multilingual": True}
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    read = RecognizerTokens.from_weights(tmp_path)
    assert read.languages == tokens.languages and read.prompt("es") == tokens.prompt("es")
    for text in TEXTS:
        assert read.encode(text) == tokens.encode(text) and read.decode(read.encode(text)) == text


def test_a_lost_first_merge_is_restored(tokens):
    """As in the published file of the multilingual Whisper, which lacks the merge of the token for space and t."""
    model = tokens.tokenizer_json["model"]
    (space,) = (name for name, id in model["vocab"].items() if id == tokens.encode("the")[0])
    names = [f"{space}t", "he", f"{space}the"]
    ids = {name: tokens.size + i for i, name in enumerate(names)}
    lost = {**tokens.tokenizer_json, "model": {**model, "vocab": {**model["vocab"], **ids}}}
    for merges in (["h e", f"{space}t he"], [["h", "e"], [f"{space}t", "he"]]):
        lost["model"]["merges"] = merges
        read = RecognizerTokens.from_settings(lost, {"vocab_size": tokens.size + 3}, {}, "x")
        assert read.encode("the") == [ids[f"{space}the"]]
        assert RecognizerTokens.loads(read.dumps(), "x").encode("the") == [ids[f"{space}the"]]
