"""The places that backbones offer: names, widths, hosts, and what a module in them is called with."""

import pytest
import torch
from originals import waves
from torch import nn

from sure import registry
from sure.backbones.tiny import MODELS, Family

IN_LAYER = {
    "attn.q": "linear",
    "attn.k": "linear",
    "attn.v": "linear",
    "attn.out": "linear",
    "attn": "attention",
    "norm.attn": "norm",
    "after_attn": "residual",
    "ffn.in": "linear",
    "ffn.out": "linear",
    "after_activation": "activation",
    "ffn": "sublayer",
    "norm.ffn": "norm",
    "after_ffn": "residual",
    "output": "tap",
}


class Recorder(nn.Module):
    def forward(self, input, output, frames):
        self.called = input, output, frames
        return output


@pytest.mark.parametrize("model", MODELS)
def test_names_and_kinds(model):
    backbone = Family.from_weights(f"random:{model}")
    found = {site.name: site for site in backbone.sites()}
    wanted = {f"conv.{i}": ("convolution", None) for i in range(len(backbone.convolutions.blocks))}
    for layer in range(len(backbone.layers)):
        wanted |= {f"layer.{layer}.{name}": (kind, layer) for name, kind in IN_LAYER.items()}
    assert {name: (site.kind, site.layer) for name, site in found.items()} == wanted
    assert len(backbone.sites()) == len(found)
    assert found["conv.0"].width_in == (80 if model == "whisper" else 1)
    assert (found["layer.1.ffn.in"].width_in, found["layer.1.ffn.in"].width_out) == (32, 64)
    assert (found["layer.1.ffn.out"].width_in, found["layer.1.ffn.out"].width_out) == (64, 32)
    assert all((site.slot is None) == (site.kind == "tap") for site in found.values())
    assert all((site.host is None) == (site.kind in ("tap", "residual", "sublayer")) for site in found.values())


@pytest.mark.parametrize("model", MODELS)
@torch.no_grad()
def test_every_slot_is_called_with_its_widths_and_the_hosts_numbers(model):
    backbone = Family.from_weights(f"random:{model}")
    recorders = {}
    for site in backbone.sites():
        if site.kind not in ("attention", "tap"):
            recorders[site.name] = site.slot.attached["recorder"] = Recorder()
    lengths = torch.tensor([4000, 2500])
    encoded = backbone(waves([4000, 2500]), lengths)
    for site in backbone.sites():
        if site.name not in recorders:
            continue
        input, output, frames = recorders[site.name].called
        assert (input.shape[2], output.shape[2]) == (site.width_in, site.width_out), site.name
        assert (len(frames.lengths), frames.time) == output.shape[:2]
        if site.kind in ("linear", "norm"):
            site.host.slot.attached.clear()
            assert torch.equal(site.host(input, frames), output)
        if site.kind == "activation":
            assert torch.equal(nn.functional.gelu(input), output)
        if site.kind == "convolution":
            again = site.host.compute(input.transpose(1, 2), frames).transpose(1, 2)
            assert torch.allclose(again, output, atol=1e-6)
        if site.layer is not None:
            assert frames.lengths.tolist() == encoded.lengths.tolist()
    first = recorders["layer.0.after_ffn"].called
    assert torch.equal(first[1], encoded.taps[1])
    received = recorders["layer.0.ffn.in"].called[0]
    assert torch.equal(first[0], received)
    assert torch.equal(recorders["layer.0.after_attn"].called[0], recorders["layer.0.attn.q"].called[0])


@pytest.mark.parametrize("model", MODELS)
def test_empty_slots_leave_no_trace(model):
    backbone = Family.from_weights(f"random:{model}")
    assert not [key for key in backbone.state_dict() if "slot" in key or "after" in key or "attached" in key]
    assert set(backbone.state_dict()) == {name for name, _ in backbone.named_parameters()}


@pytest.mark.parametrize(
    ("family", "weights", "count"),
    [
        ("wav2vec2", "random", 94_371_712),
        ("wav2vec2", "random:large", 315_438_720),
        ("hubert", "random", 94_371_712),
        ("hubert", "random:distil", 23_491_968),
        ("wavlm", "random", 94_381_936),
        ("wavlm", "random:large", 315_453_120),
        ("moonshine", "random", 7_681_248),
        ("data2vec_audio", "random", 93_164_288),
        ("wav2vec2", "random:xlsr_1b", 962_497_408),
        ("wav2vec2", "random:xlsr_2b", 2_159_259_648),
        ("whisper", "random", 8_208_384),
        ("whisper", "random:large_v3", 636_968_960),
    ],
)
def test_parameters_count_as_published(family, weights, count):
    """As transformers counts wav2vec2-base, wav2vec2-large-xlsr-53, ..., the encoder of whisper-large-v3."""
    found = registry.find("backbones", family)
    shape = found.shapes[weights.partition(":")[2] or next(iter(found.shapes))]
    with torch.device("meta"):
        backbone = found(shape)
    assert sum(parameter.numel() for parameter in backbone.parameters()) == count
