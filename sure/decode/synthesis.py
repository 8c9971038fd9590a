"""Stage 5 of speech synthesis: a test set spoken by a trained model, and natural mels through the same vocoder.

A decoded folder has wav.scp and wav/<id>.wav (16 bit), mel.scp (frames, mels), pitch.scp (frames, 1) in Hz as the
decoder was given it, and durations (frames of each phone). Of copy synthesis mel and pitch are the natural ones.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from tqdm import tqdm

from sure.backbones.fastspeech2 import Controls
from sure.config import Config
from sure.data.ark import Scp, write_ark
from sure.data.synthesis.acoustic import AcousticConfig
from sure.data.synthesis.dataset import Script, by_length, read_scripts, speaker_vectors
from sure.data.tables import format_table
from sure.decode.text import RECORD
from sure.errors import SureError
from sure.files import replace_file
from sure.models.synthesis import SynthesisModel
from sure.vocoder.vocoder import Vocoder, make_vocoder, vocoder_suffix

log = logging.getLogger(__name__)

AT_ONCE = 16  # utterances in a batch
COPY = "copy_synthesis"


@dataclass
class Sound:
    """What is written of an utterance: mel (frames, mels), F0 (frames,) in Hz, and durations (phones,) if known."""

    id: str
    mel: np.ndarray
    pitch: np.ndarray
    durations: list[int] | None = None


def acoustic_of(model: SynthesisModel) -> AcousticConfig:
    """The settings that the model's mels have."""
    return AcousticConfig(**model.backbone.shape.acoustic)


def speak_set(config: Config, model: SynthesisModel, data: str, out: Path, overrides: list[str]) -> None:
    """Speak a data folder into `out`; who says it is the utterance's own speaker."""
    vocoder = make_vocoder(config.decode.vocoder, acoustic_of(model), next(model.parameters()).device)
    scripts = read_scripts(data)
    known = model.task.speaker
    if model.task.config.speaker == "vector":
        known = speaker_vectors(data, model.backbone.shape.speaker_vector)
    speakers = {script.speaker: known(script.speaker) for script in scripts}
    record = {"set": Path(data).name, "data": data, "decoding": config.decoding, "overrides": overrides}
    record["settings"] = {"method": "greedy", "vocoder": config.decode.vocoder}
    record["copies"] = copies_of(config.decode.vocoder)
    write(out, _spoken(model, scripts, speakers), len(scripts), vocoder, record)


def _spoken(model: SynthesisModel, scripts: list[Script], known: Mapping[str, torch.Tensor]) -> Iterable[Sound]:
    for group in by_length(scripts, AT_ONCE):
        speakers = torch.stack([known[script.speaker] for script in group])
        for script, speech in zip(group, model.speak([s.phones for s in group], speakers, Controls()), strict=True):
            pitch = torch.repeat_interleave(speech.pitch, speech.durations)
            yield Sound(script.id, speech.mel.numpy(), pitch.numpy(), speech.durations.tolist())


def copies_of(vocoder: str) -> str:
    """What the copy synthesis of a vocoder is called, in folders and tables."""
    return COPY + vocoder_suffix(vocoder)


def copy_synthesis(config: Config, acoustic: AcousticConfig, data: str, out: Path) -> bool:
    """Natural mels of a data folder through the vocoder into `out`; False where that is there already."""
    record = {"set": Path(data).name, "data": data, "decoding": COPY, "vocoder": config.decode.vocoder}
    scripts = read_scripts(data)
    record["settings"] = {"method": COPY, "vocoder": config.decode.vocoder, "frames": {s.id: s.frames for s in scripts}}
    if (out / RECORD).is_file() and json.loads((out / RECORD).read_text(encoding="utf-8")) == record:
        return False
    mels, pitches = Scp(Path(data) / "mel.scp"), Scp(Path(data) / "pitch.scp")
    sounds = (Sound(s.id, mels[s.id], pitches[s.id][:, 0]) for s in scripts)
    write(out, sounds, len(scripts), make_vocoder(config.decode.vocoder, acoustic), record)
    return True


def write(out: Path, sounds: Iterable[Sound], count: int, vocoder: Vocoder, record: Mapping[str, Any]) -> None:
    """Write a decoded folder; its record comes last, so a folder that has one is whole."""
    (out / "wav").mkdir(parents=True, exist_ok=True)
    (out / RECORD).unlink(missing_ok=True)
    found: dict[str, Sound] = {}
    for sound in tqdm(sounds, out.name, count, unit="utterance", disable=None, leave=False):
        wave = vocoder.waveform(torch.from_numpy(np.array(sound.mel, dtype=np.float32)))
        write_wave(out / "wav" / f"{sound.id}.wav", wave, vocoder.sample_rate)
        found[sound.id] = sound
    ordered = [found[id] for id in sorted(found)]
    write_ark(out / "mel.ark", ((one.id, np.asarray(one.mel, dtype=np.float32)) for one in ordered))
    write_ark(out / "pitch.ark", ((one.id, np.asarray(one.pitch, dtype=np.float32)[:, None]) for one in ordered))
    if all(one.durations is not None for one in ordered):
        rows = [(one.id, " ".join(map(str, one.durations))) for one in ordered]
        replace_file(out / "durations", format_table(rows))
    replace_file(out / "wav.scp", format_table([(one.id, str(out / "wav" / f"{one.id}.wav")) for one in ordered]))
    replace_file(out / RECORD, json.dumps(record, ensure_ascii=False, indent=2) + "\n")


def write_wave(path: Path, wave: torch.Tensor, sample_rate: int) -> None:
    """WAV of 16 bit; what is louder than full scale is clipped. Raises SureError when it cannot be written."""
    try:
        soundfile.write(path, wave.clamp(-1, 1).numpy(), sample_rate, subtype="PCM_16", format="WAV")
    except (OSError, soundfile.LibsndfileError) as error:
        raise SureError(f"cannot write {path}: {error}") from None
