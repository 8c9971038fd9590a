"""The plan of a call of run.sh: experiments, folders, precedence, settings of each stage, and errors."""

import subprocess
import sys
from pathlib import Path

import pytest

from sure.errors import SureError
from sure.recipe.plan import Call, make_plan
from sure.recipe.shell import assignments, from_words
from sure.recipe.suite import SuiteCall, make_suite_plan

ROOT = Path(__file__).resolve().parents[2]
WORDS = ("task=asr", "dataset=asr_es", "backbone=moonshine", "weights=downloads/moonshine_tiny_en.safetensors",
         "petl=lora", "decode_methods=greedy", "decode_methods=beam")  # fmt: skip
TTS = (*WORDS[2:4], "task=tts", "dataset=tts_june", "pipeline=synthesis", "shape=small", "decode_methods=greedy",
       "petl=lora prefix")  # fmt: skip


@pytest.fixture(autouse=True)
def recipe(tmp_path, monkeypatch) -> Path:
    """The files of a recipe that hold settings, in a folder next to the caller's."""
    folder = tmp_path / "recipe"
    for name in ("asr", "tts", "adaptation/tts", "rates", "petl/lora", "petl/asr_lora", "petl/tts_lora"):
        path = folder / "conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    (tmp_path / "caller").mkdir()
    monkeypatch.chdir(folder)
    return folder


def plan(*words):
    return make_plan(from_words(Call, [*WORDS, "caller=../caller", *words]))


def test_an_experiment_for_each_method_rate_and_seed_with_the_folders_that_experiments_always_had():
    found = plan("petl=lora lora+prefix", "seeds=3 01", "tag=x.y", "rates=0.001 3E-3")
    names = ["lora_x.y_rate1e-3", "lora_x.y_rate3e-3", "lora+prefix_x.y_rate1e-3", "lora+prefix_x.y_rate3e-3"]
    folders = [f"exp/asr_es_moonshine_{name}/seed{seed}" for name in names for seed in (3, 1)]
    assert [one.exp for one in found.experiments] == folders
    assert "train.lr_adapter=1e-3" in found.experiments[0].training and "seed=1" in found.experiments[1].training
    assert plan("weights=random", "tag=t").experiments[0].exp == "exp/asr_es_moonshine_lora_random_t/seed1"


def test_files_of_settings_in_increasing_precedence(recipe):
    files = ["conf/asr.yaml", "conf/rates.yaml", "conf/petl/lora.yaml", "conf/petl/asr_lora.yaml"]
    assert plan().experiments[0].configs == files
    assert plan("petl=prefix").experiments[0].configs == files[:2]
    (recipe / "conf/rates.yaml").unlink()
    assert plan("petl=prefix lora").config_files == [files[0], *files[2:]]


def test_each_stage_gets_its_settings(tmp_path):
    (tmp_path / "caller" / "b.arpa").write_text("x")
    given = "train.epochs=3 petl.sites=a b data.max_seconds=5 decode.batch_seconds=9 decode.beam=4 decode.ngram=b.arpa"
    words = ("overrides=text.language=es", "decode=greedy beam", "on_bad_utterance=skip")
    found = plan(*words, f"set={given} decode.name=big")
    skip, *settings = found.experiments[0].training[-5:]
    assert found.experiments[0].training[0] == "text.language=es" and skip == "data.on_bad_utterance=skip"
    assert settings == ["train.epochs=3", "petl.sites=a b", "data.max_seconds=5", "decode.batch_seconds=9"]
    assert found.token_settings == ["data.max_seconds=5"] and found.acoustic_settings == [skip, "data.max_seconds=5"]
    greedy, beam = found.decodings
    assert (greedy.ending, greedy.tuned, greedy.decode_words) == ("", "", ["decode.method=greedy"])
    assert (beam.decoded, beam.ending, beam.tuned) == ("big", "_big", "tuned_big.json")
    ngram = "decode.ngram=../caller/b.arpa"
    assert beam.decode_words == ["decode.method=beam", settings[-1], "decode.beam=4", ngram, "decode.name=big"]
    assert beam.decode_files == ["../caller/b.arpa"]


