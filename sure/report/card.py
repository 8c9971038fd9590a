"""The model card of a bundle: README.md of its repository on the Hugging Face Hub."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sure import __version__, hub
from sure.data.tables import parse_seconds, read_lines
from sure.errors import SureError
from sure.parsing import read_yaml
from sure.petl.bundle import Bundle
from sure.report.markdown import code_block, escaped, table
from sure.report.results import SCORES, Result, collect, markdown
from sure.text.languages import is_mixed

PIPELINES = {  # task -> name of the task on the hub; others are audio classification
    "asr": "automatic-speech-recognition",
    "phoneme": "automatic-speech-recognition",
    "slots": "automatic-speech-recognition",
    "transcription": "automatic-speech-recognition",
    "translation": "automatic-speech-recognition",
    "tts": "text-to-speech",
}
FOLDER = re.compile(r"(?<![\w.:/~-])/(?:[\w.+@~-]+/)+")  # of this machine, in paths; not in addresses
USE = """from sure.inference import Sure

sure = Sure.load("{name}")
print(sure.{call})"""
CALLS = {"tts": 'synthesize("a text")', "verification": 'compare("one.wav", "other.wav")'}
SECONDS_A_MINUTE = 60


@dataclass
class About:
    """Facts that the author of a bundle gives.

    base_model: name on the hub; empty: the name of the bundle's backbone, if it is one of the hub.
    """

    name: str  # owner/name of the repository
    licence: str = ""
    base_model: str = ""
    datasets: tuple[str, ...] = ()


def write_card(bundle: Bundle, about: About) -> str:
    """The text of README.md. Scores and data are those of the experiment that the bundle is in, where there is one."""
    facts = bundle.about
    base = about.base_model or _base_model(facts["backbone"]["weights"])
    results = _results(bundle.folder)
    task = PIPELINES.get(facts["task"], "audio-classification")
    metadata = {
        "license": about.licence,
        "language": facts["language"] if facts["task"] in PIPELINES and not is_mixed(facts["language"]) else "",
        "base_model": base,
        "base_model_relation": "adapter" if base else "",
        "library_name": "sure-speech",
        "pipeline_tag": task,
        "datasets": list(about.datasets),
        "tags": ["sure", "speech", *facts.get("method", "").split("+")],
        "model-index": _model_index(about, task, facts, results),
    }
    metadata = {key: value for key, value in metadata.items() if value}
    weights = escaped(base or facts["backbone"]["weights"])
    size = sum(path.stat().st_size for path in bundle.folder.iterdir())
    use = USE.format(name=about.name, call=CALLS.get(facts["task"], 'predict(["a.wav"])'))
    scores = re.sub(r"^## ", "### ", markdown(results), flags=re.MULTILINE) if results else _scores_in_bundle(facts)
    data = "\n".join(_data(bundle.folder, results)) or "Not recorded in the bundle."
    parts = [
        f"---\n{yaml.safe_dump(metadata, sort_keys=False, allow_unicode=True)}---",
        f"# {about.name}",
        f"An adapter of [SURE](https://arxiv.org/abs/2303.03267) for the task {facts['task']}: {_method(facts)} on the "
        f"frozen backbone {weights}. Without the backbone, it has {size:,} bytes.",
        f"## Use\n\n{code_block(use)}",
        f"Or on the command line: `sure infer {about.name} a.wav`.",
        f"## Scores\n\n{scores}",
        f"## Data\n\n{data}",
        f"## Parameters\n\n{table(list(_parameters(facts)))}",
        "## Licences\n\n" + "\n".join(_licences(bundle.folder, about, base)),
        f"Written by SURE {__version__}.",
    ]
    text = ("\n\n".join(parts) + "\n").replace(f"{_recipe(bundle.folder)}/", "")
    return FOLDER.sub("", text)


def _recipe(folder: Path) -> Path:
    """The folder of the recipe: the bundle is RECIPE/exp/NAME/seed1/bundle."""
    parents = folder.resolve().parents
    return parents[3] if len(parents) > 4 else folder.resolve()


def _base_model(weights: str) -> str:
    return hub.split(weights)[0] if hub.NAME.fullmatch(weights) and hub.is_name(weights) else ""


def _method(facts: dict[str, Any]) -> str:
    return escaped(facts.get("method") or "+".join(item["name"] for item in facts["petl"]))


def _results(folder: Path) -> list[Result]:
    """The results of all seeds, if the folder is the bundle of an experiment that was scored."""
    if not (folder.parent / "summary.json").is_file():
        return []
    try:
        return collect([folder.resolve().parent.parent])[0]
    except SureError:
        return []


def _model_index(about: About, task: str, facts: dict[str, Any], results: list[Result]) -> list[dict[str, Any]]:
    """Scores of this bundle's seed, or those in adapter.json, in the form of the hub."""
    own = [one for one in results if one["seed"] == facts["seed"] and not one.is_upper_bound]
    found = [one.values for one in own] or [one for name, one in facts["scores"].items() if name != "dev"]
    found = [one for one in found if isinstance(one.get("score"), float | int)]
    listed = [{"task": {"type": task}, **_entry(one)} for one in found]
    return [{"name": about.name.split("/")[-1], "results": listed}] if listed else []


