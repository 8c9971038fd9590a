"""Archives and other distributions in a corpus folder, for the error of a recipe that does not find its files there."""

from collections import defaultdict
from itertools import islice
from pathlib import Path

from sure.corpus.walk import walk
from sure.errors import SureError, some_of

LEVELS, MOST_FOLDERS = 4, 10_000  # of a corpus that are looked at
ARCHIVES = (
    ".tar",
    ".tar.gz",
    ".tgz",
    ".tar.bz2",
    ".tbz2",
    ".tar.xz",
    ".tar.zst",
    ".tar.lz4",
    ".zip",
    ".7z",
    ".rar",
    ".iso",
    ".001",
)
UNFINISHED = (".part", ".partial", ".crdownload", ".download", ".aria2", ".tmp")
MANIFESTS = (".jsonl", ".jsonl.gz")
TABLES = (".parquet", ".arrow", ".tfrecord", ".h5", ".hdf5")
LISTS = "manifests of Lhotse or NeMo"
LFS = b"version https://git-lfs"  # the first bytes of a file of Git LFS that was not fetched
LFS_MOST_BYTES = 1024
REMEDIES = {
    "archives": "unpack each where it lies, if the corpus is not unpacked yet",
    "tables with recordings inside": "SURE reads recordings as files: get the publisher's archives, or write the "
    "recordings as files with tables for egs/TEMPLATE",
    "unfinished downloads": "wait for the end, or download again",
    LISTS: "SURE reads no manifests: pass the corpus itself, or write tables for egs/TEMPLATE",
    "references of Git LFS instead of the files": "fetch the files: git lfs pull",
}


def packed_files(corpus: Path) -> str:
    """The packed files of a corpus, by kind, with what to do: a line each, to add to an error; "" if there are none."""
    found: dict[str, list[str]] = defaultdict(list)
    try:
        for folder, below, names in islice(walk(corpus), MOST_FOLDERS):
            if len(folder.relative_to(corpus).parts) == LEVELS:
                below.clear()
            for path in (folder / name for name in names):
                if kind := _kind(path):
                    found[kind].append(str(path.relative_to(corpus)))
    except (SureError, OSError):
        return ""  # a folder that cannot be listed; the error of the recipe stands
    return "".join(
        f"\n  there are {kind}: {some_of(found[kind])}; {REMEDIES[kind]}" for kind in REMEDIES if found[kind]
    )


def _kind(path: Path) -> str | None:
    name = path.name.lower()
    if path.stat().st_size < LFS_MOST_BYTES and path.read_bytes().startswith(LFS):
        return "references of Git LFS instead of the files"
    for endings, kind in ((ARCHIVES, "archives"), (UNFINISHED, "unfinished downloads"), (MANIFESTS, LISTS)):
        if name.endswith(endings):
            return kind
    return "tables with recordings inside" if name.endswith(TABLES) or ".tfrecord-" in name else None
