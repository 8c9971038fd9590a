"""A corpus with many damaged utterances: each is named with its reason, and only the good ones are used in training."""

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
FOLDERS = [Path("data") / name for name in ("train", "dev", "test")]
CONFIG = {
    "task": "asr",
    "data": {"train": "data/train", "valid": "data/dev", "tests": ["data/test"], "on_bad_utterance": "skip"},
    "backbone": {"name": "tiny", "weights": "random:moonshine"},
    "petl": {"name": "bitfit"},
    "train": {"epochs": 1, "batch_seconds": 30.0, "threads": 1, "prefix_cache": "off"},
}


def named(folder):
    """The ids in validation.txt, with their reasons."""
    found, reason = [], ""
    for line in (folder / "validation.txt").read_text(encoding="utf-8").splitlines()[1:]:
        if line.startswith("  "):
            found.append((line.split("\t")[0].strip(), reason))
        else:
            reason = re.sub(r"^\d+ (.*):$", r"\1", line)
    return found


@pytest.mark.parametrize(("good", "damaged"), [(66, 46), pytest.param(300, 200, marks=pytest.mark.slow, id="slow")])
def test_every_damaged_utterance_is_named_and_the_good_ones_train(here, monkeypatch, good, damaged):
    reasons = make(here / "corpus", good, damaged)
    bad = {id: reason for id, reason in reasons.items() if reason}
    assert (len(reasons), len(bad)) == (good + damaged, damaged)
    assert set(bad.values()) == {damage.reason for damage in DAMAGES.values()}
    words = ["--recipe", str(RECIPE), "--corpus", "corpus", "--out", "data", "task=asr"]
    with pytest.raises(SureError, match="--on_bad_utterance skip") as stopped:
        prepare.main(words)
    assert all(f"{folder}: " in str(stopped.value) for folder in FOLDERS)

    prepare.main([*words, "--on_bad_utterance", "skip"])
    found = sorted(pair for folder in FOLDERS for pair in named(folder))
    assert [id for id, _ in found] == sorted(bad)
    assert [pair for pair in found if not re.fullmatch(bad[pair[0]], pair[1])] == []
    left = {utterance.id for folder in FOLDERS for utterance in read_data_dir(folder)}
    assert left == reasons.keys() - bad.keys()

    learned: set[str] = set()
    item = SpeechDataset.__getitem__

    def noted(self, index):
        learned.add(self.utterances[index].id)
        return item(self, index)

    monkeypatch.setattr(SpeechDataset, "__getitem__", noted)
    Path("asr.yaml").write_text(yaml.safe_dump(CONFIG))
    tokenize.main(["--config", "asr.yaml"])
    train.main(["--config", "asr.yaml", "--exp", "exp"])
    assert learned == {id for id in left if not id.startswith("clips-test")}
