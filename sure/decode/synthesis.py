"""Stage 5 of speech synthesis: test sets synthesised by a trained model, and copy synthesis with the same vocoder.

A decoded folder has wav.scp and wav/<id>.wav (16 bit), mel.scp (frames, mels), pitch.scp (frames, 1) with the decoder's
input in Hz, and durations (frames of each phone). For copy synthesis mel and pitch are those of the recordings.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sure.config import Config
from sure.data.ark import Scp, write_ark
from sure.data.audio import write_wave
from sure.data.synthesis.acoustic import AcousticConfig
from sure.data.synthesis.dataset import SynthesisUtterance, by_length, read_utterances, speaker_vectors
from sure.data.tables import format_table
from sure.decode.record import RECORD, write_record
from sure.files import replace_file
from sure.models.synthesis import SynthesisModel
from sure.parsing import parse_json
from sure.progress import progress_bar
from sure.recipe import names
from sure.score.synthesis.folder import COPY
from sure.vocoder.vocoder import Vocoder, make_vocoder, vocoder_suffix

BATCH = 16  # utterances


@dataclass
class SynthesizedUtterance:
    """mel (frames, mels); F0 (frames,) in Hz; durations (phones,) in frames, where known."""

    id: str
    mel: np.ndarray
    pitch: np.ndarray
    durations: list[int] | None = None


def model_acoustic(model: SynthesisModel) -> AcousticConfig:
    """The settings of the model's mels."""
    return AcousticConfig(**model.backbone.shape.acoustic)


def synthesize_set(config: Config, model: SynthesisModel, data: str, out: Path, overrides: Sequence[str]) -> None:
    """Synthesise a data folder into `out`, each utterance with its own speaker."""
    vocoder = make_vocoder(config.decode.vocoder, model_acoustic(model), next(model.parameters()).device)
    utterances = read_utterances(data)
    known = model.task.speaker
    if model.task.config.speaker == "vector":
        known = speaker_vectors(data, model.backbone.shape.speaker_vector)
    speakers = {one.speaker: known(one.speaker) for one in utterances}
    record = {"set": names.set_name(data, config.data.sets()), "data": data}
    record |= {"decoding": config.decoding, "overrides": list(overrides)}
    record["settings"] = {"method": "greedy", "vocoder": config.decode.vocoder}
    record["copies"] = copy_name(config.decode.vocoder)
    write(out, _synthesized(model, utterances, speakers), len(utterances), vocoder, record)


def _synthesized(
    model: SynthesisModel, utterances: Sequence[SynthesisUtterance], known: Mapping[str, torch.Tensor]
) -> Iterable[SynthesizedUtterance]:
    for group in by_length(utterances, BATCH):
        made = model.synthesize([one.phones for one in group], torch.stack([known[one.speaker] for one in group]))
        for one, speech in zip(group, made, strict=True):
            pitch = torch.repeat_interleave(speech.pitch, speech.durations)
            yield SynthesizedUtterance(one.id, speech.mel.numpy(), pitch.numpy(), speech.durations.tolist())


def copy_name(vocoder: str) -> str:
    """The name of a vocoder's copy synthesis, in folders and tables."""
    return COPY + vocoder_suffix(vocoder)


def copy_synthesis(config: Config, acoustic: AcousticConfig, data: str, out: Path) -> bool:
    """Vocode the recordings' mels of a data folder into `out`; False where that was done before."""
    record = {"set": Path(data).name, "data": data, "decoding": COPY, "vocoder": config.decode.vocoder}
    utterances = read_utterances(data)
    frames = {one.id: one.frames for one in utterances}
    record["settings"] = {"method": COPY, "vocoder": config.decode.vocoder, "frames": frames}
    if (out / RECORD).is_file() and parse_json((out / RECORD).read_text(encoding="utf-8")) == record:
        return False
    mels, pitches = Scp(Path(data) / "mel.scp"), Scp(Path(data) / "pitch.scp")
    copies = (SynthesizedUtterance(one.id, mels[one.id], pitches[one.id][:, 0]) for one in utterances)
    write(out, copies, len(utterances), make_vocoder(config.decode.vocoder, acoustic), record)
    return True


def write(
    out: Path, utterances: Iterable[SynthesizedUtterance], count: int, vocoder: Vocoder, record: Mapping[str, Any]
) -> None:
    """Write a decoded folder. The record comes last, so a folder with a record is complete."""
    (out / "wav").mkdir(parents=True, exist_ok=True)
    (out / RECORD).unlink(missing_ok=True)
    made = []
    for one in progress_bar(utterances, out.name, count, unit="utterance"):
        wave = vocoder.waveform(torch.from_numpy(np.array(one.mel, dtype=np.float32)))
        write_wave(out / "wav" / f"{one.id}.wav", wave.numpy(), vocoder.sample_rate)
        made.append(one)
    ordered = sorted(made, key=lambda one: one.id)
    write_ark(out / "mel.ark", ((one.id, np.asarray(one.mel, dtype=np.float32)) for one in ordered))
    write_ark(out / "pitch.ark", ((one.id, np.asarray(one.pitch, dtype=np.float32)[:, None]) for one in ordered))
    if all(one.durations is not None for one in ordered):
        replace_file(out / "durations", format_table([(one.id, " ".join(map(str, one.durations))) for one in ordered]))
    replace_file(out / "wav.scp", format_table([(one.id, str(out / "wav" / f"{one.id}.wav")) for one in ordered]))
    write_record(out, record)
