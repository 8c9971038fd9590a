"""Speech synthesis: phones to waveforms, which are compared with the recordings of the same texts."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import torch
from torch import Tensor

from sure.backbones.fastspeech2 import Family
from sure.config import Config
from sure.data.audio import write_wave
from sure.data.synthesis.acoustic import AcousticConfig
from sure.data.tables import read_table
from sure.decode.record import data_of, read_record
from sure.decode.synthesis import copy_name, copy_synthesis, model_acoustic, synthesize_set
from sure.errors import SureError
from sure.files import one_at_a_time
from sure.inference import Sure
from sure.kinds import base
from sure.models.synthesis import SynthesisModel
from sure.parsing import parse_json, read_json
from sure.registry import find
from sure.report.speech_picture import draw_speech
from sure.score.result import data_facts, write_result
from sure.score.synthesis.folder import (
    COPY,
    NATURAL,
    SCORE_NAME,
    UTTERANCES,
    fingerprint,
    read_waves,
    score_folder,
)
from sure.score.synthesis.quality import Judges, SpeechScores
from sure.train.feed import Feed
from sure.train.feed_synthesis import SynthesisFeed


class Kind(base.Kind):
    model = SynthesisModel
    backbone = Family
    backbone_description = "a synthesis backbone: fastspeech2"

    def feeds(self, config: Config, model: SynthesisModel) -> tuple[Feed, Feed]:
        train, dev = config.data.train, config.data.valid
        return SynthesisFeed(train, model, config, training=True), SynthesisFeed(dev, model, config, training=False)

    def decode(
        self, folder: Path, config: Config, model: SynthesisModel, sets: Mapping[Path, str], overrides: Sequence[str]
    ) -> Iterator[tuple[Path, str]]:
        """Synthesise the sets. Copy synthesis of a set is made once for each vocoder, for all experiments."""
        copies = f"{Path(config.data.train).parent.name}_{copy_name(config.decode.vocoder)}"
        for decoded, data in sets.items():
            copied = folder.parent.parent / copies / f"decode_{Path(data).name}"
            with one_at_a_time(copied):  # experiments may be decoded in parallel
                if copy_synthesis(config, model_acoustic(model), data, copied):
                    yield copied, data
            synthesize_set(config, model, data, decoded, overrides)
            yield decoded, data

    def score(self, folder: Path, config: Config, decoded: Sequence[Path]) -> Iterator[dict[str, Any]]:
        """Score the sets, and their upper bounds: the recordings themselves, and copy synthesis with the vocoder.

        The upper bounds are scored once for each data set, in folders next to the experiments: `<dataset>_natural`, and
        `<dataset>_copy_synthesis` with the name of the vocoder, if that is a file.
        """
        languages = [config.text.language]
        for one in decoded:
            languages += read_table(Path(data_of(read_record(one), config)) / "utt2lang").values()
        judges = Judges.of(languages)
        for one in decoded:
            yield _score_set(folder, one, config, judges)

    def check_decoded(self, folder: Path) -> None:
        for path in read_waves(folder).values():
            if not Path(path).is_file():
                raise SureError(f"{path} is missing")

    def infer(self, sure: Sure, files: Sequence[str], options: Mapping[str, Any]) -> int:
        """Synthesise the option `text` into the file `out`."""
        if (
            files
            or options.keys() & {"timings", "timestamps", "format", "beam"}
            or not {"text", "out"} <= options.keys()
        ):
            raise SureError('this bundle synthesises speech: pass --text "..." --out a.wav, and no audio files')
        options = dict(options)
        as_json = options.pop("json", False)
        text, out = options.pop("text"), Path(options.pop("out"))
        if out.suffix.lower() != ".wav" or not out.parent.is_dir():
            raise SureError(f"--out {out}: expected a file name that ends in .wav, in an existing folder")
        if "embedding" in options:
            if "speaker" in options:
                raise SureError("--speaker and --embedding exclude each other; pass one of them")
            options["speaker"] = _read_embedding(options.pop("embedding"))
        wave, sample_rate = sure.synthesize(text, **options)
        write_wave(out, wave.numpy(), sample_rate)
        seconds = len(wave) / sample_rate
        about = {"file": str(out), "seconds": seconds, "sample_rate": sample_rate}
        print(json.dumps(about) if as_json else f"{out}: {seconds:.2f} s")
        return 0


def _score_set(experiment: Path, folder: Path, config: Config, judges: Judges) -> dict[str, Any]:
    record = read_record(folder)
    data = data_of(record, config)
    settings = data, acoustic_settings(experiment, config), config.text.language, judges
    dataset = Path(config.data.train).parent.name
    bounds = []
    for kind in (NATURAL, record.get("copies", COPY)):
        place = experiment.parent.parent / f"{dataset}_{kind}" / f"decode_{record['set']}"
        if kind == NATURAL or place.is_dir():
            with one_at_a_time(place):
                _score_bound(place, kind, config, record["set"], *settings)
            bounds.append(place.parent)
    found = score_folder(folder, *settings)
    result = {
        **_result(config.task, record["set"], config.method, data, found),
        "decoding": record["decoding"],
        "vocoder": record["settings"].get("vocoder"),
        "decode_overrides": record.get("overrides", []),
        "ceilings": list(map(str, bounds)),
        "dev_score_name": find("tasks", config.task).score_name,
    }
    draw_speech(experiment, folder, Path(data))
    return write_result(folder, result, experiment)


def _score_bound(place: Path, kind: str, config: Config, name: str, data: str, *settings: Any) -> None:
    """Score an upper bound, unless its result is there and all that it depends on is unchanged."""
    made_of = fingerprint(place, data, *settings)
    with suppress(SureError):
        earlier = read_json(place / "result.json", "")
        if earlier.get("made_of") == made_of and (place / UTTERANCES).is_file():
            return
    found = score_folder(place, data, *settings, natural=kind == NATURAL)
    write_result(place, {**_result(config.task, name, kind, data, found), "made_of": made_of})


def _result(task: str, name: str, method: str, data: str, found: SpeechScores) -> dict[str, Any]:
    return {
        "task": task,
        "set": name,
        "method": method,
        "score_name": SCORE_NAME,
        "higher_is_better": False,
        "score": found.scores.get(SCORE_NAME),
        **found.scores,
        **data_facts(data, {id: row["text"] for id, row in found.utterances.items()}),
    }


def acoustic_settings(experiment: Path, config: Config) -> AcousticConfig:
    """The settings of the experiment's features, as stage 2 wrote them."""
    path = experiment / "tokens" / "statistics.json"
    if not path.is_file():
        return config.acoustic
    try:
        return AcousticConfig.model_validate(parse_json(path.read_text(encoding="utf-8"))["acoustic"])
    except (KeyError, TypeError, ValueError):
        raise SureError(f"{path} was not written by stage 2; run stages 2 to 4 again") from None


def _read_embedding(path: str) -> Tensor:
    """Speaker embedding (dim,) float32, from a file of numpy.save. Raises SureError for other content."""
    try:
        found = np.asarray(np.load(path, allow_pickle=False), dtype=np.float32)
        if not np.isfinite(found).all():
            raise ValueError("some numbers are not finite")
    except (OSError, ValueError, TypeError, EOFError, BadZipFile) as error:
        raise SureError(f"{path}: not an embedding written by numpy.save ({error})") from None
    return torch.from_numpy(found.flatten())
