"""Find a method, task or backbone by the name of its file: `lora` is `sure/petl/lora.py`."""

import difflib
import importlib
import importlib.util
import pkgutil
from collections.abc import Iterable
from typing import Any

from sure.errors import SureError

# the class that a file of each folder defines
CLASSES = {"petl": "Method", "tasks": "Task", "backbones": "Family", "kinds": "Kind"}
ALIASES = {"petl": {"parts": "modules"}}  # earlier names that configs and bundles may have, and today's


def current(folder: str, name: Any) -> Any:
    """Today's name for an earlier one; any other value stays as it is."""
    return ALIASES.get(folder, {}).get(name, name) if isinstance(name, str) else name


def names(folder: str) -> list[str]:
    """The names in `sure/<folder>` that `find` accepts, sorted; shared files (base, heads, ...) are left out."""
    package = importlib.import_module(f"sure.{folder}")
    modules = [module.name for module in pkgutil.iter_modules(package.__path__)]
    return sorted(name for name in modules if _class_of(folder, name) is not None)


def find(folder: str, name: str) -> Any:
    """The class that `sure/<folder>/<name>.py` defines; an earlier name finds it too.

    Raises SureError with the nearest name if there is no such file, for a value that is not a string, and with file and
    line for a syntax error.
    """
    name = current(folder, name)
    if not isinstance(name, str):
        raise SureError(f"{name!r}: expected the name of a file in sure/{folder}, one of: {', '.join(names(folder))}")
    spec = importlib.util.find_spec(f"sure.{folder}.{name}") if name.isidentifier() else None
    found = _class_of(folder, name) if spec else None  # only this file is imported: importing all takes seconds
    if found is None:
        known = names(folder)
        hint = f" ({name}.py has no class {CLASSES[folder]})" if spec else nearest(name, known)
        raise SureError(f"no {name!r} in sure/{folder}{hint}; there are: {', '.join(known)}")
    return found


def find_recognizer(name: str) -> Any:
    """The class `Recognizer` of `sure/backbones/<name>_recognizer.py`: a family's encoder with its decoder.

    For a family without a decoder its class `Family`. Raises SureError as `find`.
    """
    family, recognizer = find("backbones", name), f"sure.backbones.{name}_recognizer"
    if importlib.util.find_spec(recognizer) is None:
        return family
    return importlib.import_module(recognizer).Recognizer


def nearest(name: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)`, or an empty string if no known name is similar."""
    written = {each.lower(): each for each in known}
    close = difflib.get_close_matches(name.lower(), written, n=1, cutoff=0.7)
    return f" (did you mean {written[close[0]]!r}?)" if close else ""


def _class_of(folder: str, name: str) -> Any:
    try:
        module = importlib.import_module(f"sure.{folder}.{name}")
    except SyntaxError as error:
        raise SureError(f"{error.filename}:{error.lineno}: {error.msg}; correct this line") from None
    found = getattr(module, CLASSES[folder], None)
    return found if getattr(found, "__module__", None) == f"sure.{folder}.{name}" else None
