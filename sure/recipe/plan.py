"""The plan of one call of run.sh: its experiments with folders and configs, and its ways of decoding.

It needs no installed package and no torch, so that it takes a tenth of a second, also before anything is installed.
"""

import os
import re
from dataclasses import dataclass, field, replace
from itertools import product

from sure.errors import SureError
from sure.recipe import names
from sure.recipe.halving import rounds_of
from sure.recipe.options import check_backbone, read_decodings, read_methods, read_rates, read_seeds, read_tag
from sure.recipe.other_languages import UNTOUCHED, OtherLanguage, other_languages
from sure.recipe.settings import Settings, from_caller, of_sections, split_settings

WHISPER = "downloads/whisper_base.safetensors"  # the default weights of whisper


@dataclass
class Call:
    """Options of run.sh, and variables that the recipe and its pipeline set."""

    task: str = ""
    dataset: str = ""
    backbone: str = ""
    weights: str = ""
    petl: str = ""
    seeds: str = "1"
    rates: str = ""
    search: str = "grid"
    also: str = ""  # other languages to decode
    lang: str = ""
    memory: str = ""  # most memory of a training
    track: str = ""  # tracker of trainings
    tag: str = ""
    set: str = ""
    decode: str = names.GREEDY
    on_bad_utterance: str = "stop"
    cache_gb: str = ""
    dry_run: str = "false"
    caller: str = "."  # the folder that run.sh was called from
    pipeline: str = ""  # `synthesis` for speech synthesis, `recognizer` for whole recognisers
    shape: str = ""  # synthesis: of the model that is trained from random weights
    pretrained: str = ""  # synthesis: dataset of the model that is adapted, and
    pretrained_in: str = ""  # the recipe that trains it
    given: list[str] = field(default_factory=list)  # names of the options that the user passed
    overrides: list[str] = field(default_factory=list)  # of the config, for stages 2 to 4
    prepare_options: list[str] = field(default_factory=list)
    source_options: list[str] = field(default_factory=list)
    decode_methods: list[str] = field(default_factory=list)  # the decodings that the task has


@dataclass
class Experiment:
    """One training run in its folder `exp`; `configs` are files for --config, `training` overrides of the config."""

    method: str
    seed: str
    rate: str  # empty: the one of the config
    exp: str
    configs: list[str]
    training: list[str]


@dataclass
class Decoding:
    """One way of decoding: names in the experiment folder, and overrides and further input files of stage 5."""

    decoded: str
    ending: str
    tuned: str  # the file of weights that are tuned on dev before; empty: there are none
    decode_words: list[str]
    decode_files: list[str]


@dataclass
class Plan:
    """Variables for the shell."""

    weights: str
    weights_from: str  # the stage that makes them: download, pretraining, or none
    like: str  # synthesis: tokens of the model that is adapted
    token_settings: list[str]
    acoustic_settings: list[str]
    config_files: list[str]
    experiments: list[Experiment]
    rounds: list[str]  # of --search halving: parts of all epochs; empty: every rate is trained to the end
    candidates: list[Experiment]  # of these rounds: each method and rate with the first seed
    decodings: list[Decoding]
    other_languages: list[OtherLanguage]


