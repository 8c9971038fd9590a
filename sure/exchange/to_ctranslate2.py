"""Export a recogniser for CTranslate2 and faster-whisper, converted from its transformers folder by their own tool."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from sure.errors import SureError

COPIED = ("tokenizer.json", "preprocessor_config.json")  # faster-whisper reads both


def ctranslate2_files(files: Mapping[str, bytes]) -> tuple[dict[str, bytes], list[str]]:
    """The files of the folder by name, and notes for the user. files: those of the transformers folder.

    Raises SureError without the packages that convert, and for a model that CTranslate2 does not have.
    """
    try:
        from ctranslate2.converters import TransformersConverter
    except ImportError:
        raise SureError("the export to CTranslate2 needs its converter: pip install ctranslate2 transformers") from None
    with tempfile.TemporaryDirectory() as place:
        source, target = Path(place) / "transformers", Path(place) / "ctranslate2"
        source.mkdir()
        for name, content in files.items():
            (source / name).write_bytes(content)
        try:
            TransformersConverter(str(source), copy_files=list(COPIED)).convert(str(target), quantization="float32")
        except ValueError as error:
            raise SureError(f"CTranslate2 cannot convert this model: {error}") from None
        found = {path.name: path.read_bytes() for path in sorted(target.iterdir())}
    return found, ['faster_whisper.WhisperModel(FOLDER) loads it; compute_type="int8" there makes it smaller']
