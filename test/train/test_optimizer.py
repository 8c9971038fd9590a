"""The learning rate of every tensor, its schedule, and the weight decay follow the config."""

import pytest
import toys

from sure.config import make_config
from sure.errors import SureError
from sure.models.build import build_model, build_task
from sure.train.optimizer import make_optimizer, rate_factor


def test_schedule_by_hand():
    factor = rate_factor(0.2, 0.3, 10)
    assert [factor(step) for step in range(11)] == [0.5, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0]
    assert [rate_factor(0.0, 0.0, 4)(step) for step in range(5)] == [1, 0.75, 0.5, 0.25, 0]
    with pytest.raises(SureError, match="train.warmup=0.7 and train.hold=0.6"):
        rate_factor(0.7, 0.6, 10)


def rates(corpus, *petl):
    """Saved name -> learning rate in the optimizer; tiny backbones have 3 layers."""
    config = make_config(toys.settings(corpus, petl=list(petl)), "test")
    model = build_model(config, build_task(config))
    groups = make_optimizer(model, 1e-3, 5e-3, 0.0).param_groups
    by_tensor = {id(parameter): group["lr"] for group in groups for parameter in group["params"]}
    assert len({group["name"] for group in groups}) == len(groups)
    named = {**model.parameter_groups()["adapter"], **model.parameter_groups()["head"]}
    assert sum(len(group["params"]) for group in groups) == len(named)
    return {name: by_tensor[id(parameter)] for name, parameter in named.items()}


def test_rates_by_method_layer_and_tensor(corpus):
    lora = {"name": "lora", "sites": "layer.*.attn.q", "lr": 4e-3, "layer_decay": 0.5, "b_rate": 16}
    found = rates(corpus, lora, {"name": "bottleneck"}, {"name": "weighted_sum"})
    for layer, rate in enumerate([1e-3, 2e-3, 4e-3]):
        assert found[f"layer.{layer}.attn.q/lora/a"] == pytest.approx(rate)
        assert found[f"layer.{layer}.attn.q/lora/b"] == pytest.approx(16 * rate)
        assert found[f"layer.{layer}.after_ffn/bottleneck/down.weight"] == 1e-3
    assert found["readout/weighted_sum/weights"] == 1e-3
    assert {rate for name, rate in found.items() if name.startswith("head/")} == {5e-3}


def test_the_front_end_counts_as_the_layer_below_all_others(corpus):
    found = rates(corpus, {"name": "bottleneck", "sites": "conv.* layer.2.after_ffn", "layer_decay": 0.5})
    assert found["conv.0/bottleneck/up.bias"] == pytest.approx(1e-3 / 8)
    assert found["layer.2.after_ffn/bottleneck/up.bias"] == 1e-3


@pytest.mark.parametrize(("key", "value"), [("lr", -1.0), ("layer_decay", 0.0), ("b_rate", 0.0)])
def test_impossible_rates_are_refused(corpus, key, value):
    with pytest.raises(SureError, match=f"petl \\(lora\\).*{key}"):
        rates(corpus, {"name": "lora", key: value})
