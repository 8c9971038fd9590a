"""Runs that are killed again and again end in the bytes of an undisturbed run."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import file_server
import miniature
import pytest
import toys
from clone import ROWS, Clone, row_words, serve
from small_project import until
from warm_python import warm_python

RECIPES = {row["recipe"]: row for row in reversed(ROWS)}  # the first row of each
NAMES = [pytest.param(name, marks=() if name == "asterisk" else pytest.mark.slow) for name in RECIPES]
KILLS = 4


def until_in_a_step(process: subprocess.Popen, recipe: Path, start: float) -> None:
    """Wait until a run has begun a step of stages 1 to 3 since the time `start`, or has ended."""
    until(lambda: process.poll() is not None or any(log.stat().st_mtime > start for log in recipe.glob("*/log/*")), 300)


def seconds_until_killed(process: subprocess.Popen, seconds: float) -> None:
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def made(recipe: Path) -> dict[str, bytes]:
    """All files that stages 1 to 3 write for later stages, without the path of the recipe."""
    files = [path for top in ("downloads/corpus", "data") for path in sorted((recipe / top).rglob("*"))]
    own = str(recipe).encode()
    return {
        str(path.relative_to(recipe)): path.read_bytes().replace(own, b"RECIPE")
        for path in files
        if path.is_file()
        and not {".marks", ".fetched", "logs", "log"} & set(path.parts)
        and not path.name.startswith("mark_")  # of features: a digest of what they are made of, places included
    }


@pytest.mark.parametrize("name", NAMES)
def test_the_same_bytes_after_any_number_of_kills(tmp_path, name):
    clone = Clone(tmp_path / "a new clone")
    corpus = miniature.make(name, tmp_path / "corpus")
    undisturbed, disturbed = (clone.recipe(name, copy) for copy in ("undisturbed", "disturbed"))
    words = [*row_words(RECIPES[name], disturbed, corpus), "--stop_stage", "tokenize"]
    with warm_python(clone), file_server.serve() as server:
        serve(undisturbed, corpus, server)
        archives = serve(disturbed, corpus, server)
        begun = time.monotonic()
        clone.run(undisturbed, *words)
        seconds = time.monotonic() - begun
        if archives:
            server.pause.set()  # the first one hangs half way through an archive
            server.break_after.append(len(server.files[archives[0]]) // 2)
        moments = random.Random(name)
        for _ in range(KILLS):
            start, process = time.time(), clone.start(disturbed, *words)
            until_in_a_step(process, disturbed, start)
            seconds_until_killed(process, seconds * moments.uniform(0, 0.6))
            server.pause.clear()
        clone.run(disturbed, *words)
    assert made(undisturbed) == made(disturbed) and made(undisturbed)


RECOGNISER = "--task asr --lang es --head decoder --backbone whisper --weights random:toy --petl lora".split()


@pytest.mark.slow
def test_a_recogniser_has_the_same_weights_and_texts_after_kills_in_training_and_in_decoding(tmp_path):
    """Killed after the first and a later epoch, and in the middle of decoding, at random moments."""
    clone = Clone(tmp_path / "a new clone")
    corpus = miniature.make("asterisk", tmp_path / "corpus")
    undisturbed, disturbed = (clone.recipe("asterisk", copy) for copy in ("undisturbed", "disturbed"))
    words = [*RECOGNISER, "--set", "train.epochs=12", "--corpus", str(corpus / "debian"), "--stop_stage", "score"]
    clone.run(undisturbed, *words)
    experiment = Path("exp/transcription_es_whisper_lora_random/seed1")
    exp, moments, hit = disturbed / experiment, random.Random(1), 0
    epochs = [lambda count=count: len(toys.read(exp / "metrics.jsonl").splitlines()) >= count for count in (1, 5)]
    for reached in (*epochs, (exp / "log" / "decode.log").exists):
        process = clone.start(disturbed, *words)
        until(lambda process=process, reached=reached: reached() or process.poll() is not None, 300)
        seconds_until_killed(process, moments.uniform(0, 0.5))
        hit += process.returncode != 0
    assert hit == 3, "a stage ended before it was killed"
    clone.run(disturbed, *words)
    toys.assert_same(exp, undisturbed / experiment)
    for name in ("hyp.txt", "ref.txt"):
        assert (exp / "decode_test" / name).read_bytes() == (
            undisturbed / experiment / "decode_test" / name
        ).read_bytes()
