"""WavLM (arXiv 2110.13900): HuBERT with a gated bias for the distance between frames."""

from dataclasses import replace

from sure.backbones.wav2vec2_network import ConvolutionalTransformer
from sure.backbones.wav2vec2_shapes import BASE, LARGE, TINY, TINY_LARGE


class Family(ConvolutionalTransformer):
    shapes = {
        "base": replace(BASE, buckets=320),
        "large": replace(LARGE, buckets=320, convolution_bias=False),
        "tiny": replace(TINY, buckets=32, max_distance=20),
        "tiny_large": replace(TINY_LARGE, buckets=32, max_distance=20, convolution_bias=False),
    }
    bundles = ("WAVLM_",)
    huggingface_class = "WavLM"
    # in transformers, F.multi_head_attention_forward receives their weights
    huggingface_skips = ("attn.q", "attn.k", "attn.v", "attn.out")
