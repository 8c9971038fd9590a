"""Linear probe: only the head trains (and, with `backbone.layers: weighted_sum`, the weights of the sum).

A recogniser with its own decoder has no other head, so that nothing trains: its result is that of the given weights.
"""

from sure.petl.base import PetlMethod


class Method(PetlMethod):
    pass
