"""Names of saved tensors: `site/method/tensor`, such as `layer.3.attn.q/lora/a`; the second LoRA is `lora.2`."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from sure.registry import ALIASES

T = TypeVar("T")
HEAD = "head/"  # the task's head is saved as `head/tensor`
FORMER = {new: old for old, new in ALIASES["petl"].items()}  # names of methods at the time of `site/method_tensor`


class Name(NamedTuple):
    """place: a site, or `shared`, `readout` or `backbone`. method: its key among the methods of the model."""

    place: str
    method: str
    tensor: str

    def __str__(self) -> str:
        return "/".join(self)


def parse(name: str) -> Name:
    """The parts of `layer.3.attn.q/lora.2/a`."""
    return Name(*name.split("/"))


def method_keys(methods: Iterable[str]) -> list[str]:
    """The key of each method of a model: `lora` for the first LoRA, `lora.2` for the second."""
    numbers: Counter[str] = Counter()
    keys = []
    for method in methods:
        numbers[method] += 1
        keys.append(method if numbers[method] == 1 else f"{method}.{numbers[method]}")
    return keys


def current_names(tensors: Mapping[str, T], methods: Sequence[str]) -> dict[str, T]:
    """The tensors of a bundle, best.safetensors or checkpoint by today's names, whenever it was written.

    methods: the names of the model's methods, in order.
    Until format 3 of bundles a name was `site/method_tensor`, and the key of a second LoRA was `lora_`.
    """
    former: list[str] = []
    for method in methods:
        key = FORMER.get(method, method)
        while key in former:
            key += "_"
        former.append(key)
    # longest first: `lora__a` is the tensor `a` of `lora_`
    keys = sorted(zip(former, method_keys(methods), strict=True), key=lambda pair: -len(pair[0]))
    return {_current(name, keys): tensor for name, tensor in tensors.items()}


def _current(name: str, keys: Iterable[tuple[str, str]]) -> str:
    place, _, rest = name.partition("/")
    if "/" not in rest and not name.startswith(HEAD):
        for former, key in keys:
            if rest.startswith(f"{former}_"):
                return str(Name(place, key, rest.removeprefix(f"{former}_")))
    return name
