"""Export of a bundle into a folder of another library, and of an experiment's results for leaderboards."""

from pathlib import Path

from sure import hub
from sure.backbones.encoder_decoder import EncoderDecoder
from sure.errors import SureError
from sure.exchange.leaderboards import result_files
from sure.exchange.recognizer_to_transformers import recognizer_files
from sure.exchange.to_ctranslate2 import ctranslate2_files
from sure.exchange.to_peft import peft_files
from sure.exchange.to_transformers import transformers_files
from sure.files import replace_file
from sure.inference import Sure
from sure.models.base import AdaptedModel
from sure.stages.export_onnx import export_onnx


def export(
    bundle: str, form: str, out: Path, backbone: str | None = None, precision: str = "fp32", data: str | None = None
) -> tuple[dict[str, int], list[str]]:
    """Write a bundle to the folder `out`. Returns the sizes of the files in bytes by name, and notes for the user.

    form: peft, transformers, ctranslate2 or onnx. backbone: its weights; by default those that the bundle names.
    precision, data: as of `export_onnx`. Raises SureError for a form that does not fit the bundle.
    """
    if form != "onnx" and (data or precision != "fp32"):
        raise SureError(f"--precision and --data are for --to onnx; omit them with --to {form}")
    sure = Sure.load(bundle, backbone, device="cpu")
    if form == "onnx":
        return export_onnx(sure, out, precision, data)
    weights = hub.local(sure.weights)
    name = hub.split(sure.weights)[0] if hub.is_name(sure.weights) else str(weights)
    files, notes = _files(sure.model, form, weights if weights.is_dir() else None, name)
    for name, content in files.items():
        replace_file(out / name, content)
    return {name: len(content) for name, content in files.items()}, notes


def export_results(experiment: Path, form: str, out: Path, name: str = "") -> dict[str, int]:
    """Write the result files of a leaderboard, as `result_files`. Returns their sizes in bytes by path.

    The files of other experiments in `out` stay, because a submission has several tasks. Raises SureError for a file
    that exists.
    """
    files = result_files(experiment, form, name)
    if existing := [path for path in files if (out / path).exists()]:
        raise SureError(f"{out / existing[0]} already exists; delete it, or give another folder")
    for path, content in files.items():
        replace_file(out / path, content)
    return {path: len(content) for path, content in files.items()}


def _files(model: AdaptedModel, form: str, base: Path | None, name: str) -> tuple[dict[str, bytes], list[str]]:
    """The files of the export by name, and notes.

    base: the Hugging Face folder of the backbone, if there is one; name: this folder, or its name on the hub.
    """
    if form == "peft":
        return peft_files(model, None if base is None else name)
    if isinstance(model.backbone, EncoderDecoder):
        files, notes = recognizer_files(model, base)
        return (files, notes) if form == "transformers" else ctranslate2_files(files)
    if form == "ctranslate2":
        raise SureError("--to ctranslate2 is for recognisers with their decoder, such as those of --head decoder")
    return transformers_files(model)
