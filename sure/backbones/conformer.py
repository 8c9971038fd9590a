"""Conformer layers: a half-step FFN first, a convolution after attention (Gulati et al., arXiv 2005.08100)."""

from torch import Tensor, nn

from sure.backbones.layers import Layer, regularise
from sure.frames import Frames


class ConvolutionModule(nn.Module):
    """Pointwise map with a gate, depthwise convolution, norm, swish, pointwise map (section 2.2).

    The norm is over channels, not over the batch, so a result does not depend on the batch; padding counts as zero.
    """

    def __init__(self, dim: int, kernel: int, dropout: float):
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.gated = nn.Linear(dim, 2 * dim)
        self.depthwise = nn.Conv1d(dim, dim, kernel, padding="same", groups=dim)
        self.depthwise_norm = nn.LayerNorm(dim)
        self.out = nn.Linear(dim, dim)
        self.dropout = dropout

    def forward(self, hidden: Tensor, frames: Frames) -> Tensor:
        """hidden (batch, time, dim) -> the same shape, to be added to hidden"""
        gated = nn.functional.glu(self.gated(self.norm(hidden)), dim=2)
        mixed = self.depthwise(frames.fill(gated).transpose(1, 2)).transpose(1, 2)
        return regularise(self.out(nn.functional.silu(self.depthwise_norm(mixed))), self.dropout, self.out)


class ConformerLayer(Layer):
    """The sites are those of `Layer`: the attention and the second FFN. Both FFNs are added with a factor of 1 / 2."""

    def __init__(self, *args: object, convolution_kernel: int, **settings: object):
        super().__init__(*args, **settings)
        dim, units = self.ffn_out.out_features, self.ffn_in.out_features
        self.first_norm = nn.LayerNorm(dim)
        self.first_in = nn.Linear(dim, units)
        self.first_out = nn.Linear(units, dim)
        self.convolution = ConvolutionModule(dim, convolution_kernel, self.dropout)

    def forward(self, hidden: Tensor, frames: Frames, **context: object) -> Tensor:
        units = nn.functional.silu(self.first_in(self.first_norm(hidden)))
        hidden = hidden + 0.5 * regularise(self.first_out(units), self.dropout, self.first_out)
        input = self.attn_norm(hidden, frames)
        hidden = self.after_attn(input, hidden + self._attend(input, frames, context), frames)
        hidden = hidden + self.convolution(hidden, frames)
        input = self.ffn_norm(hidden, frames)
        return self.after_ffn(input, hidden + 0.5 * self.ffn(input, frames), frames)
