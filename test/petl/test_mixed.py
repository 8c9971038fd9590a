"""Mixed batches: each utterance with its own adapter, in one pass; results are those of each adapter alone."""

import pytest
import torch
from models import LENGTHS, METHODS, TASKS, attach, build, waves, write_adapter
from models import utterances as spoken

from sure import registry
from sure.backbones.base import empty_slots
from sure.backbones.whisper_recognizer import Recognizer
from sure.config import make_config, petl_settings
from sure.errors import SureError
from sure.generation.generate import generate
from sure.inference import Sure
from sure.models import encoder_decoder
from sure.models.build import build_model, build_task
from sure.models.mixed import MixedModels
from sure.petl.mixed import Mixture

MIXABLE = [name for name in METHODS if name != "full"]
IN_BOTH_STACKS = {
    "lora": {"name": "lora", "sites": "layer.*.*"},
    "lora of rank 2": {"name": "lora", "rank": 2, "sites": "decoder.layer.*.*"},
    "bottleneck": {"name": "bottleneck", "sites": "layer.*.*"},
    "bitfit": {"name": "bitfit", "sites": "layer.*.*"},
    "prefix": {"name": "prefix", "sites": "layer.*.*", "variant": "paper"},
}
TOKENS = torch.tensor([[1, 7, 3, 4, 30, 9], [1, 5, 3, 31, 8, 2], [1, 6, 9, 2, 0, 0], [1, 8, 8, 2, 3, 0]])


