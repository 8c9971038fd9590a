"""HiFi-GAN's generator against the transformers library's, and against plain torch operations; and what is refused."""

import json
import math
import os

import pytest
import torch
import torch.nn.functional as F
from spectrogram import ACOUSTIC
from transformers import SpeechT5HifiGan, SpeechT5HifiGanConfig

from sure.errors import SureError
from sure.vocoder.hifigan import fold_weight_norm
from sure.vocoder.vocoder import make_vocoder

CONFIG = {  # of the published config_v1.json, but with fewer channels
    "resblock": "1", "num_gpus": 0, "batch_size": 16, "learning_rate": 0.0002, "seed": 1234,
    "upsample_rates": [8, 8, 2, 2], "upsample_kernel_sizes": [16, 16, 4, 4], "upsample_initial_channel": 32,
    "resblock_kernel_sizes": [3, 7, 11], "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5], [1, 3, 5]],
    "segment_size": 8192, "num_mels": 80, "num_freq": 1025, "n_fft": 1024, "hop_size": 256, "win_size": 1024,
    "sampling_rate": 22050, "fmin": 0, "fmax": 8000, "fmax_for_loss": None, "num_workers": 4,
}  # fmt: skip
V3 = CONFIG | {  # of config_v3.json: three steps, and residual blocks of the second kind
    "resblock": "2", "upsample_rates": [8, 8, 4], "upsample_kernel_sizes": [16, 16, 8],
    "resblock_kernel_sizes": [3, 5, 7], "resblock_dilation_sizes": [[1, 2], [2, 6], [3, 12]],
}  # fmt: skip


@pytest.fixture
def original():
    """The same network by others, with weights loud enough that every part is heard."""
    torch.manual_seed(0)
    keys = ("upsample_rates", "upsample_kernel_sizes", "upsample_initial_channel")
    keys += ("resblock_kernel_sizes", "resblock_dilation_sizes")
    config = SpeechT5HifiGanConfig(model_in_dim=80, normalize_before=False, **{key: CONFIG[key] for key in keys})
    model = SpeechT5HifiGan(config).eval()
    with torch.no_grad():
        for tensor in model.parameters():
            fan = tensor[0].numel() if tensor.ndim > 1 else 10
            tensor.normal_(std=1.2 / math.sqrt(fan))
    return model


def with_weight_norm(plain):
    """As in a published checkpoint: a direction of any length, and a gain for each of the first dimension."""
    tensors = {}
    for name, tensor in plain.items():
        if tensor.ndim == 1:
            tensors[name] = tensor
            continue
        tensors[f"{name}_g"] = tensor.flatten(1).norm(dim=1).view(-1, 1, 1)
        tensors[f"{name}_v"] = tensor * (0.1 + torch.rand(len(tensor), 1, 1))
    return tensors


def publish(folder, tensors, config=CONFIG):
    """A checkpoint in the layout of the authors: g_<steps>, with config.json beside it."""
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    torch.save({"generator": tensors}, folder / "g_02500000")
    return str(folder / "g_02500000")


def of_original(model):
    names = {name: name.replace("upsampler", "ups") for name in model.state_dict() if name not in ("mean", "scale")}
    return {ours: model.state_dict()[theirs].clone() for theirs, ours in names.items()}


def mel(frames=23):
    return torch.randn(frames, 80, generator=torch.Generator().manual_seed(1)) - 4


def test_equals_the_transformers_library_on_a_published_layout(original, tmp_path):
    path = publish(tmp_path, with_weight_norm(of_original(original)))
    made = make_vocoder(path, ACOUSTIC).waveform(mel())
    with torch.no_grad():
        wanted = original(mel())
    assert made.shape == (23 * 256,) and made.dtype == torch.float32
    assert wanted.std() > 0.01 and (made - wanted).abs().max() < 1e-5


@pytest.mark.parametrize("layout", ["folded", "parametrized"])
def test_other_ways_to_store_weights(layout, original, tmp_path):
    tensors = of_original(original)
    if layout == "parametrized":
        names = {"weight_g": "parametrizations.weight.original0", "weight_v": "parametrizations.weight.original1"}
        tensors = with_weight_norm(tensors)
        for theirs, ours in names.items():
            tensors = {name.replace(theirs, ours): tensor for name, tensor in tensors.items()}
    made = make_vocoder(publish(tmp_path, tensors), ACOUSTIC).waveform(mel())
    with torch.no_grad():
        assert (made - original(mel())).abs().max() < 1e-5


def test_folding_is_what_torch_multiplies_with():
    torch.manual_seed(0)
    layers = torch.nn.Sequential(torch.nn.utils.parametrizations.weight_norm(torch.nn.ConvTranspose1d(6, 3, 4)))
    with torch.no_grad():
        layers[0].parametrizations.weight.original0.mul_(torch.rand(6, 1, 1))
    folded = fold_weight_norm(layers.state_dict())
    assert folded.keys() == {"0.weight", "0.bias"}
    torch.testing.assert_close(folded["0.weight"], layers[0].weight)


