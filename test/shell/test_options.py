"""What a recipe accepts on its command line, and what it says about the rest."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("words", [("--seeds", "7"), ("--seeds=7",)])
def test_both_ways_to_write_an_option(project, words):
    done = project.run("--dry_run", "true", *words)
    assert done.status == 0
    assert "seed=7" in done.out and "seed=1 " not in done.out


def test_dashes_for_underscores_and_empty_values(project):
    assert "report" not in project.run("--dry-run=true", "--stop-stage=score", "--tag=").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--ptel", "lora"), ["unknown option --ptel", "--petl", "--task"]),
        (("--root", "/"), ["unknown option --root"]),
        (("--a[$(touch made)]", "1"), ["unknown option"]),
        (("--petl",), ["--petl needs a value"]),
        (("--petl", "--seeds", "1"), ["--petl needs a value"]),
        (("lora",), ["unexpected word 'lora'"]),
        (("--dry_run", "yes"), ["--dry_run takes true or false, not 'yes'"]),
        (("--force", "yes"), ["--force takes true or false, not 'yes'"]),
        (("--on_bad_utterance", "ask"), ["--on_bad_utterance: unknown value 'ask'; expected one of: stop skip"]),
        (("--nj", "0"), ["--nj takes a number from 1"]),
        (("--gpus", "all"), ["--gpus takes a number from 0"]),
        (("--processes", "0"), ["--processes takes a number from 1"]),
        (("--nodes", "0", "--launch", "slurm"), ["--nodes takes a number from 1"]),
        (
            ("--nodes", "2"),
            ["--nodes 2 needs --launch slurm; without Slurm, start python -m sure.bin.train with --nodes 2"],
        ),
        (("--mem", "much"), ["--mem takes a size such as 16G"]),
        (("--time", "1 day"), ["--time takes hours:minutes:seconds"]),
        (("--partition", "a b"), ["--partition takes a name"]),
        (("--show", "scores"), ["--show: unknown value 'scores'; expected one of: corpus experiments"]),
        (("--launch", "pbs"), ["--launch: unknown value 'pbs'; expected one of:", "local"]),
        (("--task", "song"), ["--task: unknown value 'song'; expected one of: asr phoneme language speaker intent"]),
        (("--lang", "de"), ["--lang: unknown value 'de'", "es en fr it ru all"]),
        (("--seeds", "1 -1"), ["--seeds takes numbers from 0", "not '-1'"]),
        (("--rates", "1e-3 0.001 3e-3"), ["--rates has 1e-3 and 0.001, which are the same"]),
        (("--petl", "loora"), ["no method 'loora'", "conv_adapter linear_probe lora"]),
        (("--stage", "0"), ["--stage: unknown stage '0'", "1 download", "8 pack"]),
        (("--stage", "9"), ["--stage: unknown stage '9'", "1 download", "8 pack"]),
        (("--stop_stage", "trian"), ["--stop_stage: unknown stage 'trian'", "4 train"]),
        (("--stage", "score", "--stop_stage", "4"), ["--stop_stage 4 comes before --stage score"]),
    ],
)
def test_a_wrong_call_is_one_error_that_lists_what_exists_and_runs_nothing(project, words, said):
    done = project.run(*words)
    assert done.status == 2
    assert done.err.startswith("error: ") and done.err.count("\n") == 1
    assert all(text in done.err for text in said), done.err
    assert done.calls == []
    assert not (project.recipe / "downloads").exists() and not (project.recipe / "made").exists()


def test_help_lists_every_option_with_its_default_and_the_stages(project):
    done = project.run("--help")
    assert done.status == 0 and done.calls == []
    assert done.out.startswith("Asterisk core sounds")
    for line in ("--petl ", "[linear_probe conv_adapter lora]", "--lang", "[es]", "4 train", "8 pack"):
        assert line in done.out


@pytest.mark.parametrize("stage", ["5", "decode"])
def test_stages_by_number_and_by_name(project, stage):
    assert project.run("--petl", "lora").status == 0
    assert project.run("--petl", "lora", "--stage", stage, "--stop_stage", "score").stages == [
        "decode",
        "score",
    ]


@pytest.mark.parametrize(
    ("words", "ending"),
    [
        (("--processes", "3"), " --processes 3"),
        (("--gpus", "2"), " --processes 2"),
        (("--gpus", "2", "--processes", "1"), ""),
        ((), ""),
    ],
)
def test_a_training_has_a_process_for_each_gpu_or_as_many_as_asked_for(project, words, ending):
    printed = project.run("--dry_run", "true", "--petl", "lora", *words).out.splitlines()
    (train,) = [line for line in printed if "sure.bin.train" in line]
    assert train.endswith(ending) and ("--processes" in train) == bool(ending)
    assert sum("--processes" in line for line in printed) == bool(ending)


def test_dry_run_prints_every_command_and_does_nothing(project):
    done = project.run("--dry_run", "true", "--petl", "lora", "--seeds", "1 2")
    assert done.status == 0 and done.calls == []
    commands = [line.split()[2] for line in done.out.splitlines() if line.startswith("python -m ")]
    stages = ["download", "prepare", "tokenize", *["train"] * 2, *["decode"] * 2, *["score"] * 2, "report"]
    assert commands == [f"sure.bin.{stage}" for stage in [*stages, "pack", "pack"]]
    assert "fetch_backbone.py' moonshine_tiny_en" in done.out  # quoted: the path has a space
    assert not any((project.recipe / name).exists() for name in ("downloads", "data", "exp"))


def test_overrides_reach_training_and_site_patterns_keep_their_spaces(project):
    words = "train.epochs=3 petl.sites=layer.*.attn.q layer.*.ffn.in tokenizer.kind=bpe"
    calls = project.run("--petl", "lora", "--set", words).calls
    train = next(call for call in calls if call[0] == "train")
    assert train[-3:] == ["train.epochs=3", "petl.sites=layer.*.attn.q layer.*.ffn.in", "tokenizer.kind=bpe"]
    tokenize = next(call for call in calls if call[0] == "tokenize")
    assert tokenize[-1] == "tokenizer.kind=bpe" and "train.epochs=3" not in tokenize


def test_a_configuration_that_is_wrong_runs_nothing_and_a_right_one_is_checked_once(project):
    check = project.root / "sure" / "bin" / "check_config.py"
    check.write_text("import sys\nsys.exit('error: unknown key')\n")
    done = project.run("--petl", "lora", "--set", "train.epochs=3")
    assert done.status == 1 and done.calls == [] and done.err == "error: unknown key\n"
    check.write_text("print('checked')\n")
    assert project.run("--petl", "lora", "--set", "train.epochs=3").out.startswith("checked\n# stage 1")
    assert "checked" not in project.run("--petl", "lora", "--set", "train.epochs=3").out
    assert "checked" in project.run("--petl", "lora", "--set", "train.epochs=4", "--stop_stage", "download").out
    with (project.recipe / "conf" / "asr.yaml").open("a") as file:
        file.write("train: {epochs: 2}\n")
    assert "checked" in project.run("--petl", "lora", "--set", "train.epochs=4", "--stop_stage", "download").out


def test_what_training_is_given(project):
    (project.recipe / "conf" / "petl").mkdir()
    for name in ("rates", "petl/lora", "petl/asr_lora", "petl/language_lora"):
        (project.recipe / "conf" / f"{name}.yaml").write_text("train: {}\n")
    call = project.run("--petl", "lora", "--lang", "fr", "--seeds", "3", "--tag", "wide").calls[3]
    assert call == (
        "train --config conf/asr.yaml --config conf/rates.yaml --config conf/petl/lora.yaml "
        "--config conf/petl/asr_lora.yaml --exp exp/asr_fr_moonshine_lora_wide/seed3 text.language=fr "
        "data.train=data/asr_fr/train data.valid=data/asr_fr/dev data.tests=[data/asr_fr/test] "
        "tokenizer.folder=data/asr_fr/tokens petl.name=lora seed=3 backbone.name=moonshine "
        "backbone.weights=downloads/moonshine_tiny_en.safetensors"
    ).split(" ")


def test_classification_is_the_same_without_a_language(project):
    calls = project.run("--task", "speaker", "--petl", "lora").calls
    assert [call[0] for call in calls] == "download prepare tokenize train decode score report pack".split()
    assert calls[1][-1] == "task=speaker"
    assert not any(word.startswith("text.language") for call in calls for word in call)
    assert "exp/speaker_moonshine_lora/seed1" in calls[3]


def test_random_weights_are_a_control_with_a_name_of_its_own(project):
    done = project.run("--petl", "lora", "--weights", "random", "--tag", "x")
    train = done.calls[done.stages.index("train")]
    assert "exp/asr_es_moonshine_lora_random_x/seed1" in train and "backbone.weights=random" in train
    assert not (project.recipe / "downloads" / "moonshine_tiny_en.safetensors").exists()


def test_paths_are_relative_to_where_the_user_is(project, tmp_path):
    (tmp_path / "my copy").mkdir()
    (tmp_path / "mine.safetensors").write_text("weights")
    words = ("--petl", "lora", "--corpus", "my copy", "--weights", "mine.safetensors")
    done = project.run(*words, cwd=tmp_path)
    assert done.status == 0
    assert done.calls[0][-2:] == ["--corpus", str(tmp_path / "my copy")]
    assert f"backbone.weights={tmp_path / 'mine.safetensors'}" in done.calls[3]


def test_a_corpus_is_remembered_until_it_is_forgotten(project, tmp_path):
    (tmp_path / "copy").mkdir()
    project.run("--petl", "lora", "--corpus", str(tmp_path / "copy"))
    assert project.run("--petl", "lora").calls == []
    assert "--corpus" not in project.run("--petl", "lora", "--corpus=").calls[0]


def test_every_rate_is_an_experiment_of_its_own_and_the_run_ends_with_their_dev_scores(project):
    words = ("--petl", "lora", "--rates", "3e-4 1e-2", "--set", "train.epochs=3", "--stop_stage", "train")
    done = project.run(*words)
    assert done.status == 0, done.err
    trained = [call for call in done.calls if call[0] == "train"]
    folders = [call[call.index("--exp") + 1] for call in trained]
    assert folders == [f"exp/asr_es_moonshine_lora_rate{rate}/seed1" for rate in ("3e-4", "1e-2")]
    last_words = [[f"train.lr_adapter={rate}", "train.epochs=3"] for rate in ("3e-4", "1e-2")]
    assert [call[-2:] for call in trained] == last_words
    assert done.calls[-1] == ["rates", *folders] and done.out.rstrip().endswith("rates ran")


def test_a_recipe_shows_its_experiments_and_where_its_corpus_is(project, tmp_path):
    words = ("--petl", "lora+conv_adapter linear_probe", "--seeds", "3 1", "--tag", "t")
    done = project.run("--show", "experiments", *words)
    assert done.status == 0 and done.calls == []
    assert done.out.splitlines() == [
        f"{method}\t{seed}\texp/asr_es_moonshine_{method}_t/seed{seed}"
        for method in ("lora+conv_adapter", "linear_probe")
        for seed in (3, 1)
    ]
    assert project.run("--show", "corpus").out == ""
    project.run("--stop_stage", "download")
    assert project.run("--show", "corpus").out == f"{project.recipe}/downloads/corpus\n"
    assert project.run("--show", "corpus", "--corpus", str(tmp_path)).out == f"{tmp_path}\n"
    assert project.run("--show", "corpus", "--corpus", str(tmp_path / "gone")).out == ""


BEAM = ("--petl", "lora", "--decode", "beam")


def test_another_decoding_needs_no_training_again_and_keeps_what_there_is(project):
    assert project.run("--petl", "lora").status == 0
    exp = project.recipe / "exp/asr_es_moonshine_lora/seed1"
    before = (exp / "decode_test" / "hyp.txt").read_text()
    done = project.run(*BEAM, "--set", "decode.beam=9 decode.ngram=big.arpa")
    assert done.status == 0, done.err
    assert done.stages == ["tune_decode", "decode", "score", "report", "pack"]
    words = ["decode.method=beam", "decode.beam=9", "decode.ngram=big.arpa"]
    assert [call[3:] for call in done.calls[:2]] == [words, words]
    assert (exp / "decode_test" / "hyp.txt").read_text() == before
    for name in ("decode_test", "decode_test_beam"):
        assert (exp / name / "result.json").is_file()
    assert project.run("--petl", "lora").calls == []
    assert project.run("--petl", "lora", "--decode", "greedy beam", "--set", " ".join(words[1:])).calls == []


def test_a_changed_model_decodes_again(project, tmp_path):
    (tmp_path / "big.arpa").write_text("one")
    words = (*BEAM, "--set", "decode.ngram=big.arpa decode.name=big")
    done = project.run(*words, cwd=tmp_path)
    assert done.status == 0 and done.calls[-4][3:5] == ["decode.method=beam", f"decode.ngram={tmp_path / 'big.arpa'}"]
    assert (project.recipe / "exp/asr_es_moonshine_lora/seed1/decode_test_big/result.json").is_file()
    (tmp_path / "big.arpa").write_text("two")
    done = project.run(*words, cwd=tmp_path)
    assert done.stages[:2] == ["tune_decode", "decode"] and "big.arpa changed" in done.out
