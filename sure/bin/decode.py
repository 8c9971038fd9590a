"""Stage 5: what a trained model says about test sets, into EXP/decode_<set>/{hyp.txt,ref.txt}; or how it speaks them.

`decode.KEY=VALUE` changes how; what another decoding than greedy says goes into EXP/decode_<set>_<decoding>. So does
what another vocoder says, if it gets a name: `decode.vocoder=FILE decode.name=NAME`.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from tqdm import tqdm

from sure.adapted import AdaptedModel
from sure.config import Config, load_config
from sure.data.data_dir import read_data_dir
from sure.data.tables import format_table
from sure.decoding import RECORD, Decoding, decoded_folder, make_decoding
from sure.device import pick_device
from sure.errors import SureError, run
from sure.files import one_at_a_time, replace_file
from sure.model import SureModel, build_model, build_task
from sure.speaking import acoustic_of, copies_of, copy_synthesis, speak_set
from sure.synthesis import SynthesisModel
from sure.train.experiment import Experiment
from sure.train.feed import audio_batches


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m sure.bin.decode", description=__doc__)
    parser.add_argument("--exp", required=True, metavar="EXP", help="experiment folder: exp/<name>/seed<k>")
    parser.add_argument("--sets", nargs="+", metavar="SET", help="names of data folders; default: data.tests")
    parser.add_argument("overrides", nargs="*", metavar="decode.KEY=VALUE", help="instead of the experiment's own")
    options = parser.parse_args(argv)
    words = options.sets or []  # argparse gives them what stands behind them, overrides included
    overrides = [*options.overrides, *(word for word in words if "=" in word)]
    experiment = Experiment(Path(options.exp))
    config, model = load_trained(experiment, overrides)
    chosen = sets(config, [word for word in words if "=" not in word])
    if isinstance(model, SynthesisModel):
        speak(config, model, chosen, experiment, overrides)
        return
    folders = {name: decoded_folder(experiment.folder, config, name) for name in chosen}
    decoding = make_decoding(experiment.folder, config, model)
    decoding.record["overrides"] = overrides
    for name, data in chosen.items():
        decode(config, model, data, folders[name], decoding)
        print(f"{folders[name]}: {data}")


def load_trained(experiment: Experiment, overrides: Sequence[str] = ()) -> tuple[Config, AdaptedModel]:
    """An experiment's config, and its model with the best weights.

    overrides: of `decode` alone, as nothing else can change after training. Raises SureError before stage 4.
    """
    for override in overrides:
        if not override.startswith("decode."):
            raise SureError(f"{override}: only decode.KEY=VALUE can differ from what was trained")
    again = f"run stage 4: python -m sure.bin.train --exp {experiment.folder}"
    if not experiment.config.is_file():
        raise SureError(f"{experiment.folder}: not an experiment folder (no config.yaml); {again}")
    config = load_config(experiment.config, overrides)
    if config.train.threads:
        torch.set_num_threads(config.train.threads)
    path = experiment.best_weights
    try:
        weights = safetensors.torch.load(experiment.read_best_weights())
    except FileNotFoundError:
        raise SureError(f"{path}: no such file, so nothing is trained yet; {again}") from None
    except (safetensors.SafetensorError, ValueError) as error:
        raise SureError(f"{path} is damaged ({error}); {again} --restart") from None
    model = build_model(config, build_task(config, experiment.tokens), saved=True)
    model.load(weights, str(path))
    return config, model.to(pick_device(config.train.device)).eval()


def speak(
    config: Config, model: SynthesisModel, chosen: dict[str, str], experiment: Experiment, overrides: list[str]
) -> None:
    """Speak the sets, and once for a data set and not for every experiment let the vocoder say natural mels."""
    acoustic = acoustic_of(model)
    copies = f"{Path(config.data.train).parent.name}_{copies_of(config.decode.vocoder)}"
    for name, data in chosen.items():
        copied = experiment.folder.parent.parent / copies / f"decode_{name}"
        with one_at_a_time(copied):  # of experiments that are decoded side by side, the first makes it
            if copy_synthesis(config, acoustic, data, copied):
                print(f"{copied}: {data}")
        folder = decoded_folder(experiment.folder, config, name)
        speak_set(config, model, data, folder, overrides)
        print(f"{folder}: {data}")


def sets(config: Config, names: Sequence[str] | None) -> dict[str, str]:
    """Data folders by set. Raises SureError for a name that the config does not have."""
    known = config.data.sets()
    for name in names or []:
        if name not in known:
            raise SureError(f"--sets {name}: no such set in the config, which has: {', '.join(known)}")
    if not names and not config.data.tests:
        raise SureError(f"data.tests is empty; say --sets, one or more of: {', '.join(known)}")
    return {name: known[name] for name in names or [Path(folder).name for folder in config.data.tests]}


def decode(config: Config, model: SureModel, data: str, out: Path, decoding: Decoding) -> None:
    """Decode one data folder, in float32; lines are sorted by id as the folder is."""
    utterances = read_data_dir(data)
    model.task.check_set(utterances, data)
    device = pick_device(config.train.device)
    found: dict[str, str] = {}
    progress = tqdm(total=len(utterances), desc=out.name, unit="utterance", disable=None, leave=False)
    for batch in audio_batches(utterances, model.backbone, config):
        lines = decoding.answer(batch.waves.to(device), batch.wave_lengths)
        found.update(zip(batch.ids, lines, strict=True))
        progress.update(len(lines))
    progress.close()
    references = [(utterance.id, model.task.reference(utterance)) for utterance in utterances]
    record = {"set": Path(data).name, "data": data, **decoding.record}
    replace_file(out / RECORD, json.dumps(record, ensure_ascii=False, indent=2) + "\n")
    replace_file(out / "ref.txt", format_table(references))
    replace_file(out / "hyp.txt", format_table([(utterance.id, found[utterance.id]) for utterance in utterances]))


if __name__ == "__main__":
    run(main)
