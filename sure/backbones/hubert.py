"""HuBERT (arXiv 2106.07447): the network of wav2vec 2.0, trained to predict clusters."""

from dataclasses import replace

from sure.backbones.wav2vec2_network import ConvolutionalTransformer
from sure.backbones.wav2vec2_shapes import BASE, LARGE, TINY, TINY_LARGE


class Family(ConvolutionalTransformer):
    shapes = {
        "base": BASE,
        "large": replace(LARGE, convolution_bias=False),
        "distil": replace(BASE, layers=2, projection_norm=False),  # DistilHuBERT (arXiv 2110.01900)
        "tiny": TINY,
        "tiny_large": replace(TINY_LARGE, convolution_bias=False),
    }
    bundles = ("HUBERT_",)
    huggingface_class = "Hubert"
