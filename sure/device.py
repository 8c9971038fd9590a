"""Choice, precision, name and peak memory of the device."""

import ctypes
import os
import platform
import resource
import sys
from pathlib import Path

import torch

from sure.errors import SureError

BF16_FLAGS = ("amx_bf16", "avx512_bf16")
M_MMAP_THRESHOLD = -3  # of mallopt, in glibc's malloc.h
BF16_WIDTH = 512  # backbone width; measured on a CPU: 50 % less time at width 768, but only 5 to 30 % less at 288


def pick_device(name: str = "auto") -> torch.device:
    """The device of this name; `auto`: a GPU if there is one, else the CPU. Raises SureError if it cannot be used."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
            raise RuntimeError(f"there are {torch.cuda.device_count()} CUDA devices")
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise SureError(f"device {name!r} cannot be used here: {str(error).splitlines()[0]}") from None
    return device


def autocast(precision: str, device: torch.device, width: int) -> torch.autocast:
    """A context for forward passes. Arguments as `uses_bf16`."""
    return torch.autocast(device.type, torch.bfloat16, enabled=uses_bf16(precision, device, width))


def uses_bf16(precision: str, device: torch.device, width: int) -> bool:
    """Whether forward passes are in bfloat16.

    precision: fp32, bf16, or auto, which is bf16 if the device is faster with it. width: width of the backbone.
    """
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    has_bf16 = any(flag in _processor("flags").split() for flag in BF16_FLAGS)
    return device.type == "cpu" and width >= BF16_WIDTH and has_bf16


def make_repeatable(device: torch.device) -> None:
    """On a GPU, choose kernels that return the same bits in every run; on the CPU they do so anyway.

    A kernel without such a form warns. Call this before the first computation on the GPU.
    """
    if device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read by cuBLAS; without it, results may vary
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # it would cost time, for unused values


def describe_device(device: torch.device) -> str:
    """The name of the GPU, or of the CPU with the number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{_processor('model name') or platform.machine()} ({torch.get_num_threads()} threads)"


def peak_memory_megabytes(device: torch.device) -> float:
    """Peak memory in MB: of the tensors of this process on a GPU, of the whole process on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 1e6
    if peak := _value(Path("/proc/self/status"), "VmHWM"):  # without the memory of the process that started this one
        return int(peak.split()[0]) * 1024 / 1e6
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def return_freed_memory() -> None:
    """Return freed memory to the system, where the C library is glibc, which otherwise keeps it for later."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def return_large_blocks() -> None:
    """Return blocks of 1 MiB and more to the system as soon as they are freed, where the C library is glibc.

    Else it keeps most of them for later, up to as much again as the tensors need. A step takes about a fifth longer.
    """
    limit = getattr(ctypes.CDLL(None), "mallopt", None)
    if limit is not None:
        limit(M_MMAP_THRESHOLD, 2**20)


def memory_megabytes() -> float:
    """Memory of this process in MB, as it is now; where the system does not tell, its peak."""
    now = _value(Path("/proc/self/status"), "VmRSS")
    return int(now.split()[0]) * 1024 / 1e6 if now else peak_memory_megabytes(torch.device("cpu"))


def _processor(key: str) -> str:
    """The value of a key of /proc/cpuinfo; empty where there is none."""
    return _value(Path("/proc/cpuinfo"), key)


def _value(path: Path, key: str) -> str:
    """The value of the first line that begins with the key; empty where there is no such file or line."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")
