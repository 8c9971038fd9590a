"""Files of recognisers: every shape of Whisper from Hugging Face folders, our own format, encoders without decoders."""

import pytest
import torch
import transformers
from originals import MOONSHINE, WHISPER, enliven, saved, waves
from safetensors.torch import load_file, save_file

from sure.backbones import moonshine_recognizer, whisper, whisper_recognizer
from sure.errors import SureError
from sure.files import sha256_of_file
from sure.text.recognizer_tokens import RecognizerTokens

TOKENS = torch.tensor([[1, 7, 3, 4, 9, 2]])
LENGTH = 9600
SHAPES = {  # where released sizes differ from each other
    "tiny": {},
    "large_v3": {"vocab_size": 51866, "num_mel_bins": 128},
    "turbo": {"num_mel_bins": 128, "encoder_layers": 8, "decoder_layers": 1},
    "distil": {"decoder_layers": 2, "decoder_attention_heads": 6, "decoder_ffn_dim": 96},
}


MOONSHINES = {
    "tiny": {},
    "base": {"hidden_size": 96, "partial_rotary_factor": 0.62, "decoder_num_hidden_layers": 3},
}


def original(**settings):
    return enliven(transformers.WhisperForConditionalGeneration(transformers.WhisperConfig(**{**WHISPER, **settings})))


def logits(recognizer):
    encoded = recognizer.encode(waves([LENGTH]), torch.tensor([LENGTH]))
    return recognizer.logits(recognizer.decode(TOKENS, encoded.last, encoded.frames))


@pytest.mark.parametrize("settings", SHAPES.values(), ids=SHAPES)
@torch.no_grad()
def test_a_huggingface_folder_of_each_shape(settings, tmp_path):
    theirs = original(**settings)
    ours = whisper_recognizer.Recognizer.from_weights(saved(theirs, tmp_path), "as_trained").eval()
    assert ours.vocabulary == theirs.config.vocab_size
    memory = ours.encode(waves([LENGTH]), torch.tensor([LENGTH])).last
    wanted = theirs(encoder_outputs=(memory,), decoder_input_ids=TOKENS).logits
    torch.testing.assert_close(logits(ours), wanted, atol=1e-4, rtol=1e-4)
    encoder = whisper.Family.from_weights(str(tmp_path), "as_trained").eval()
    assert torch.equal(encoder(waves([LENGTH]), torch.tensor([LENGTH])).last, memory)
    assert encoder.sha256 == ours.sha256


@pytest.mark.parametrize("settings", MOONSHINES.values(), ids=MOONSHINES)
@torch.no_grad()
def test_a_huggingface_folder_of_moonshine(settings, tmp_path):
    config = transformers.MoonshineConfig(**{**MOONSHINE, **settings})
    theirs = enliven(transformers.MoonshineForConditionalGeneration(config))
    ours = moonshine_recognizer.Recognizer.from_weights(saved(theirs, tmp_path)).eval()
    wanted = theirs(waves([LENGTH]), decoder_input_ids=TOKENS).logits
    torch.testing.assert_close(logits(ours), wanted, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_a_huggingface_folder_in_several_files(tmp_path):
    theirs = original()
    whole = whisper_recognizer.Recognizer.from_weights(saved(theirs, tmp_path / "whole"))
    theirs.save_pretrained(tmp_path, max_shard_size="100KB")
    files = sorted(tmp_path.glob("model-*.safetensors"))
    parts = whisper_recognizer.Recognizer.from_weights(str(tmp_path))
    assert len(files) > 2 and torch.equal(logits(parts), logits(whole)) and parts.sha256 != whole.sha256
    files[1].unlink()
    with pytest.raises(SureError, match=f"lacks {files[1].name}, which model.safetensors.index.json names"):
        whisper_recognizer.Recognizer.from_weights(str(tmp_path))


def test_an_output_map_of_its_own_is_an_error(tmp_path):
    saved(original(), tmp_path)
    path = tmp_path / "model.safetensors"
    state = load_file(path)
    state["proj_out.weight"] = state["model.decoder.embed_tokens.weight"] + 1
    save_file(state, path)
    with pytest.raises(SureError, match=r"model\.safetensors: proj_out\.weight is not the token embedding"):
        whisper_recognizer.Recognizer.from_weights(str(tmp_path))


@torch.no_grad()
def test_our_file_has_decoder_and_tokens_and_serves_the_encoder_alone(tmp_path):
    tokens = RecognizerTokens.bytes(["en", "es"])
    whole = whisper_recognizer.Recognizer.from_weights("random:toy", vocabulary=tokens.size).eval()
    path, alone = tmp_path / "whole.safetensors", tmp_path / "alone.safetensors"
    whole.save(path, tokens.dumps())
    again = whisper_recognizer.Recognizer.from_weights(str(path)).eval()
    assert torch.equal(logits(again), logits(whole)) and again.sha256 == sha256_of_file(path)
    assert RecognizerTokens.from_weights(path).dumps() == tokens.dumps()

    encoder = whisper.Family.from_weights(str(path))
    encoder.save(alone)
    assert encoder.sha256 == sha256_of_file(alone) == whisper.Family.from_weights(str(alone)).sha256
    with pytest.raises(SureError, match="has the encoder alone; fetch it again"):
        whisper_recognizer.Recognizer.from_weights(str(alone))
    with pytest.raises(SureError, match="has the encoder alone"):
        RecognizerTokens.from_weights(alone)
