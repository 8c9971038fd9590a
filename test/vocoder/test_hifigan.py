"""HiFi-GAN's generator compared with transformers and with plain torch operations; errors of invalid checkpoints."""

import json
import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

from sure.data.synthesis.acoustic import AcousticConfig
from sure.errors import SureError
from sure.vocoder.hifigan import Generator, Shape
from sure.vocoder.vocoder import make_vocoder

ACOUSTIC = AcousticConfig()
CONFIG = {  # the published config_v1.json with fewer channels
    "resblock": "1", "upsample_rates": [8, 8, 2, 2], "upsample_kernel_sizes": [16, 16, 4, 4],
    "upsample_initial_channel": 32, "resblock_kernel_sizes": [3, 7, 11], "resblock_dilation_sizes": [[1, 3, 5]] * 3,
    "segment_size": 8192, "num_mels": 80, "num_freq": 1025, "n_fft": 1024, "hop_size": 256, "win_size": 1024,
    "sampling_rate": 22050, "fmin": 0, "fmax": 8000, "fmax_for_loss": None,
}  # fmt: skip
V3 = CONFIG | {  # config_v3.json: three steps, residual blocks of the second kind
    "resblock": "2", "upsample_rates": [8, 8, 4], "upsample_kernel_sizes": [16, 16, 8],
    "resblock_kernel_sizes": [3, 5, 7], "resblock_dilation_sizes": [[1, 2], [2, 6], [3, 12]],
}  # fmt: skip


@pytest.fixture(scope="module")
def original():
    """The generator of transformers, with weights large enough that every part changes the output."""
    torch.manual_seed(0)
    sizes = {key: CONFIG[key] for key in CONFIG if key.startswith(("upsample_", "resblock_"))}
    config = SpeechT5HifiGanConfig(model_in_dim=80, normalize_before=False, **sizes)
    return enliven(SpeechT5HifiGan(config).eval())


@torch.no_grad()
def enliven(model):
    for tensor in model.parameters():
        tensor.normal_(std=1.2 / math.sqrt(tensor[0].numel() if tensor.ndim > 1 else 10))
    return model


def with_weight_norm(plain, gain="_g", direction="_v"):
    """Tensors as in published checkpoints: directions of any length, and gains along the first dimension."""
    tensors = {}
    for name, tensor in plain.items():
        if tensor.ndim == 1:
            tensors[name] = tensor
            continue
        tensors[name + gain] = tensor.flatten(1).norm(dim=1).view(-1, 1, 1)
        tensors[name + direction] = tensor * (0.1 + torch.rand(len(tensor), 1, 1))
    return tensors


