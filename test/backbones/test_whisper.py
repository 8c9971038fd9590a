"""Whisper: the log-mel front end, the 30 s of the original, and the limit that comes with it."""

import pytest
import torch
import transformers
from originals import WHISPER, huggingface, saved, waves, whisper_encoded, whisper_features

from sure.backbones.positions import sinusoids
from sure.backbones.whisper import Family, log_mel
from sure.errors import SureError
from sure.models.loading import encoder_problem

TOLERANCE = 1e-5
WHOLE = 480000  # samples of 30 s


def test_spectrogram_in_a_batch_is_that_of_the_utterance_alone():
    """Loud and quiet ones: neither the maximum of another nor the padding changes a spectrogram."""
    lengths = [20000, 12345, 7000, 400, 201, 200, 160, 159, 1, 0]
    batch = waves(lengths) * torch.logspace(0, -4, len(lengths))[:, None]
    together = log_mel(batch, torch.tensor(lengths), 80)
    assert together.isfinite().all()
    for row, wave, length in zip(together, batch, lengths, strict=True):
        alone = log_mel(wave[None, :length], torch.tensor([length]), 80)[0]
        assert torch.allclose(row[:, : length // 160], alone[:, : length // 160], atol=TOLERANCE)


@pytest.mark.parametrize(
    ("samples", "bins", "kind"),
    [
        (16000, 80, "Model"),
        (16159, 128, "Model"),
        (9700, 128, "ForConditionalGeneration"),
        (8039, 80, "ForAudioClassification"),
        (8001, 80, "Model"),
    ],
)
@torch.no_grad()
def test_shorter_equals_transformers_on_as_many_frames(tmp_path, samples, bins, kind):
    """9700 samples have an odd number of frames before the second convolution."""
    theirs = huggingface("whisper", kind=kind, num_mel_bins=bins)
    ours = Family.from_weights(saved(theirs, tmp_path))
    encoder = theirs.model.encoder if hasattr(theirs, "model") else theirs.encoder
    encoded = ours(waves([samples]), torch.tensor([samples]))
    first, last = whisper_encoded(encoder, whisper_features(waves([samples])[0], padding=False, bins=bins))
    assert encoded.lengths.tolist() == [last.shape[1]] == [(samples // 160 + 1) // 2]
    assert (encoded.taps[0] - first).abs().max() < TOLERANCE
    assert (encoded.last - last).abs().max() < TOLERANCE


@torch.no_grad()
def test_as_trained_computes_thirty_seconds_like_transformers(tmp_path):
    theirs = huggingface("whisper", max_source_positions=1500)
    folder = saved(theirs, tmp_path)
    lengths = [9600, 4000, 0]
    batch = waves(lengths)
    encoded = Family.from_weights(folder, "as_trained")(batch, torch.tensor(lengths))
    assert encoded.lengths.tolist() == [30, 13, 0]
    output = theirs.encoder(torch.cat([whisper_features(wave) for wave in batch])).last_hidden_state
    assert encoded.last.shape == output.shape == (3, 1500, 48)
    assert (encoded.last - output).abs().max() < TOLERANCE
    masked = Family.from_weights(folder)(batch, torch.tensor(lengths)).last
    assert (masked[0] - output[0, :30]).abs().max() > 0.01


def test_longer_than_thirty_seconds_is_refused():
    backbone = Family.from_weights("random:toy")
    assert int(backbone.frame_count(torch.tensor([WHOLE]))) == 1500
    assert encoder_problem(30.0, backbone) is None
    assert encoder_problem(30.1, backbone) == "longer than the backbone's limit of 30 s"
    with pytest.raises(SureError, match=r"has 30\.1 s, more than the 30 s of whisper"):
        backbone(torch.zeros(1, WHOLE + 1600), torch.tensor([WHOLE + 1600]))
    with torch.no_grad():  # padding after the end does not count
        assert backbone(torch.zeros(1, WHOLE + 1600), torch.tensor([8000])).lengths.tolist() == [25]


def test_random_weights_have_the_originals_positions():
    table = Family.from_weights("random:toy").positions.table
    config = transformers.WhisperConfig(**{**WHISPER, "d_model": 32, "max_source_positions": 1500})
    theirs = transformers.WhisperModel(config).encoder.embed_positions
    assert torch.equal(table, sinusoids(1500, 32))
    assert torch.allclose(table, theirs.weight, atol=1e-3)  # their angles are rounded otherwise
    assert theirs.weight.requires_grad is False


@pytest.mark.parametrize(
    ("settings", "preprocessor", "message"),
    [
        ({"activation_function": "relu"}, {}, "config.json has activation_function='relu'; only 'gelu' is"),
        ({}, {"hop_length": 200}, "preprocessor_config.json has hop_length=200; only 160 is"),
    ],
)
def test_unsupported_settings_are_named(tmp_path, settings, preprocessor, message):
    folder = saved(huggingface("whisper", **settings), tmp_path)
    transformers.WhisperFeatureExtractor(**preprocessor).save_pretrained(folder)
    with pytest.raises(SureError, match=message):
        Family.from_weights(folder)
