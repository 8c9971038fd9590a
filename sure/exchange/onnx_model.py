"""An exported ONNX graph in onnxruntime: outputs, comparison with PyTorch, weights in int8."""

import logging
from pathlib import Path

import torch
from torch import Tensor

from sure.errors import SureError
from sure.exchange.to_onnx import LARGEST, LENGTHS, TOLERANCE, WAVES, Graph, sample
from sure.frames import Frames
from sure.models.recognition import RecognitionModel


class OnnxModel:
    """A graph on the CPU."""

    def __init__(self, path: Path, model: RecognitionModel):
        """model: gives the task, which decodes, and the number of frames; its weights are not used."""
        import onnxruntime

        self.model = model
        self.session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])

    def outputs(self, waves: Tensor, lengths: Tensor) -> list[Tensor]:
        """waves (batch, samples), lengths (batch,) -> the outputs of `Graph`."""
        found = self.session.run(None, {WAVES: waves.numpy(), LENGTHS: lengths.long().numpy()})
        return [torch.from_numpy(each) for each in found]

    def hypotheses(self, waves: Tensor, lengths: Tensor) -> list[str]:
        """Decoded lines, as of the model."""
        output = self.outputs(waves, lengths)[0]
        time = output.shape[1] if output.dim() == 3 else None
        return self.model.task.decode(output, Frames(self.model.frame_count(lengths), time))


@torch.no_grad()
def difference(graph: Graph, onnx: OnnxModel, waves: Tensor, lengths: Tensor) -> float:
    """Largest difference of the outputs of PyTorch and onnxruntime, outside the padding."""
    wanted, found = graph(waves, lengths), onnx.outputs(waves, lengths)
    if len(wanted) == 2:
        if not torch.equal(wanted[1], found[1]):
            return float("inf")
        frames = Frames(wanted[1], wanted[0].shape[1])
        wanted, found = ([frames.fill(each[0])] for each in (wanted, found))
    return float((wanted[0] - found[0]).abs().max())


def check_equal(model: RecognitionModel, onnx: OnnxModel) -> float:
    """The largest difference on random waveforms, of a batch and of one utterance of another duration.

    Raises SureError where it exceeds TOLERANCE.
    """
    graph, (waves, lengths) = Graph(model), sample(model, seed=1, extra=9000)
    longest = slice(1, 2)
    batches = (waves, lengths), (waves[longest, : lengths[1]], lengths[longest])
    found = max(difference(graph, onnx, *batch) for batch in batches)
    if not found <= TOLERANCE:
        raise SureError(
            f"the ONNX graph differs from PyTorch by {found:.1e} on random waveforms, more than {TOLERANCE:g}; use a "
            "method that can be merged, such as lora, or other versions of torch, onnxscript and onnxruntime"
        )
    return found


def quantise(source: Path, target: Path, size: int) -> None:
    """Write the graph with the weights of its linear maps in int8, one scale for each output channel.

    Activations are quantised in each product, with the range of the batch. size: of the weights in bytes.
    """
    from onnxruntime.quantization import QuantType, quantize_dynamic

    logging.getLogger("root").addFilter(_without_advice)
    try:
        quantize_dynamic(
            source,
            target,
            op_types_to_quantize=["MatMul", "Gemm"],
            per_channel=True,
            weight_type=QuantType.QInt8,
            use_external_data_format=size >= LARGEST,
        )
    finally:
        logging.getLogger("root").removeFilter(_without_advice)


def _without_advice(record: logging.LogRecord) -> bool:
    """Whether a line of the log is not onnxruntime's advice to optimise a graph, which the exporter has done."""
    return "pre-processing before quantization" not in record.getMessage()
