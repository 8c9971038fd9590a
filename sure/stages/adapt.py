"""From a corpus to a bundle in one call: the stages of a recipe with the folders of a recipe."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sure import hub, registry
from sure.backbones.own_format import METADATA
from sure.config import Config, load_config
from sure.corpus.sets import Part, read_sets
from sure.corpus.table_corpus import COLUMN
from sure.data.limits import Limits
from sure.data.trials import FILE as TRIALS
from sure.data.validate import POLICIES
from sure.errors import SureError
from sure.files import one_at_a_time, replace_file
from sure.models.experiment import Experiment
from sure.parsing import read_json
from sure.recipe import names
from sure.recipe.options import read_methods, read_tag
from sure.stages.experiment import decode, pack, score
from sure.stages.prepare import validate_sets
from sure.stages.tokenize import tokenize
from sure.stages.trials import add_trials
from sure.train.run import train

BACKBONE = {"layers": "weighted_sum"}
UTTERANCE = {"backbone": BACKBONE, "train": {"epochs": 10, "batch_seconds": 60, "lr_adapter": 1e-3, "lr_head": 1e-3}}
SEQUENCE = {"backbone": BACKBONE, "train": {"epochs": 30, "batch_seconds": 60, "lr_adapter": 3e-3, "lr_head": 5e-3}}
USUAL: dict[str, dict[str, Any]] = {  # settings of each task, those of egs/TEMPLATE/conf
    "asr": {**SEQUENCE, "tokenizer": {"kind": "character"}},
    "phoneme": SEQUENCE,
    "slots": SEQUENCE,
    "intent": UTTERANCE,
    "keyword": UTTERANCE,
    "emotion": {**UTTERANCE, "head": {"class_weights": "balanced", "score": "unweighted_average_recall"}},
    "verification": {**UTTERANCE, "head": {"pooling": "statistics", "embedding": 256, "scale": 30, "margin": 0.4}},
    "transcription": {"train": {"epochs": 10, "batch_seconds": 60, "lr_adapter": 1e-3}},
}
MOST_SECONDS = 15
MARK = "corpus.sha256"  # digest of the corpus that a data folder was made from, or an experiment trains on


@dataclass
class Adaptation:
    """What `sure.train` takes; see there."""

    data: Any
    out: Path
    backbone: str
    weights: str = ""
    petl: str | Mapping[str, Any] = "lora"
    task: str = "asr"
    language: str = "en"
    head: str = ""
    seed: int = 1
    tag: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    on_bad_utterance: str = "stop"
    restart: bool = False
    command: str = ""


def adapt(given: Adaptation) -> Path:
    """Prepare, tokenize, train, decode, score and pack; what an earlier call finished is not repeated.

    Returns the bundle, out/exp/<task>_<backbone>_<method>/seed<seed>/bundle. Raises SureError as the stages do.
    """
    family, weights = _backbone(given)
    task = _task(given, family)
    if given.on_bad_utterance not in POLICIES:
        raise SureError(f"on_bad_utterance={given.on_bad_utterance!r}: expected {' or '.join(POLICIES)}")
    out = given.out.expanduser().resolve()
    data = out / "data" / task
    config = _config(given, out, task, family, weights)
    with one_at_a_time(data, f"{data} is prepared by another process; waiting"):
        tests = _prepare(given, task, data)
        config.data.tests = tests
        _tokenize(config, data)
    experiment = Experiment(out / _folder(given, task, family, config.method, weights))
    _check_corpus(experiment, data / MARK, given.restart)
    train(config, experiment.folder, given.command, given.restart)
    return _finish(experiment, tests)


def _check_corpus(experiment: Experiment, mark: Path, restart: bool) -> None:
    """Write the mark of the corpus into the experiment. Raises SureError where it trains on another corpus."""
    own = experiment.folder / MARK
    if experiment.begun() and not restart and own.is_file() and own.read_text() != mark.read_text():
        raise SureError(
            f"{experiment.folder} was trained on another corpus, or on other recordings; train again from the "
            "beginning (restart, --restart), or give another tag or out"
        )
    replace_file(own, mark.read_text())


def _finish(experiment: Experiment, tests: Sequence[str]) -> Path:
    """Stages 5, 6 and 8, where their results are missing."""
    folder, bundle = experiment.folder, experiment.folder / "bundle"
    waiting = [Path(one).name for one in tests if not (folder / f"decode_{Path(one).name}" / "result.json").is_file()]
    if waiting:
        for _ in decode(experiment, waiting, ()):
            pass
        for result in score(folder, waiting):
            print(f"{result['set']}: {result['score_name']} {result['score']:.2f}, {result['utterances']:,} utterances")
    if waiting or not (bundle / "adapter.json").is_file():
        pack(experiment)
    return bundle


def _prepare(given: Adaptation, task: str, data: Path) -> list[str]:
    """Stage 2: write and validate the data folders, unless those of the same corpus are there; the test sets."""
    target = "text" if task == "transcription" else COLUMN[task]
    parts = read_sets(given.data, target, data / "audio", given.columns)
    mark, now = data / MARK, _mark(parts, given.on_bad_utterance)
    if not mark.is_file() or mark.read_text() != now:
        mark.unlink(missing_ok=True)
        folders = [data / name for name in parts]
        for name, part in parts.items():
            part.write(data / name)
        validate_sets(folders, given.on_bad_utterance, False, None, Limits())
        for folder in folders if task == "verification" else ():
            if folder.name != "train" and not (folder / TRIALS).is_file():
                add_trials(folder)
        replace_file(mark, now)
    return [str(data / "test")] if "test" in parts else []


def _tokenize(config: Config, data: Path) -> None:
    """Stage 3, unless the tokens are those of this corpus and these settings."""
    settings = config.model_dump_json(include={"task", "tokenizer", "text", "head"})
    mark = data / "tokens.sha256"
    now = hashlib.sha256((settings + (data / MARK).read_text()).encode()).hexdigest()
    if not mark.is_file() or mark.read_text() != now:
        tokenize(config)
        replace_file(mark, now)


def _mark(parts: Mapping[str, Part], policy: str) -> str:
    text = policy + "".join(f"{name} {part.digest}\n" for name, part in sorted(parts.items()))
    return hashlib.sha256(text.encode()).hexdigest()


def _config(given: Adaptation, out: Path, task: str, family: str, weights: str) -> Config:
    """The config of the file out/conf/<task>.yaml, which is written at first and may be changed, and of the call."""
    data = out / "data" / task
    file = out / "conf" / f"{task}.yaml"
    if not file.is_file():
        replace_file(file, yaml.safe_dump({"task": task, "data": {"max_seconds": MOST_SECONDS}, **USUAL[task]}))
    petl = {"name": given.petl} if isinstance(given.petl, str) else dict(given.petl)
    read_methods(str(petl.get("name", "")))
    values = {
        "data.train": data / "train",
        "data.valid": data / "dev",
        "data.on_bad_utterance": given.on_bad_utterance,
        "tokenizer.folder": data / "tokens",
        "text.language": given.language,
        "backbone.name": family,
        "backbone.weights": weights,
        "seed": given.seed,
        **{f"petl.{key}": value for key, value in petl.items()},
        **given.settings,
    }
    return load_config(file, [f"{key}={_spelled(value)}" for key, value in values.items()])


def _spelled(value: Any) -> str:
    """A value as the text of an override."""
    if isinstance(value, (str, os.PathLike)):
        return str(value)
    return yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("...\n").strip()


def _folder(given: Adaptation, task: str, family: str, method: str, weights: str) -> str:
    variant = names.variant(weights, read_tag(given.tag))
    return names.experiment_folder(task, family, method, str(given.seed), variant)


def _task(given: Adaptation, family: str) -> str:
    """The task by its name in sure/tasks: Whisper's own decoder transcribes, as in recipes."""
    if given.head not in ("", "ctc", "decoder"):
        raise SureError(f"head={given.head!r}: expected ctc or decoder")
    if given.task == "asr" and (given.head == "decoder" or (not given.head and family == "whisper")):
        return "transcription"
    if given.task not in USUAL:
        raise SureError(f"task={given.task!r}: expected one of {', '.join(COLUMN)}; other tasks have recipes in egs/")
    return given.task


