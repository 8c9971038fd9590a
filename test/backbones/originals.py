"""Small models of transformers and torchaudio with random weights, to compare ours with."""

from pathlib import Path

import torch
import torchaudio
import transformers
from torch import Tensor, nn

from sure.frames import Frames

CONVOLUTIONS = [(32, 10, 5), (32, 3, 2), (24, 2, 2)]
SAMPLES = 2000

SIZES = dict(hidden_size=48, num_hidden_layers=3, num_attention_heads=4, intermediate_size=64)
SIZES |= dict(conv_dim=[32, 32, 24], conv_kernel=[10, 3, 2], conv_stride=[5, 2, 2], num_feat_extract_layers=3)
SIZES |= dict(num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4)
LARGE = dict(feat_extract_norm="layer", do_stable_layer_norm=True, conv_bias=True, num_conv_pos_embeddings=15)
DISTANCES = dict(num_buckets=20, max_bucket_distance=30)
DATA2VEC = dict(num_conv_pos_embeddings=3, conv_pos_kernel_size=5)
MOONSHINE = dict(hidden_size=72, intermediate_size=96, encoder_num_hidden_layers=3, encoder_num_attention_heads=4)
MOONSHINE |= dict(decoder_num_hidden_layers=1, decoder_num_attention_heads=4, vocab_size=20)
WHISPER = dict(d_model=48, encoder_layers=3, encoder_attention_heads=4, encoder_ffn_dim=64, decoder_layers=1)
WHISPER |= dict(decoder_attention_heads=4, decoder_ffn_dim=64, vocab_size=20, pad_token_id=0, bos_token_id=1)
WHISPER |= dict(eos_token_id=2, decoder_start_token_id=1, max_source_positions=150)  # 3 s
ORIGINALS = {  # prefix of the classes in transformers, and settings
    "wav2vec2": ("Wav2Vec2", SIZES),
    "hubert": ("Hubert", SIZES),
    "wavlm": ("WavLM", SIZES | DISTANCES),
    "data2vec_audio": ("Data2VecAudio", SIZES | DATA2VEC),
    "moonshine": ("Moonshine", MOONSHINE),
    "whisper": ("Whisper", WHISPER),
}


def waves(lengths: list[int], seed: int = 0) -> Tensor:
    """(batch, samples): noise, zero after the end of each utterance"""
    made = 0.3 * torch.randn(len(lengths), max(lengths), generator=torch.Generator().manual_seed(seed))
    return made * (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None])


@torch.no_grad()
def enliven(model: nn.Module, seed: int = 0) -> nn.Module:
    """Random numbers everywhere, biases and norms too, so that a swapped or dropped tensor changes the output."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if "norm" in name or "const" in name or name.endswith(("weight_g", "original0")):
            parameter.copy_((1 if name.endswith(("weight", "const", "_g", "0")) else 0) + 0.2 * noise)
        else:
            parameter.copy_(noise * (0.2 if parameter.dim() < 2 else parameter[0].numel() ** -0.5))
    return model.eval()


def huggingface(family: str, size: str = "base", kind: str = "Model", **settings: object) -> nn.Module:
    """A random transformers model of a family; size: base or large; kind: end of the class's name."""
    name, sizes = ORIGINALS[family]
    config = getattr(transformers, f"{name}Config")(**{**sizes, **(LARGE if size == "large" else {}), **settings})
    return enliven(getattr(transformers, f"{name}{kind}")(config))


def torchaudio_model(family: str, size: str) -> nn.Module:
    """A random torchaudio model of a family, and the parameters that a bundle would have."""
    large, wavlm = size == "large", family == "wavlm"
    parameters = dict(extractor_mode="layer_norm" if large else "group_norm", extractor_conv_bias=large)
    parameters |= dict(extractor_conv_layer_config=CONVOLUTIONS, encoder_embed_dim=48, encoder_projection_dropout=0.1)
    parameters |= dict(encoder_pos_conv_kernel=15 if large else 16, encoder_pos_conv_groups=4, encoder_num_layers=3)
    parameters |= dict(encoder_num_heads=4, encoder_attention_dropout=0.1, encoder_ff_interm_features=64)
    parameters |= dict(encoder_ff_interm_dropout=0.1, encoder_dropout=0.1, encoder_layer_norm_first=large)
    parameters |= dict(encoder_layer_drop=0.1, aux_num_out=7)
    parameters |= dict(encoder_num_buckets=20, encoder_max_distance=30) if wavlm else {}
    make = torchaudio.models.wavlm_model if wavlm else torchaudio.models.wav2vec2_model
    model = enliven(make(**parameters))
    model.parameters_of_bundle = parameters
    return model


def saved(model: nn.Module, folder: Path) -> str:
    model.save_pretrained(folder)
    return str(folder)


def whisper_features(wave: Tensor, padding: str | bool = "max_length", bins: int = 80, seconds: int = 30) -> Tensor:
    """(1, bins, time), by the original's feature extractor; wave (samples,)"""
    extractor = transformers.WhisperFeatureExtractor(feature_size=bins, chunk_length=seconds)
    return extractor(wave.numpy(), sampling_rate=16000, padding=padding, return_tensors="pt").input_features


def whisper_encoded(encoder: nn.Module, spectrogram: Tensor) -> tuple[Tensor, Tensor]:
    """The first and the last tap by the original's modules, for a spectrogram of any length."""
    hidden = nn.functional.gelu(encoder.conv1(spectrogram))
    hidden = nn.functional.gelu(encoder.conv2(hidden)).transpose(1, 2)
    first = hidden = hidden + encoder.embed_positions.weight[: hidden.shape[1]]
    for layer in encoder.layers:
        hidden = layer(hidden, None)
    return first, encoder.layer_norm(hidden)


class Recorder(nn.Module):
    """A module for a slot that changes nothing and keeps the arguments of its last call."""

    def forward(self, input: Tensor, output: Tensor, frames: Frames) -> Tensor:
        self.called = input, output, frames
        return output
