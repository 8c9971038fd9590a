"""Scores of synthesised speech against recordings of the same texts, each with its interval over utterances.

    mcd                 dB, mel-cepstral distortion, mean over utterances (`distance.py`)
    f0_rmse_hz          Hz, and f0_rmse_cents, root mean square over aligned frames that are voiced on both sides
    voicing_error       %, of aligned frames that are voiced on one side only
    duration_error      %, difference of lengths over length of the recordings, both summed over utterances
    wer, cer            %, of an independent recogniser's transcript against the text (`recogniser.py`)
    speaker_similarity  cosine, -1 to 1, of an independent encoder's embedding and the mean embedding of the speaker's
                        other recordings in the set, or of the recording itself if it is the only one
                        (`speaker_encoder.py`)

The last three need external networks, which are optional; without one the score is omitted and `missing` gives the
reason. Recordings can be scored in the same way; their scores are upper bounds for synthesis.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from sure.data.audio import SAMPLE_RATE, read_audio, resample
from sure.data.data_dir import Utterance
from sure.data.synthesis.acoustic import AcousticConfig, read_speech
from sure.errors import SureError
from sure.progress import progress_bar
from sure.score.bootstrap import bootstrap_interval
from sure.score.error_rate import aligned_listing, error_rates
from sure.score.synthesis import recogniser, speaker_encoder
from sure.score.synthesis.distance import Distance, distance, frames_of
from sure.score.synthesis.recogniser import Recogniser
from sure.score.synthesis.speaker_encoder import SpeakerEncoder
from sure.text.normalize import normalize

OTHERS = 20  # recordings of a speaker in its mean embedding, at most
Ratio = tuple[np.ndarray, np.ndarray, float]  # a score is (sum(first) / sum(second)) ** third; arrays: (utterances,)


@dataclass
class Judges:
    """Independent models that score synthesised speech. missing: by score, the reason why the model is missing."""

    recogniser: Recogniser | None
    encoder: SpeakerEncoder | None
    missing: dict[str, str]

    @classmethod
    def of(cls, languages: Sequence[str]) -> "Judges":
        """The installed models for speech in these languages, one or more."""
        judges = cls(None, None, {})
        try:
            judges.recogniser = Recogniser(next(filter(recogniser.supports, languages), languages[0]))
        except SureError as error:
            judges.missing["wer, cer"] = str(error)
        try:
            judges.encoder = SpeakerEncoder()
        except SureError as error:
            judges.missing["speaker_similarity"] = str(error)
        return judges

    def names(self) -> dict[str, str]:
        names = {"recogniser": self.recogniser and recogniser.NAME, "encoder": self.encoder and speaker_encoder.NAME}
        return {kind: name for kind, name in names.items() if name}


@dataclass
class SpeechScores:
    """Scores of a set with intervals.

    By utterance id: its scores, its transcript by the recogniser and its text, both normalised.
    """

    scores: dict[str, Any]
    utterances: dict[str, dict[str, Any]]
    transcripts: dict[str, str]
    texts: dict[str, str]

    def listing(self) -> str:
        """Scores of each utterance, then the transcripts by the recogniser aligned with the texts."""
        lines = ["mcd f0_rmse_hz speaker_similarity id"]
        for id, row in self.utterances.items():
            values = [row.get(name) for name in ("mcd", "f0_rmse_hz", "speaker_similarity")]
            lines.append(" ".join(["-" if value is None else f"{value:.3f}" for value in values] + [id]))
        transcripts = [aligned_listing(self.texts, self.transcripts)] if self.transcripts else []
        return "\n".join(["\n".join(lines) + "\n", *transcripts])


def speech_scores(
    utterances: Sequence[Utterance],
    waves: Mapping[str, str] | None,
    acoustic: AcousticConfig,
    languages: Mapping[str, str],
    judges: Judges,
) -> SpeechScores:
    """Score the files in `waves`, by utterance id, or the recordings if `waves` is None.

    languages: by utterance id; the recogniser transcribes only languages that it supports.
    Raises SureError naming an utterance without text or file, and files that cannot be read.
    """
    _check(utterances, waves)
    supported = [one for one in utterances if judges.recogniser and recogniser.supports(languages[one.id])]
    texts = {utterance.id: normalize(utterance.text, languages[utterance.id]) for utterance in supported}
    rows: dict[str, dict[str, Any]] = {utterance.id: {"text": utterance.text} for utterance in utterances}
    distances, transcripts, natural, made = [], {}, {}, {}
    for utterance in progress_bar(utterances, "score", unit="utterance"):
        id, row = utterance.id, rows[utterance.id]
        recording, _ = read_speech(utterance, acoustic)
        wave = recording if waves is None else read_audio(waves[id], sample_rate=acoustic.sample_rate)
        row["seconds"] = len(wave) / acoustic.sample_rate
        if waves is not None:
            distances.append(distance(frames_of(recording, acoustic), frames_of(wave, acoustic)))
            row |= _values(_ratios(distances[-1:]))
        at_16 = resample(wave, acoustic.sample_rate, SAMPLE_RATE)
        if id in texts:
            row["heard"] = judges.recogniser.transcribe(at_16)
            transcripts[id] = normalize(row["heard"], languages[id])
            if texts[id]:
                one = error_rates({id: texts[id]}, {id: transcripts[id]})
                row |= {"wer": one["wer"], "cer": one["cer"]}
        if judges.encoder:
            made[id] = judges.encoder(at_16)
            natural[id] = judges.encoder(resample(recording, acoustic.sample_rate, SAMPLE_RATE))
    for id, value in _similarities(utterances, natural, made).items():
        rows[id]["speaker_similarity"] = value
    ratios = _ratios(distances) if distances else {}
    if made:
        ratios["speaker_similarity"] = _mean([row["speaker_similarity"] for row in rows.values()])
    scores: dict[str, Any] = _values(ratios)
    scores |= {f"{name}_interval": _interval(*ratios[name]) for name in ratios if scores[name] is not None}
    scores |= error_rates(texts, transcripts) if transcripts else {}
    missing = dict(judges.missing)
    if judges.recogniser and len(supported) < len(utterances):
        others = sorted({language for language in languages.values() if not recogniser.supports(language)})
        which = f"wer, cer of {len(utterances) - len(supported)} utterances" if supported else "wer, cer"
        missing[which] = f"the recogniser does not support {' '.join(others)}"
    return SpeechScores(scores | {"judges": judges.names(), "missing": missing}, rows, transcripts, texts)


def _check(utterances: Sequence[Utterance], waves: Mapping[str, str] | None) -> None:
    for utterance in utterances:
        if utterance.text is None:
            raise SureError(f"utterance '{utterance.id}' has no text; the data folder needs the file `text` (stage 2)")
        if waves is not None and not (utterance.id in waves and Path(waves[utterance.id]).is_file()):
            file = f" in {waves[utterance.id]}" if utterance.id in waves else ""
            raise SureError(f"utterance '{utterance.id}' was not synthesised{file}; run stage 5 for this set again")


def _similarities(
    utterances: Sequence[Utterance], natural: Mapping[str, torch.Tensor], made: Mapping[str, torch.Tensor]
) -> dict[str, float]:
    of_speaker: dict[str | None, list[str]] = {}
    for utterance in utterances:
        of_speaker.setdefault(utterance.speaker, []).append(utterance.id)
    found = {}
    for utterance in utterances if made else ():
        others = [id for id in of_speaker[utterance.speaker] if id != utterance.id] or [utterance.id]
        mean = torch.stack([natural[id] for id in others[:: -(-len(others) // OTHERS)]]).mean(0)
        found[utterance.id] = float(F.cosine_similarity(mean, made[utterance.id], dim=0))
    return found


def _ratios(distances: Sequence[Distance]) -> dict[str, Ratio]:
    sums = {name: np.array([getattr(d, name) for d in distances], dtype=np.float64) for name in vars(distances[0])}
    return {
        "mcd": _mean(sums["mcd"]),
        "f0_rmse_hz": (sums["squared_hz"], sums["voiced"], 0.5),
        "f0_rmse_cents": (sums["squared_cents"], sums["voiced"], 0.5),
        "voicing_error": (100.0 * sums["voicing_errors"], sums["pairs"], 1.0),
        "duration_error": (100.0 * sums["frames_apart"], sums["frames"], 1.0),
    }


def _mean(values: Sequence[float]) -> Ratio:
    return np.asarray(values, dtype=np.float64), np.ones(len(values)), 1.0


def _values(ratios: Mapping[str, Ratio]) -> dict[str, float | None]:
    """Each score; None where no frame is voiced on both sides."""
    return {
        name: float((top.sum() / bottom.sum()) ** power) if bottom.any() else None
        for name, (top, bottom, power) in ratios.items()
    }


@np.errstate(invalid="ignore")  # a draw may have no voiced frames
def _interval(top: np.ndarray, bottom: np.ndarray, power: float) -> list[float]:
    return bootstrap_interval(lambda draws: ((draws @ top) / (draws @ bottom)) ** power, len(top))
