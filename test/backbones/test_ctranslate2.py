"""Files of CTranslate2: tensors are read as written, and errors name invalid files."""

import struct

import pytest
import torch

from sure.backbones.ctranslate2 import read_ctranslate2
from sure.errors import SureError

DTYPES = {torch.float32: 0, torch.int16: 2, torch.float16: 4}
HALF = torch.tensor([0.5, -2.0], dtype=torch.float16)
TENSORS = {"encoder/weight": torch.arange(6.0).reshape(2, 3), "encoder/half": HALF}
TENSORS |= {"encoder/heads": torch.tensor(6, dtype=torch.int16), "encoder/none": torch.empty(0, 3)}


def text(words):
    return struct.pack("<H", len(words) + 1) + words.encode() + b"\0"


def written(tensors, version=6, kind="WhisperSpec"):
    content = struct.pack("<I", version) + text(kind) + struct.pack("<II", 3, len(tensors))
    for name, tensor in tensors.items():
        data = tensor.numpy().tobytes()
        content += text(name) + struct.pack(f"<B{tensor.dim()}I", tensor.dim(), *tensor.shape)
        content += struct.pack("<BI", DTYPES[tensor.dtype], len(data)) + data
    return content + struct.pack("<I", 1) + text("encoder/again") + text("encoder/weight")


def test_reads_what_was_written(tmp_path):
    path = tmp_path / "model.bin"
    path.write_bytes(written(TENSORS))
    found = read_ctranslate2(path, "WhisperSpec")
    assert list(found) == list(TENSORS)
    for name, tensor in TENSORS.items():
        assert found[name].dtype == tensor.dtype and torch.equal(found[name], tensor)


WHOLE = written(TENSORS)
SIZE = struct.pack("<BI", 4, 4)  # dtype and size of encoder/half


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is truncated at byte 0"),
        *((WHOLE[:size], f"is truncated at byte {size}") for size in (3, 10, 60, len(WHOLE) - 1)),
        (WHOLE + b"\0", "has 1 bytes after its end"),
        (written(TENSORS, version=3), "layout 4 to 6: it starts with 3"),
        (b"PK\3\4 a zip file", "is not a model.bin of CTranslate2"),
        (written(TENSORS, kind="TransformerSpec"), "holds a TransformerSpec model; expected WhisperSpec"),
        (WHOLE.replace(SIZE, struct.pack("<BI", 0, 4)), r"encoder/half \[2\] cannot have 4 bytes of dtype 0"),
        (WHOLE.replace(SIZE, struct.pack("<BI", 9, 4)), "4 bytes of dtype 9"),
    ],
)
def test_an_invalid_file_is_named(tmp_path, content, message):
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    with pytest.raises(SureError, match=message) as error:
        read_ctranslate2(path, "WhisperSpec")
    assert str(path) in str(error.value)
