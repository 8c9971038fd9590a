"""Base of the kinds of models. Every difference between recognition and synthesis is a method here."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sure import registry
from sure.backbones.base import Backbone
from sure.config import Config
from sure.inference import Sure
from sure.models.base import AdaptedModel
from sure.train.feed import Feed


class Kind(ABC):
    """One kind of model. Tasks name it (`kind = "recognition"` is `sure/kinds/recognition.py`)."""

    model: type[AdaptedModel]
    backbone: type[Backbone]  # base class of the backbones that fit
    backbone_description: str  # of these backbones, in errors: "a speech encoder"

    def find_backbone(self, name: str) -> type[Backbone]:
        """The class for `backbone.name`, which need not fit. Raises SureError for an unknown name."""
        return registry.find("backbones", name)

    @abstractmethod
    def feeds(self, config: Config, model: AdaptedModel) -> tuple[Feed, Feed]:
        """Stage 4: the feeds of the training set and the dev set."""

    @abstractmethod
    def decode(
        self, folder: Path, config: Config, model: AdaptedModel, sets: Mapping[Path, str], overrides: Sequence[str]
    ) -> Iterator[tuple[Path, str]]:
        """Stage 5: decode data folders, and yield each decoded folder with its data folder as soon as it is written.

        folder: of the experiment. sets: data folders by decoded folder; each decoded folder gets `decoding.json` as of
        `sure.decode.record`. overrides: recorded there.
        """

    @abstractmethod
    def score(self, folder: Path, config: Config, decoded: Sequence[Path]) -> Iterator[dict[str, Any]]:
        """Stage 6: score decoded folders; yield each result as soon as `write_result` has written it.

        folder: of the experiment. A result has at least `task`, `set`, `method`, `decoding`, `score_name`,
        `higher_is_better`, `score`, `<score_name>_interval` and the keys of `sure.score.result.data_facts`.
        """

    @abstractmethod
    def check_decoded(self, folder: Path) -> None:
        """Raises SureError or OSError for damaged files of stage 5 in a decoded folder; for sure.bin.doctor."""

    @abstractmethod
    def infer(self, sure: Sure, files: Sequence[str], options: Mapping[str, Any]) -> int:
        """Print or write the results of a bundle, for sure.bin.infer; the number of files that could not be used.

        options: the command's other options by name, without those that were not given.
        """
