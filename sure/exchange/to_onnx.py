"""Export a model as one ONNX graph from waveforms to the outputs of its task, and compare both on waveforms."""

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sure import SAMPLE_RATE
from sure.errors import SureError
from sure.models.base import AdaptedModel
from sure.models.recognition import RecognitionModel
from sure.tasks.classification import ClassificationTask
from sure.tasks.ctc import CtcTask

MODEL, ABOUT = "model.onnx", "model.json"
WAVES, LENGTHS, FRAMES = "waves", "lengths", "frames"  # names in the graph
TOLERANCE = 1e-4  # of outputs, between PyTorch and onnxruntime
LARGEST = 1 << 31  # bytes of a file in ONNX's format
INSTALL = "run tools/install.sh --extras convert, or pip install onnx onnxruntime onnxscript"


class Graph(nn.Module):
    """The part of a model that is exported: waves (batch, samples), lengths (batch,) -> output, frames (batch,).

    The output is that of the task: logits (batch, labels), log probabilities (batch, time, tokens) or embeddings
    (batch, dim). frames: valid frames of the log probabilities of each utterance; only for CTC.
    """

    def __init__(self, model: RecognitionModel):
        super().__init__()
        self.model = model
        self.kind = output_kind(model)

    def forward(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        encoded = self.model.encode(waves, lengths)
        output = self.model.outputs(encoded)
        if self.kind == "embeddings":
            return (self.model.task.embeddings(output),)
        return (output.log_softmax(-1), encoded.lengths) if self.kind == "log_probabilities" else (output,)

    def output_names(self) -> list[str]:
        return [self.kind, FRAMES] if self.kind == "log_probabilities" else [self.kind]


def output_kind(model: AdaptedModel) -> str:
    """The name of a model's output. Raises SureError for models that are not a speech encoder with a head."""
    if not isinstance(model, RecognitionModel):
        raise SureError(
            "--to onnx is for speech encoders with a head: classifiers, CTC and embeddings. For a recogniser with its "
            "decoder use --to ctranslate2, or --to transformers and then optimum: optimum-cli export onnx --model DIR"
        )
    if isinstance(model.task, CtcTask):
        return "log_probabilities"
    return "logits" if isinstance(model.task, ClassificationTask) else "embeddings"


def merge_if_possible(model: AdaptedModel) -> list[str]:
    """Merge the methods into the weights; a note for the user where they stay as modules of their own."""
    if not model.attachment.built():
        return []
    try:
        model.attachment.merge()
    except SureError as error:
        return [f"exported without merging: {error}"]
    return []


def write_onnx(model: RecognitionModel, path: Path) -> None:
    """Write the graph of a model with dynamic batch and time to `path`.

    Tensors of more than 2 GB are in `<path>.data`. Raises SureError where a package is missing, and for a model with
    operations that have no counterpart in ONNX.
    """
    for name in ("onnx", "onnxscript", "onnxruntime"):
        if find_spec(name) is None:
            raise SureError(f"--to onnx needs {name}; {INSTALL}")
    graph = Graph(model.eval())
    waves, lengths = sample(model)
    with torch.no_grad():
        graph(waves, lengths)  # also computes tables that are kept, which tracing must not do
    batch = torch.export.Dim("batch", min=1)
    samples = torch.export.Dim.DYNAMIC(min=minimum_samples(model), max=model.encoder.max_samples)
    shapes = {WAVES: {0: batch, 1: samples}, LENGTHS: {0: batch}}
    with tracing(model), torch.no_grad():
        try:
            traced = torch.export.export(graph, (waves, lengths), dynamic_shapes=shapes, strict=False)
            program = torch.onnx.export(traced, (), input_names=[WAVES, LENGTHS], output_names=graph.output_names())
        except Exception as error:  # the exporter has no common class of its errors
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            methods = ", ".join(model.attachment.keyed)
            raise SureError(
                f"petl ({methods}) cannot be exported to ONNX ({reason}); use a method that can be merged"
            ) from error
    program.save(path, external_data=bytes_of(model) >= LARGEST)


def bytes_of(model: nn.Module) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in model.parameters())


def minimum_samples(model: RecognitionModel) -> int:
    """Samples of the shortest waveform that has a frame."""
    return round(model.encoder.min_seconds * model.encoder.sample_rate)


def sample(model: RecognitionModel, seed: int = 0, extra: int = 4000) -> tuple[Tensor, Tensor]:
    """Three random utterances of different lengths: waves (batch, samples), zero in the padding; lengths (batch,)."""
    shortest = minimum_samples(model)
    lengths = torch.tensor([shortest + extra // 3, shortest + extra, shortest])
    waves = 0.1 * torch.randn(3, int(lengths.max()), generator=torch.Generator().manual_seed(seed))
    return waves * (torch.arange(waves.shape[1]) < lengths[:, None]), lengths


@contextmanager
def tracing(model: nn.Module) -> Iterator[None]:
    """Maps as plain products, which the model computes where weights train; without the exporter's advice."""
    trained = {name: each.requires_grad for name, each in model.named_parameters()}
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    model.requires_grad_(True)
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        for name, each in model.named_parameters():
            each.requires_grad_(trained[name])


def description(model: RecognitionModel, files: list[str], precision: str) -> dict[str, Any]:
    """Content of model.json: everything that a program needs to use the graph without SURE."""
    kind, labels = output_kind(model), files[0] if files else None
    decoding = {
        "logits": f"softmax; the index of the largest value is that of a label in {labels}",
        "log_probabilities": "for the first `frames` rows: best token of each, repeats merged, blanks removed; "
        "tokens by index in tokens.txt",
        "embeddings": "unit length; the cosine of two embeddings is high for the same speaker",
    }
    shapes = {"logits": "(batch, labels)", "log_probabilities": "(batch, time, tokens)", "embeddings": "(batch, dim)"}
    outputs = {kind: f"float32 {shapes[kind]}"}
    if kind == "log_probabilities":
        outputs[FRAMES] = "int64 (batch,), valid frames of each utterance"
    about: dict[str, Any] = {
        "model": MODEL,
        "precision": precision,
        "inputs": {
            WAVES: "float32 (batch, samples) in [-1, 1], one channel, zeros after the end of each utterance",
            LENGTHS: "int64 (batch,), samples of each utterance",
        },
        "outputs": outputs,
        "sample_rate": SAMPLE_RATE,
        "minimum_samples": minimum_samples(model),
        "maximum_samples": model.encoder.max_samples,
        "decoding": decoding[kind],
        "files": files,
    }
    if isinstance(model.task, CtcTask):
        about |= {"blank": model.task.tokenizer.blank, "tokenizer": model.task.tokenizer.kind}
    if isinstance(model.task, ClassificationTask):
        about["labels"] = model.task.labels.names
    return about
