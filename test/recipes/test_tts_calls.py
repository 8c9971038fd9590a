"""Calls of TTS recipes: first the pretraining, in its own recipe, then the training that starts from its model."""

import subprocess

import pytest
from small_project import ROOT


def calls(recipe: str, *words: str) -> list[str]:
    command = ["bash", str(ROOT / "egs" / recipe / "run.sh"), "--task", "tts", "--dry_run", "true", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_from_nothing_there_is_one_training_and_the_decoding_has_the_name_of_its_vocoder(tmp_path):
    vocoder = tmp_path / "g_02500000"
    vocoder.write_bytes(b"generator")
    lines = calls("asterisk", "--corpus", "/tmp", "--set", f"decode.vocoder={vocoder}")
    (training,) = [line for line in lines if "sure.bin.train" in line]
    (decoding,) = [line for line in lines if "sure.bin.decode" in line]
    assert "exp/tts_allison_fastspeech2_full/seed1" in training and "weights=random:small" in training
    assert decoding.endswith("decode.name=g_02500000") and "decode." not in training
    assert not any(line.startswith("  |") or "--like" in line for line in lines)


def test_a_voice_is_adapted_from_the_others():
    options = ("--voice", "carlo", "--minutes", "5", "--pretrain", "others", "--pretrain_set", "train.epochs=7")
    lines = calls("asterisk", *options, "--petl", "lora prefix", "--corpus", "/tmp")
    pretraining, *adaptation = [line for line in lines if "sure.bin.train" in line]
    model = "exp/tts_allison+june+ivrvoice_fastspeech2_full/seed1"
    assert all(word in pretraining for word in ("  | ", "petl.name=full", "train.epochs=7", f"--exp {model} "))
    assert "conf/adaptation" not in pretraining and len(adaptation) == 2
    for line in adaptation:
        assert not line.startswith("  |") and "train.epochs" not in line
        assert f"backbone.weights={model}/backbone.safetensors" in line
        assert "--config conf/tts.yaml --config conf/adaptation/tts.yaml" in line
    (phones,) = [line for line in lines if "sure.bin.phonemize" in line and not line.startswith("  |")]
    assert "text.phones=espeak" in phones and "--like data/tts_allison+june+ivrvoice/tokens" in phones
    assert "minutes=5" in " ".join(lines)


@pytest.mark.parametrize("recipe", ["libritts", "l2arctic"])
def test_the_model_of_vctk_is_adapted(recipe, tmp_path):
    lines = calls(recipe, "--corpus", "/tmp", "--pretrain_corpus", str(tmp_path), "--petl", "conv_adapter")
    vctk = ROOT / "egs" / "vctk"
    assert any(str(tmp_path) in line and line.startswith("  | python -m sure.bin.download") for line in lines)
    training = next(line for line in lines if line.startswith("python -m sure.bin.train"))
    assert f"{vctk}/exp/tts_fastspeech2_full/seed1/backbone.safetensors" in training.replace("\\", "")
    assert not any(line.startswith("  |") for line in calls(recipe, "--corpus", "/tmp", "--pretrain", "none"))
