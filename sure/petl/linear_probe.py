"""Linear probe: only the head trains (and, with `backbone.layers: weighted_sum`, the weights of the sum)."""

from __future__ import annotations

from sure.petl.base import PetlMethod


class Method(PetlMethod):
    pass
