"""Stage 5: what a trained model says about test sets, into EXP/decode_<set>/{hyp.txt,ref.txt}; or how it speaks them.

`decode.KEY=VALUE` changes how; what another decoding than greedy says goes into EXP/decode_<set>_<decoding>. So does
what another vocoder says, if it gets a name: `decode.vocoder=FILE decode.name=NAME`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from sure.decode.text import decoded_folder, make_decoding
from sure.decode.trained import load_trained
from sure.errors import run
from sure.models.experiment import Experiment
from sure.models.synthesis import SynthesisModel
from sure.stages.decode import decode, sets, speak


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


if __name__ == "__main__":
    run(main)
