"""Before stage 1: check the whole configuration of a call, so that no mistake in it shows up only after hours."""

import re
from pathlib import Path

from sure import hub
from sure.config import Config, load_config
from sure.decode.record import decoded_folder
from sure.errors import SureError
from sure.models.build import backbone_family, check_methods
from sure.petl.bundle import ADAPTER_KINDS, read_bundle
from sure.recipe.plan import Call, Experiment, make_plan
from sure.recipe.settings import split_settings
from sure.train.tracker import check_tracker


def check_config(call: Call) -> None:
    """Raises SureError naming the first wrong key, value, rate, decoding or file of weights.

    A dry run downloads nothing: it leaves out the checks that need weights or a bundle from the hub.
    """
    plan, settings = make_plan(call), split_settings(call.set, call.caller)
    not_fetched: set[str] = set()
    for experiment in plan.experiments:
        if experiment.seed != plan.experiments[0].seed:
            continue  # seeds do not change what can be wrong
        config = load_config(experiment.configs, experiment.training)
        _check_overrides(config, experiment)
        _check_device(config)
        check_tracker(config.train.track)
        family = backbone_family(config)
        if call.dry_run == "true" and (missing := _not_cached(config)):
            not_fetched |= missing
        else:
            _check_starts(config)
            if not plan.weights_from:  # else an earlier stage makes them
                family.check_weights(config.backbone.weights)
            if experiment.rate in ("", plan.experiments[0].rate):  # other rates attach the same modules
                check_methods(config)
        for decoding in plan.decodings:
            words = [*experiment.training, *settings.decoding, *decoding.decode_words]
            decoded = load_config(experiment.configs, words)
            _check_files(decoded)
            for data in decoded.data.tests:
                decoded_folder(Path(experiment.exp), decoded, Path(data).name)
    for name in sorted(not_fetched):
        print(f"# {name} is not in the cache of the hub; a dry run does not download it, and checks no sites in it")


def _not_cached(config: Config) -> set[str]:
    """Names on the hub of weights and bundles that are not in the cache."""
    names = {config.backbone.weights, *(method.start for method in config.petl)}
    return {name for name in names if hub.is_name(name) and not hub.is_cached(name)}


def _check_starts(config: Config) -> None:
    for method in config.petl:
        if method.start:
            read_bundle(Path(method.start), ADAPTER_KINDS)
        elif not method.trains:
            raise SureError(f"petl ({method.name}): trains=false needs start, the bundle with the trained method")


def _check_device(config: Config) -> None:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", config.train.device):  # jobs may run where there are other devices
        raise SureError(f"train.device={config.train.device}: expected auto, cpu, cuda or cuda:<number>")


def _check_files(config: Config) -> None:
    """Raises SureError for a file of decoding or tokens that does not exist; those in data/ are made by stages."""
    files = {f"decode.{key}": [getattr(config.decode, key)] for key in ("ngram", "lexicon", "vocoder")}
    files["tokenizer.lexicon"] = config.tokenizer.lexicon or []
    for key, names in files.items():
        for name in names:
            if (
                name not in ("none", "train", "griffin_lim")
                and not name.startswith("data/")
                and not Path(name).is_file()
            ):
                raise SureError(f"{key}: the file {name} does not exist; correct the path")


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