def _backbone(given: Adaptation) -> tuple[str, str]:
    """Family and weights. Weights in place of a family are enough: they name it."""
    weights = given.weights or given.backbone
    if given.weights or given.backbone in registry.names("backbones"):
        if not given.weights:
            known = "a file, a folder, a name on the hub, or random"
            raise SureError(f"backbone={given.backbone!r} needs weights: {known}")
        family = given.backbone
    else:
        family = _family_of(weights)
    if not names.is_random(weights) and not hub.is_name(weights) and Path(weights).expanduser().exists():
        weights = os.path.abspath(os.path.expanduser(weights))
    return family, weights


def _family_of(weights: str) -> str:
    """The family that a Hugging Face folder or name, or a file of SURE names. Raises SureError."""
    path = hub.local(weights)
    remedy = "pass backbone=FAMILY and weights=..."
    if path.is_dir():
        kind = read_json(path / "config.json", remedy, ["model_type"])["model_type"]
        return str(kind).replace("-", "_")
    if path.is_file():
        return _family_in_file(path, remedy)
    known = ", ".join(registry.names("backbones"))
    raise SureError(f"backbone={weights!r} is neither weights nor a family ({known}); correct it, or {remedy}")


def _family_in_file(path: Path, remedy: str) -> str:
    from safetensors import SafetensorError, safe_open

    from sure.backbones.recognizer_file import RECOGNIZER
    from sure.parsing import parse_json

    try:
        with safe_open(path, "pt") as file:
            return parse_json((file.metadata() or {})[METADATA])["family"].removesuffix(RECOGNIZER)
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SureError(f"{path} does not name its family ({error}); {remedy}") from None
