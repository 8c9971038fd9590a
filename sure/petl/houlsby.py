"""Houlsby adapter: a narrow bottleneck after attention and after the FFN (arXiv 1902.00751, figure 2)."""

from pydantic import Field

from sure.petl import bottleneck


class Method(bottleneck.Method):
    class Config(bottleneck.Method.Config):
        sites: str = "layer.*.after_attn layer.*.after_ffn"
        width: int | None = Field(64, gt=0, description="hidden units")
