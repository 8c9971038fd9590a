"""The words of --set, by the stages that read them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from sure.errors import SureError
from sure.recipe.names import SEARCH

FILES = ("decode.ngram", "decode.lexicon", "decode.vocoder")  # files, perhaps in the caller's folder
OPTIONS = {
    "task": "--task",
    "seed": "--seeds",
    "backbone.name": "--backbone",
    "backbone.weights": "--weights",
    "decode.method": "--decode",
    "train.memory": "--memory",
    "petl": "--petl",
    "petl.name": "--petl",
}
RATES = ("train.lr_adapter", "petl.lr")  # settings that --rates would compete with


@dataclass
class Settings:
    """Overrides of the config, `key=value`, for each of the stages that read some."""

    training: list[str] = field(default_factory=list)
    decoding: list[str] = field(default_factory=list)  # may change without training again
    name: str = SEARCH  # of the decoding

    def files(self, *keys: str) -> list[str]:
        """The values of decoding keys that are files."""
        pairs = (word.partition("=") for word in self.decoding)
        return [value for key, _, value in pairs if key in keys and os.path.isfile(value)]


def split_settings(text: str, caller: str, with_rates: bool = False) -> Settings:
    """The words of --set. A word without `=` continues the value before it, because site patterns contain spaces.

    caller: the folder that paths may be relative to; with_rates: whether --rates is given.
    Raises SureError for a key that has an option of its own, and for a key that is there twice.
    """
    settings = Settings()
    earlier: dict[str, str] = {}
    for word in _words(text):
        key, _, value = word.partition("=")
        if key in earlier:
            raise SureError(f"--set has {earlier[key]} and {word}; pass one of them")
        earlier[key] = word
        if key in OPTIONS:
            hint = "; settings of a list of methods belong in conf/petl/NAMES.yaml" if key.startswith("petl") else ""
            raise SureError(f"--set {word}: use the option {OPTIONS[key]} instead{hint}")
        if with_rates and key in RATES:
            raise SureError(f"--set {word}: {key} would replace every rate of --rates; pass one of the two")
        if key in FILES:
            word = f"{key}={from_caller(value, caller)}"
        if key.startswith("decode."):
            settings.decoding.append(word)
        if not key.startswith("decode.") or key == "decode.batch_seconds":  # training decodes the dev set
            settings.training.append(word)
        if key == "decode.name":
            settings.name = value
    return settings


def of_sections(words: Sequence[str], *sections: str) -> list[str]:
    """Those of the overrides whose key is in one of the sections of the config."""
    return [word for word in words if word.startswith(tuple(f"{section}." for section in sections))]


def from_caller(path: str, caller: str) -> str:
    """`path`, made absolute where the caller's folder has it."""
    there = os.path.join(caller, path)
    return there if path and not os.path.isabs(path) and os.path.exists(there) else path


def _words(text: str) -> list[str]:
    words: list[str] = []
    for word in text.split():
        if "a" <= word[0] <= "z" and "=" in word:
            words.append(word)
        elif words:
            words[-1] += f" {word}"
        else:
            raise SureError(f"--set takes key=value words such as train.epochs=3, not {word!r}")
    return words
