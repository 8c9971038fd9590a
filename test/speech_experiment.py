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

SAID = {  # what Beckett's reader says, and when
    "u1": ("Ever tried. Ever failed.", 0.0, 3.2),
    "u2": ("No matter.", 3.2, 5.0),
    "u3": ("Fail better.", 7.8, 9.9),
}
ACOUSTIC = AcousticConfig(trim_db=40.0)
DATASET = "tts_en"


def make(folder: Path, downloads: Path, texts=None, seeds=(1,)) -> Path:
    """In `folder`, the current one: data/tts_en/test, and exp/ with `copy_synthesis` and `lora`, whose synthesis is
    slower and blurred."""
    speech = fetch_speech(downloads)
    utterances = [
        Utterance(id, str(speech), start, end, text=(texts or {}).get(id, text), speaker="reader")
        for id, (text, start, end) in SAID.items()
    ]
    data = f"data/{DATASET}/test"
    write_data_dir(data, utterances)
    durations = [(one.id, f"{one.end - one.start:.3f}") for one in utterances]
    Path(data, "utt2dur").write_text(format_table(durations))
    mels = {one.id: natural_mel(one) for one in read_data_dir(data)}
    write_ark(f"{data}/mel.ark", ((id, mel.numpy()) for id, mel in mels.items()))
    Path(data, "phones").write_text("".join(f"{id} EH1 V ER0\n" for id in mels))
    decoded(Path(f"exp/{DATASET}_copy_synthesis/decode_test"), mels, data, "copy_synthesis")
    for seed in seeds:
        experiment = Path(f"exp/{DATASET}_fastspeech2_lora/seed{seed}")
        slower = {id: blurred(mel) for id, mel in mels.items()}
        decoded(experiment / "decode_test", slower, data, "greedy", durations=True)
        config = {
            "task": "tts", "data": {"train": f"data/{DATASET}/train", "valid": f"data/{DATASET}/dev", "tests": [data]},
            "backbone": {"name": "fastspeech2"}, "petl": {"name": "lora"}, "acoustic": ACOUSTIC.model_dump(),
        }  # fmt: skip
        (experiment / "config.yaml").write_text(yaml.safe_dump(config))
        (experiment / "command.txt").write_text("python -m sure.bin.train --exp here\n")
        summary = {"trained_parameters": 90_000, "adapter_parameters": 81_920, "dev_score": 7.5, "seed": seed}
        (experiment / "summary.json").write_text(json.dumps({**summary, "backbone": "fastspeech2", "device": "cpu"}))
    return folder


def natural_mel(utterance):
    return log_mel(magnitudes(read_speech(utterance, ACOUSTIC)[0], ACOUSTIC), ACOUSTIC)


def blurred(mel):
    """(frames, mels) -> a fifth longer, and every channel the mean of nine."""
    blurred = F.avg_pool1d(mel[None], 9, 1, 4, count_include_pad=False)
    return F.interpolate(blurred.transpose(1, 2), scale_factor=1.2, mode="linear")[0].T.contiguous()


def decoded(folder, mels, data, method, durations=False):
    sounds = []
    for id, mel in mels.items():
        phones = [len(mel) // 3, len(mel) // 3, len(mel) - 2 * (len(mel) // 3)] if durations else None
        sounds.append(SynthesizedUtterance(id, mel.numpy(), np.full(len(mel), 120.0), phones))
    settings = {"method": method, "vocoder": "griffin_lim"}
    record = {"set": Path(data).name, "data": data, "decoding": method, "settings": settings}
    write(folder, sounds, len(sounds), make_vocoder("griffin_lim", ACOUSTIC), record)