def publish(folder, tensors, config=CONFIG):
    """A checkpoint in the layout of the authors: g_<steps> next to config.json."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    torch.save({"generator": tensors}, folder / "g_02500000")
    return str(folder / "g_02500000")


def of_original(model):
    state = model.state_dict()
    return {name.replace("upsampler", "ups"): state[name].clone() for name in state if name not in ("mean", "scale")}


def mel(frames=23):
    return torch.randn(frames, 80, generator=torch.Generator().manual_seed(1)) - 4


def parametrized(plain):
    tensors = with_weight_norm(plain, ".original0", ".original1")
    return {name.replace(".weight", ".parametrizations.weight"): tensors[name] for name in tensors}


@pytest.mark.parametrize("layout", [with_weight_norm, dict, parametrized])  # ways to store weights
@torch.no_grad()
def test_equals_the_transformers_library(layout, original, tmp_path):
    made = make_vocoder(publish(tmp_path, layout(of_original(original))), ACOUSTIC).waveform(mel())
    wanted = original(mel())
    assert made.shape == (23 * 256,) and made.dtype == torch.float32
    assert wanted.std() > 0.01 and (made - wanted).abs().max() < 1e-5


@torch.no_grad()
def test_second_kind_of_residual_block(tmp_path):
    """A checkpoint of this kind gives the waveform of its blocks; a block equals plain operations of the paper."""
    torch.manual_seed(2)
    generator = enliven(Generator(Shape(**V3)))
    path = publish(tmp_path, with_weight_norm(generator.state_dict()), V3)
    torch.testing.assert_close(make_vocoder(path, ACOUSTIC).waveform(mel()), generator(mel().T[None])[0])
    assert len(generator.resblocks) == 9
    block, hidden = generator.resblocks[8], torch.randn(1, 4, 50)
    found = block(hidden)
    for convolution, dilation in zip(block.convs, (3, 12), strict=True):
        weights = convolution.weight, convolution.bias
        hidden = hidden + F.conv1d(F.leaky_relu(hidden, 0.1), *weights, dilation=dilation, padding=3 * dilation)
    torch.testing.assert_close(found, hidden)


@pytest.fixture
def checkpoint(original, tmp_path):
    """A valid checkpoint to be damaged."""
    return Path(publish(tmp_path / "universal", with_weight_norm(of_original(original))))


@pytest.mark.parametrize(
    ("config", "message"),  # no file, its content, or changed keys (...: without the key)
    [
        (None, "config.json does not exist"),
        ("[]", "config.json: expected keys"),
        ({"hop_size": 300}, "hop_size is 300, but acoustic.hop_size is 256"),
        ({"fmax": None}, "fmax is None, but acoustic.mel_high_hz is 8000"),
        ({"upsample_rates": ...}, "key 'upsample_rates'"),
        ({"upsample_rates": [8, 8, 2, 4]}, "product of upsample_rates is 512"),
        ({"upsample_kernel_sizes": [16, 16, 4]}, "must have the same length"),
        ({"resblock": "3"}, "key 'resblock'"),
        ({"upsample_initial_channel": 64}, r"conv_pre.weight \[32, 80, 7\] instead of \[64, 80, 7\].*one publication"),
    ],
)
def test_errors_name_what_is_wrong_in_config_json(config, message, checkpoint):
    if isinstance(config, dict):
        config = json.dumps({key: value for key, value in (CONFIG | config).items() if value is not ...})
    file = checkpoint.with_name("config.json")
    file.write_text(config) if config else file.unlink()
    with pytest.raises(SureError, match=message):
        make_vocoder(str(checkpoint), ACOUSTIC)


@pytest.mark.parametrize(
    ("damage", "message"),  # content or bytes of the file, from the tensors
    [
        (lambda tensors: {"generator": tensors | {"ups.9.bias": torch.zeros(1)}}, r"1 unexpected \(ups\.9\.bias\)"),
        (lambda tensors: {"generator": {name: tensors[name] for name in tensors if name != "ups.1.bias"}},
         r"1 missing \(ups\.1\.bias\)"),
        (lambda tensors: {"generator": {name: tensors[name] for name in tensors if name != "ups.1.weight_g"}},
         r"1 missing \(ups\.1\.weight\), 1 unexpected \(ups\.1\.weight_v\)"),
        (lambda tensors: {"mpd": {}, "msd": {}, "steps": 1}, "no tensors under 'generator'.*mpd, msd, steps"),
        (lambda tensors: b"PK\3\4", "g_02500000: cannot be read"),
        (lambda tensors: b"version https://git-lfs.github.com/spec/v1\n", "g_02500000: cannot be read"),
    ],
)  # fmt: skip
def test_errors_name_what_is_wrong_in_a_checkpoint(damage, message, checkpoint):
    made = damage(torch.load(checkpoint)["generator"])
    checkpoint.write_bytes(made) if isinstance(made, bytes) else torch.save(made, checkpoint)
    with pytest.raises(SureError, match=message):
        make_vocoder(str(checkpoint), ACOUSTIC)


@pytest.mark.parametrize(("path", "message"), [(".", "is a folder"), ("hifi_gan", "neither griffin_lim nor a file")])
def test_path_that_is_not_a_checkpoint_is_named(path, message):
    with pytest.raises(SureError, match=message):
        make_vocoder(path, ACOUSTIC)
