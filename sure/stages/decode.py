"""Stage 5: what a trained model says about test sets, into EXP/decode_<set>/{hyp.txt,ref.txt}; or how it speaks them.

`decode.KEY=VALUE` changes how; what another decoding than greedy says goes into EXP/decode_<set>_<decoding>. So does
what another vocoder says, if it gets a name: `decode.vocoder=FILE decode.name=NAME`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from sure.config import Config
from sure.data.data_dir import read_data_dir
from sure.data.tables import format_table
from sure.decode.synthesis import acoustic_of, copies_of, copy_synthesis, speak_set
from sure.decode.text import RECORD, Decoding, decoded_folder
from sure.device import pick_device
from sure.errors import SureError
from sure.files import one_at_a_time, replace_file
from sure.models.experiment import Experiment
from sure.models.loading import audio_batches
from sure.models.recognition import SureModel
from sure.models.synthesis import SynthesisModel


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
