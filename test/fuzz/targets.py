"""The readers of outside files, each as a function of bytes: it ends, or raises SureError; anything else is a crash.

`TARGETS[name](content)` runs one of them in the current directory; it accepts the contents `SEEDS[name]`.
"""

import hashlib
import importlib.util
import io
import json
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import safetensors.numpy
import safetensors.torch
import soundfile
import torch

from sure.config import load_config
from sure.corpus.csv_tables import read_csv
from sure.corpus.kaldi_folder import copy_data_dir
from sure.corpus.selection import Selection
from sure.corpus.sources import read_sources
from sure.corpus.table_corpus import read_table
from sure.corpus.unpack import unpack
from sure.data import ark
from sure.data.audio import decode
from sure.data.data_dir import read_data_dir
from sure.data.textgrid import read_tier
from sure.data.validate import validate_data_dir
from sure.data.waveform import load_recording, recordings
from sure.errors import SureError
from sure.models.bundled import config_of
from sure.petl.bundle import ABOUT, BACKBONE_KEYS, WEIGHTS, bundle_files, read_bundle
from sure.registry import find
from sure.text.arpa import read_arpa
from sure.text.labels import Labels
from sure.text.lexicon_files import read_lexicon
from sure.text.tokenizer import Tokenizer

EGS = Path(__file__).parents[2] / "egs"
TABLES = {
    "wav.scp": b"a folder/a.wav\nb folder/a.wav\n",
    "recordings": b"r folder/a.wav\n",  # the wav.scp for segments
    "segments": b"a r 0 0.2\nb r 0.1 -1\n",
    "text": b"a one two\nb three\n",
    "utt2label": b"a g=x h=y\nb g=x h=z\n",
    "utt2spk": b"a s\nb t\n",
    "utt2dur": b"a 0.2\nb 0.2\n",
    "trials": b"a b target\n",
}

KINDS = ("<f4", "<i2", "u1", "<f8", "<f2", ">i2", "<i4", "i1", "<i8", "<u2", "?", "<c8", "S2", "<M8[s]", ">f4")

Target = Callable[[bytes], object]


@cache
def recipe(name: str, file: str = "prepare") -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"fuzzed_{name}_{file}", EGS / name / f"{file}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    sys.path.insert(0, str(EGS / name))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return module


def written(name: str, content: bytes) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def folder_reader(files: dict[str, bytes], part: str, read: Callable[[Path], object]) -> Target:
    def run(content: bytes) -> None:
        shutil.rmtree("folder", ignore_errors=True)
        for name, good in files.items():
            written(f"folder/{name}", content if name == part else good)
        read(Path("folder"))

    return run


def data_folder(table: str) -> Target:
    names = {"wav.scp", "text", table}
    files = {name: TABLES["recordings" if (name, table) == ("wav.scp", "segments") else name] for name in names}
    return folder_reader({**files, "a.wav": wav_bytes()}, table, read_data)


def read_data(folder: Path) -> None:
    """Both readers, also where the first one raises SureError."""
    try:
        read_data_dir(folder)
    except SureError:
        validate_data_dir(folder, "skip", nj=1)
        raise
    validate_data_dir(folder, "skip", nj=1)


def file_reader(name: str, read: Callable[[Path], object]) -> Target:
    def run(content: bytes) -> None:
        found = read(written(name, content))
        if hasattr(found, "__next__"):
            for _ in found:
                pass

    return run


def bundle(part: str) -> Target:
    def run(content: bytes) -> None:
        files = bundle_seed()
        if part == WEIGHTS:  # with their digest, as after a deliberate change
            about = json.loads(files[ABOUT]) | {"sha256": hashlib.sha256(content).hexdigest(), "format": 1}
            files = {**files, ABOUT: json.dumps(about).encode()}
        folder_reader(files, part, lambda folder: config_of(read_bundle(folder), "random"))(content)

    return run


@cache
def bundle_seed() -> dict[str, bytes]:
    backbone = {key: 1 if key in ("dim", "depth") else "x" for key in BACKBONE_KEYS}
    backbone |= {"name": "tiny", "weights": "random", "layers": "last", "padding": "masked"}
    about = {"task": "asr", "language": "en", "seed": 1, "head": {}, "petl": [{"name": "lora"}], "backbone": backbone}
    return bundle_files(about, {"layer.0.attn.q/lora/a": torch.zeros(2, 3)}, {})


