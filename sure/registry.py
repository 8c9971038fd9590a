"""Find a method, task or backbone by the name of its file: `lora` is `sure/petl/lora.py`."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import pkgutil
from collections.abc import Iterable
from typing import Any

from sure.errors import SureError

# What a file of each folder has to define to be found by its name.
CLASSES = {"petl": "Method", "tasks": "Task", "backbones": "Family"}


def names(folder: str) -> list[str]:
    """The names that `find` knows in `sure/<folder>`, sorted; shared files (base, heads, ...) are left out."""
    package = importlib.import_module(f"sure.{folder}")
    modules = [module.name for module in pkgutil.iter_modules(package.__path__)]
    return sorted(name for name in modules if _class_of(folder, name) is not None)


def find(folder: str, name: str) -> Any:
    """The class that `sure/<folder>/<name>.py` defines.

    Raises SureError naming the nearest name when there is no such file, and for what is no name at all.
    """
    if not isinstance(name, str):
        raise SureError(f"{name!r}: expected the name of a file in sure/{folder}, one of: {', '.join(names(folder))}")
    found = None
    if name.isidentifier() and importlib.util.find_spec(f"sure.{folder}.{name}") is not None:
        found = _class_of(folder, name)  # only this file is imported: starting up takes seconds otherwise
    if found is None:
        known = names(folder)
        raise SureError(f"no {name!r} in sure/{folder}{nearest(name, known)}; there are: {', '.join(known)}")
    return found


def nearest(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)`, or nothing where no known name is near."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _class_of(folder: str, name: str) -> Any:
    found = getattr(importlib.import_module(f"sure.{folder}.{name}"), CLASSES[folder], None)
    return found if getattr(found, "__module__", None) == f"sure.{folder}.{name}" else None
