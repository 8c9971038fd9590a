"""Every tensor gets the rate that its method, layer and name ask for."""

import pytest
import toys

from sure.config import make_config
from sure.errors import SureError
from sure.models.build import build_model, build_task
from sure.train.optimizer import make_optimizer


def rates(corpus, petl):
    """Saved name -> the rate in the optimizer; the weights of tiny backbones have 3 layers."""
    config = make_config(toys.settings(corpus, petl=petl), "test")
    model = build_model(config, build_task(config))
    groups = make_optimizer(model, 1e-3, 5e-3, 0.0).param_groups
    by_tensor = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    assert len({group["name"] for group in groups}) == len(groups)
    named = {**model.parameter_groups()["adapter"], **model.parameter_groups()["head"]}
    assert sum(len(group["params"]) for group in groups) == len(named)
    return {name: by_tensor[id(parameter)] for name, parameter in named.items()}


def test_one_rate_unless_something_else_is_said(corpus):
    found = rates(corpus, {"name": "lora"})
    assert {rate for name, rate in found.items() if not name.startswith("head/")} == {1e-3}
    assert {rate for name, rate in found.items() if name.startswith("head/")} == {5e-3}


def test_by_method_layer_and_tensor(corpus):
    lora = {"name": "lora", "sites": "layer.*.attn.q", "lr": 4e-3, "layer_decay": 0.5, "b_rate": 16}
    found = rates(corpus, [lora, {"name": "bottleneck"}, {"name": "weighted_sum"}])
    for layer, rate in enumerate([1e-3, 2e-3, 4e-3]):
        assert found[f"layer.{layer}.attn.q/lora/a"] == pytest.approx(rate)
        assert found[f"layer.{layer}.attn.q/lora/b"] == pytest.approx(16 * rate)
        assert found[f"layer.{layer}.after_ffn/bottleneck/down.weight"] == 1e-3
    assert found["readout/weighted_sum/weights"] == 1e-3


def test_the_front_end_is_below_all_layers(corpus):
    found = rates(corpus, {"name": "bottleneck", "sites": "conv.* layer.2.after_ffn", "layer_decay": 0.5})
    assert found["conv.0/bottleneck/up.bias"] == pytest.approx(1e-3 / 8)
    assert found["layer.2.after_ffn/bottleneck/up.bias"] == 1e-3


@pytest.mark.parametrize("setting", ["lr=-1", "layer_decay=0", "b_rate=0"])
def test_nonsense_is_refused(corpus, setting):
    key, _, number = setting.partition("=")
    with pytest.raises(SureError, match=f"petl \\(lora\\).*{key}"):
        rates(corpus, {"name": "lora", key: float(number)})
