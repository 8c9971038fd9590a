"""Which tokens may follow: suppressed ones, timestamps of Whisper (arXiv 2212.04356, section 4.5), repetitions."""

import torch
from torch import Tensor

from sure.errors import SureError
from sure.generation.settings import GenerationConfig
from sure.text.recognizer_tokens import RecognizerTokens

NEVER = float("-inf")
SECONDS = 0.02  # of one timestamp


class TokenRules:
    """Sets the scores of forbidden tokens to -inf.

    vocabulary: number of tokens of the decoder.
    Raises SureError for timestamps with a decoder that has none.
    """

    def __init__(self, tokens: RecognizerTokens, settings: GenerationConfig, vocabulary: int, device: torch.device):
        if settings.timestamps and tokens.timestamps is None:
            raise SureError("timestamps=true: the tokens of this recogniser have no timestamps; set it to false")
        self.end = tokens.end
        self.ngram = settings.no_repeat_ngram
        self.timestamps = tokens.timestamps if settings.timestamps else None
        self.latest = round(settings.first_timestamp / SECONDS)
        self.ids = torch.arange(vocabulary, device=device)
        suppressed = list(tokens.suppressed)
        if settings.timestamps and tokens.no_timestamps is not None:
            suppressed.append(tokens.no_timestamps)
        self.always = self._mask(suppressed)
        self.first = self._mask([*suppressed, *tokens.suppressed_first])

    def _mask(self, forbidden: list[int]) -> Tensor | None:
        """(vocabulary,): 0, and -inf at forbidden tokens; None if all are allowed."""
        if not forbidden:
            return None
        mask = torch.zeros(len(self.ids), device=self.ids.device)
        mask[torch.tensor(forbidden, device=mask.device)] = NEVER
        return mask

    def apply(self, scores: Tensor, read: Tensor, prompt: int) -> Tensor:
        """Change scores (rows, vocabulary), logits or log probabilities, in place, and return them.

        read: all tokens so far (rows, n); the first `prompt` tokens are the prompt.
        """
        mask = self.first if read.shape[1] == prompt else self.always
        if mask is not None:
            scores += mask
        if self.ngram:
            self._forbid_repetitions(scores, read.tolist())
        if self.timestamps is not None:
            self._keep_timestamps_in_order(scores, read[:, prompt:], self.timestamps)
        return scores

    def _forbid_repetitions(self, scores: Tensor, read: list[list[int]]) -> None:
        for row, tokens in enumerate(read):
            last = tokens[len(tokens) - self.ngram + 1 :]
            starts = range(len(tokens) - self.ngram + 1)
            seen = [tokens[at + self.ngram - 1] for at in starts if tokens[at : at + self.ngram - 1] == last]
            if seen:
                scores[row, seen] = NEVER

    def _keep_timestamps_in_order(self, scores: Tensor, made: Tensor, begin: int) -> None:
        """Timestamps come in pairs, except the first and the last; their times never fall.

        made: (rows, n) tokens after the prompt. begin: the first timestamp. A timestamp is also forced where all
        timestamps together are more probable than each text token.
        """
        if not made.shape[1]:
            scores[:, :begin] = NEVER
            scores[:, begin + self.latest + 1 :] = NEVER
            return
        stamps = made >= begin
        last = stamps[:, -1:]
        opens = last & (stamps[:, -2:-1] if made.shape[1] > 1 else True)  # a segment: text follows
        closes = last & ~opens  # a segment: the next one begins, or the text ends
        latest = made.where(stamps, begin - 1).amax(1, keepdim=True)
        lowest = latest + 1 - closes.long()  # a segment can begin where the one before it ended
        scores.masked_fill_((self.ids >= begin) & ((self.ids < lowest) | opens), NEVER)
        scores.masked_fill_((self.ids < self.end) & closes, NEVER)
        text, stamp = scores[:, :begin].amax(1), scores[:, begin:].logsumexp(1)
        scores[:, :begin].masked_fill_((stamp > text)[:, None], NEVER)