@cache
def huggingface_seed(family: str) -> dict[str, bytes]:
    """A folder of transformers with a tiny model."""
    model = find("backbones", family)
    shape = next(iter(model.shapes)) if family == "moonshine" else "tiny"  # transformers has one front end of Moonshine
    tiny = model.from_weights(f"random:{shape}", layers=1, dim=32, heads=2, ffn=8)
    state = {model.theirs(name): tensor for name, tensor in tiny.state_dict().items()}
    config = {"model_type": family, **model.huggingface_config(tiny.shape)}
    return {
        "config.json": json.dumps(config).encode(),
        "preprocessor_config.json": json.dumps(model.huggingface_preprocessor(tiny.shape)).encode(),
        "model.safetensors": safetensors.torch.save(state),
    }


def copy_kaldi(folder: Path) -> None:
    copy_data_dir(folder / "train", Path("out"), "wav.scp")


def read_array(content: bytes) -> None:
    """The first bytes are the type, the form and the rate of a recording in memory, the rest its samples."""
    kind, form, *rate = content[:5].ljust(5, b"\0")
    values, rate = content[5 : len(content) // 8 * 8 - 3], int.from_bytes(rate, "little")
    array = np.frombuffer(values, KINDS[kind % len(KINDS)])
    pair = array[: array.size // 2 * 2]
    forms = (
        array, array[::-1], pair.reshape(-1, 2), pair.reshape(2, -1), (array, rate), (rate, array), [array.tolist()],
        {"array": array, "sampling_rate": rate}, {"bytes": content, "path": None}, {"raw": array, "sample_rate": None},
    )  # fmt: skip
    for audio in recordings(forms[form % len(forms)]):
        load_recording(audio, "x")


def read_archive(path: Path) -> None:
    unpack(path, Path("out"), limit=1 << 20)


def prepare_reader(name: str, function: str, more: tuple[Any, ...]) -> Target:
    """A function of a recipe's prepare.py; its arguments are the path and `more`, with a Selection for the class."""

    def read(path: Path) -> None:
        getattr(recipe(name), function)(path, *(Selection(name) if one is Selection else one for one in more))

    return file_reader(f"{name}.tsv", read)


def wav_bytes() -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.sin(np.arange(8000) / 9) * 0.3, 16000, format="WAV")
    return file.getvalue()


def tar_bytes() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        for name, link in (("a", ""), ("d/b", ""), ("l", "d/b")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE if link else tarfile.REGTYPE, link
            info.size = 0 if link else 3
            tar.addfile(info, io.BytesIO(b"abc"))
    return file.getvalue()


def zip_bytes() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("d/a", "abc" * 9)
    return file.getvalue()


def ark_bytes() -> bytes:
    """A float matrix, a float vector and one in letters, as Kaldi writes them."""
    matrix = b"\0BFM \4" + (2).to_bytes(4, "little") + b"\4" + (3).to_bytes(4, "little") + np.ones(6, "<f4").tobytes()
    vector = b"\0BFV \4" + (2).to_bytes(4, "little") + np.ones(2, "<f4").tobytes()
    return b"a " + matrix + b"b " + vector + b"c  [\n  1 2 \n  3 4 ]\n"


TEXTGRID = b'File type = "ooTextFile"\nObject class = "TextGrid"\n0\n1\n<exists>\n1\n"IntervalTier"\n"phones"\n'
TEXTGRID += b'0\n1\n1\n0\n1\n"AA1"\n'
ARPA = b"\\data\\\nngram 1=4\nngram 2=1\n\n\\1-grams:\n-1 <unk>\n-1 <s> -0.3\n-1 </s>\n-1 a -0.2\n\n"
ARPA += b"\\2-grams:\n-0.5 a </s>\n\n\\end\\\n"
SOURCES = (
    b"licence: [a]\nitems:\n  - kind: archive\n    urls: [https://a.b/c.tar.gz]\n    bytes: 3\n  - any_of:\n"
    b"      - {name: x, items: [{kind: manual, instructions: y}]}\n"
)
CONFIG = (
    b"task: asr\ndata: {train: a/train, valid: a/dev}\nbackbone: {name: tiny}\npetl: {name: lora, rank: 4}\n"
    b"train: {epochs: 3, lr_adapter: 1e-3}\n"
)
TOKENS = {"tokenizer.json": b'{"kind": "character", "size": 3}', "tokens.txt": b"<blank>\na\n<space>\n"}

PREPARE: list[tuple[str, str, tuple[Any, ...], bytes]] = [
    ("meld", "read_rows", (Selection,),
     b"Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID\n1,Hi,A,joy,p,0,1\n"),
    ("fleurs", "read_rows", (Selection,), b"1\tone.wav\tOne.\tone\to n e\t16000\tMALE\n"),
    ("snips", "read_commands", (Selection,), b"Joanna-snips-0 BOS PLAY ADELE EOS\tO O artist PlayMusic\n"),
    ("timit", "read_phones", (), b"0 100 h#\n100 200 sh\n"),
    ("l2arctic", "read_phones", ("forced",), TEXTGRID),
    ("librispeech_100", "read_transcript", (), b"1-2-0000 ONE TWO\n"),
    ("asterisk", "read_transcript", (), b"; comment\nagent-alreadyon: That agent is on.\n"),
]  # fmt: skip
# The readers by name, each with contents that it accepts.
READERS: dict[str, tuple[Target, list[bytes]]] = {
    **{table: (data_folder(table), [content]) for table, content in TABLES.items() if table != "recordings"},
    ABOUT: (bundle(ABOUT), [bundle_seed()[ABOUT]]),
    WEIGHTS: (bundle(WEIGHTS), [safetensors.numpy.save({"layer.0.attn.q/lora/a": np.zeros((2, 3), np.float32)})]),
    "labels.json": (folder_reader({"labels.json": b""}, "labels.json", Labels.load), [b'{"label": ["a", "b"]}']),
    **{name: (folder_reader(TOKENS, name, Tokenizer.load), [content]) for name, content in TOKENS.items()},
    "ark": (file_reader("x.ark", lambda path: ark.read_at(f"{path}:2")), [ark_bytes()]),
    "wav": (file_reader("x.wav", decode), [wav_bytes()]),
    "tar": (file_reader("x.tar", read_archive), [tar_bytes()]),
    "zip": (file_reader("x.zip", read_archive), [zip_bytes()]),
    "TextGrid": (
        file_reader("x.TextGrid", lambda path: read_tier(path, "phones")),
        [TEXTGRID, TEXTGRID.decode().encode("utf-16")],
    ),
    "lexicon": (
        file_reader("lexicon.txt", lambda path: read_lexicon([path])),
        [b"one W AH1 N\n", b";;; c\none(2) W AH1 # c\nd\xe9 D 2\n", b"one\t0.99\t1.0\tW AH1 #1\n"],
    ),
    "table": (
        file_reader("x.csv", lambda path: read_csv(path, ("a", "b"))),
        [b'\xef\xbb\xbfa,b\r\n1,"2 ""x"",\n"\r\n', b'a\tb\tc\n1\t"2"\t\n', "b;a\n1;2".encode("utf-16"), b"a|b\n1|2"],
    ),
    "table of a corpus": (
        file_reader("x.tsv", lambda path: read_table(path, "text")),
        [b"audio\ttext\tspeaker\na.wav\tone\ts\n"],
    ),
    "Kaldi folder": (
        folder_reader({"train/wav.scp": b""}, "train/wav.scp", copy_kaldi),
        [b"a cat <folder/a.wav |\nb feats.ark:12\nc 'x y' |\n"],
    ),
    "array": (read_array, [bytes([kind, form]) + b"\x80\x3e\0" + bytes(64) for kind in range(3) for form in range(6)]),
    **{
        f"{family} {part}": (
            lambda content, family=family, part=part: folder_reader(
                huggingface_seed(family), part, lambda folder: find("backbones", family).from_weights(str(folder))
            )(content),
            [huggingface_seed(family)[part]],
        )
        for family in ("wav2vec2", "moonshine", "whisper")
        for part in ("config.json", "preprocessor_config.json")
    },
    "ARPA": (file_reader("x.arpa", read_arpa), [ARPA]),
    "sources.yaml": (file_reader("sources.yaml", read_sources), [SOURCES]),
    "config": (file_reader("config.yaml", load_config), [CONFIG]),
    "Lua": (
        file_reader("dialogs.lua", lambda path: recipe("fillets", "dialogs").read_dialogs(path)),
        [b'dialogId("a-b", "font", "English")\ndialogStr("t" .. [[x]])\n-- c\n'],
    ),
    "voxpopuli": (
        file_reader("voxpopuli.tsv", lambda path: recipe("voxpopuli").read_rows([path], "en")),
        [b"session_id|id_|original_text|normed_text|speaker_id|split|vad\ns|i|One|one|7|train|[(1.0, 2.0)]\n"],
    ),
    **{name: (prepare_reader(name, function, more), [content]) for name, function, more, content in PREPARE},
}
TARGETS = {name: target for name, (target, _) in READERS.items()}
SEEDS = {name: seeds for name, (_, seeds) in READERS.items()}
