"""Features of data folders: the same bytes after a kill as without, and statistics equal to numpy's."""

import json
import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import toys
from audio_files import write_audio
from speech import speech

from sure.bin.features import main
from sure.data.ark import Scp
from sure.data.data_dir import Utterance, read_data_dir, write_data_dir
from sure.data.synthesis import features
from sure.data.synthesis.acoustic import AcousticConfig
from sure.data.synthesis.features import KINDS, compute, write_features
from sure.errors import SureError
from sure.files import replace_file

CONFIG = AcousticConfig()
WORDS = "one two three four five six seven eight".split()


def make_set(folder: Path) -> Path:
    rows = []
    for number, word in enumerate(WORDS):
        speaker = "anna" if number % 2 else "bert"
        path = write_audio(folder.parent / "audio" / f"{word}.wav", speech(word * 3, speaker))
        rows.append(Utterance(word, str(path), text=word, speaker=speaker))
    return write_data_dir(folder, rows)


@pytest.fixture
def folder(here) -> Path:
    """A data folder with features."""
    folder = make_set(Path("data/train"))
    assert write_features(folder, read_data_dir(folder), CONFIG, 2) == len(WORDS)
    return folder


def written(folder: Path) -> dict[str, bytes]:
    paths = [folder / "utt2frames", *folder.glob("*.scp"), *(folder / "features").glob("*.ark")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths if path.name != "wav.scp"}


def test_the_command_stores_the_computed_features_and_their_statistics(here, capsys):
    for name in ("train", "dev", "test"):
        make_set(Path("data") / name)
    config = toys.write_config(Path(), Path("conf.yaml"))
    sizes = {"hop_size": 128, "fft_size": 512, "window_size": 512}
    main(["--config", str(config), "--nj", "2", *(f"acoustic.{key}={size}" for key, size in sizes.items())])
    assert "data/dev: 8 utterances" in (out := capsys.readouterr().out) and "log-f0" in out
    assert (Path("data/test") / "energy.scp").is_file()

    folder, acoustic = Path("data/train"), AcousticConfig(**sizes)
    files = {kind: Scp(folder / f"{kind}.scp") for kind in KINDS}
    frames = dict(line.split() for line in (folder / "utt2frames").read_text().splitlines())
    assert list(frames) == sorted(WORDS) == list(files["mel"])
    for utterance in read_data_dir(folder):
        computed = compute(utterance, acoustic)
        for kind, dim in (("mel", acoustic.mels), ("pitch", 1), ("energy", 1)):
            stored = files[kind][utterance.id]
            assert stored.shape == (int(frames[utterance.id]), dim) and stored.dtype == np.float32
            np.testing.assert_array_equal(stored, getattr(computed, kind))
    mel, pitch, energy = (np.concatenate(list(files[kind].values())) for kind in KINDS)
    found = json.loads(Path("data/statistics.json").read_text())
    log_f0 = np.log(pitch[pitch > 0])
    assert (found["frames"], found["voiced_frames"]) == (len(mel), len(log_f0))
    for kind, values in (("log_f0", log_f0), ("energy", energy[:, 0]), ("mel", mel)):
        for name, value in (("mean", values.mean(0, dtype=np.float64)), ("std", values.std(0, dtype=np.float64))):
            np.testing.assert_allclose(found[kind][name], value, rtol=1e-6)


def test_killed_and_run_again_ends_in_the_same_bytes(here, monkeypatch):
    whole, killed = make_set(Path("whole/set")), make_set(Path("killed/set"))
    utterances = read_data_dir(whole)
    write_data_dir(killed, utterances)  # the same audio
    monkeypatch.setattr(features, "PIECE", 2)

    def write_until_killed():
        def replace(path, content):
            replace_file(path, content)
            if path.name == "mark_00001.json":
                os.kill(os.getpid(), signal.SIGKILL)

        features.replace_file = replace
        write_features(killed, utterances, CONFIG, 2)

    process = multiprocessing.get_context("fork").Process(target=write_until_killed)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL and not (killed / "mel.scp").exists()
    (killed / "features" / "mel_00002.ark.part").write_bytes(b"torn")
    assert write_features(killed, utterances, CONFIG, 2) == 6, "the finished piece was computed again"
    assert write_features(whole, utterances, CONFIG, 2) == 8
    places = {name: text.replace(b"killed/", b"whole/") for name, text in written(killed).items()}
    assert places == written(whole)


def test_changed_settings_and_audio_are_computed_again(folder):
    utterances, other = read_data_dir(folder), AcousticConfig(mels=40)
    assert write_features(folder, utterances, CONFIG, 3) == 0
    assert write_features(folder, utterances, other) == len(WORDS)
    assert Scp(folder / "mel.scp")["one"].shape[1] == 40
    write_audio(Path(utterances[0].audio), speech("something else"))
    assert write_features(folder, utterances, other) == len(WORDS)
    os.utime(utterances[0].audio, (0, 0))  # another recording can have the same size
    assert write_features(folder, utterances, other) == len(WORDS)


def test_unusable_utterances_are_all_named_and_the_index_stays_or_they_are_left_out(folder):
    before = written(folder)
    write_audio(Path("data/audio/two.wav"), np.zeros(16000))
    write_audio(Path("data/audio/six.wav"), speech("six")[:100])
    with pytest.raises(SureError, match=r"(?s)2 utterances are unusable.*'six': too short.*'two': silent"):
        write_features(folder, read_data_dir(folder), CONFIG)
    assert written(folder) == before
    assert write_features(folder, read_data_dir(folder), CONFIG, 2, "skip") == len(WORDS)
    assert list(Scp(folder / "pitch.scp")) == [id for id in sorted(WORDS) if id not in ("six", "two")]
    assert "'two': silent" in (folder / "features_left_out.txt").read_text()
    with pytest.raises(SureError, match="2 utterances are unusable.*--on_bad_utterance skip"):
        write_features(folder, read_data_dir(folder), CONFIG)
