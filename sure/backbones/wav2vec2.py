"""wav2vec 2.0 (arXiv 2006.11477) and XLSR (arXiv 2006.13979, 2111.09296)."""

from dataclasses import replace

from sure.backbones.wav2vec2_network import ConvolutionalTransformer
from sure.backbones.wav2vec2_shapes import BASE, LARGE, TINY, TINY_LARGE


class Family(ConvolutionalTransformer):
    shapes = {
        "base": BASE,
        "large": LARGE,
        "xlsr_53": LARGE,
        "xlsr_300m": LARGE,
        "xlsr_1b": replace(LARGE, dim=1280, layers=48, ffn=5120),
        "xlsr_2b": replace(LARGE, dim=1920, layers=48, ffn=7680),
        "tiny": TINY,
        "tiny_large": TINY_LARGE,
    }
    bundles = ("WAV2VEC2_", "VOXPOPULI_", "MMS_FA")
    huggingface_class = "Wav2Vec2"
