"""Every family computes the outputs of its original in transformers and torchaudio."""

import hashlib

import pytest
import torch
import torchaudio
import transformers
from originals import SAMPLES, WHISPER, huggingface, saved, torchaudio_model, waves, whisper_encoded, whisper_features

from sure import registry
from sure.backbones import whisper
from sure.backbones.weights import sha256_of_tensors
from sure.errors import SureError

LIKE_WAV2VEC2 = [(family, size) for family in ("wav2vec2", "hubert", "wavlm") for size in ("base", "large")]
LENGTHS = {False: [SAMPLES, SAMPLES], True: [SAMPLES, 1500, 700]}
LAYER_NORMS = dict(feat_extract_norm="layer", conv_bias=True)
# Families, and further published variants: family, size, settings.
CASES = {f"{family} {size}": (family, size, {}) for family, size in [*LIKE_WAV2VEC2, ("data2vec_audio", "base")]} | {
    "wav2vec2-large-960h": ("wav2vec2", "base", dict(hidden_size=64, intermediate_size=80)),  # wide, else as base
    "wav2vec2-large-960h-lv60, xlsr, xls-r": ("wav2vec2", "large", dict(hidden_size=80, num_conv_pos_embeddings=16)),
    "layer norms in the convolutions alone": ("wav2vec2", "base", LAYER_NORMS),
    "norms first after a group norm": ("wav2vec2", "base", dict(do_stable_layer_norm=True)),
    "a setting that data2vec ignores": ("data2vec_audio", "base", dict(do_stable_layer_norm=True)),
    "distilhubert": ("hubert", "base", dict(num_hidden_layers=2, feat_proj_layer_norm=False)),
}


def check_equal(ours, theirs, lengths):
    """Compare the valid frames of two tensors (batch, time, dim)."""
    for row, other, length in zip(ours, theirs, lengths.tolist(), strict=True):
        assert (row[:length] - other[:length]).abs().max() < 1e-5


@pytest.mark.parametrize("padded", [False, True], ids=["unpadded", "padded"])
@pytest.mark.parametrize("name", CASES)
@torch.no_grad()
def test_equals_transformers(tmp_path, name, padded):
    """Read from the folder of a CTC model, in which the encoder has a prefix."""
    family, size, settings = CASES[name]
    whole = huggingface(family, size, "ForCTC", **settings)
    ours = registry.find("backbones", family).from_weights(saved(whole, tmp_path), "as_trained" if padded else "masked")
    ours.normalize_waveform = False  # the feature extractor does it there
    theirs, lengths = whole.base_model, torch.tensor(LENGTHS[padded])
    mask = (torch.arange(SAMPLES) < lengths[:, None]).long() if padded else None
    output = theirs(waves(LENGTHS[padded]), attention_mask=mask, output_hidden_states=True)
    encoded = ours(waves(LENGTHS[padded]), lengths)
    assert padded or encoded.lengths.tolist() == [output.last_hidden_state.shape[1]] * 2
    assert len(encoded.taps) == len(output.hidden_states) == theirs.config.num_hidden_layers + 1
    for tap, hidden in zip(encoded.taps[:-1], output.hidden_states[:-1], strict=True):
        check_equal(tap, hidden, encoded.lengths)
    check_equal(encoded.last, output.last_hidden_state, encoded.lengths)
    assert torch.equal(ours.mask_embedding, theirs.masked_spec_embed)
    assert ours.sha256 == hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()


@torch.no_grad()
def test_moonshine_equals_transformers(tmp_path):
    """Unpadded in every layer; `as_trained` in the front end, whose norm is over padding too."""
    theirs = huggingface("moonshine").encoder
    folder = saved(huggingface("moonshine"), tmp_path)
    ours = registry.find("backbones", "moonshine").from_weights(folder)
    encoded = ours(waves([5000, 5000]), torch.tensor([5000, 5000]))
    output = theirs(waves([5000, 5000]), output_hidden_states=True)
    assert encoded.lengths.tolist() == [output.last_hidden_state.shape[1]] * 2
    for tap, hidden in zip(encoded.taps, [*output.hidden_states[:-1], output.last_hidden_state], strict=True):
        check_equal(tap, hidden, encoded.lengths)
    lengths = torch.tensor([5000, 3000])
    as_trained = registry.find("backbones", "moonshine").from_weights(folder, "as_trained")
    first = theirs(waves([5000, 3000]), output_hidden_states=True).hidden_states[0]
    check_equal(as_trained.front(waves([5000, 3000]), lengths), first, encoded.lengths)
    assert (ours.front(waves([5000, 3000]), lengths) - first).abs().max() > 0.01


