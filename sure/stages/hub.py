"""Bundles to and from the Hugging Face Hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sure import hub
from sure.errors import SureError
from sure.files import replace_folder
from sure.petl.bundle import ABOUT, WEIGHTS, Bundle, read_bundle
from sure.report.card import About, write_card

CARD = "README.md"


@dataclass
class Pushed:
    """Name, commit and files of a bundle that was sent to the hub."""

    name: str
    commit: str
    files: list[str]


def push(folder: Path, about: About, private: bool = False) -> Pushed:
    """Commit a bundle and its model card to a repository, which is created where it is missing.

    Raises SureError for a damaged bundle, before anything is sent, and for refusals and failures of the hub.
    """
    bundle = read_bundle(folder)
    if hub.split(about.name)[1]:
        raise SureError(f"{about.name}: leave out the revision; a push makes a new commit of the branch main")
    files = {name: (folder / name).read_bytes() for name in _names(bundle)}
    files[CARD] = write_card(bundle, about).encode()
    from huggingface_hub import CommitOperationAdd, HfApi

    with hub.plain_errors(about.name):
        api = HfApi()
        api.create_repo(about.name, private=private, exist_ok=True)
        operations = [CommitOperationAdd(name, content) for name, content in files.items()]
        done = api.create_commit(about.name, operations, commit_message=f"Bundle for the task {bundle.about['task']}")
    return Pushed(about.name, done.oid, list(files))


def pull(name: str, out: Path | None = None) -> Path:
    """Fetch a bundle and check it. Returns its folder: `out`, which is replaced, or by default that of the cache."""
    if not hub.is_name(name):
        raise SureError(f"{name!r} is not a name on the hub; expected owner/name or owner/name@revision")
    bundle = read_bundle(hub.bundle_folder(name))
    if out is None:
        return bundle.folder
    if out.exists() and not (out.is_dir() and ((out / ABOUT).is_file() or not any(out.iterdir()))):
        raise SureError(f"--out {out} already exists and is not a bundle; give a new folder")

    def write(made: Path) -> None:
        for each in _names(bundle):
            (made / each).write_bytes((bundle.folder / each).read_bytes())

    replace_folder(out, write)
    return out


def _names(bundle: Bundle) -> tuple[str, ...]:
    """The files of a bundle; adapter.json, which describes the others, is the last."""
    return (*bundle.about.get("files", {}), WEIGHTS, ABOUT)
