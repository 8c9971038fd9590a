"""The sites of backbones: their number, widths, hosts, and the arguments of a module in their slots."""

import pytest
import torch
from originals import Recorder, waves
from torch import nn

from sure import registry
from sure.backbones.tiny import MODELS, Family


@pytest.mark.parametrize("model", MODELS)
@torch.no_grad()
def test_every_slot_is_called_with_its_widths_and_the_hosts_numbers(model):
    backbone = Family.from_weights(f"random:{model}")
    sites = [site for site in backbone.sites() if site.kind not in ("attention", "tap")]
    assert len(sites) == len(backbone.convolutions.blocks) + 12 * len(backbone.layers)
    for site in sites:
        site.slot.attached["recorder"] = Recorder()
    encoded = backbone(waves([4000, 2500]), torch.tensor([4000, 2500]))
    called = {site.name: site.slot.attached["recorder"].called for site in sites}
    for site in sites:
        input, output, frames = called[site.name]
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
    input, output, _ = called["layer.0.after_ffn"]
    assert torch.equal(output, encoded.taps[1])
    assert torch.equal(input, called["layer.0.ffn.in"][0])
    assert torch.equal(called["layer.0.after_attn"][0], called["layer.0.attn.q"][0])


COUNTS = {  # as transformers counts wav2vec2-base, wav2vec2-large-xlsr-53, ..., the encoder of whisper-large-v3
    "wav2vec2:base": 94_371_712,
    "wav2vec2:large": 315_438_720,
    "wav2vec2:xlsr_1b": 962_497_408,
    "wav2vec2:xlsr_2b": 2_159_259_648,
    "hubert:distil": 23_491_968,
    "wavlm:base": 94_381_936,
    "wavlm:large": 315_453_120,
    "moonshine:tiny_en": 7_681_248,
    "data2vec_audio:base": 93_164_288,
    "whisper:tiny_en": 8_208_384,
    "whisper:large_v3": 636_968_960,
}


def test_parameters_count_as_published():
    found = {}
    for name in COUNTS:
        family, shape = name.split(":")
        Backbone = registry.find("backbones", family)
        with torch.device("meta"):
            found[name] = sum(parameter.numel() for parameter in Backbone(Backbone.shapes[shape]).parameters())
    assert found == COUNTS
