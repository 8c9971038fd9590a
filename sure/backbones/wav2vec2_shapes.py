"""Sizes and variants of wav2vec 2.0, HuBERT, WavLM and data2vec models."""

from dataclasses import dataclass, replace

from sure.errors import SureError

CONVOLUTIONS = ((512, 10, 5), *((512, 3, 2),) * 4, *((512, 2, 2),) * 2)
TINY_CONVOLUTIONS = ((32, 10, 5), (32, 3, 2), (32, 3, 2), (32, 2, 2))


@dataclass(frozen=True)
class Shape:
    """Sizes and variants of a model of this kind; wav2vec 2.0 base by default.

    norm: `group`, in the first convolution; or `layer`, in every convolution.
    norm_first: norms before attention and feed-forward, and one after the last layer (large models).
    buckets: number of buckets of WavLM's distance bias; 0 in the other families.
    """

    dim: int = 768
    layers: int = 12
    heads: int = 12
    ffn: int = 3072
    convolutions: tuple[tuple[int, int, int], ...] = CONVOLUTIONS  # channels, kernel, stride
    convolution_bias: bool = False
    norm: str = "group"
    norm_first: bool = False
    normalize_waveform: bool = False
    position_kernel: int = 128
    position_groups: int = 16
    eps: float = 1e-5
    projection_norm: bool = True
    buckets: int = 0
    max_distance: int = 800

    def __post_init__(self):
        """Raise SureError for a width that its heads or groups do not divide."""
        for name in ("heads", "position_groups"):
            parts = getattr(self, name)
            if isinstance(parts, int) and (parts < 1 or self.dim < 1 or self.dim % parts):
                raise SureError(f"dim={self.dim} is not a multiple of {name}={parts}; change one of them")


BASE = Shape()
LARGE_SIZES = {"dim": 1024, "layers": 24, "heads": 16, "ffn": 4096}
LARGE = Shape(**LARGE_SIZES, convolution_bias=True, norm="layer", norm_first=True, normalize_waveform=True)
TINY_SIZES = {"dim": 32, "layers": 3, "heads": 4, "ffn": 64, "convolutions": TINY_CONVOLUTIONS, "position_groups": 4}
TINY = replace(BASE, **TINY_SIZES, position_kernel=16)
TINY_LARGE = replace(LARGE, **TINY_SIZES, position_kernel=15)
