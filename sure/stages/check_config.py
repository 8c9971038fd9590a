"""Before stage 1: check the whole configuration of a call, so that no mistake in it shows up only after hours."""

from pathlib import Path

from sure.config import Config, load_config
from sure.decode.record import decoded_folder
from sure.errors import SureError
from sure.models.build import backbone_family
from sure.recipe.plan import Call, Experiment, make_plan
from sure.recipe.settings import split_settings


def check_config(call: Call) -> None:
    """Raises SureError naming the first wrong key, value, rate, decoding or file of weights."""
    plan, settings = make_plan(call), split_settings(call.set, call.caller)
    for experiment in plan.experiments:
        if experiment.seed != plan.experiments[0].seed:
            continue  # seeds do not change what can be wrong
        config = load_config(experiment.configs, experiment.training)
        _check_overrides(config, experiment)
        family = backbone_family(config)
        if not plan.weights_from:  # else an earlier stage makes them
            family.check_weights(config.backbone.weights)
        for decoding in plan.decodings:
            words = [*experiment.training, *settings.decoding, *decoding.decode_words]
            decoded = load_config(experiment.configs, words)
            for data in decoded.data.tests:
                decoded_folder(Path(experiment.exp), decoded, Path(data).name)


def _check_overrides(config: Config, experiment: Experiment) -> None:
    """Raises SureError where --set or a file of settings replaces a value that has an option of its own."""
    files = " + ".join(experiment.configs)
    wanted = dict(word.split("=", 1) for word in experiment.training)
    found = {
        "petl.name": config.method,
        "seed": str(config.seed),
        "backbone.name": config.backbone.name,
        "backbone.weights": config.backbone.weights,
    }
    if experiment.rate:
        wanted["train.lr_adapter"] = f"{float(experiment.rate):g}"
        found["train.lr_adapter"] = f"{config.train.lr_adapter:g}"
        for method in config.petl:
            if method.lr is not None:
                raise SureError(
                    f"--rates: petl.lr={method.lr:g} of {method.name} would replace every rate; remove it from "
                    f"{files} or --set, or leave out --rates"
                )
    for key, value in found.items():
        if value != wanted[key]:
            raise SureError(
                f"{key} is {value} by --set, but {wanted[key]} by an option of run.sh; remove it from --set"
            )
