"""Recognition: a speech encoder and a head; each utterance is decoded to one line, compared with a reference line."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from sure.backbones.base import SpeechEncoder
from sure.config import Config
from sure.config_sections import TextConfig
from sure.data.audio_files import opened
from sure.data.data_dir import read_data_dir
from sure.decode.record import data_of, read_pair, read_record
from sure.decode.text import decode_set, make_decoding
from sure.errors import SureError
from sure.files import replace_file
from sure.inference import Sure
from sure.kinds import base
from sure.models.build import build_task
from sure.models.recognition import RecognitionModel
from sure.score.by_language import scores_by_language
from sure.score.result import data_facts, write_result
from sure.tasks.base import AnyTask
from sure.text.languages import is_mixed
from sure.train.feed import Feed
from sure.train.feed_recognition import RecognitionFeed, usable
from sure.train.prefix_cache import Space

FILES_AT_ONCE = 64  # in memory, in inference


class Kind(base.Kind):
    model = RecognitionModel
    backbone = SpeechEncoder
    backbone_description = "a speech encoder, such as moonshine or whisper"

    def feeds(self, config: Config, model: RecognitionModel) -> tuple[Feed, Feed]:
        """The feeds share the space for prefix caches."""
        space = Space(config.train.prefix_cache_disk_gigabytes * 1e9, config.train.prefix_cache_gigabytes * 1e9)
        train = RecognitionFeed(usable(read_data_dir(config.data.train), model, config), model, config, space, True)
        dev = read_data_dir(config.data.valid)
        model.task.check_set(dev, config.data.valid)
        return train, RecognitionFeed(dev, model, config, space, False)

    def decode(
        self, folder: Path, config: Config, model: RecognitionModel, sets: Mapping[Path, str], overrides: Sequence[str]
    ) -> Iterator[tuple[Path, str]]:
        decoding = make_decoding(folder, config, model)
        decoding.record["overrides"] = list(overrides)
        for decoded, data in sets.items():
            decode_set(config, model, data, decoded, decoding)
            yield decoded, data

    def score(self, folder: Path, config: Config, decoded: Sequence[Path]) -> Iterator[dict[str, Any]]:
        def task_of(language: str) -> AnyTask:
            return build_task(config.model_copy(update={"text": TextConfig(language=language)}))

        for one in decoded:
            references, hypotheses = read_pair(one)
            record = read_record(one)
            language = record.get("language", config.text.language)
            data = data_of(record, config)
            task = task_of(language)
            try:
                scores = task.score(references, hypotheses)
                several = scores_by_language(task_of, data, references, hypotheses) if is_mixed(language) else {}
            except SureError as error:
                raise SureError(f"{one}: {error}") from None
            result = {
                "task": config.task,
                "set": record["set"],
                "language": language,
                "training_language": config.text.language,
                "method": config.method,
                "decoding": record["decoding"],
                "decode": record["settings"],
                "decode_overrides": record.get("overrides", []),
                "decode_tuned_on": record.get("tuned_on"),
                "score_name": task.score_name,
                "higher_is_better": task.higher_is_better,
                "score": scores[task.score_name],
                **scores,
                **data_facts(data, references),
            }
            if several:
                result["by_language"] = several
            if seconds := record.get("decode_seconds"):  # with reading of audio; earlier versions did not keep it
                result["decode_device"] = record["decode_device"]
                if result["seconds_of_audio"]:
                    result["real_time_factor"] = round(seconds / result["seconds_of_audio"], 5)
            if record["settings"]["method"] != "greedy":
                result["dev_score"] = record.get("dev_score")  # the one in summary.json is of greedy decoding
            replace_file(one / "result.txt", task.listing(references, hypotheses))
            yield write_result(one, result, folder)

    def check_decoded(self, folder: Path) -> None:
        read_pair(folder)

    def infer(self, sure: Sure, files: Sequence[str], options: Mapping[str, Any]) -> int:
        """Print one line for each file, or one a word with `timings`; with `json` one of JSON for each file."""
        if others := sorted(options.keys() - {"timings", "json"}):
            raise SureError(f"this bundle recognises speech: pass audio files (--{others[0]} is for other bundles)")
        if not files:
            raise SureError("this bundle recognises speech: pass audio files")
        enrolled = None
        if "embed" in sure.model.abilities:
            if len(files) < 2:
                raise SureError(
                    "this bundle compares speakers: pass two files or more; the first is compared with the others"
                )
            enrolled, files = sure.embed([opened(files[0])])[0], files[1:]
        batches = (files[start : start + FILES_AT_ONCE] for start in range(0, len(files), FILES_AT_ONCE))
        rows = _timings if "timings" in options else _outputs if enrolled is None else partial(_cosines, enrolled)
        return sum(_infer(sure, batch, rows, "json" in options) for batch in batches)


def _infer(sure: Sure, files: Sequence[str], rows: Rows, as_json: bool) -> int:
    """Print the rows of each file; return the number of unusable files, which are named on stderr."""
    usable, waves = [], []
    for file in files:
        try:
            waves.append(sure.read(opened(file), file))
            usable.append(file)
        except SureError as error:
            print(f"error: {error}", file=sys.stderr)
    for file, found in zip(usable, rows(sure, waves), strict=True):
        if as_json:
            print(json.dumps({"file": file, **found.values}, ensure_ascii=False), flush=True)
            continue
        for line in found.lines:
            print(f"{file}\t{line}", flush=True)
    return len(files) - len(usable)


class Row(NamedTuple):
    """The result of a file: the lines of text, and the keys and values of JSON."""

    lines: list[str]
    values: dict[str, Any]


Rows = Callable[[Sure, Sequence[Tensor]], list[Row]]


def _outputs(sure: Sure, waves: Sequence[Tensor]) -> list[Row]:
    return [Row([line], {"output": line}) for line in sure.predict(waves)]


def _timings(sure: Sure, waves: Sequence[Tensor]) -> list[Row]:
    """The words of each waveform with their times."""
    return [
        Row(
            [f"{one.start:.3f}\t{one.duration:.3f}\t{one.word}\t{one.confidence:.3f}" for one in words],
            {"output": " ".join(one.word for one in words), "words": [asdict(one) for one in words]},
        )
        for words in sure.timings(waves)
    ]


def _cosines(enrolled: Tensor, sure: Sure, waves: Sequence[Tensor]) -> list[Row]:
    """The cosine of each waveform's embedding and the embedding `enrolled`."""
    return [Row([f"{cosine:.4f}"], {"similarity": cosine}) for cosine in (sure.embed(waves) @ enrolled).tolist()]
