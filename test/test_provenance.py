"""Results name the code that they were computed with, and say when it differs."""

import shutil
import subprocess
from pathlib import Path

import pytest
import toys

from sure import provenance
from sure.bin import pack
from sure.decode.trained import load_trained
from sure.inference import Sure
from sure.models.experiment import Experiment


def test_training_loading_and_resuming_say_which_code_changed(tmp_path, monkeypatch, caplog):
    corpus, exp = toys.make_corpus(tmp_path / "corpus"), tmp_path / "exp"

    def train_here():
        toys.train_here(corpus, exp, train__epochs=1, petl__sites="layer.2.attn.*")  # so that there is a prefix cache

    train_here()
    pack.main(["--exp", str(exp)])
    copy = Path(shutil.copytree(provenance.ROOT, tmp_path / "sure"))
    monkeypatch.setattr(provenance, "ROOT", copy)
    uses = {
        "was trained": lambda: Sure.load(exp / "bundle", device="cpu"),
        "its results": lambda: load_trained(Experiment(exp)),
        "was interrupted": train_here,
    }
    for changed, named in ((), False), (("petl/prefix.py",), False), (("petl/lora.py", "backbones/layers.py"), True):
        for file in changed:
            copy.joinpath(file).write_text("# changed\n" + copy.joinpath(file).read_text())
        for message, use in uses.items():
            caplog.clear()
            if message == "was interrupted":
                (exp / "summary.json").unlink()
            use()
            found = [text for text in caplog.messages if "before sure/backbones/layers.py, sure/petl/lora.py" in text]
            assert [message in text for text in found] == [True] * named
    cache = copy / "train/prefix_cache.py"
    cache.write_text("# changed\n" + cache.read_text())
    (exp / "summary.json").unlink()
    train_here()
    assert "sure/train/prefix_cache.py changed" in caplog.text


@pytest.mark.parametrize(("file", "ending"), [("", ""), ("new.py", "-dirty"), ("ignored.py", "-dirty"), ("a.pyc", "")])
def test_files_that_are_not_in_the_commit_make_it_dirty(tmp_path, monkeypatch, file, ending):
    (tmp_path / "sure").mkdir()
    (tmp_path / ".gitignore").write_text("ignored.py\n*.pyc\n")
    (tmp_path / "sure/__init__.py").write_text("")
    for words in ("init -q", "add .", "-c user.name=a -c user.email=a@b commit -qm a"):
        subprocess.run(["git", "-C", str(tmp_path), *words.split()], check=True)
    monkeypatch.setattr(provenance, "ROOT", tmp_path / "sure")
    if file:
        (tmp_path / "sure" / file).write_text("")
    assert len(provenance.git_hash()) == 12 + len(ending) and provenance.git_hash().endswith(ending)