def test_weights_are_the_recipes_the_callers_or_made_by_an_earlier_stage(tmp_path):
    assert (plan().weights_from, plan("weights=random").weights_from) == ("download", "")
    (tmp_path / "caller" / "mine.safetensors").write_text("x")
    found = plan("weights=mine.safetensors")
    assert (found.weights, found.weights_from) == ("../caller/mine.safetensors", "")


def synthesis(*words):
    return make_plan(from_words(Call, [*TTS, "caller=../caller", *words]))


def test_a_synthesiser_with_given_weights_is_adapted():
    control = synthesis("given=weights", "weights=random:large").experiments[0]
    assert control.exp == "exp/tts_june_fastspeech2_lora_random/seed1"
    given = synthesis("pretrained=tts", "given=weights", "weights=downloads/mine.safetensors")
    assert (given.weights_from, given.like, len(given.experiments)) == ("download", "", 2)


@pytest.mark.parametrize("given, name", [("", "g-02"), (" decode.name=mine", "mine")])
def test_the_speech_of_a_vocoder_has_its_file_name_unless_it_is_given_one(tmp_path, given, name):
    (tmp_path / "caller" / "g 02.pt").write_text("x")
    (found,) = synthesis(f"set=decode.vocoder=g 02.pt{given}").decodings
    assert (found.ending, found.decode_words[-1]) == (f"_{name}", f"decode.name={name}")
    assert found.decode_files == ["../caller/g 02.pt"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("petl= ",), "--petl names no method"),
        (("petl=lora prefix lora",), "--petl has lora twice"),
        (("petl=lora+loora",), "no method 'loora' in sure/petl .did you mean 'lora'.*; there are: .* lora "),
        (("petl=lora,prefix",), "no method 'lora,prefix' in sure/petl .separate methods by spaces.; there are: "),
        (("petl=base",), "no method 'base' in sure/petl .base.py has no class Method.; there are: "),
        (("seeds=one",), "--seeds takes numbers from 0 .*, not 'one'"),
        ((f"seeds={2**63}",), "--seeds takes numbers"),
        (("seeds=1 01",), "--seeds has 1 and 01, which are the same"),
        (("rates=1e-3 0.001 3e-3",), "--rates has 1e-3 and 0.001, which are the same"),
        (("rates=..",), "--rates takes learning rates .*, not '..'"),
        (("rates=1e-3", "set=train.lr_adapter=5e-4"), "train.lr_adapter=5e-4: .* every rate of --rates"),
        (("tag=a/b",), "--tag takes letters"),
        (("task=song",), "there is no conf/song.yaml in .*recipe"),
        (("set=rank 4",), "--set takes key=value words .*, not 'rank'"),
        (("set=seed=3",), "--set seed=3: use the option --seeds"),
        (("set=train.epochs=3 petl.rank=2 train.epochs=4",), "--set has train.epochs=3 and train.epochs=4; pass one"),
        (("set=petl=[{name: lora}]",), r"use the option --petl instead; .* conf/petl/NAMES.yaml"),
        (("set=decode.method=beam",), "use the option --decode"),
        (("decode=beem",), "no decoding 'beem' .did you mean 'beam'.*; there are: greedy beam"),
        (("decode=",), "--decode names no decoding"),
        (("backbone=wavlm",), "--backbone wavlm needs --weights"),
        (("backbone=Moonshine",), "--backbone: no 'Moonshine' in sure/backbones .did you mean 'moonshine'"),
        (("speed=fast",), "expected NAME=VALUE"),
    ],
)  # fmt: skip
def test_a_wrong_option_is_one_error(words, said):
    with pytest.raises(SureError, match=said):
        plan(*words)


def test_values_reach_the_shell_as_they_are_from_a_python_without_packages(tmp_path):
    hostile = "decode.name=$(touch made) `touch made` 'a\"\\ *"
    command = [sys.executable, "-S", "-m", "sure.bin.plan", *WORDS, f"set={hostile}", "overrides=a=$(touch made) é"]
    done = subprocess.run(command, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True)
    show = 'eval "$1"; eval "${experiments[0]}"; printf "%s\\n" "$exp" "${training[0]}" "${configs[@]}"'
    shell = subprocess.run(["bash", "-c", show, "bash", done.stdout], capture_output=True, text=True, check=True)
    assert shell.stdout.splitlines()[:3] == ["exp/asr_es_moonshine_lora/seed1", "a=$(touch made) é", "conf/asr.yaml"]
    assert not list(tmp_path.rglob("made"))
    assert assignments(plan("set=train.epochs=1"))[0] == "weights=downloads/moonshine_tiny_en.safetensors"


