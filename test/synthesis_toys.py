"""A corpus for synthesis that a tiny model learns in seconds: each phone has a spectrum and a length of its own."""

import json
from pathlib import Path

import numpy as np

from sure.data.ark import write_ark
from sure.data.synthesis.acoustic import AcousticConfig

MELS = 8
ACOUSTIC = AcousticConfig(mels=MELS).model_dump()
PHONES = ["AA1", "B", "CH", "D", "EH1", "F"]
LENGTHS = dict(zip(PHONES, [3, 5, 8, 4, 12, 6], strict=True))
SPEAKERS = {"ann": 220.0, "bob": 110.0, "eve": 180.0}
WORDS = ["AA1 B CH", "D EH1 F", "B D", "CH AA1 EH1", "F B", "EH1 D AA1"]


def make_set(folder: Path, name: str, count: int, speakers: tuple[str, ...] = ("ann", "bob")) -> Path:
    generator = np.random.default_rng(len(name))
    spectra = np.random.default_rng(1).normal(size=(len(PHONES), MELS)) * 2
    names = ("wav.scp", "text", "utt2spk", "utt2dur", "utt2frames", "phones", "durations")
    rows: dict[str, dict[str, str]] = {table: {} for table in names}
    features: dict[str, dict[str, np.ndarray]] = {"mel": {}, "pitch": {}, "energy": {}}
    for index in range(count):
        speaker, id = speakers[index % len(speakers)], f"{name}-{index:03d}"
        phones = " ".join(generator.choice(WORDS, size=generator.integers(1, 4))).split()
        frames = [LENGTHS[phone] + int(generator.integers(0, 2)) for phone in phones]
        mel = np.concatenate([np.tile(spectra[PHONES.index(p)], (n, 1)) for p, n in zip(phones, frames, strict=True)])
        mel = mel + (speaker == "bob") + 0.1 * generator.normal(size=mel.shape)
        hertz = np.full(len(mel), SPEAKERS[speaker]) * np.exp(0.05 * generator.normal(size=len(mel)))
        hertz[: frames[0]] = 0
        features["mel"][id] = mel.astype(np.float32)
        features["pitch"][id] = hertz[:, None].astype(np.float32)
        features["energy"][id] = np.abs(mel).sum(1, keepdims=True).astype(np.float32)
        values = (f"{id}.wav", " ".join(phones).lower(), speaker, f"{len(mel) * 256 / 22050:.4f}")
        values += (str(len(mel)), " ".join(phones), " ".join(map(str, frames)))
        for table, value in zip(rows, values, strict=True):
            rows[table][id] = value
    data = folder / "data" / name
    data.mkdir(parents=True, exist_ok=True)
    for table, lines in rows.items():
        (data / table).write_text("".join(f"{id} {value}\n" for id, value in sorted(lines.items())))
    for kind, arrays in features.items():
        write_ark(data / f"{kind}.ark", sorted(arrays.items()))
    return data


def make_tokens(folder: Path) -> Path:
    """The files of stage 3 for data/train, with rounded statistics."""
    tokens = folder / "data" / "tokens"
    tokens.mkdir(parents=True, exist_ok=True)
    (tokens / "phones.txt").write_text("\n".join(["<pad>", "<unk>", *PHONES]) + "\n")
    (tokens / "speakers.txt").write_text("ann\nbob\n")
    statistics = {"log_f0": {"mean": 5.0, "std": 0.35}, "energy": {"mean": 13.0, "std": 4.0}, "acoustic": ACOUSTIC}
    statistics["mel"] = {"mean": [0.5] * MELS, "std": [2.0] * MELS}
    (tokens / "statistics.json").write_text(json.dumps(statistics))
    return tokens


def make_corpus(folder: Path) -> Path:
    for name, count in (("train", 24), ("dev", 4), ("test", 5)):
        make_set(folder, name, count)
    make_tokens(folder)
    return folder
