"""All tasks: scores, files of a bundle, errors that name the utterance, and a model that learns its targets."""

import re
from functools import partial
from pathlib import Path

import pytest
import torch
import toys
from models import LENGTHS, make, utterances, waves

from sure import registry
from sure.bin import tokenize
from sure.config_sections import TokenizerConfig
from sure.data.data_dir import Utterance, write_data_dir
from sure.errors import SureError
from sure.frames import Frames


def test_names_and_scores():
    """Score, whether higher is better, and whether petl.name=full leaves the convolution frozen."""
    tasks = {name: registry.find("tasks", name) for name in registry.names("tasks")}
    found = {name: (one.score_name, one.higher_is_better, one.freeze_convolution) for name, one in tasks.items()}
    assert found == {
        "asr": ("wer", False, True),
        "phoneme": ("per", False, True),
        "slots": ("slot_type_f1", True, True),
        **dict.fromkeys(("emotion", "intent", "keyword", "language", "speaker"), ("accuracy", True, False)),
        "verification": ("eer", False, False),
        "tts": ("mel_db", False, False),
        "translation": ("bleu", True, False),
        "transcription": ("wer", False, False),
    }


@pytest.mark.parametrize(("task", "train", "test", "message"), [
    ("language", "ab", "abccd", "test has labels or symbols that .*train lacks, .*: 'c' .2 utterances., 'd' .1 utter"),
    ("asr", "ab", "adc", "test has labels or symbols that .*: 'c' .1 utterance., 'd' .1 utterance.$"),
    ("language", "aa", "a", "the training set has one label, 'a': "),
    ("language", "aAb", "ab", "'A' and 'a' are different labels"),
    ("language", "ab", "ab", None),
])  # fmt: skip
def test_stage_3_names_what_the_training_set_lacks(tmp_path, capsys, task, train, test, message):
    for name, letters in (("train", train), ("dev", "a"), ("test", test)):
        given = [Utterance(f"{i}", "x", text=letter, labels={"label": letter}) for i, letter in enumerate(letters)]
        data = write_data_dir(tmp_path / "data" / name, given)
        (data / "utt2dur").write_text("".join(f"{one.id} 1\n" for one in given))
    tokenize.main(["--config", str(toys.write_config(tmp_path, tmp_path / "config.yaml", task=task))])
    warnings = [line for line in capsys.readouterr().out.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == bool(message) and (not message or re.search(message, warnings[0]))


def options(task: type, **tokenizer) -> dict:
    return {"tokenizer": TokenizerConfig(**{"kind": task.tokenizer_kinds[0], **tokenizer}), "language": "en"}


@pytest.mark.parametrize(("name", "head", "tokenizer"), [
    *[("asr", {}, {"kind": kind, "size": 7}) for kind in ("character", "bpe", "unigram")],
    *[("language", {"class_weights": weights}, {}) for weights in ("none", "balanced")],
    *[(name, {}, {}) for name in ("intent", "phoneme", "slots", "verification")],
])  # fmt: skip
def test_a_bundle_needs_only_the_files_that_the_task_names(tmp_path, name, head, tokenizer):
    whole, part = tmp_path / "whole", tmp_path / "part"
    task = registry.find("tasks", name)
    given = utterances("language" if name == "intent" else name)
    if name == "intent":
        given = [Utterance("u", "", labels={"object": one.labels["label"], "action": "on"}) for one in given]
    task.fit(given, whole, **options(task, **tokenizer))
    first = task(task.Config(**head), whole, "en")
    part.mkdir()
    for file in first.files():
        (part / file).write_bytes((whole / file).read_bytes())
    again = task(first.config, part, "en")
    assert [again.target(one).tolist() for one in given] == [first.target(one).tolist() for one in given]
    frames = Frames([20, 4])
    outputs = first.build_head(8)(torch.randn(2, 20, 8), frames)
    assert again.decode(outputs, frames) == first.decode(outputs, frames)


@pytest.mark.parametrize(("name", "text", "tokenizer", "message"), [
    ("asr", None, {}, "utt-9: no transcript"),
    ("asr", "12", {"language": "xx"}, "utt-9: no number words for language 'xx'"),
    ("phoneme", None, {}, "utt-9: no transcript"),
    ("phoneme", "aa", {"fold": "no_stress"}, "utt-9: fold no_stress: unknown phone 'aa'"),
    ("slots", None, {}, "utt-9: no transcript"),
    ("slots", "play B-track hello", {}, "utt-9: B-track without an E-track after it"),
])  # fmt: skip
def test_invalid_transcripts_name_the_utterance(tmp_path, name, text, tokenizer, message):
    task, bad = registry.find("tasks", name), Utterance("utt-9", "", text=text)
    language = tokenizer.pop("language", "en")
    given = options(task, **tokenizer) | {"language": language}
    task.fit(utterances(name), tmp_path, **given)
    fitted = task(task.Config(), tmp_path, language)
    for call in (task.check, partial(task.fit, folder=tmp_path / "new")):
        with pytest.raises(SureError, match=f"^{message}"):
            call([*utterances(name), bad], **given)
    with pytest.raises(SureError, match=f"^{message}"):
        fitted.target(bad)


@pytest.mark.parametrize(("name", "best"), [("asr", 0), ("phoneme", 0), ("slots", 100), ("language", 100)])
def test_a_small_model_learns_its_targets(tmp_path, name, best):
    model = make(tmp_path, "full", "moonshine", name)
    given = utterances(name)
    targets = [model.task.target(one) for one in given]
    references = {one.id: model.task.reference(one) for one in given}
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=3e-3)
    hypotheses = {}
    for step in range(400):
        optimizer.zero_grad()
        model.losses(model.encode(waves(), LENGTHS), targets).sum().backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        if step % 20 == 0:
            hypotheses = dict(zip(references, model.hypotheses(waves(), LENGTHS), strict=True))
            if hypotheses == references:
                break
    assert hypotheses == references
    assert model.task.score(references, hypotheses)[model.task.score_name] == best


def test_stage_3_checks_the_words_of_all_sets(tmp_path, monkeypatch):
    monkeypatch.chdir(toys.make_corpus(tmp_path / "corpus"))
    texts = " ".join(path.read_text() for path in Path("data").glob("*/text"))
    Path("lexicon.txt").write_text("".join(f"{word} X\n" for word in texts.split()))
    text = Path("data/test/text")
    text.write_text(text.read_text().replace("\n", " zulu alpha\n", 1))
    config = toys.write_config(Path(), Path("task.yaml"), task="phoneme", tokenizer__lexicon="lexicon.txt")
    with pytest.raises(SureError, match=r"2 words are not in the lexicon \(lexicon.txt\): alpha zulu;"):
        tokenize.main(["--config", str(config)])
    assert not Path("tokens_phoneme").exists()
