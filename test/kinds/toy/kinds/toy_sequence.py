"""Sequence to sequence: trained by cross entropy on the next token, decoded by generating tokens up to the end."""

import torch
import torch.nn.functional as F
from sure.backbones.toy_sequence import Family
from torch.nn.utils.rnn import pad_sequence

from sure.kinds import recognition
from sure.models.recognition import RecognitionModel

END, MOST = 0, 8


class SequenceModel(RecognitionModel):
    def losses(self, encoded, targets):
        """Mean cross entropy of each text's tokens and its end, (batch,)"""
        end = torch.tensor([END])
        inputs = pad_sequence([torch.cat([end, target]) for target in targets], batch_first=True)
        wanted = pad_sequence([torch.cat([target, end]) for target in targets], batch_first=True, padding_value=-100)
        logits = self.head(self.backbone.decode(inputs, self._memory(encoded), encoded.frames))
        losses = F.cross_entropy(logits.float().transpose(1, 2), wanted, reduction="none")
        return losses.sum(1) / (wanted != -100).sum(1)

    @torch.no_grad()
    def evaluate_batch(self, batch):
        encoded = self.encode_batch(batch)
        return self.losses(encoded, batch.targets), self.generate(encoded)

    @torch.no_grad()
    def hypotheses(self, waves, lengths):
        return self.generate(self.encode(waves, lengths))

    def generate(self, encoded):
        """The most probable next token, MOST times; a text stops before its first END."""
        memory, tokens = self._memory(encoded), torch.full((len(encoded.lengths), 1), END)
        for _ in range(MOST):
            logits = self.head(self.backbone.decode(tokens, memory, encoded.frames)[:, -1])
            tokens = torch.cat([tokens, logits.argmax(-1, keepdim=True)], 1)
        rows = (row[1 : row.index(END, 1)] if END in row[1:] else row[1:] for row in tokens.tolist())
        return [self.task.tokenizer.decode(row) for row in rows]

    def _memory(self, encoded):
        return self.attachment.readout(encoded.taps, encoded.frames)


class Kind(recognition.Kind):
    model, backbone = SequenceModel, Family
    backbone_description = "an encoder with a decoder of its own: toy_sequence"
