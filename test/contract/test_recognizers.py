"""What every method guarantees in recognisers with a decoder, at the sites of both stacks."""

import pytest
import torch
from models import METHODS as IN_ENCODERS
from models import waves

from sure import registry
from sure.backbones import moonshine_recognizer, whisper_recognizer
from sure.config import petl_settings
from sure.errors import SureError
from sure.petl.attach import Attachment

SMALL = {"vocabulary": 40, "layers": 2, "decoder_layers": 1}
FAMILIES = {
    "whisper": (whisper_recognizer.Recognizer, "random:toy", {**SMALL, "positions": 25}),
    "moonshine": (moonshine_recognizer.Recognizer, "random:tiny", SMALL),
}
WITH_READOUT = ("linear_probe", "weighted_sum", "l_adapter", "side_network")
METHODS = {
    name: {"sites": "layer.*.*", **given} if name not in ("full", "cnn_adapter") else given
    for name, given in IN_ENCODERS.items()
    if name not in WITH_READOUT and isinstance(given, dict)
}
METHODS |= {
    "prefix-paper": {"name": "prefix", "sites": "layer.*.*", "variant": "paper"},
    "full-decoder": {"name": "full", "stack": "decoder"},
    "full-encoder": {"name": "full", "stack": "encoder"},
    "lora-cross": {"name": "lora", "sites": "decoder.layer.*.cross.[kv] encoder.layer.[0-1].ffn.*"},
}
METHODS = {name: given for name, given in METHODS.items() if given["name"] in registry.names("petl")}
PAIRS = [(method, family) for family in FAMILIES for method in METHODS]
LENGTHS = torch.tensor([5600, 8000, 3200])
TOKENS = torch.tensor([[1, 7, 3, 4, 30, 9], [1, 5, 3, 31, 8, 2], [1, 6, 9, 2, 0, 0]])


def attach(method, family):
    """A small recogniser with a method, the same at every call, or a skip if it has no parameter to train."""
    recognizer, weights, sizes = FAMILIES[family]
    torch.manual_seed(5)
    methods = [registry.find("petl", item.name)(item) for item in petl_settings(METHODS[method])]
    try:
        return Attachment(recognizer.from_weights(weights, seed=2, **sizes), methods)
    except SureError as error:
        if "can train" not in str(error):
            raise
        pytest.skip(str(error))


@torch.no_grad()
def disturb(attachment, size=0.05):
    generator = torch.Generator().manual_seed(11)
    for parameter in attachment.trained_parameters().values():
        parameter += size * torch.randn(parameter.shape, generator=generator)


def attach_disturbed(method, family="whisper"):
    attachment = attach(method, family)
    disturb(attachment)
    return attachment


def logits(backbone, rows=slice(None), tokens=TOKENS):
    lengths = LENGTHS[rows]
    encoded = backbone.encode(waves()[rows.start : rows.stop][:, : int(lengths.max())], lengths)
    return backbone.logits(backbone.decode(tokens[rows], encoded.last, encoded.frames))


ROWS = slice(0, 3)


@pytest.mark.parametrize("family", FAMILIES)
def test_default_sites_are_in_both_stacks_and_in_cross_attention(family):
    places = {site.name.partition(".layer.")[0] for site, _ in attach("lora", family).built()}
    assert places == {"encoder", "decoder"}
    names = {site.name.split(".", 3)[3] for site, _ in attach("prefix", family).built()}
    assert names == {"attn", "cross"}


@pytest.mark.parametrize(("method", "family"), PAIRS)
def test_starts_as_the_recogniser_and_trains_what_it_declares(method, family):
    attachment = attach(method, family)
    backbone = attachment.backbone.train()
    recognizer, weights, sizes = FAMILIES[family]
    with torch.no_grad():
        plain = logits(recognizer.from_weights(weights, seed=2, **sizes), ROWS)
        found = logits(backbone, ROWS)
    if method == "prefix-paper":
        assert not torch.equal(found, plain)
    else:
        assert torch.equal(found, plain)
    trained = attachment.trained_parameters()
    everything = (*backbone.parameters(), *attachment.modules().parameters())
    assert {id(each) for each in trained.values()} == {id(each) for each in everything if each.requires_grad}
    fixed = [backbone.decoder.tokens.weight, backbone.get_parameter("encoder.layers.0.attn.q.weight")]
    fixed = [each for each in fixed if not each.requires_grad]
    assert len(fixed) == {"full": 0, "full-encoder": 1, "full-decoder": 1}.get(method, 2)
    before = [each.clone() for each in fixed], {name: each.detach().clone() for name, each in trained.items()}
    optimizer = torch.optim.AdamW(trained.values(), lr=1e-2, weight_decay=0)
    for _ in range(2):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(logits(backbone, ROWS).flatten(0, 1), TOKENS.flatten()).backward()
        assert not [name for name, each in trained.items() if each.grad is None]
        optimizer.step()
    assert all(map(torch.equal, fixed, before[0]))
    moved = {name.split("/")[0] for name, each in trained.items() if not torch.equal(each, before[1][name])}
    assert moved == {name.split("/")[0] for name in before[1]}