def _entry(result: Mapping[str, Any]) -> dict[str, Any]:
    """Data and score of a result in the form of the hub."""
    data, score = str(result["data"]), result["score_name"]
    return {
        "dataset": {"type": Path(data).parent.name, "name": data, "split": result.get("set", "test")},
        "metrics": [{"type": score, "value": result["score"], "name": SCORES.get(score, score)}],
    }


def _scores_in_bundle(facts: dict[str, Any]) -> str:
    rows = [["set", "score", "value"]]
    for name, one in facts["scores"].items():
        if isinstance(one.get("score"), float | int):
            rows.append([escaped(name), escaped(one.get("score_name", "score of the dev set")), f"{one['score']:.2f}"])
    return table(rows, text_columns=2) if len(rows) > 1 else "None were recorded."


def _data(folder: Path, results: list[Result]) -> Iterator[str]:
    """A line for each data folder of the experiment: utterances, minutes."""
    config = folder.parent / "config.yaml"
    data = read_yaml(config, "train again").get("data", {}) if results and config.is_file() else {}
    recipe = _recipe(folder)
    for path in dict.fromkeys(map(str, (data.get("train"), data.get("valid"), *data.get("tests", ())))):
        lines = recipe / path / "utt2dur"
        if not lines.is_file():
            continue
        seconds = [parse_seconds(lines, line, line.value) for line in read_lines(lines)]
        yield f"- {escaped(path)}: {len(seconds):,} utterances, {sum(seconds) / SECONDS_A_MINUTE:.1f} minutes"


def _parameters(facts: dict[str, Any]) -> Iterator[list[str]]:
    yield ["part", "numbers"]
    for name, meaning in (("adapter", "trained, adapter"), ("head", "trained, head"), ("total", "whole model")):
        if name in facts.get("parameters", {}):
            yield [meaning, f"{facts['parameters'][name]:,}"]
    yield ["backbone", f"{escaped(facts['backbone']['name'])}, sha256 {facts['backbone']['sha256'][:12]}"]
    yield ["seed", str(facts["seed"])]


def _licences(folder: Path, about: About, base: str) -> Iterator[str]:
    yield f"- this bundle: {escaped(about.licence or 'not stated')}"
    yield f"- backbone: see [{base}](https://huggingface.co/{base})" if base else "- backbone: that of its publisher"
    sources = _recipe(folder) / "sources.yaml"
    listed = read_yaml(sources, "correct it").get("licence", []) if sources.is_file() else []
    yield from (f"- data: {escaped(line)}" for line in listed)