@pytest.mark.parametrize(("family", "size"), LIKE_WAV2VEC2)
@torch.no_grad()
def test_equals_torchaudio(tmp_path, monkeypatch, family, size):
    """A bundle of torchaudio's own class, smaller than the published, and the file that torch.hub stores."""
    theirs, large = torchaudio_model(family, size), size == "large"
    theirs.aux = None
    parameters = {**theirs.parameters_of_bundle, "aux_num_out": None}
    kind = "WavLM" if family == "wavlm" else "Wav2Vec2"
    bundle = torchaudio.pipelines.Wav2Vec2Bundle("small.pth", parameters, 16000, large, kind)
    monkeypatch.setattr(torchaudio.pipelines, f"{family.upper()}_SMALL", bundle, raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    torch.save(theirs.state_dict(), tmp_path / "hub" / "checkpoints" / "small.pth")
    ours = registry.find("backbones", family).from_weights(f"{family.upper()}_SMALL")
    assert ours.normalize_waveform is large and ours.sha256 == sha256_of_tensors(ours.state_dict())
    lengths = torch.tensor([SAMPLES])
    encoded, (output, _) = ours(waves([SAMPLES]), lengths), bundle.get_model()(waves([SAMPLES]))
    check_equal(encoded.last, output, encoded.lengths)


@pytest.mark.parametrize(
    ("samples", "bins", "kind"),
    [
        (16159, 128, "Model"),
        (9700, 128, "ForConditionalGeneration"),  # an odd number of frames before the second convolution
        (8039, 80, "ForAudioClassification"),
        (8001, 80, "Model"),
    ],
)
@torch.no_grad()
def test_whisper_equals_transformers_on_as_many_frames(tmp_path, samples, bins, kind):
    theirs = huggingface("whisper", kind=kind, num_mel_bins=bins)
    ours = whisper.Family.from_weights(saved(theirs, tmp_path))
    encoder = theirs.model.encoder if hasattr(theirs, "model") else theirs.encoder
    encoded = ours(waves([samples]), torch.tensor([samples]))
    first, last = whisper_encoded(encoder, whisper_features(waves([samples])[0], padding=False, bins=bins))
    assert encoded.lengths.tolist() == [last.shape[1]] == [(samples // 160 + 1) // 2]
    check_equal(encoded.taps[0], first, encoded.lengths)
    check_equal(encoded.last, last, encoded.lengths)


@torch.no_grad()
def test_whisper_as_trained_computes_thirty_seconds_like_transformers(tmp_path):
    theirs = huggingface("whisper", max_source_positions=1500)
    masked, ours = (whisper.Family.from_weights(saved(theirs, tmp_path), name) for name in ("masked", "as_trained"))
    batch, lengths = waves([9600, 4000, 0]), torch.tensor([9600, 4000, 0])
    encoded = ours(batch, lengths)
    assert encoded.lengths.tolist() == [30, 13, 0]
    output = theirs.encoder(torch.cat([whisper_features(wave) for wave in batch])).last_hidden_state
    assert encoded.last.shape == output.shape == (3, 1500, 48)
    check_equal(encoded.last, output, torch.tensor([1500] * 3))
    assert (masked(batch, lengths).last[0] - output[0, :30]).abs().max() > 0.01
    with pytest.raises(SureError, match=r"has 30\.1 s, more than the 30 s of whisper"):
        masked(torch.zeros(1, 481600), torch.tensor([481600]))


def test_whispers_random_weights_have_its_positions():
    table = whisper.Family.from_weights("random:toy").positions.table
    config = transformers.WhisperConfig(**{**WHISPER, "d_model": 32, "max_source_positions": 1500})
    theirs = transformers.WhisperModel(config).encoder.embed_positions
    assert torch.allclose(table, theirs.weight, atol=1e-3)  # their angles are rounded otherwise
