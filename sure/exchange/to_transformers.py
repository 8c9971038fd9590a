"""Export a model as a transformers folder: merged methods, and the head if transformers has an equal one."""

from __future__ import annotations

import json
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from sure import registry
from sure.backbones.weights import Loadable
from sure.errors import SureError
from sure.exchange.ctc_tokenizer import tokenizer_files
from sure.exchange.family import family_of
from sure.exchange.head import FILE as HEAD_FILE
from sure.exchange.head import head_file
from sure.models.recognition import RecognitionModel
from sure.petl.weighted_sum import WeightedSum
from sure.tasks.classification import ClassificationTask
from sure.tasks.ctc import CtcTask
from sure.tasks.heads import ClassificationHead, CtcHead

CONFIG, PREPROCESSOR, WEIGHTS = "config.json", "preprocessor_config.json", "model.safetensors"


def transformers_files(model: RecognitionModel) -> tuple[dict[str, bytes], list[str]]:
    """The files of the folder by name, and notes for the user. It merges the model.

    Raises SureError for a method that cannot be merged, and for weights without a counterpart in transformers.
    """
    family = family_of(model.backbone)
    config = family.huggingface_config(model.backbone.shape)
    state = merged_state(model, family)
    misfit = _misfit(model, family)
    kind = "Model"
    others: dict[str, bytes] = {}
    notes: list[str] = []
    if misfit:
        others[HEAD_FILE] = head_file(model)
        notes.append(f"the backbone alone, because {misfit}; head and readout are in {HEAD_FILE}")
    else:
        state = {f"{family.family_name()}.{name}": tensor for name, tensor in state.items()}
        kind, tensors, settings = _head(model)
        state |= tensors
        config |= settings
        if isinstance(model.task, CtcTask):
            files, note = tokenizer_files(model.task.tokenizer)
            others |= files
            notes += [note] if note else []
    if {"decoder_num_hidden_layers", "decoder_layers"} & config.keys():
        notes.append("the decoder is empty: use the encoder, AutoModel.from_pretrained(FOLDER).encoder")
    architecture = f"{family.huggingface_class}{kind}"
    config |= {"model_type": family.family_name().replace("_", "-"), "architectures": [architecture]}
    plain = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in state.items()}
    return {
        CONFIG: _json({**config, "dtype": "float32"}),
        PREPROCESSOR: _json(family.huggingface_preprocessor(model.backbone.shape)),
        **others,
        WEIGHTS: safetensors.torch.save(plain, {"format": "pt"}),
    }, [f"{architecture}.from_pretrained(FOLDER) loads it", *notes, *model.backbone.huggingface_differences()]


@torch.no_grad()
def merged_state(model: RecognitionModel, family: type[Loadable]) -> dict[str, Tensor]:
    """The merged backbone's tensors under transformers' names."""
    backbone = model.backbone
    if model.attachment.built():
        try:
            model.attachment.merge()
        except SureError as error:
            able = [name for name in registry.names("petl") if registry.find("petl", name).mergeable]
            raise SureError(
                f"{error}, and transformers has no module for it. Methods that can be exported: {', '.join(able)}, and "
                "those that train the backbone's own weights"
            ) from None
    state = backbone.state_dict()
    if added := sorted(state.keys() - model.attachment.backbone_parameters.keys()):
        methods = ", ".join(model.attachment.keyed)
        raise SureError(
            f"petl ({methods}): transformers' {family.huggingface_class}Model does not have {len(added)} tensors "
            f"that merging adds ({', '.join(added[:3])}); choose sites with a bias, or use sure.bin.infer"
        )
    return {family.huggingface_names.theirs(name): tensor for name, tensor in state.items()}


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
    own = {"use_weighted_layer_sum": False}
    if isinstance(model.head, CtcHead):
        blank = model.task.tokenizer.blank
        settings = {**own, "vocab_size": model.task.tokenizer.size, "pad_token_id": blank}
        settings |= {"bos_token_id": None, "eos_token_id": None}
        return "ForCTC", _linear("lm_head", model.head.output), settings
    tensors = _linear("projector", model.head.projection) | _linear("classifier", model.head.output)
    if model.attachment.reads_all_taps():
        tensors["layer_weights"] = model.attachment.readout.weights
        own = {"use_weighted_layer_sum": True}
    names = model.task.labels.names(model.task.labels.groups[0])
    settings = {**own, "classifier_proj_size": model.head.HIDDEN}
    settings |= {"id2label": {str(index): name for index, name in enumerate(names)}}
    settings |= {"label2id": {name: index for index, name in enumerate(names)}}
    return "ForSequenceClassification", tensors, settings


def _linear(name: str, host: torch.nn.Linear) -> dict[str, Tensor]:
    return {f"{name}.weight": host.weight, f"{name}.bias": host.bias}


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=2) + "\n").encode()
