"""Peak memory of a training, from shapes alone: its steps run with tensors that have no values and take no memory.

The tensors count as those of the CPU. Kernels' own memory is not seen, except that of convolutions.
"""

import math
import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from sure import SAMPLE_RATE
from sure.backbones.quantised import FORMATS
from sure.config import Config
from sure.device import autocast, uses_bf16
from sure.errors import SureError
from sure.models.build import build_model, skeleton
from sure.models.recognition import RecognitionModel
from sure.petl.store_frozen import store_for_autocast
from sure.tasks.base import AnyTask

CPU = torch.device("cpu")
FLOAT = 4  # bytes
STATE = 3 * FLOAT  # bytes a trained parameter: two of AdamW, and the best value so far
SAVING = 4 * FLOAT  # bytes a trained parameter while a checkpoint is written
CONVOLUTIONS = (torch.ops.aten.convolution.default, torch.ops.aten.convolution_backward.default)
Batch = tuple[int, float]  # number of utterances, and seconds of the longest one


class LiveBytes(TorchDispatchMode):
    """Counts the bytes of all tensors that exist at the same time, of those that are made in its context."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in _tensors(made):
            self.add(tensor)
        if func in CONVOLUTIONS:  # oneDNN works on copies in its own memory layout, bf16 ones with float32 sums
            largest = max(tensor.nbytes for tensor in _tensors((args, made)))
            copies = 2 if _tensors(made)[0].dtype == torch.bfloat16 else 1
            self.peak = max(self.peak, self.now + copies * largest)
        return made

    def add(self, tensor: Tensor) -> None:
        """Count the memory of a tensor, once for all its views, until it is freed."""
        storage = tensor.untyped_storage()
        if storage._cdata not in self._known:
            self._known.add(storage._cdata)
            weakref.finalize(storage, self._free, storage._cdata, storage.nbytes())
            self.now += storage.nbytes()
            self.peak = max(self.peak, self.now)

    def _free(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


def _tensors(values: Any) -> list[Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, Tensor)]


def peak_bytes(config: Config, task: AnyTask, seconds: Sequence[float], training: bool) -> int:
    """Bytes of all tensors at the peak of training steps, or of dev batches. seconds: durations of the utterances.

    Raises SureError if the model cannot be computed without values.
    """
    batch_seconds = config.train.batch_seconds if training else config.decode.batch_seconds
    try:
        with torch.random.fork_rng(devices=[]):
            return max(_step(config, task, batch, training) for batch in largest_batches(seconds, batch_seconds))
    except (NotImplementedError, RuntimeError, TypeError) as error:
        raise SureError(
            f"train.memory: the memory of petl={config.method} cannot be computed ({str(error).splitlines()[0]}); "
            "leave train.memory out, and set train.recompute_layers, backbone.frozen_weights and train.batch_seconds"
        ) from None


def largest_batches(seconds: Sequence[float], batch_seconds: float) -> list[Batch]:
    """The batch with the most seconds, padding included, and the batch with the longest utterance."""
    ordered = sorted(seconds)
    counts = [min(max(1, int(batch_seconds // one)), number) for number, one in enumerate(ordered, start=1)]
    batches = list(zip(counts, ordered, strict=True))
    return list(dict.fromkeys([max(batches, key=lambda batch: math.prod(batch)), batches[-1]]))


def _step(config: Config, task: AnyTask, batch: Batch, training: bool) -> int:
    """Bytes of all tensors at the peak of a training step or of a dev batch."""
    model = _model(config, task)
    model.train(training)
    trained, total = model.counts().trained, model.counts().total
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    _without_values(model, mode)
    count, samples = batch[0], round(batch[1] * SAMPLE_RATE)
    waves = FakeTensor(mode, torch.empty(count, samples, device="meta"), CPU)
    with LiveBytes() as live:
        for tensor in (waves, *model.parameters(), *model.buffers()):
            live.add(tensor)
        weights = live.now
        with torch.set_grad_enabled(training):
            with autocast(config.train.precision, CPU, model.backbone.dim):
                outputs = model.outputs(model.encode(waves, torch.full((count,), samples)))
            loss = outputs.log_softmax(-1).sum()
        if training:
            loss.backward()
    loading = 0 if config.backbone.frozen_weights in FORMATS else FLOAT * total  # in fp32, also for training in bf16
    kept = FLOAT * trained if config.train.accumulate > 1 else 0  # gradients of earlier batches of the step
    return max(loading, live.peak + kept + STATE * trained, weights + (STATE + SAVING) * trained)


def _model(config: Config, task: AnyTask) -> RecognitionModel:
    """The model of a config on the device `meta`."""
    with torch.device("meta"):
        model = build_model(config, task, backbone=skeleton(config, task))
    if not isinstance(model, RecognitionModel):
        raise SureError(f"train.memory: the memory of the task {config.task} cannot be computed; leave it out")
    model.backbone.recompute_layers = config.train.recompute_layers
    if config.backbone.frozen_weights == "auto" and uses_bf16(config.train.precision, CPU, model.backbone.dim):
        store_for_autocast(model.attachment)
    return model


def _without_values(model: nn.Module, mode: FakeTensorMode) -> None:
    """Replace all tensors on `meta` by such that count as tensors on the CPU, so that the CPU's functions are used."""
    for part in model.modules():
        for tensors in (part._parameters, part._buffers):
            for name, tensor in tensors.items():
                if tensor is not None:
                    made = FakeTensor(mode, tensor.detach(), CPU)
                    trains = tensor.requires_grad
                    tensors[name] = nn.Parameter(made, trains) if isinstance(tensor, nn.Parameter) else made
