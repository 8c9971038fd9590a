"""Every kind of target through a model, and through the stages from tokens to a bundle's answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import toys
from models import GIVEN, LENGTHS, make, utterances, waves

from sure.bin import decode, pack, score, tokenize, train
from sure.errors import SureError
from sure.inference import Sure


@pytest.mark.parametrize("task", [task for task in GIVEN if task != "verification"])  # that decodes to embeddings
def test_a_small_model_learns_its_targets_by_heart(tmp_path, task):
    model = make(tmp_path, "full", "moonshine", task)
    given = utterances(task)
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
    best = {"asr": 0, "phoneme": 0, "slots": 100, "language": 100}[task]
    assert model.task.score(references, hypotheses)[model.task.score_name] == best


MARKS = {"a": "first", "b": "first", "c": "last", "d": "last"}


def rewrite(corpus: Path, change) -> None:
    for path in corpus.glob("data/*/text"):
        lines = [line.split(" ", 1) for line in path.read_text().splitlines()]
        path.write_text("".join(f"{id} {change(text)}\n" for id, text in lines))


@pytest.fixture
def corpus(tmp_path, monkeypatch):
    folder = toys.make_corpus(tmp_path / "corpus")
    monkeypatch.chdir(folder)
    return folder


def run_stages(corpus: Path, **changes) -> tuple[dict, Path]:
    """The result of the test set, and the experiment."""
    config = toys.settings(corpus, **changes)
    config["tokenizer"] |= changes.get("tokenizer", {})
    (corpus / "task.yaml").write_text(json.dumps(config))
    tokenize.main(["--config", "task.yaml"])
    exp = corpus / "exp" / "x" / "seed1"
    train.main(["--config", "task.yaml", "--exp", str(exp)])
    decode.main(["--exp", str(exp)])
    score.main(["--exp", str(exp)])
    pack.main(["--exp", str(exp)])
    decoded = dict((line.split(" ", 1) + [""])[:2] for line in (exp / "decode_test/hyp.txt").read_text().splitlines())
    answers = Sure.load(exp / "bundle").predict([corpus / "wav" / f"test{index}.wav" for index in range(len(decoded))])
    assert answers == list(decoded.values())
    return json.loads((exp / "decode_test" / "result.json").read_text()), exp


def said_by_search(exp: Path, *overrides: str) -> set[str]:
    """The words of the test set by beam search, which are scored as others are."""
    decode.main(["--exp", str(exp), "decode.method=beam", *overrides])
    results = {result["decoding"]: result for result in score.score_experiment(exp)}
    assert results["beam"]["score_name"] == results["greedy"]["score_name"]
    lines = (exp / "decode_test_beam" / "hyp.txt").read_text().splitlines()
    return {word for line in lines for word in line.split()[1:]}


def test_phones_of_a_lexicon(corpus):
    words = {text for path in corpus.glob("data/*/text") for _, text in map(str.split, path.read_text().splitlines())}
    lines = {word: " ".join(f"{letter.upper()}H" for letter in word) for word in words}
    (corpus / "lexicon.txt").write_text("".join(f"{word} {phones}\n" for word, phones in lines.items()))
    result, exp = run_stages(corpus, task="phoneme", tokenizer={"lexicon": "lexicon.txt"})
    references = [line.split(" ", 1)[1] for line in (exp / "decode_test" / "ref.txt").read_text().splitlines()]
    assert set(references) <= set(lines.values())
    assert result["score_name"] == "per" and result["phones"]["reference"] == sum(len(r.split()) for r in references)
    assert said_by_search(exp) <= {phone for phones in lines.values() for phone in phones.split()}
    bundle = {path.name for path in (exp / "bundle").iterdir()}
    assert "phones.json" in bundle and "lexicon.txt" not in bundle and (exp / "tokens" / "lexicon.txt").exists()


def test_words_of_the_test_set_that_the_lexicon_does_not_have_stop_stage_3(corpus):
    words = {text for path in corpus.glob("data/*/text") for _, text in map(str.split, path.read_text().splitlines())}
    (corpus / "lexicon.txt").write_text("".join(f"{word} X\n" for word in words))
    text = corpus / "data" / "test" / "text"
    text.write_text(text.read_text().replace("\n", " zulu\n", 1))
    config = toys.settings(corpus, task="phoneme")
    config["tokenizer"]["lexicon"] = "lexicon.txt"
    (corpus / "task.yaml").write_text(json.dumps(config))
    with pytest.raises(SureError, match=r"1 words are not in the lexicon \(lexicon.txt\): zulu;"):
        tokenize.main(["--config", "task.yaml"])
    assert not Path(config["tokenizer"]["folder"]).exists()


def test_slots(corpus):
    rewrite(corpus, lambda text: f"B-{MARKS[text[0]]} {text} E-{MARKS[text[0]]}")
    result, exp = run_stages(corpus, task="slots")
    assert result["score_name"] == "slot_type_f1" and 0 <= result["slot_type_f1"] <= 100
    assert result["slots"]["reference"] == result["utterances"] == 7
    assert said_by_search(exp, "decode.lexicon=train") <= {
        word for line in (corpus / "data/train/text").read_text().splitlines() for word in line.split()[1:]
    }
    tokens = (exp / "bundle" / "tokens.txt").read_text().splitlines()
    assert [token for token in tokens if len(token) > 1] == ["<blank>", "B-first", "B-last", "E-first", "E-last"]
