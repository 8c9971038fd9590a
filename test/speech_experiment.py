"""A recipe folder after stage 5 of speech synthesis: real speech, copies of it, and a stand-in for a synthesis."""

import json
from pathlib import Path

import numpy as np
import torch.nn.functional as F
import yaml
from published import fetch_speech

from sure.data.ark import write_ark
from sure.data.data_dir import Utterance, read_data_dir, write_data_dir
from sure.data.synthesis.acoustic import AcousticConfig, log_mel, magnitudes, read_speech
from sure.data.tables import format_table
from sure.decode.synthesis import SynthesizedUtterance, write
from sure.vocoder.vocoder import make_vocoder

SENTENCES = {  # the words of Beckett's reader, with their times
    "u1": ("Ever tried. Ever failed.", 0.0, 3.2),
    "u2": ("No matter.", 3.2, 5.0),
    "u3": ("Fail better.", 7.8, 9.9),
}
ACOUSTIC = AcousticConfig(trim_db=40.0)
DATASET = "tts_en"


def make(downloads: Path, texts: dict[str, str]) -> None:
    """In the current folder: data/tts_en/test, and exp/ with `copy_synthesis` and `lora`, slower and blurred speech."""
    speech, data = str(fetch_speech(downloads)), f"data/{DATASET}/test"
    utterances = [
        Utterance(id, speech, start, end, text=texts.get(id, text), speaker="reader")
        for id, (text, start, end) in SENTENCES.items()
    ]
    write_data_dir(data, utterances)
    Path(data, "utt2dur").write_text(
        format_table([(id, f"{end - start:.3f}") for id, (_, start, end) in SENTENCES.items()])
    )
    waves = {one.id: read_speech(one, ACOUSTIC)[0] for one in read_data_dir(data)}
    mels = {id: log_mel(magnitudes(wave, ACOUSTIC), ACOUSTIC) for id, wave in waves.items()}
    write_ark(f"{data}/mel.ark", ((id, mel.numpy()) for id, mel in mels.items()))
    Path(data, "phones").write_text("".join(f"{id} EH1 V ER0\n" for id in mels))
    decoded(Path(f"exp/{DATASET}_copy_synthesis/decode_test"), mels, data, "copy_synthesis")
    experiment = Path(f"exp/{DATASET}_fastspeech2_lora/seed1")
    decoded(experiment / "decode_test", {id: blurred(mel) for id, mel in mels.items()}, data, "greedy", durations=True)
    config = {
        "task": "tts", "data": {"train": f"data/{DATASET}/train", "valid": f"data/{DATASET}/dev", "tests": [data]},
        "backbone": {"name": "fastspeech2"}, "petl": {"name": "lora"}, "acoustic": ACOUSTIC.model_dump(),
    }  # fmt: skip
    (experiment / "config.yaml").write_text(yaml.safe_dump(config))
    (experiment / "command.txt").write_text("python -m sure.bin.train --exp here\n")
    summary = {"trained_parameters": 90_000, "adapter_parameters": 81_920, "dev_score": 7.5, "seed": 1}
    (experiment / "summary.json").write_text(json.dumps({**summary, "backbone": "fastspeech2", "device": "cpu"}))


def blurred(mel):
    """(frames, mels) -> a fifth longer, and every channel the mean of nine."""
    blurred = F.avg_pool1d(mel[None], 9, 1, 4, count_include_pad=False)
    return F.interpolate(blurred.transpose(1, 2), scale_factor=1.2, mode="linear")[0].T.contiguous()


def decoded(folder, mels, data, method, durations=False):
    sounds = []
    for id, mel in mels.items():
        third = len(mel) // 3
        phones = [third, third, len(mel) - 2 * third] if durations else None
        sounds.append(SynthesizedUtterance(id, mel.numpy(), np.full(len(mel), 120.0), phones))
    settings = {"method": method, "vocoder": "griffin_lim"}
    record = {"set": Path(data).name, "data": data, "decoding": method, "settings": settings}
    write(folder, sounds, len(sounds), make_vocoder("griffin_lim", ACOUSTIC), record)
