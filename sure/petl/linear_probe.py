"""Linear probe: nothing but the head trains (with `backbone.layers: weighted_sum`, the sum too)."""

from __future__ import annotations

from sure.petl.base import PetlMethod


class Method(PetlMethod):
    pass