def make_plan(call: Call) -> Plan:
    """Raises SureError naming the option that is wrong, as far as that is known without the methods' own classes."""
    if not re.fullmatch(r"[A-Za-z0-9._+-]+", call.dataset):
        raise SureError(f"the dataset {call.dataset!r} becomes a folder's name; use letters, digits and . _ + - only")
    if not os.path.isfile(f"conf/{call.task}.yaml"):
        raise SureError(f"there is no conf/{call.task}.yaml in {os.getcwd()}, which task {call.task} needs")
    call, like = _synthesis(call) if call.pipeline == "synthesis" else (call, "")
    check_backbone(call.backbone)
    from_nothing = call.pipeline == "synthesis" and call.weights == f"random:{call.shape}"
    adapted = call.pipeline == "synthesis" and not from_nothing
    weights, weights_from = _weights(call)
    methods, seeds, rates = read_methods(call.petl), read_seeds(call.seeds), read_rates(call.rates)
    settings = split_settings(call.set, call.caller, with_rates=bool(rates))
    skip = ["data.on_bad_utterance=skip"] if call.on_bad_utterance == "skip" else []
    cache = [f"train.prefix_cache_disk_gigabytes={call.cache_gb}"] if call.cache_gb else []
    variant = names.variant("" if from_nothing else weights, read_tag(call.tag))  # from nothing it is not a control
    backbone = [f"backbone.name={call.backbone}", f"backbone.weights={weights}"]
    own_tokens = backbone if call.pipeline == "recognizer" else []  # stage 3 copies those of the backbone
    others = other_languages(call.also, call.lang, call.dataset, call.prepare_options, call.source_options, call.task)
    chosen = list(product(methods, rates or [""], seeds))
    if others and UNTOUCHED not in methods:
        chosen.insert(0, (UNTOUCHED, "", seeds[0]))
    experiments = []
    for method, rate, seed in chosen:
        own = [f"petl.name={method}", f"seed={seed}", *backbone]
        own += [f"train.lr_adapter={rate}"] if rate else []
        folder = names.experiment_folder(call.dataset, call.backbone, method, seed, variant, rate)
        own += [f"train.memory={call.memory}"] if call.memory else []
        own += [f"train.track={call.track}"] if call.track else []
        training = [*call.overrides, *own, *skip, *cache, *settings.training]
        experiments.append(Experiment(method, seed, rate, folder, _configs(call.task, method, adapted), training))
    return Plan(
        weights,
        weights_from,
        like,
        [*own_tokens, *of_sections(settings.training, "data", "text", "tokenizer")],
        of_sections([*skip, *settings.training], "acoustic", "data"),
        list(dict.fromkeys(file for experiment in experiments for file in experiment.configs)),
        experiments,
        rounds_of(call.search, rates),
        [experiment for experiment in experiments if experiment.seed == seeds[0]],
        _decodings(call, settings),
        others,
    )


def _configs(task: str, method: str, adapted: bool) -> list[str]:
    """The files of a method's config, in increasing precedence."""
    files = [f"conf/{task}.yaml"]
    files += [f"conf/adaptation/{task}.yaml"] if adapted else []
    files += ["conf/rates.yaml", f"conf/petl/{method}.yaml", f"conf/petl/{task}_{method}.yaml"]
    return [file for file in files if os.path.isfile(file)]


def _weights(call: Call) -> tuple[str, str]:
    """The weights, and the stage that makes them."""
    weights = call.weights
    if call.backbone == "whisper" and "weights" not in call.given:
        weights = WHISPER
    if call.backbone != "moonshine" and "weights" not in call.given and "moonshine" in weights:
        raise SureError(
            f"--backbone {call.backbone} needs --weights: a file, a Hugging Face folder or name, a torchaudio bundle "
            "or random"
        )
    if not names.is_random(weights) and not os.path.exists(weights):
        weights = from_caller(weights, call.caller)
    if re.fullmatch(r"downloads/.*\.safetensors", weights):
        return weights, "download"
    return weights, "pretraining" if call.pretrained else ""


def _synthesis(call: Call) -> tuple[Call, str]:
    """The call with the defaults of speech synthesis, and the tokens of the model that is adapted."""
    backbone = call.backbone if "backbone" in call.given else "fastspeech2"
    if "weights" in call.given:
        return replace(call, backbone=backbone, pretrained=""), ""
    if call.pretrained:
        model = names.experiment_folder(call.pretrained, backbone, "full", "1")
        like = os.path.join(call.pretrained_in, f"data/{call.pretrained}/tokens")
        weights = os.path.join(call.pretrained_in, model, "backbone.safetensors")
        return replace(call, backbone=backbone, weights=weights), like
    petl = call.petl if "petl" in call.given else "full"
    return replace(call, backbone=backbone, weights=f"random:{call.shape}", petl=petl), ""


def _decodings(call: Call, settings: Settings) -> list[Decoding]:
    methods, name, words = read_decodings(call.decode, call.task, call.decode_methods), settings.name, settings.decoding
    if call.pipeline == "synthesis":
        files = settings.files("decode.vocoder")
        if files and name == names.SEARCH:
            name = names.vocoder_decoding(files[-1])
            words = [*words, f"decode.name={name}"]
        name = names.decoding(names.GREEDY, name, is_synthesis=True)
        return [Decoding(name, names.decoding_ending(name), "", words, files)]
    found = []
    for method in methods:
        if method == names.GREEDY:
            found.append(Decoding(method, "", "", ["decode.method=greedy"], []))
        else:
            words = [f"decode.method={method}", *settings.decoding]
            files = settings.files("decode.ngram", "decode.lexicon")
            found.append(Decoding(name, names.decoding_ending(name), names.tuned_file(name), words, files))
    return found
