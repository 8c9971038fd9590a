"""Export a model as a transformers folder: merged methods, and the head if transformers has an equal one."""

from typing import Any

import torch
from torch import Tensor

from sure.backbones.weights import Loadable
from sure.exchange.family import family_of
from sure.exchange.files import HEAD, head_file, json_file, tensor_file
from sure.exchange.merged import merged_state
from sure.models.recognition import RecognitionModel
from sure.petl.weighted_sum import WeightedSum
from sure.tasks.classification import ClassificationTask
from sure.tasks.ctc import CtcTask
from sure.tasks.heads import ClassificationHead, CtcHead
from sure.text.tokenizer import BLANK, SPACE, Tokenizer

CONFIG, PREPROCESSOR, WEIGHTS = "config.json", "preprocessor_config.json", "model.safetensors"
DELIMITER = "|"  # the token for a space of transformers' CTC tokenizer


def transformers_files(model: RecognitionModel) -> tuple[dict[str, bytes], list[str]]:
    """The files of the folder by name, and notes for the user. It merges the model.

    Raises SureError for a method that cannot be merged, and for weights without a counterpart in transformers.
    """
    family = family_of(model.backbone)
    config = family.huggingface_config(model.backbone.shape)
    state = merged_state(model, family)
    kind = "Model"
    others: dict[str, bytes] = {}
    notes: list[str] = []
    if misfit := _misfit(model, family):
        others[HEAD] = head_file(model)
        notes.append(f"the backbone alone, because {misfit}; head and readout are in {HEAD}")
    else:
        kind, tensors, settings = _head(model)
        state = {f"{family.family_name()}.{name}": tensor for name, tensor in state.items()} | tensors
        config |= settings
        if isinstance(model.task, CtcTask):
            others, note = tokenizer_files(model.task.tokenizer)
            notes += [note] if note else []
    if {"decoder_num_hidden_layers", "decoder_layers"} & config.keys():
        notes.append("the decoder is empty: use the encoder, AutoModel.from_pretrained(FOLDER).encoder")
    architecture = f"{family.huggingface_class}{kind}"
    config |= {"model_type": family.family_name().replace("_", "-"), "architectures": [architecture]}
    return {
        CONFIG: json_file({**config, "dtype": "float32"}),
        PREPROCESSOR: json_file(family.huggingface_preprocessor(model.backbone.shape)),
        **others,
        WEIGHTS: tensor_file(state, format="pt"),
    }, [f"{architecture}.from_pretrained(FOLDER) loads it", *notes, *model.backbone.huggingface_differences()]


def _misfit(model: RecognitionModel, family: type[Loadable]) -> str:
    """Why transformers has no head equal to ours; empty if it has one."""
    readout = model.attachment.readout
    weighted = isinstance(readout, WeightedSum)
    if family.huggingface_class == "Whisper" and isinstance(model.head, ClassificationHead):
        return "WhisperForAudioClassification averages over its whole window, our head over the utterance"
    if not family.huggingface_heads:
        return f"transformers has no {family.huggingface_class} with a head of this kind"
    if model.attachment.reads_all_taps() and not weighted:
        return f"transformers has no readout like {type(readout).__name__}"
    if isinstance(model.head, CtcHead):
        return "transformers' CTC head reads the last layer, ours a weighted sum" if weighted else ""
    if not isinstance(model.head, ClassificationHead) or not isinstance(model.task, ClassificationTask):
        return f"transformers has no head like {type(model.head).__name__}"
    if len(model.task.sizes) > 1:
        return f"transformers' head chooses one label, ours one for each of {', '.join(model.task.labels.groups)}"
    if weighted and model.backbone.shape.norm_first:
        return "transformers' weighted sum takes the last layer before the final norm, ours after it"
    return ""


def _head(model: RecognitionModel) -> tuple[str, dict[str, Tensor], dict[str, Any]]:
    """Suffix of the class name, tensors and settings of transformers' head."""
    if isinstance(model.head, CtcHead):
        tokenizer, tensors = model.task.tokenizer, _linear("lm_head", model.head.output)
        settings = {"vocab_size": tokenizer.size, "pad_token_id": tokenizer.blank}
        absent = {"bos_token_id": None, "eos_token_id": None, "use_weighted_layer_sum": False}
        return "ForCTC", tensors, settings | absent
    tensors = _linear("projector", model.head.projection) | _linear("classifier", model.head.output)
    weighted = model.attachment.reads_all_taps()
    if weighted:
        tensors["layer_weights"] = model.attachment.readout.weights
    names = model.task.labels.names[model.task.labels.groups[0]]
    settings = {"use_weighted_layer_sum": weighted, "classifier_proj_size": model.head.HIDDEN}
    settings["id2label"] = {str(index): name for index, name in enumerate(names)}
    settings["label2id"] = {name: index for index, name in enumerate(names)}
    return "ForSequenceClassification", tensors, settings


def _linear(name: str, host: torch.nn.Linear) -> dict[str, Tensor]:
    return {f"{name}.weight": host.weight, f"{name}.bias": host.bias}


def tokenizer_files(tokenizer: Tokenizer) -> tuple[dict[str, bytes], str]:
    """The files of transformers' Wav2Vec2CTCTokenizer with the same ids, the blank as padding token, and an empty note.

    If there is none like ours: no files, and a note with the reason.
    """
    tokens = [DELIMITER if token == SPACE else token for token in tokenizer.tokens]
    reason = ""
    if tokenizer.kind != "character":
        reason = f"transformers' CTC tokenizer has characters, this tokenizer {tokenizer.kind} tokens"
    elif len(set(tokens)) < len(tokens):
        reason = f"the texts contain {DELIMITER!r}, which transformers uses for a space"
    if reason:
        return {}, f"no tokenizer files: {reason}"
    settings = {
        "tokenizer_class": "Wav2Vec2CTCTokenizer",
        "word_delimiter_token": DELIMITER,
        "do_lower_case": False,
        "clean_up_tokenization_spaces": False,
        **{"pad_token": BLANK, "bos_token": None, "eos_token": None, "unk_token": None},
    }
    vocabulary = {token: index for index, token in enumerate(tokens)}
    return {"vocab.json": json_file(vocabulary), "tokenizer_config.json": json_file(settings)}, ""
