"""Speech recognition by a model of the kind `toy_sequence`; token 0 begins and ends a text."""

from torch import nn

from sure.tasks import asr


class Task(asr.Task):
    kind = "toy_sequence"
    decode_methods, abilities, freeze_convolution = ("greedy",), (), False

    def build_head(self, width):
        return nn.Linear(width, self.tokenizer.size)
