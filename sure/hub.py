"""Models and bundles on the Hugging Face Hub: names `owner/name[@revision]`, and their files in the local cache.

huggingface_hub keeps the cache and knows the settings: HF_ENDPOINT, HF_HOME, HF_HUB_OFFLINE, and the token of its own
login. No code of a repository is run, and only the files that SURE reads are fetched.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from sure.errors import SureError

NAME = re.compile(r"([A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@([\w./-]+))?", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")
FOLDERS = {"data", "downloads", "exp"}  # of recipes; a missing file in them is not a name on the hub
FILES = (".bin", ".json", ".pt", ".safetensors", ".yaml")
SETTINGS = ("config.json", "generation_config.json", "preprocessor_config.json", "processor_config.json")
SETTINGS += ("added_tokens.json", "merges.txt", "tokenizer.json", "vocab.json")
SETTINGS += ("normalizer.json", "special_tokens_map.json", "tokenizer_config.json")  # for export
WEIGHTS = ("model.safetensors", "pytorch_model.bin")  # the first that a repository has; each may be split by an index
BUNDLE = "adapter.json"


def is_name(text: str) -> bool:
    """Whether a text that is not an existing path looks like `owner/name` or `owner/name@revision`."""
    found = NAME.fullmatch(text)
    if found is None or found[1].endswith(FILES) or text.split("/")[0] in FOLDERS:
        return False
    return not Path(text).expanduser().exists()


def is_pinned(text: str) -> bool:
    """Whether a text is the name of a model with its commit, as `pinned` returns it."""
    return is_name(text) and COMMIT.fullmatch(split(text)[1] or "") is not None


def split(name: str) -> tuple[str, str | None]:
    """`owner/name`, and the revision (branch, tag or commit) where there is one. Raises SureError for another text."""
    found = NAME.fullmatch(name)
    if found is None:
        raise SureError(f"{name!r} is not a name on the hub; expected owner/name or owner/name@revision")
    return found[1], found[2]


def local(weights: str) -> Path:
    """The path of weights on this machine; the files of a name on the hub are fetched first. Raises SureError."""
    return model_folder(weights) if is_name(weights) else Path(weights).expanduser()


def is_cached(name: str) -> bool:
    """Whether the cache has the bundle, or the model with its weights, of a name on the hub; nothing is fetched."""
    from huggingface_hub import try_to_load_from_cache

    repository, revision = split(name)
    files = (BUNDLE, *WEIGHTS, *(f"{file}.index.json" for file in WEIGHTS))
    return any(isinstance(try_to_load_from_cache(repository, file, revision=revision), str) for file in files)


def pinned(name: str) -> str:
    """`owner/name@commit`: the name with the commit that is used now. Any other text stays as it is."""
    return f"{split(name)[0]}@{model_folder(name).name}" if is_name(name) else name


@functools.cache  # so that one process uses one commit
def model_folder(name: str) -> Path:
    """The folder with settings, tokens and weights of a model; its name is the commit. Raises SureError."""
    folder = _fetch(name, (*SETTINGS, WEIGHTS[0], f"{WEIGHTS[0]}.index.json"))
    at = f"{split(name)[0]}@{folder.name}"
    if not _has_weights(folder):
        _fetch(at, (WEIGHTS[1], f"{WEIGHTS[1]}.index.json"))
    for weights in WEIGHTS:
        index = folder / f"{weights}.index.json"
        if index.is_file() and not (folder / weights).is_file():
            _fetch(at, _parts(index))
            break
    if not (folder / "config.json").is_file() or not _has_weights(folder):
        wanted = f"config.json and {' or '.join(WEIGHTS)}"
        raise SureError(f"{at} on the hub is not a model of transformers (it lacks {wanted}); give another name")
    return folder


@functools.cache
def bundle_folder(name: str) -> Path:
    """The folder with the files of a bundle of SURE; `read_bundle` checks them. Raises SureError."""
    folder = _fetch(name, (BUNDLE,))
    at = f"{split(name)[0]}@{folder.name}"
    if not (folder / BUNDLE).is_file():
        raise SureError(f"{at} on the hub is not a bundle of SURE (it lacks {BUNDLE}); give another name")
    try:
        files = [*json.loads((folder / BUNDLE).read_bytes()).get("files", {}), "adapter.safetensors"]
    except (ValueError, AttributeError, TypeError):
        raise SureError(f"{at}: {BUNDLE} is not valid JSON; push the bundle again") from None
    _fetch(at, [Path(str(file)).name for file in files])
    return folder


def _has_weights(folder: Path) -> bool:
    return any((folder / name).is_file() or (folder / f"{name}.index.json").is_file() for name in WEIGHTS)


def _parts(index: Path) -> list[str]:
    """The files of weights that an index lists."""
    try:
        parts = json.loads(index.read_bytes())["weight_map"].values()
    except (ValueError, KeyError, AttributeError, TypeError):
        raise SureError(f"{index} is not an index of weights; give another name or revision") from None
    return sorted({Path(str(part)).name for part in parts})  # only names: a path in the index cannot leave the folder


def _fetch(name: str, files: Sequence[str]) -> Path:
    """The cached folder of a repository with those of the files that it has."""
    from huggingface_hub import snapshot_download  # takes a third of a second

    repository, revision = split(name)
    with plain_errors(name):
        return Path(snapshot_download(repository, revision=revision, allow_patterns=list(files)))


@contextmanager
def plain_errors(name: str) -> Iterator[None]:
    """A context whose errors of the hub become SureErrors that say what to do."""
    from huggingface_hub import constants, errors

    repository = split(name)[0]
    login = "log in (hf auth login) with an account that may use it"
    try:
        yield
    except errors.GatedRepoError:
        page = f"{constants.ENDPOINT}/{repository}"
        raise SureError(f"{name}: access is restricted; accept the conditions on {page}, and {login}") from None
    except errors.RepositoryNotFoundError:
        where = "neither a path on this machine nor a public repository on the hub"
        raise SureError(f"{name} is {where}; correct the name, or if it is private, {login}") from None
    except errors.RevisionNotFoundError:
        revision = split(name)[1]
        known = "give a branch, a tag or a whole commit of 40 digits"
        raise SureError(f"{repository} on the hub has no revision {revision!r}; {known}") from None
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled):
        cause = "HF_HUB_OFFLINE is set" if constants.is_offline_mode() else f"{constants.ENDPOINT} does not answer"
        again = "call the command once with a network, or copy the cache of another machine (HF_HOME)"
        missing = f"{name} is neither a path nor complete in the cache of the hub"
        raise SureError(f"{missing}, and {cause}; {again}") from None
    except errors.HfHubHTTPError as error:
        status = error.response.status_code
        remedy = login if status in (401, 403) else "try again later; what has been fetched is kept"
        raise SureError(f"{name}: the hub answered with HTTP status {status}; {remedy}") from None
    except errors.HFValidationError as error:
        raise SureError(f"{name!r} is not a name on the hub ({str(error).splitlines()[0]}); correct it") from None
    except errors.HTTPError as error:  # of the connection
        broken = f"the connection to {constants.ENDPOINT} broke ({type(error).__name__})"
        raise SureError(f"{name}: {broken}; run the same command again, what has been fetched is kept") from None
