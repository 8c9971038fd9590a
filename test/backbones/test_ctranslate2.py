"""CTranslate2's files: what was written is read, what is torn is named, and Whisper's real weights are Whisper."""

import hashlib
import struct

import pytest
import torch
import transformers
from originals import whisper_encoded, whisper_features

from sure.backbones.ctranslate2 import read_ctranslate2
from sure.backbones.positions import sinusoids
from sure.backbones.whisper import Family, Shape
from sure.data.audio import read_audio
from sure.errors import SureError

DTYPES = {torch.float32: 0, torch.int8: 1, torch.int16: 2, torch.int32: 3, torch.float16: 4}
TENSORS = {
    "encoder/weight": torch.arange(6.0).reshape(2, 3),
    "encoder/half": torch.tensor([0.5, -2.0], dtype=torch.float16),
    "encoder/heads": torch.tensor(6, dtype=torch.int16),
    "encoder/none": torch.empty(0, 3),
}


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
HALF = struct.pack("<BI", 4, 4)  # dtype and size of encoder/half


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is truncated at byte 0"),
        *((WHOLE[:size], f"is truncated at byte {size}") for size in (3, 10, 60, len(WHOLE) - 1)),
        (WHOLE + b"\0", "has 1 bytes after its end"),
        (written(TENSORS, version=3), "layout 4 to 6: it starts with 3"),
        (b"PK\3\4 a zip file", "is not a model.bin of CTranslate2"),
        (written(TENSORS, kind="TransformerSpec"), "holds a TransformerSpec model; expected WhisperSpec"),
        (WHOLE.replace(HALF, struct.pack("<BI", 0, 4)), r"encoder/half \[2\] cannot have 4 bytes of dtype 0"),
        (WHOLE.replace(HALF, struct.pack("<BI", 9, 4)), "4 bytes of dtype 9"),
    ],
)
def test_what_is_not_whole_is_named(tmp_path, content, message):
    path = tmp_path / "model.bin"
    path.write_bytes(content)
    with pytest.raises(SureError, match=message) as error:
        read_ctranslate2(path, "WhisperSpec")
    assert str(path) in str(error.value)


@pytest.fixture(scope="module")
def converted(fetcher, whisper_original, tmp_path_factory):
    path = tmp_path_factory.mktemp("whisper") / "whisper_tiny_en.safetensors"
    fetcher.convert_whisper(whisper_original, path)
    return path


@pytest.fixture(scope="module")
def theirs(fetcher, whisper_original):
    """transformers' encoder with the published weights."""
    sizes = dict(d_model=384, encoder_layers=4, encoder_attention_heads=6, encoder_ffn_dim=1536, decoder_layers=1)
    encoder = transformers.WhisperModel(transformers.WhisperConfig(**sizes)).encoder.eval()
    encoder.load_state_dict(fetcher.ctranslate2_tensors(whisper_original))
    return encoder


def test_conversion_is_the_recorded_one(fetcher, converted):
    assert hashlib.sha256(converted.read_bytes()).hexdigest() == fetcher.SOURCES["whisper_tiny_en"].converted
    backbone = Family.from_weights(str(converted))
    assert backbone.shape == Shape()
    assert (backbone.positions.table - sinusoids(1500, 384)).abs().max() < 1e-3  # which half precision rounded


@pytest.mark.parametrize("samples", [48000, 48100])
@torch.no_grad()
def test_equals_transformers_on_speech(converted, theirs, speech, samples):
    wave = read_audio(str(speech))[:samples]
    ours = Family.from_weights(str(converted))(wave[None], torch.tensor([samples])).last
    _, last = whisper_encoded(theirs, whisper_features(wave, padding=False))
    assert (ours - last).abs().max() < 1e-5 * last.abs().max()


@torch.no_grad()
def test_as_trained_equals_transformers_on_speech(converted, theirs, speech):
    wave = read_audio(str(speech))[:48000]
    output = theirs(whisper_features(wave)).last_hidden_state
    encoded = Family.from_weights(str(converted), "as_trained")(wave[None], torch.tensor([48000]))
    assert encoded.lengths.tolist() == [150]
    assert (encoded.last - output).abs().max() < 1e-5 * output.abs().max()
    alone = Family.from_weights(str(converted))(wave[None], torch.tensor([48000])).last
    assert torch.cosine_similarity(alone[0], output[0, :150], dim=-1).mean() > 0.9  # without 27 s of silence


@torch.no_grad()
def test_padded_equals_alone_on_speech(converted, speech):
    backbone = Family.from_weights(str(converted))
    whole = read_audio(str(speech))
    lengths = [80000, 30000, 12345, 900]
    batch = torch.zeros(len(lengths), max(lengths))
    for index, length in enumerate(lengths):
        batch[index, :length] = whole[20000 : 20000 + length]
    encoded = backbone(batch, torch.tensor(lengths))
    for index, length in enumerate(lengths):
        alone = backbone(batch[index : index + 1, :length], torch.tensor([length])).last[0]
        assert (encoded.last[index, : len(alone)] - alone).abs().max() < 1e-5 * alone.abs().max()