def utterances():
    """The two shortest ones, of different lengths."""
    return [wave[:length] for wave, length in zip(waves()[2:], LENGTHS[2:].tolist(), strict=True)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("mixed")


def models_of_all_methods(folder, family):
    """Models of all methods, of the tasks in turn, on one backbone, with the results of each alone, one by one."""
    models, alone = {}, {}
    parts = {task: build(folder, {"name": "linear_probe"}, family, task) for task in TASKS}
    backbone = parts["asr"][1].backbone
    for number, method in enumerate(MIXABLE):
        config, plain = parts[TASKS[number % len(TASKS)]]
        config = config.model_copy(update={"petl": petl_settings(METHODS[method])})
        try:
            model = build_model(config, plain.task, saved=True, backbone=backbone).eval()
        except SureError as error:  # a family without such parameters
            assert "can train" in str(error)
            empty_slots(backbone)
            continue
        generator = torch.Generator().manual_seed(number)
        state = model.state().items()
        model.load({name: each + 0.05 * torch.randn(each.shape, generator=generator) for name, each in state}, method)
        with torch.no_grad():
            rows = [model.encode(wave[None], torch.tensor([len(wave)])) for wave in utterances()]
            alone[method] = [model.results(encoded)[0] for encoded in rows]
        model.attachment.detach()
        models[method] = model
    return models, alone


def numbers(result):
    """All numbers of a result."""
    scores = [value for labels in result.scores.values() for value in labels.values()]
    timed = [value for one in result.words for value in (one.start, one.duration, one.confidence)]
    return torch.tensor([*scores, *timed, *([] if result.embedding is None else result.embedding.tolist())])


@pytest.mark.parametrize("family", ["wavlm", "moonshine"])
def test_every_method_mixed_with_all_others_finds_what_it_finds_alone(folder, family):
    """Each utterance with all adapters; then in smaller batches, one utterance at a time."""
    models, alone = models_of_all_methods(folder, family)
    assert len(models) > 20
    together = MixedModels(models)
    for batch_seconds in (1000.0, 5.0):
        found = together.results(utterances(), [list(models)] * 2, batch_seconds)
        for method, results in alone.items():
            for one, other in zip(results, found, strict=True):
                torch.testing.assert_close(numbers(other[method]), numbers(one), atol=1e-5, rtol=0)
                assert one.embedding is not None or one.line == other[method].line
    differ = {tuple(numbers(results[0]).tolist()) for results in alone.values()}
    assert len(differ) == len(alone)  # no two adapters find the same, so a mixed-up row would be seen


def test_rows_of_a_recogniser_have_adapters_in_both_stacks():
    """The decoder too computes each row with its own adapter, or with none."""
    sizes = {"vocabulary": 40, "layers": 2, "decoder_layers": 1, "positions": 25}

    def logits(backbone, rows=slice(None)):
        encoded = backbone.encode(waves()[rows], LENGTHS[rows])
        return backbone.logits(backbone.decode(TOKENS[rows], encoded.last, encoded.frames))

    backbone, attachments, alone = Recognizer.from_weights("random:toy", seed=2, **sizes).eval(), {}, {}
    for number, (name, petl) in enumerate(IN_BOTH_STACKS.items()):
        trained = attach(petl, Recognizer.from_weights("random:toy", seed=2, **sizes))
        trained.backbone.eval()
        generator = torch.Generator().manual_seed(number)
        with torch.no_grad():
            for parameter in trained.trained_parameters().values():
                parameter += 0.05 * torch.randn(parameter.shape, generator=generator)
            alone[name] = logits(trained.backbone)
        attachments[name] = attach(petl, backbone)
        attachments[name].modules().eval()
        attachments[name].load(trained.state(), name)
        attachments[name].detach()
    with torch.no_grad():
        alone[""] = logits(backbone)
    mixture = Mixture(backbone, attachments)
    for names in (["lora", "lora of rank 2", "", "prefix"], ["bitfit", "prefix", "bottleneck", "bottleneck"]):
        with mixture.rows([(name, slice(row, row + 1)) for row, name in enumerate(names)]):
            found = logits(backbone)
        wanted = torch.stack([alone[name][row] for row, name in enumerate(names)])
        torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(logits(backbone), alone[""], atol=0, rtol=0)  # afterwards the backbone is as it was


def test_recognisers_generate_their_texts_together(folder, monkeypatch):
    """Texts of different lengths, so that rows of each adapter end before others: those of each adapter alone."""
    given = {
        "task": "transcription",
        "data": {"train": "", "valid": ""},
        "tokenizer": {"folder": str(folder / "transcription")},
        "backbone": {"name": "whisper", "weights": "random:toy", "padding": "masked"},
        "decode": {"generation": {"tokens_per_second": 30}},
    }
    models, backbone, alone = {}, None, {}
    recordings = [0.3 * wave for wave in (*utterances(), waves()[1])]
    for number, (name, petl) in enumerate([*IN_BOTH_STACKS.items(), ("plain", {"name": "linear_probe"})]):
        config = make_config({**given, "petl": petl}, "test")
        if not models:
            fit = registry.find("tasks", "transcription").fit
            fit(spoken("transcription"), folder / "transcription", tokenizer=config.tokenizer, language="en")
        model = build_model(config, build_task(config), backbone=backbone).eval()
        backbone, generator = model.backbone, torch.Generator().manual_seed(number)
        state = model.state().items()
        model.load({key: each + 0.2 * torch.randn(each.shape, generator=generator) for key, each in state}, name)
        alone[name] = [model.hypotheses(one[None], torch.tensor([len(one)]))[0] for one in recordings]
        model.attachment.detach()
        models[name] = model
    searches = []
    monkeypatch.setattr(encoder_decoder, "generate", lambda *given: (searches.append(given), generate(*given))[1])
    found = MixedModels(models).results(recordings, [list(models)] * len(recordings))
    assert [{name: one.line for name, one in each.items()} for each in found] == [
        {name: alone[name][row] for name in models} for row in range(len(recordings))
    ]
    assert len(searches) == 1 and len({tuple(texts) for texts in alone.values()}) > 3
    assert len({len(text) for texts in alone.values() for text in texts}) > 2


def test_methods_that_change_weights_themselves_are_named(folder):
    backbone = attach("full").backbone
    for petl, message in (("full", r"'x': petl \(full\) changes"), ("dora+bitfit", r"'x': petl \(bitfit\) changes")):
        attachment = attach(petl, backbone)
        attachment.load({name: value.clone() for name, value in attachment.state().items()}, "test")
        attachment.detach()
        with pytest.raises(SureError, match=message):
            Mixture(backbone, {"x": attachment})


def test_each_recording_asks_for_one_adapter_or_several(folder):
    """`predict` with adapters: lines are those of each alone; the active adapter stays, and others can be added."""
    first, *others = [write_adapter(folder, METHODS[name], size=0.3) for name in ("lora", "prefix", "weighted_sum")]
    sure = Sure.load(first, name="lora")
    sure.add("prefix", others[0])
    alone = {}
    for name in ("lora", "prefix"):
        sure.use(name)
        alone[name] = sure.predict(utterances())
    found = sure.predict(utterances(), adapters=["lora", ["prefix", "lora"]])
    assert found == [alone["lora"][0], {"prefix": alone["prefix"][1], "lora": alone["lora"][1]}]
    assert sure.predict(utterances(), adapters=[[], "prefix"]) == [{}, alone["prefix"][1]]
    assert sure.name == "prefix" and sure.predict(utterances()) == alone["prefix"]
    sure.add("sum", others[1])
    assert sure.predict(utterances()[0], adapters=["sum"]) == sure.predict(utterances()[0])
    sure.remove("sum")
    assert sure.name == "lora" and sure.predict(utterances(), adapters=["prefix", "lora"])[1] == alone["lora"][1]
    with pytest.raises(SureError, match="no adapter 'sum'"):
        sure.predict(utterances()[0], adapters=["sum"])
    with pytest.raises(SureError, match="2 recordings with adapters for 1"):
        sure.predict(utterances(), adapters=["lora"])
