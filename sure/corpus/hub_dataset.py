"""Datasets on the Hugging Face Hub: `hf://owner/name[@revision][/config][:split]`, read by `datasets`.

`hf:///folder[:split]` and `hf://./folder[:split]` are copies of such repositories on this machine.
"""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from sure import hub
from sure.errors import SureError

START = "hf://"
FOLDER = re.compile(r"hf://([/.][^:]*)(?::([\w.+\[\]%-]+))?")
NAME = re.compile(r"hf://([\w.-]+/[\w.-]+)(?:@([\w.-]+))?(?:/([\w.+-]+))?(?::([\w.+\[\]%-]+))?", re.ASCII)


def is_dataset_name(data: Any) -> bool:
    return isinstance(data, str) and data.startswith(START)


def load(text: str) -> Any:
    """The `Dataset` of a split, or the `DatasetDict` of all splits. No code of a repository is run.

    Raises SureError for another text, without the package, and for everything that the hub or `datasets` refuses.
    """
    folder, found = FOLDER.fullmatch(text), NAME.fullmatch(text)
    if folder is not None and not Path(folder[1]).is_dir():
        raise SureError(
            f"{text}: {folder[1]} is not a folder; pass a copy of a dataset's repository, or hf://owner/name"
        )
    if folder is None and found is None:
        raise SureError(f"{text!r}: expected hf://owner/name, hf://owner/name/config or hf://owner/name/config:split")
    try:
        import datasets
    except ImportError:
        raise SureError(f"{text} needs the package datasets: tools/install.sh --extras datasets") from None
    name, revision, config, split = (folder[1], None, None, folder[2]) if folder else found.groups()
    try:
        with nullcontext() if folder else hub.plain_errors(name):
            return datasets.load_dataset(name, config, split=split, revision=revision)
    except (datasets.exceptions.DatasetsError, OSError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise SureError(f"{text} cannot be read ({reason}); correct the name, config or split") from None
