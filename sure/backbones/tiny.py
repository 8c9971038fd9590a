"""Small models of every family with random weights, for tests and to try a recipe in seconds."""

from sure.backbones import data2vec_audio, hubert, moonshine, wav2vec2, wavlm, whisper
from sure.backbones.base import Backbone, SpeechEncoder
from sure.errors import SureError
from sure.registry import nearest

# Name after `random:` -> family and shape.
MODELS = {
    "wav2vec2": (wav2vec2.Family, "tiny"),
    "wav2vec2_large": (wav2vec2.Family, "tiny_large"),
    "hubert": (hubert.Family, "tiny"),
    "hubert_large": (hubert.Family, "tiny_large"),
    "wavlm": (wavlm.Family, "tiny"),
    "wavlm_large": (wavlm.Family, "tiny_large"),
    "data2vec_audio": (data2vec_audio.Family, "tiny"),
    "moonshine": (moonshine.Family, "tiny"),
    "whisper": (whisper.Family, "toy"),
}


class Family(SpeechEncoder):
    """Builds tiny models of the other families; `random` is wav2vec2."""

    @classmethod
    def from_weights(
        cls, weights: str, padding: str = "masked", seed: int = 0, frozen: str = "fp32", **shape: object
    ) -> Backbone:
        cls.check_weights(weights)
        family, size = MODELS[weights.partition(":")[2] or "wav2vec2"]
        return family.from_weights(f"random:{size}", padding, seed, frozen, **shape)

    @classmethod
    def skeleton(cls, weights: str, padding: str = "masked", **shape: object) -> Backbone:
        family, size = MODELS[weights.partition(":")[2] or "wav2vec2"]
        return family.skeleton(f"random:{size}", padding, **shape)

    @classmethod
    def outline(cls, weights: str) -> Backbone:
        return cls.skeleton(weights)

    @classmethod
    def check_weights(cls, weights: str) -> None:
        kind, _, name = weights.partition(":")
        if kind != "random" or (name and name not in MODELS):
            known = [f"random:{name}" for name in MODELS]
            raise SureError(
                f"backbone.weights={weights}: unknown to tiny{nearest(weights, known)}; available: {', '.join(known)}"
            )
