"""The commands of --also: data of other languages, and a step of decoding for each of them."""

import os
import subprocess

from small_project import ROOT, SHELL


def commands(*words):
    call = ["bash", str(ROOT / "egs" / "asterisk" / "run.sh"), "--dry_run", "true", "--tag", "unused", *words]
    done = subprocess.run(call, env={"PATH": os.environ["PATH"]}, capture_output=True, **SHELL)
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith("python")]


def test_other_languages_are_prepared_and_decoded_and_no_other_step_changes():
    words = ("--petl", "linear_probe lora")
    plain, also = commands(*words), commands(*words, "--also", "en fr")
    added = [line for line in also if line not in plain]
    assert [line for line in also if line in plain] == plain
    assert [line.split(" --on_bad_utterance")[0].split(" --out ")[1] for line in added[:2]] == [
        "data/transcription_en",
        "data/transcription_fr",
    ]
    assert [line.split("lang=")[1] for line in added[:2]] == ["en", "fr"]
    assert [line.partition(" --sets ")[2] for line in added[2:]] == [
        *("data/transcription_en/test", "data/transcription_fr/test") * 2
    ]
