"""A corpus with many damaged utterances: each is named with its reason, and the good ones alone are trained on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from damaged_corpus import DAMAGES, make

from sure.bin import prepare, tokenize, train
from sure.data.data_dir import read_data_dir
from sure.data.dataset import SpeechDataset
from sure.errors import SureError

RECIPE = Path(__file__).parents[2] / "egs" / "TEMPLATE"
SETS = ("train", "dev", "test")


def named(folder: Path) -> dict[str, str]:
    """What validation.txt says: id -> reason."""
    found, reason = {}, ""
    for line in (folder / "validation.txt").read_text(encoding="utf-8").splitlines()[1:]:
        if line.startswith("  "):
            key = line.split("\t")[0].strip()
            assert key not in found, f"{key} is named twice"
            found[key] = reason
        else:
            reason = re.sub(r"^\d+ (.*):$", r"\1", line)
    return found


def config(here: Path) -> Path:
    given = {
        "task": "asr",
        "data": {"train": "data/train", "valid": "data/dev", "tests": ["data/test"], "on_bad_utterance": "skip"},
        "backbone": {"name": "tiny", "weights": "random:moonshine"},
        "petl": {"name": "bitfit"},
        "train": {"epochs": 1, "batch_seconds": 30.0, "threads": 1, "prefix_cache": "off"},
    }
    path = here / "asr.yaml"
    path.write_text(yaml.safe_dump(given))
    return path


@pytest.mark.parametrize(
    ("good", "damaged"), [(66, 44), pytest.param(300, 200, marks=pytest.mark.slow, id="as large as promised")]
)
def test_every_damaged_utterance_is_named_and_the_good_ones_train(
    here: Path, monkeypatch: pytest.MonkeyPatch, good: int, damaged: int
) -> None:
    wanted = make(here / "corpus", good, damaged)
    everyone = {f"clips-{path.stem.replace(' ', '_')}" for path in (here / "corpus" / "clips").iterdir()}
    everyone |= wanted.keys()
    assert (len(everyone), len(wanted)) == (good + damaged, damaged)
    words = ["--recipe", str(RECIPE), "--corpus", "corpus", "--out", "data", "task=asr"]
    with pytest.raises(SureError, match="--on_bad_utterance skip") as stopped:
        prepare.main(words)
    assert all(f"data/{name}: " in str(stopped.value) for name in SETS)

    prepare.main([*words, "--on_bad_utterance", "skip"])
    found = {key: reason for name in SETS for key, reason in named(here / "data" / name).items()}
    assert found.keys() == wanted.keys()
    wrong = {key: reason for key, reason in found.items() if not re.fullmatch(wanted[key].reason, reason)}
    assert not wrong
    if damaged >= 2 * len(DAMAGES):
        assert {damage.reason for damage in wanted.values()} == {damage.reason for damage in DAMAGES.values()}
    left = {utterance.id for name in SETS for utterance in read_data_dir(here / "data" / name)}
    assert left == everyone - wanted.keys()

    learned: set[str] = set()
    item = SpeechDataset.__getitem__

    def noted(self: SpeechDataset, index: int):
        learned.add(self.utterances[index].id)
        return item(self, index)

    monkeypatch.setattr(SpeechDataset, "__getitem__", noted)
    tokenize.main(["--config", str(config(here))])
    train.main(["--config", str(config(here)), "--exp", "exp"])
    assert learned == {key for key in left if not key.startswith("clips-test")}
