"""data2vec for audio (arXiv 2202.03555): the network of wav2vec 2.0 with several small position convolutions."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from sure.backbones import wav2vec2_shapes
from sure.backbones.wav2vec2_network import ConvolutionalTransformer
from sure.backbones.wav2vec2_shapes import LARGE_SIZES, TINY_SIZES
from sure.frames import Frames


@dataclass(frozen=True)
class Shape(wav2vec2_shapes.Shape):
    """data2vec base by default. position_layers: number of position convolutions, each with `position_kernel`."""

    norm: str = "layer"
    normalize_waveform: bool = True
    position_kernel: int = 19
    position_layers: int = 5


class PositionConvolutions(nn.Module):
    """Positions by grouped convolutions, each followed by a norm without weights and a GELU.

    masked: padding is zero for every convolution; otherwise for the first one only, as in the original.
    """

    def __init__(self, shape: Shape, masked: bool):
        super().__init__()
        dim, kernel, groups = shape.dim, shape.position_kernel, shape.position_groups
        self.layers = nn.ModuleList(
            nn.Conv1d(dim, dim, kernel, padding=kernel // 2, groups=groups) for _ in range(shape.position_layers)
        )
        self.masked = masked

    def forward(self, hidden: Tensor, frames: Frames) -> Tensor:
        """hidden (batch, time, dim), zero in the padding -> the same shape"""
        time = hidden.shape[1]
        for layer in self.layers:
            output = layer(hidden.transpose(1, 2))[:, :, :time].transpose(1, 2)
            hidden = nn.functional.gelu(nn.functional.layer_norm(output, output.shape[2:]))
            if self.masked:
                hidden = frames.fill(hidden)
        return hidden


class Family(ConvolutionalTransformer):
    shapes = {
        "base": Shape(),
        "large": Shape(**LARGE_SIZES),
        "tiny": Shape(**TINY_SIZES, position_kernel=5),
    }
    huggingface_class = "Data2VecAudio"

    def positions(self, padding: str) -> nn.Module:
        return PositionConvolutions(self.shape, padding == "masked")

    @classmethod
    def huggingface_shape(cls, config: dict[str, Any], preprocessor: dict[str, Any]) -> Shape:
        """`num_conv_pos_embeddings` is the number of layers here, but the kernel size in the other families.

        transformers ignores `do_stable_layer_norm` and `feat_extract_norm` of this family.
        """
        fixed_settings = {"feat_extract_norm": "layer", "do_stable_layer_norm": False}
        fixed_settings["num_conv_pos_embeddings"] = config["conv_pos_kernel_size"]
        found = super().huggingface_shape({**config, **fixed_settings}, preprocessor)
        return Shape(**vars(found), position_layers=config["num_conv_pos_embeddings"])

    @classmethod
    def huggingface_config(cls, shape: Shape) -> dict[str, Any]:
        config = super().huggingface_config(shape)
        for fixed in ("feat_extract_norm", "do_stable_layer_norm"):
            del config[fixed]
        kernel = config["num_conv_pos_embeddings"]
        return {**config, "conv_pos_kernel_size": kernel, "num_conv_pos_embeddings": shape.position_layers}
