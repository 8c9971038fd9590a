"""Whole recognisers: an encoder and its own decoder, trained by cross entropy; text is generated token by token."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sure import registry
from sure.backbones.base import Backbone
from sure.backbones.encoder_decoder import EncoderDecoder
from sure.config import Config
from sure.decode.text import Decoding, decode_set
from sure.device import pick_device
from sure.kinds import recognition
from sure.models.encoder_decoder import EncoderDecoderModel
from sure.models.precision import convert


class Kind(recognition.Kind):
    model = EncoderDecoderModel
    backbone = EncoderDecoder
    backbone_description = "a recogniser with a decoder: whisper or moonshine"

    def find_backbone(self, name: str) -> type[Backbone]:
        """The whole recogniser of a family: `whisper` is `Recognizer` in sure/backbones/whisper_recognizer.py."""
        return registry.find_recognizer(name)

    def decode(
        self,
        folder: Path,
        config: Config,
        model: EncoderDecoderModel,
        sets: Mapping[Path, str],
        overrides: Sequence[str],
    ) -> Iterator[tuple[Path, str]]:
        given = config.decode
        precision = convert(model, given.precision, pick_device(config.train.device))
        settings = {"method": given.method, "precision": given.precision, **given.generation.model_dump(mode="json")}
        record = {"decoding": config.decoding, "settings": settings, "overrides": list(overrides)}
        for decoded, data in sets.items():
            decode_set(config, model, data, decoded, Decoding(model.hypotheses, record, precision))
            yield decoded, data
