"""Tensors of Moonshine from its package, which has files of onnxruntime with 8-bit linear maps.

The packages onnx and onnxruntime are imported here, since only the conversion needs them.
"""

import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor


def moonshine_tensors(encoder: Path, decoder: Path) -> dict[str, Tensor]:
    """The tensors of two .ort files by Hugging Face name (`encoder.conv1.weight`), in float32."""
    arrays = {f"encoder.{name}": array for name, array in onnx_tensors(encoder).items()}
    arrays |= {
        name.removeprefix("model."): array for name, array in onnx_tensors(decoder).items() if "proj_out" not in name
    }
    return {name: torch.tensor(array) for name, array in arrays.items()}


def onnx_tensors(source: Path) -> dict[str, np.ndarray]:
    """Tensors of the graph by PyTorch name, as float32 arrays.

    Convolutions, norms and biases have names. The weight of a linear map is found by its MatMul node and is the
    transpose of (quantized - zero point) * scale; the embedding by its Gather node. The group norm has the nodes
    /groupnorm/{Mul,Add}. The decoder's maps for the first and for later steps are two branches with the same weights.
    """
    from onnx import numpy_helper

    graph = read_graph(source)
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    found = {}
    for name, array in arrays.items():
        name = name.removesuffix("_add_tensor").removesuffix("_merged_0")
        if name.startswith(("conv", "layer", "model.decoder.")) and name.endswith((".weight", ".bias")):
            found[name] = array
    for node in nodes(graph):
        name = node.name.strip("/").replace("/", ".")
        quantized = next((given for given in node.input if given.endswith("_quantized") and given in arrays), None)
        if quantized is not None:
            stem = quantized.removesuffix("_quantized")
            steps = arrays[quantized].astype("float32") - arrays[f"{stem}_zero_point"].astype("float32")
            weight = steps * arrays[f"{stem}_scale"]
            is_table = node.op_type == "Gather"
            found[f"{name.removesuffix('.MatMul_quant').removesuffix('.Gather')}.weight"] = (
                weight if is_table else weight.T
            )
        elif name in ("groupnorm.Mul", "groupnorm.Add"):
            (array,) = (arrays[given].reshape(-1) for given in node.input if given in arrays)
            found["groupnorm.weight" if name.endswith("Mul") else "groupnorm.bias"] = array
    return found


def nodes(graph: Any) -> Iterator[Any]:
    """All nodes of a graph and of its branches."""
    for node in graph.node:
        yield node
        branches = (attribute.g for attribute in node.attribute if attribute.HasField("g"))
        yield from chain.from_iterable(map(nodes, branches))


def read_graph(source: Path) -> Any:
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
