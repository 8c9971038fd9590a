"""A random Whisper whose texts are long and differ, the same network in transformers, and tokens for both."""

import functools
from types import SimpleNamespace

import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration

from sure.backbones.whisper_recognizer import Recognizer, Shape
from sure.frames import Frames
from sure.generation.settings import GenerationConfig

TIME = 25  # frames of the memory
END, START, TEXT = 40, 41, 40  # ids below END are text
TOKENS = SimpleNamespace(
    end=END,
    start=START,
    languages={"en": 42, "es": 43},
    no_speech=44,
    no_timestamps=45,
    timestamps=46,
    suppressed=[3, 7, 11, START, 42, 43, 44],
    suppressed_first=[END, 5],
)
SHAPE = Shape(
    dim=32, layers=2, heads=4, ffn=64, mel_bins=80, positions=TIME, decoder_layers=2, decoder_heads=4, decoder_ffn=64,
    vocabulary=46 + 51, max_tokens=32,
)  # fmt: skip


@functools.cache
def recognizers() -> tuple[Recognizer, WhisperForConditionalGeneration]:
    torch.manual_seed(0)
    ours = Recognizer(SHAPE).eval()
    for parameter in ours.decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.6)
    ours.decoder.tokens.weight.data[END] *= 2
    config = WhisperConfig(
        vocab_size=SHAPE.vocabulary, d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
        decoder_attention_heads=4, encoder_ffn_dim=64, decoder_ffn_dim=64, max_source_positions=TIME,
        max_target_positions=SHAPE.max_tokens, pad_token_id=END, bos_token_id=END, eos_token_id=END,
        decoder_start_token_id=START,
    )  # fmt: skip
    theirs = WhisperForConditionalGeneration(config).eval()
    names = {f".{mine}.": f".{other}." for mine, other in [
        ("attn.q", "self_attn.q_proj"), ("attn.k", "self_attn.k_proj"), ("attn.v", "self_attn.v_proj"),
        ("attn.out", "self_attn.out_proj"), ("cross.q", "encoder_attn.q_proj"), ("cross.k", "encoder_attn.k_proj"),
        ("cross.v", "encoder_attn.v_proj"), ("cross.out", "encoder_attn.out_proj"), ("ffn_in", "fc1"),
        ("ffn_out", "fc2"), ("attn_norm", "self_attn_layer_norm"), ("cross_norm", "encoder_attn_layer_norm"),
        ("ffn_norm", "final_layer_norm"), ("tokens", "embed_tokens"), ("positions", "embed_positions"),
        ("norm", "layer_norm"),
    ]}  # fmt: skip
    state = theirs.model.decoder.state_dict()
    for name, value in ours.decoder.state_dict().items():
        their_name = f".{name}"
        for mine, other in names.items():
            their_name = their_name.replace(mine, other)
        assert state.pop(their_name[1:]).copy_(value) is not None
    assert not state
    return ours, theirs


def memory(utterances: int) -> tuple[torch.Tensor, Frames]:
    """Random outputs of an encoder, all of the full length, and the same prompt for each."""
    generator = torch.Generator().manual_seed(1)
    return 2 * torch.randn(utterances, TIME, 32, generator=generator), Frames([TIME] * utterances)


def settings(**changes: object) -> GenerationConfig:
    return GenerationConfig(**changes)
