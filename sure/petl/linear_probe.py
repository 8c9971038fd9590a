"""Linear probe: only the head trains (and, with `backbone.layers: weighted_sum`, the weights of the sum)."""

from sure.petl.base import PetlMethod


class Method(PetlMethod):
    pass
