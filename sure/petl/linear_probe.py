"""Linear probe: the backbone stays frozen and only the head trains (with `backbone.layers: weighted_sum`, the sum too)."""

from __future__ import annotations

from sure.petl.base import PetlMethod


class Method(PetlMethod):
    pass
