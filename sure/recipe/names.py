"""Names of experiment folders and of the files in them, for the shell and for Python."""

import re
from collections.abc import Mapping
from pathlib import Path

GREEDY = "greedy"  # the decoding without a search
SEARCH = "beam"  # a beam search without a name of its own


def experiment_folder(dataset: str, backbone: str, method: str, seed: str, variant: str = "", rate: str = "") -> str:
    """`exp/<dataset>_<backbone>_<method>[<variant>][_rate<rate>]/seed<seed>`, relative to the recipe's folder."""
    ending = f"_rate{rate}" if rate else ""
    return f"exp/{dataset}_{backbone}_{method}{variant}{ending}/seed{seed}"


def variant(weights: str, tag: str) -> str:
    """`_random` where the backbone is untrained, then `_<tag>`: the ending that keeps experiments of a method apart."""
    return ("_random" if is_random(weights) else "") + (f"_{tag}" if tag else "")


def is_random(weights: str) -> bool:
    """Whether `weights` are random numbers: `random`, or `random:<shape>`."""
    return weights.partition(":")[0] == "random"


def decoding(method: str, name: str, is_synthesis: bool) -> str:
    """The name of a decoding in folders and tables: `name` for a search or, if set, for synthesis; else greedy."""
    return name if method == SEARCH or (is_synthesis and name != SEARCH) else GREEDY


def decoding_ending(decoding: str) -> str:
    """The ending of a decoding in names of folders and steps: none for greedy, `_<decoding>` for others."""
    return "" if decoding == GREEDY else f"_{decoding}"


def set_name(data: str, sets: Mapping[str, str]) -> str:
    """The name of a decoded data folder: that of the folder or, if it is not in the config, `<set>_<dataset>`.

    sets: data folders of the config by name.
    """
    folder = Path(data)
    return folder.name if data in sets.values() else f"{folder.name}_{folder.absolute().parent.name}"


def decoded_folder(name: str, decoding: str) -> str:
    """`decode_<set>[_<decoding>]`, in the experiment folder."""
    return f"decode_{name}{decoding_ending(decoding)}"


def tuned_file(decoding: str) -> str:
    """The file in the experiment folder with the weights of a search, as tuned on the dev set."""
    return f"tuned_{decoding}.json"


def vocoder_decoding(file: str) -> str:
    """The name of the decoding by a vocoder's checkpoint: the file's name, without its extension."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", Path(file).stem)
