"""A limit for the size of new modules, checked before their memory is taken."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from pydantic import BaseModel
from torch.overrides import TorchFunctionMode

from sure.errors import SureError

MAKERS = (torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn, torch.eye)


class TooLarge(Exception):
    """Raised in place of making a tensor."""


class Limit(TorchFunctionMode):
    """Counts the numbers of all tensors that are made in its context. Raises TooLarge at more than `most`."""

    def __init__(self, most: int):
        super().__init__()
        self.left = most

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in MAKERS:
            plain = {key: value for key, value in kwargs.items() if key not in ("generator", "out", "pin_memory")}
            try:
                self.left -= func(*args, **plain | {"device": "meta"}).numel()
            except RuntimeError:  # the number of bytes overflows
                raise TooLarge from None
            if self.left < 0:
                raise TooLarge
        return func(*args, **kwargs)


@contextmanager
def at_most(most: int, why: str, methods: Sequence[BaseModel], head: BaseModel) -> Iterator[None]:
    """A context in which new modules have at most so many numbers. Raises SureError naming the largest setting."""
    try:
        with Limit(most):
            yield
    except TooLarge:
        found = [(f"petl ({one.name})", key, value) for one in methods for key, value in one if type(value) is int]
        found += [("head", key, value) for key, value in head if type(value) is int]
        where, key, value = max(found, key=lambda each: each[2], default=("petl", "sites", 0))
        raise SureError(f"{where}: {key}={value} makes the modules larger than {most:,} numbers, {why}") from None
