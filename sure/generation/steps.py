"""The steps of a decoder with its cache: what greedy and beam search share."""

from torch import Tensor

from sure.backbones.encoder_decoder import EncoderDecoder
from sure.frames import Frames


class Steps:
    """A decoder at a position of its texts. Rows are texts; each utterance has the same number of them, in order.

    memory (utterances, time, dim) and its frames: the encoder's output.
    """

    def __init__(self, backbone: EncoderDecoder, memory: Tensor, frames: Frames):
        self.backbone, self.memory, self.frames = backbone, memory, frames
        self.cache = backbone.new_cache()
        self.hidden = memory.new_empty(0)  # of the last tokens (rows, n, dim)

    def logits(self, tokens: Tensor) -> Tensor:
        """Read tokens (rows, n); float32 logits (rows, vocabulary) of what follows the last one."""
        self.hidden = self.backbone.decode(tokens, self.memory, self.frames, self.cache)
        return self.backbone.logits(self.hidden[:, -1:])[:, 0].float()

    def first_logits(self) -> Tensor:
        """(rows, vocabulary) float32: logits of what follows the first of the tokens that were read last."""
        return self.backbone.logits(self.hidden[:, :1])[:, 0].float()

    def select(self, rows: Tensor) -> None:
        """Continue with these rows (new rows,) of the texts, in this order; a row may occur several times."""
        if rows.tolist() != list(range(len(self.hidden))):
            self.cache.select(rows)

    def keep(self, utterances: Tensor) -> None:
        """Continue with these utterances (fewer,), in this order; `select` selects their texts."""
        self.cache.keep(utterances)
        self.memory = self.memory[utterances]
        self.frames = Frames(self.frames.lengths[utterances.cpu()], self.frames.time)
