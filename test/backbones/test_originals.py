"""Every family computes what its original computes: transformers' and torchaudio's models are the judges."""

import pytest
import torch
from originals import SAMPLES, huggingface, saved, torchaudio_model, waves

from sure import registry

LIKE_WAV2VEC2 = [(family, size) for family in ("wav2vec2", "hubert", "wavlm") for size in ("base", "large")]
LIKE_ITS_ORIGINAL = [*LIKE_WAV2VEC2, ("data2vec_audio", "base")]  # which leaves padding out of attention
TOLERANCE = 1e-5
LENGTHS = [SAMPLES, 1500, 700]


def distance(ours, theirs):
    return (ours - theirs).abs().max().item()


@pytest.mark.parametrize(("family", "size"), [*LIKE_ITS_ORIGINAL, ("moonshine", "base")])
@torch.no_grad()
def test_unpadded_equals_transformers(tmp_path, family, size):
    theirs = huggingface(family, size)
    ours = registry.find("backbones", family).from_weights(saved(theirs, tmp_path))
    ours.normalize_waveform = False  # which is the feature extractor's part there
    samples = 5000 if family == "moonshine" else SAMPLES
    both = waves([samples, samples])
    encoded = ours(both, torch.tensor([samples, samples]))
    model = theirs.encoder if family == "moonshine" else theirs
    output = model(both, output_hidden_states=True)
    assert encoded.lengths.tolist() == [output.last_hidden_state.shape[1]] * 2
    assert len(encoded.taps) == len(output.hidden_states) == 4
    for tap, hidden in zip(encoded.taps[:-1], output.hidden_states[:-1], strict=True):
        assert distance(tap, hidden) < TOLERANCE
    assert distance(encoded.last, output.last_hidden_state) < TOLERANCE


@pytest.mark.parametrize(("family", "size"), LIKE_ITS_ORIGINAL)
@torch.no_grad()
def test_padded_as_trained_equals_transformers(tmp_path, family, size):
    theirs = huggingface(family, size)
    ours = registry.find("backbones", family).from_weights(saved(theirs, tmp_path), padding="as_trained")
    ours.normalize_waveform = False
    attention_mask = (torch.arange(SAMPLES) < torch.tensor(LENGTHS)[:, None]).long()
    output = theirs(waves(LENGTHS), attention_mask=attention_mask).last_hidden_state
    encoded = ours(waves(LENGTHS), torch.tensor(LENGTHS))
    for index, frames in enumerate(encoded.lengths.tolist()):
        assert distance(encoded.last[index, :frames], output[index, :frames]) < TOLERANCE


# What is published of wav2vec 2.0 and HuBERT beside base and large, in small.
VARIANTS = {
    "wav2vec2-large-960h": ("wav2vec2", dict(hidden_size=64, intermediate_size=80)),  # wide, else as base
    "wav2vec2-large-960h-lv60, xlsr, xls-r": (
        "wav2vec2",
        dict(feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True, hidden_size=80),
    ),
    "layer norms in the convolutions alone": ("wav2vec2", dict(feat_extract_norm="layer", conv_bias=True)),
    "norms first behind a group norm": ("wav2vec2", dict(do_stable_layer_norm=True)),
    "distilhubert": ("hubert", dict(num_hidden_layers=2, feat_proj_layer_norm=False)),
}


@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_variants_equal_transformers(tmp_path, variant):
    family, settings = VARIANTS[variant]
    theirs = huggingface(family, "base", **settings)
    ours = registry.find("backbones", family).from_weights(saved(theirs, tmp_path))
    ours.normalize_waveform = False
    output = theirs(waves([SAMPLES]), output_hidden_states=True)
    encoded = ours(waves([SAMPLES]), torch.tensor([SAMPLES]))
    assert len(encoded.taps) == theirs.config.num_hidden_layers + 1
    assert distance(encoded.taps[0], output.hidden_states[0]) < TOLERANCE
    assert distance(encoded.last, output.last_hidden_state) < TOLERANCE


@torch.no_grad()
def test_moonshine_as_trained_normalises_over_padding_like_transformers(tmp_path):
    theirs = huggingface("moonshine", "base")
    lengths = [5000, 3000]
    ours = registry.find("backbones", "moonshine").from_weights(saved(theirs, tmp_path), padding="as_trained")
    heard = theirs.encoder(waves(lengths), output_hidden_states=True).hidden_states[0]
    assert distance(ours.front(waves(lengths), torch.tensor(lengths)), heard) < TOLERANCE
    ours.convolutions.blocks[0].norm.mode = "masked"
    assert distance(ours.front(waves(lengths), torch.tensor(lengths)), heard) > 0.01


@pytest.mark.parametrize(("family", "size"), LIKE_WAV2VEC2)
@torch.no_grad()
def test_unpadded_equals_torchaudio(family, size):
    theirs = torchaudio_model(family, size)
    ours = from_torchaudio(theirs, family, "masked")
    both = waves([SAMPLES, SAMPLES])
    encoded = ours(both, torch.tensor([SAMPLES, SAMPLES]))
    hidden, _ = theirs.extract_features(both)
    for tap, layer in zip(encoded.taps[1:-1], hidden[:-1], strict=True):
        assert distance(tap, layer) < TOLERANCE
    theirs.aux = None
    assert distance(encoded.last, theirs(both)[0]) < TOLERANCE


@pytest.mark.parametrize(("family", "size"), [pair for pair in LIKE_WAV2VEC2 if pair[0] != "wavlm"])
@torch.no_grad()
def test_padded_as_trained_equals_torchaudio(family, size):
    """torchaudio's WavLM takes no lengths."""
    theirs = torchaudio_model(family, size)
    theirs.aux = None
    ours = from_torchaudio(theirs, family, "as_trained")
    output, frames = theirs(waves(LENGTHS), torch.tensor(LENGTHS))
    encoded = ours(waves(LENGTHS), torch.tensor(LENGTHS))
    assert encoded.lengths.tolist() == frames.tolist()
    for index, count in enumerate(frames.tolist()):
        assert distance(encoded.last[index, :count], output[index, :count]) < TOLERANCE


def from_torchaudio(model, family, padding):
    found = registry.find("backbones", family)
    shape = found.bundle_shape(model.parameters_of_bundle, normalize_waveform=False)
    backbone = found(shape, padding)
    backbone.load_state_dict(found.bundle_state(model.state_dict()))
    return backbone