def test_second_kind_of_residual_block_against_plain_operations(tmp_path):
    """Every convolution written out, from the paper's figure and appendix."""
    torch.manual_seed(2)
    tensors, channels = {}, V3["upsample_initial_channel"]

    def add(name, *shape):
        tensors[f"{name}.weight"] = torch.randn(shape) * 1.2 / math.sqrt(shape[1] * shape[2])
        tensors[f"{name}.bias"] = torch.randn(shape[1] if name.startswith("ups") else shape[0]) * 0.1

    add("conv_pre", channels, 80, 7)
    for step in range(3):
        add(f"ups.{step}", channels >> step, channels >> (step + 1), V3["upsample_kernel_sizes"][step])
        for block in range(3):
            for convolution in range(2):
                width, kernel = channels >> (step + 1), V3["resblock_kernel_sizes"][block]
                add(f"resblocks.{3 * step + block}.convs.{convolution}", width, width, kernel)
    add("conv_post", 1, channels >> 3, 7)

    def get(name):
        return tensors[f"{name}.weight"], tensors[f"{name}.bias"]

    x = F.conv1d(mel().T[None], *get("conv_pre"), padding=3)
    for step, (rate, kernel) in enumerate(zip((8, 8, 4), (16, 16, 8), strict=True)):
        weight, bias = get(f"ups.{step}")
        x = F.conv_transpose1d(F.leaky_relu(x, 0.1), weight, bias, stride=rate, padding=(kernel - rate) // 2)
        total = torch.zeros_like(x)
        for block, (size, dilations) in enumerate(zip((3, 5, 7), ((1, 2), (2, 6), (3, 12)), strict=True)):
            y = x
            for convolution, dilation in enumerate(dilations):
                weight, bias = get(f"resblocks.{3 * step + block}.convs.{convolution}")
                padding = dilation * (size - 1) // 2
                y = y + F.conv1d(F.leaky_relu(y, 0.1), weight, bias, dilation=dilation, padding=padding)
            total += y
        x = total / 3
    wanted = torch.tanh(F.conv1d(F.leaky_relu(x, 0.01), *get("conv_post"), padding=3))[0, 0]
    made = make_vocoder(publish(tmp_path, with_weight_norm(tensors), V3), ACOUSTIC).waveform(mel())
    assert wanted.std() > 0.01 and (made - wanted).abs().max() < 1e-5


class Evil:
    def __reduce__(self):
        return os.mkdir, ("made_by_a_checkpoint",)


def broken(kind, folder, tensors):
    """A checkpoint with a fault, and what the message has to name."""
    path = publish(folder, tensors)
    config, file = folder / "config.json", folder / "g_02500000"
    if kind == "no config":
        config.unlink()
        return path, "config.json does not exist"
    if kind == "config is no JSON":
        config.write_text("{")
        return path, "config.json is not valid JSON"
    if kind == "config is a list":
        config.write_text("[]")
        return path, "config.json: expected keys"
    if kind == "another hop":
        config.write_text(json.dumps(CONFIG | {"hop_size": 300}))
        return path, "hop_size is 300, but acoustic.hop_size is 256"
    if kind == "another ceiling":
        config.write_text(json.dumps(CONFIG | {"fmax": None}))
        return path, "fmax is None, but acoustic.mel_high_hz is 8000"
    if kind == "no rates":
        config.write_text(json.dumps({key: CONFIG[key] for key in CONFIG if key != "upsample_rates"}))
        return path, "key 'upsample_rates'"
    if kind == "rates of another hop":
        config.write_text(json.dumps(CONFIG | {"upsample_rates": [8, 8, 2, 4]}))
        return path, "product of upsample_rates is 512"
    if kind == "a kernel too few":
        config.write_text(json.dumps(CONFIG | {"upsample_kernel_sizes": [16, 16, 4]}))
        return path, "must have the same length"
    if kind == "a third kind of block":
        config.write_text(json.dumps(CONFIG | {"resblock": "3"}))
        return path, "key 'resblock'"
    if kind == "wider":
        config.write_text(json.dumps(CONFIG | {"upsample_initial_channel": 64}))
        return path, r"'conv_pre.weight' has the shape \(32, 80, 7\).*\(64, 80, 7\)"
    if kind == "a tensor missing":
        publish(folder, {name: tensor for name, tensor in tensors.items() if name != "ups.1.bias"})
        return path, r"1 missing \(ups\.1\.bias\)"
    if kind == "a tensor too much":
        publish(folder, tensors | {"ups.9.bias": torch.zeros(1)})
        return path, r"1 unexpected \(ups\.9\.bias\)"
    if kind == "the discriminator":
        torch.save({"mpd": {}, "msd": {}, "steps": 1}, file)
        return path, "no tensors under 'generator'.*mpd, msd, steps"
    if kind == "code":
        torch.save({"generator": Evil()}, file)
        return path, "a file of tensors"
    if kind == "cut off":
        file.write_bytes(file.read_bytes()[:3000])
        return path, "g_02500000: cannot be read"
    if kind == "empty":
        file.write_bytes(b"")
        return path, "g_02500000: cannot be read"
    if kind == "text":
        file.write_text("version https://git-lfs.github.com/spec/v1\n")
        return path, "g_02500000: cannot be read"
    if kind == "folder":
        return str(folder), "is a folder"
    return "hifi_gan", "neither griffin_lim nor a file"


KINDS = (
    "no config", "config is no JSON", "config is a list", "another hop", "another ceiling", "no rates",
    "rates of another hop", "a kernel too few", "a third kind of block", "wider", "a tensor missing",
    "a tensor too much", "the discriminator", "code", "cut off", "empty", "text", "folder", "no such file",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_no_such_checkpoint_is_refused_by_name(kind, original, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path, words = broken(kind, tmp_path / "universal", with_weight_norm(of_original(original)))
    with pytest.raises(SureError, match=words):
        make_vocoder(path, ACOUSTIC)
    assert not (tmp_path / "made_by_a_checkpoint").exists()