ROWS = "recipe,task,options,suite\nasterisk,asr,,sure\nasterisk,asr,--lang fr,\nbeads,language,,sure\n"
ASR, FR, BEADS = "asterisk asr", "asterisk asr --lang fr", "beads language"


def suite(folder, *words):
    """The plan of egs/sure_benchmark for three rows of two recipes."""
    for name in ("asterisk", "beads"):
        (folder / "egs" / name).mkdir(parents=True)
        (folder / "egs" / name / "run.sh").touch()
    (folder / "egs" / "recipes.csv").write_text(ROWS)
    defaults = (f"egs={folder}/egs", "suite=sure", "petl=lora", "seeds=1", "backbone=moonshine", f"caller={folder}")
    return make_suite_plan(from_words(SuiteCall, [*defaults, *words]))


@pytest.mark.parametrize(
    ("words", "table", "rows"),
    [
        ((), "sure_moonshine", [ASR, BEADS]),
        (("suite=all",), "all_moonshine", [ASR, FR, BEADS]),
        (("only=asterisk",), "chosen_moonshine", [ASR, FR]),
        (("only=asterisk asr",), "chosen_moonshine", [ASR]),  # not the rows whose names begin with it
        (("only=beads; asterisk asr --lang  fr ; beads language;",), "chosen_moonshine", [FR, BEADS]),
        # a control, or a variant, does not overwrite the table
        (("weights=random", "tag=t"), "sure_moonshine_random_t", [ASR, BEADS]),
    ],
)
def test_rows_of_a_suite(tmp_path, words, table, rows):
    plan = suite(tmp_path, *words)
    assert [row.row for row in plan.chosen] == rows and all(row.copy == "" for row in plan.chosen)
    assert (plan.outcomes, plan.results) == (f"exp/{table}_rows.tsv", f"exp/{table}_results.md")
    assert [(row.name, row.task, row.words) for row in plan.chosen if row.row == FR] in (
        [], [("asterisk", "asr", ["--lang", "fr"])])  # fmt: skip


def test_folders_in_the_file_of_corpora_have_three_spellings(tmp_path):
    for name in ("it's here", 'a "b" c'):
        (tmp_path / name).mkdir()
    lines = ["# ours", "", f'asterisk: "{tmp_path}/it\'s here"\r', 'beads:   a "b" c  ']
    (tmp_path / "corpora.yaml").write_text("\n".join(lines))
    copies = [row.copy for row in suite(tmp_path, "corpora=corpora.yaml").chosen]
    assert copies == [f"{tmp_path}/it's here", f'{tmp_path}/a "b" c']
    assert suite(tmp_path / "x", f"corpora={tmp_path}/corpora.yaml").chosen[0].copy == copies[0]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("only=beads asr",), f"'beads asr': no such row; there are: {ASR}; {FR}; {BEADS};"),
        (("only=;",), "--only names no row"),
        (("suite=none",), "--suite none: egs/recipes.csv has no row of it"),
        (("seeds=one",), "--seeds takes numbers"),
        (("corpora=nowhere",), "--corpora nowhere: no such file"),
        ("beads /data", "line 3: expected `recipe: DIR`, found 'beads /data'"),
        ("pearls: .", "line 3: egs/pearls does not exist; use a folder of egs/"),
        ("beads: not here", "line 3: there is no folder "),
    ],
)
def test_a_wrong_option_of_a_suite_or_line_of_its_corpora_is_one_error(tmp_path, words, message):
    if isinstance(words, str):
        (tmp_path / "corpora.yaml").write_text(f"# ours\n\n{words}\n")
        words = ("corpora=corpora.yaml",)
    with pytest.raises(SureError) as error:
        suite(tmp_path, *words)
    assert message in str(error.value)


def test_memory_is_a_setting_of_each_training():
    assert "train.memory=8gb" in plan("memory=8gb").experiments[0].training
    assert not any(word.startswith("train.memory") for word in plan().experiments[0].training)
