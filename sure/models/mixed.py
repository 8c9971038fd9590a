"""Several adapters in one pass: utterances that ask for different adapters share the frozen backbone's computation."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import groupby

import torch
from torch import Tensor

from sure import SAMPLE_RATE
from sure.backbones.base import Encoded
from sure.data.windows import cut_at_pauses
from sure.errors import SureError
from sure.models.base import AdaptedModel
from sure.models.loading import wave_batches
from sure.models.result import Result, merged
from sure.petl.mixed import ALL, Alone, Mixture

FROZEN = ""  # in place of an adapter's name: rows of the encoder that no method changes


class MixedModels:
    """Recognition models with one backbone, all detached from it.

    A row of the encoder's batch is an utterance with an adapter. Adapters that change only what follows the encoder
    (heads, sums of layers, decoders) share the row of their utterance. All layers below the first change are computed
    once for each utterance. Recognisers with the same tokens and settings of generation write their texts together.
    """

    def __init__(self, models: Mapping[str, AdaptedModel]):
        """Raises SureError for a model of another kind, and for methods that cannot be mixed."""
        for name, model in models.items():
            if "predict" not in model.abilities:
                raise SureError(f"{name!r} synthesises speech, so that it cannot be mixed with others")
        self.models = dict(models)
        attachments = {name: model.attachment for name, model in models.items()}
        self.mixture: Mixture | Alone | None = None
        if len(models) == 1:
            self.mixture = Alone(*attachments.values())
        elif models:
            self.mixture = Mixture(next(iter(models.values())).backbone, attachments)

    def results(
        self,
        waves: Sequence[Tensor],
        adapters: Sequence[Sequence[str]],
        batch_seconds: float = 120.0,
        details: bool = True,
    ) -> list[dict[str, Result]]:
        """For each of the waves (samples,) the results of its adapters, by name.

        Recordings that are longer than the encoder's limit are cut at pauses. batch_seconds: of audio in one pass,
        counted once for each row. details: false computes the lines alone.
        """
        if not any(adapters):
            return [{} for _ in waves]
        limit = next(iter(self.models.values())).encoder.max_samples
        cuts = [cut_at_pauses(wave, limit or len(wave)) for wave in waves]
        places = [(index, part) for index, cut in enumerate(cuts) for part in cut]
        pieces, rows = [waves[index][part] for index, part in places], max(map(len, adapters), default=1)
        found: dict[int, dict[str, Result]] = {}
        for batch in wave_batches(pieces, batch_seconds / rows):
            wanted = [(row, name) for row, place in enumerate(batch.ids) for name in adapters[places[place][0]]]
            for (row, name), result in self.batch(batch.waves, batch.wave_lengths, wanted, details).items():
                found.setdefault(batch.ids[row], {})[name] = result
        of_each = groupby(range(len(places)), key=lambda place: places[place][0])
        parts = {index: [found.get(place, {}) for place in group] for index, group in of_each}
        seconds = [[(part.stop - part.start) / SAMPLE_RATE for part in cut] for cut in cuts]
        return [
            {name: merged(self.models[name].task, [one[name] for one in parts[i]], seconds[i]) for name in names}
            for i, names in enumerate(adapters)
        ]

    @torch.no_grad()
    def batch(
        self, waves: Tensor, lengths: Tensor, wanted: Sequence[tuple[int, str]], details: bool
    ) -> dict[tuple[int, str], Result]:
        """Results for pairs of an utterance and an adapter, in one pass of the encoder.

        waves (batch, samples); lengths: samples (batch,), on the CPU.
        """
        names = [name for name in self.models if any(name == other for _, other in wanted)]
        utterances = {name: list(dict.fromkeys(row for row, other in wanted if other == name)) for name in names}
        found = {}
        with self.mixture.rows([(FROZEN, ALL)]):
            encoded, places = self._encode(waves, lengths, utterances)
            for group in self._groups(names):
                owners = [name for name in group for _ in utterances[name]]
                model = self.models[group[0]]
                of_group = [place for name in group for place in places[name]]
                rows = _rows(encoded, of_group, model.attachment.reads_all_taps())
                if len(group) > 1:
                    within = partial(self._within, owners)
                    results = model.results_with([self.models[name] for name in owners], rows, within)
                else:
                    with self.mixture.rows([(group[0], ALL)]):
                        results = model.results(rows, details=details)
                pairs = [(row, name) for name in group for row in utterances[name]]
                found.update(zip(pairs, results, strict=True))
        return found

    def _groups(self, names: Sequence[str]) -> list[list[str]]:
        """Adapters by the ones whose texts are generated together; the others one by one."""
        groups: dict[Hashable, list[str]] = {}
        for name in names:
            shared = getattr(self.models[name], "shared_generation", None)
            groups.setdefault((name,) if shared is None else shared, []).append(name)
        return list(groups.values())

    def _within(self, owners: Sequence[str], rows: Sequence[int]) -> AbstractContextManager:
        """The context for rows by the adapter that owns each; the rows of an adapter follow one another."""
        parts, start = [], 0
        for name, group in groupby(owners[row] for row in rows):
            parts.append((name, slice(start, start := start + sum(1 for _ in group))))
        return self.mixture.rows(parts)

    def _encode(
        self, waves: Tensor, lengths: Tensor, utterances: Mapping[str, Sequence[int]]
    ) -> tuple[Encoded, dict[str, list[int]]]:
        """The encoder's taps of all rows, and the rows of each adapter. utterances: those of each adapter."""
        model = next(iter(self.models.values()))
        encoder, device = model.encoder, next(model.backbone.parameters()).device
        last = len(encoder.layers) + 1
        same = {name: self.mixture.first_tap(name, last) for name in utterances}
        unchanged = [name for name in utterances if same[name] == last]
        groups = {name: list(rows) for name, rows in utterances.items() if same[name] < last}
        if unchanged:
            groups = {FROZEN: sorted({row for name in unchanged for row in utterances[name]}), **groups}
        order = [row for rows in groups.values() for row in rows]
        parts, starts = [], {}
        for name, rows in groups.items():
            start = parts[-1][1].stop if parts else 0
            parts.append((name, slice(start, start + len(rows))))
            starts[name] = start
        places = {
            name: [starts[FROZEN] + groups[FROZEN].index(row) for row in rows]
            if same[name] == last
            else list(range(starts[name], starts[name] + len(rows)))
            for name, rows in utterances.items()
        }
        waves, frames, shared = waves.to(device), model.frame_count(lengths), min(same.values())
        index = torch.tensor(order)
        if shared == 0:
            with self.mixture.rows(parts):
                taps = encoder.begin(waves[index.to(device)], lengths[index])
        else:
            taps = encoder.resume(encoder.begin(waves, lengths), frames, stop=shared - 1).taps
            if order != list(range(len(waves))):
                taps = [tap[index.to(device)] for tap in taps]
        with self.mixture.rows(parts):
            return encoder.resume(taps, frames[index]), places


def mixed_with(before: MixedModels | None, models: Mapping[str, AdaptedModel], names: Collection[str]) -> MixedModels:
    """Models by name for batches of `names`: `before`, or a new set that has them too. Raises as MixedModels."""
    if len(names) == 1:
        return MixedModels({name: models[name] for name in names})
    if before is not None and set(names) <= before.models.keys():
        return before
    return MixedModels({n: model for n, model in models.items() if n in names or (before and n in before.models)})


def _rows(encoded: Encoded, places: Sequence[int], all_taps: bool) -> Encoded:
    """Some rows of the last tap, or of all taps."""
    taps = encoded.taps if all_taps else encoded.taps[-1:]
    rows = slice(places[0], places[-1] + 1)
    if list(places) == list(range(rows.start, rows.stop)):
        return Encoded([tap[rows] for tap in taps], encoded.frames.rows(rows))
    index = torch.tensor(places)
    return Encoded(
        [tap[index.to(tap.device)] for tap in taps], type(encoded.frames)(encoded.lengths[index], encoded.frames.time)
    )
