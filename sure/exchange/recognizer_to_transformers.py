"""Export a recogniser with its decoder as a transformers folder: merged methods, tokens and settings of generation."""

from pathlib import Path
from typing import Any

from sure.exchange.family import class_of, family_of, prefix_of
from sure.exchange.files import json_file, tensor_file
from sure.exchange.merged import merged_state
from sure.models.base import AdaptedModel
from sure.parsing import read_json
from sure.text.languages import is_mixed
from sure.text.recognizer_tokens import RecognizerTokens

GENERATION, TOKENIZER, TOKENIZER_SETTINGS = "generation_config.json", "tokenizer.json", "tokenizer_config.json"
# Files of a Hugging Face folder that are copied, so that nothing of its tokenizer is lost.
TOKENIZER_FILES = (
    *(TOKENIZER, TOKENIZER_SETTINGS, "vocab.json", "merges.txt", "normalizer.json"),
    *("added_tokens.json", "special_tokens_map.json"),
)


def recognizer_files(model: AdaptedModel, base: Path | None) -> tuple[dict[str, bytes], list[str]]:
    """The files of the folder by name, and notes for the user. It merges the model.

    base: the Hugging Face folder of the original, if there is one, whose other settings are kept.
    Raises SureError for a method that cannot be merged, and for weights without a counterpart in transformers.
    """
    backbone, tokens = model.backbone, model.task.tokens
    family, architecture, inside = family_of(backbone), class_of(backbone), prefix_of(backbone)
    kind = family.family_name().removesuffix("_recognizer")
    about = {
        **family.huggingface_config(backbone.shape),
        **special_tokens(tokens),
        "model_type": kind,
        "architectures": [architecture],
        "is_encoder_decoder": True,
        "tie_word_embeddings": True,
        "dtype": "float32",
    }
    extractor = type(backbone.encoder).huggingface_preprocessor(backbone.shape)
    state = {f"{inside}{name}": tensor for name, tensor in merged_state(model, family).items()}
    files = {
        "config.json": json_file(about),
        "preprocessor_config.json": json_file({**extractor, "processor_class": processor_of(kind)}),
        GENERATION: json_file(generation_settings(model, base)),
        **tokenizer_files(tokens, kind, base),
        "model.safetensors": tensor_file(state, format="pt"),
    }
    notes = [f"{architecture}.from_pretrained(FOLDER) and AutoProcessor.from_pretrained(FOLDER) load it"]
    return files, [*notes, *backbone.huggingface_differences()]


def processor_of(kind: str) -> str:
    """The class of transformers that has feature extractor and tokenizer."""
    return "WhisperProcessor" if kind == "whisper" else "Wav2Vec2Processor"


def special_tokens(tokens: RecognizerTokens) -> dict[str, int]:
    # Whisper's files name the end token as bos_token_id
    begin = tokens.end if tokens.timestamps is not None else tokens.start
    ids = {"decoder_start_token_id": tokens.start, "bos_token_id": begin}
    return {**ids, "eos_token_id": tokens.end, "pad_token_id": tokens.end}


def generation_settings(model: AdaptedModel, base: Path | None) -> dict[str, Any]:
    """Settings for `generate`: those of the original, and the language and task that the model was adapted to."""
    tokens, task = model.task.tokens, model.task
    found: dict[str, Any] = {"max_length": model.backbone.max_tokens}
    if base is not None and (base / GENERATION).is_file():
        found |= read_json(base / GENERATION, "download it again")
        found.pop("forced_decoder_ids", None)  # the language and task of an older file would win
    found |= special_tokens(tokens)
    if tokens.timestamps is None:
        return found
    found |= {
        "no_timestamps_token_id": tokens.no_timestamps,
        "prev_sot_token_id": tokens.before,
        "suppress_tokens": tokens.suppressed,
        "begin_suppress_tokens": tokens.suppressed_first,
        "is_multilingual": tokens.multilingual,
        "return_timestamps": False,
    }
    if tokens.alignment_heads:
        found["alignment_heads"] = tokens.alignment_heads
    if tokens.multilingual:
        found |= {
            "lang_to_id": {f"<|{name}|>": id for name, id in tokens.languages.items()},
            "task_to_id": tokens.tasks,
            "task": task.mode,
        }
    if tokens.multilingual and not is_mixed(task.language):  # without it, `generate` finds that of each utterance
        own = tokens.language(task.language)
        found["language"] = next(f"<|{name}|>" for name, id in tokens.languages.items() if id == own)
    return found


def tokenizer_files(tokens: RecognizerTokens, kind: str, base: Path | None) -> dict[str, bytes]:
    """Those of the original, or the two that transformers needs."""
    if base is not None and (base / TOKENIZER).is_file():
        return {name: (base / name).read_bytes() for name in TOKENIZER_FILES if (base / name).is_file()}
    words = {id: token["content"] for token in tokens.tokenizer_json["added_tokens"] for id in [token["id"]]}
    words |= {id: word for word, id in tokens.tokenizer_json["model"]["vocab"].items()}
    named = {"bos_token": "bos_token_id", "eos_token": "eos_token_id", "pad_token": "pad_token_id"}
    ids = special_tokens(tokens)
    settings = {
        "tokenizer_class": "WhisperTokenizer" if kind == "whisper" else "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "model_max_length": 1024,
        "processor_class": processor_of(kind),
        **{name: words[ids[id]] for name, id in named.items()},
    }
    settings["unk_token"] = settings["eos_token"] if kind == "whisper" else "<unk>"
    return {TOKENIZER: json_file(tokens.tokenizer_json), TOKENIZER_SETTINGS: json_file(settings)}