@pytest.mark.parametrize(("method", "family"), PAIRS)
@torch.no_grad()
def test_batch_mates_steps_and_loading_change_nothing(method, family):
    attachment = attach(method, family)
    disturb(attachment)
    backbone = attachment.backbone.eval()
    together = logits(backbone, ROWS)
    torch.testing.assert_close(logits(backbone, slice(2, 3))[0], together[2], atol=1e-5, rtol=1e-5)
    encoded, cache = backbone.encode(waves()[ROWS], LENGTHS), backbone.new_cache()
    parts = [backbone.decode(part, encoded.last, encoded.frames, cache) for part in TOKENS.split([3, 1, 2], 1)]
    torch.testing.assert_close(backbone.logits(torch.cat(parts, 1)), together, atol=1e-5, rtol=1e-5)
    beams = TOKENS.repeat_interleave(2, 0)
    beams[1::2, 2] = 8
    found = backbone.logits(backbone.decode(beams, encoded.last, encoded.frames))
    torch.testing.assert_close(found[::2], together, atol=1e-5, rtol=1e-5)
    again = attach(method, family)
    state = {name: each.clone() for name, each in attachment.state().items()}
    if all(one.saved() == one.config for one in again.methods):
        again.load(state, "test")
        assert torch.equal(logits(again.backbone.eval(), ROWS), together)


@pytest.mark.parametrize(
    ("method", "family"),
    [(method, family) for method, family in PAIRS if registry.find("petl", METHODS[method]["name"]).mergeable],
)
@torch.no_grad()
def test_merged_equals_unmerged(method, family):
    attachment = attach(method, family)
    disturb(attachment)
    backbone = attachment.backbone.eval()
    wanted = logits(backbone, ROWS)
    tensors = backbone.state_dict().keys()
    attachment.merge()
    torch.testing.assert_close(logits(backbone, ROWS), wanted, atol=1e-5, rtol=1e-5)
    merged = {name for name in backbone.state_dict() if ".attached." not in name}
    assert method == "ssf" or merged == {name for name in tensors if ".attached." not in name}


def test_what_of_the_encoder_can_be_cached():
    """All taps, if only the decoder trains."""
    taps = {method: attach(method, "whisper").cacheable_taps for method in METHODS if "full" in method}
    assert taps == {"full": 0, "full-encoder": 0, "full-decoder": SMALL["layers"] + 1}
    with pytest.raises(SureError, match="stack=decoder, but the backbone has one stack"):
        config = petl_settings({"name": "full", "stack": "decoder"})[0]
        Attachment(registry.find("backbones", "tiny").from_weights("random"), [registry.find("petl", "full")(config)])


@pytest.mark.parametrize("format", ["fp32", "bf16", "int8"])
def test_trains_in_bf16_with_stored_weights(format):
    recognizer, weights, sizes = FAMILIES["whisper"]
    config = petl_settings(METHODS["lora"])[0]
    backbone = recognizer.from_weights(weights, seed=2, frozen=format, **sizes)
    torch.manual_seed(5)
    attachment = Attachment(backbone, [registry.find("petl", "lora")(config)])
    disturb(attachment)
    exact = logits(attach_disturbed("lora").backbone, ROWS).detach()
    with torch.autocast("cpu", torch.bfloat16):
        found = logits(backbone, ROWS)
    found.float().square().sum().backward()
    assert torch.cosine_similarity(found.detach().float().flatten(), exact.flatten(), dim=0) > 0.999
    assert all(each.grad.abs().sum() > 0 for each in attachment.trained_parameters().values())


def test_a_method_that_reads_neighbours_has_no_place_in_a_decoder():
    attachment = attach("conv_adapter", "whisper")
    assert {site.name.partition(".")[0] for site, _ in attachment.built()} == {"encoder"}
    recognizer, weights, sizes = FAMILIES["whisper"]
    config = petl_settings({"name": "conv_adapter", "sites": "decoder.layer.*.after_ffn"})[0]
    with pytest.raises(SureError, match=r"'decoder.layer.\*.after_ffn' matches decoder.*sites of the encoder"):
        Attachment(recognizer.from_weights(weights, **sizes), [registry.find("petl", "conv_adapter")(config)])


@pytest.mark.parametrize("recompute", [False, True])
def test_recomputed_layers_have_the_same_gradients(recompute):
    attachment = attach("lora", "whisper")
    attachment.backbone.recompute_layers = recompute
    disturb(attachment)
    logits(attachment.backbone, ROWS).square().sum().backward()
    gradients = [each.grad for each in attachment.trained_parameters().values()]
    if recompute:
        other = attach("lora", "whisper")
        disturb(other)
        logits(other.backbone, ROWS).square().sum().backward()
        assert all(map(torch.equal, gradients, [each.grad for each in other.trained_parameters().values()]))
