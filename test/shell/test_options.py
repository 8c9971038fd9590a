"""The command line of a recipe: options that it accepts, and errors for all others."""

import pytest

LORA = ("--petl", "lora")
DRY = ("--dry_run", "true", *LORA)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (("--taks", "asr"), ["unknown option --taks (did you mean --task?); the options are: ", "--petl", "--task"]),
        (("--root", "/"), ["unknown option --root; the options are"]),
        (("--a[$(touch made)]", "1"), ["unknown option"]),
        (("--petl",), ["--petl needs a value"]),
        (("--petl", "--seeds", "1"), ["--petl needs a value"]),
        (("lora",), ["unexpected word 'lora'"]),
        (("--set", "a=1", "--set=b=2"), ["--set is given twice; put all words into one"]),
        (("--max-bad-percent=1", "--max_bad_percent", "2"), ["--max_bad_percent is given twice"]),
        (("--dry_run", "yes"), ["--dry_run takes true or false, not 'yes'"]),
        (("--force", "yes"), ["--force takes true or false, not 'yes'"]),
        (("--on_bad_utterance", "ask"), ["--on_bad_utterance: unknown value 'ask'; expected one of: stop skip"]),
        (("--nj", "0"), ["--nj takes a number from 1 or auto"]),
        (("--search", "halving"), ["--search halving needs two --rates or more"]),
        (("--gpus", "all"), ["--gpus takes a number from 0"]),
        (("--processes", "0"), ["--processes takes a number from 1"]),
        (("--nodes", "0", "--launch", "slurm"), ["--nodes takes a number from 1"]),
        (("--nodes", "2"), ["--nodes 2 needs --launch slurm; without Slurm, start", "train with --nodes 2"]),
        (("--mem", "much"), ["--mem takes a size such as 16G"]),
        (
            ("--track", "wandbb"),
            ["--track: unknown value 'wandbb' (did you mean wandb?); expected one of: wandb mlflow"],
        ),
        (("--time", "1 day"), ["--time takes hours:minutes:seconds"]),
        (("--partition", "a b"), ["--partition takes a name"]),
        (("--show", "scores"), ["--show: unknown value 'scores'; expected one of: corpus experiments"]),
        (("--launch", "pbs"), ["--launch: unknown value 'pbs'; expected one of:", "local"]),
        (("--launch", "slrum"), ["--launch: unknown value 'slrum' (did you mean slurm?); expected one of:"]),
        (
            ("--task", "song"),
            ["--task: unknown value 'song'; expected one of: asr translation phoneme language speaker intent"],
        ),
        (("--petl", "lore"), ["no method 'lore' in", "(did you mean 'lora'?)", "conv_adapter linear_probe lora"]),
        (("--corpus", "nowhere"), ["--corpus nowhere is not a folder; pass the folder that contains the corpus"]),
        (("--lexicon", "nowhere"), ["--lexicon: the file nowhere does not exist; correct the path"]),
        (("--stage", "0"), ["--stage: unknown stage '0'; the", "1 download", "8 pack"]),
        (("--stop_stage", "trian"), ["--stop_stage: unknown stage 'trian' (did you mean train?); the stages are"]),
        (("--stage", "score", "--stop_stage", "4"), ["--stop_stage 4 comes before --stage score"]),
    ],
)
def test_a_wrong_call_is_one_error_that_lists_the_alternatives_and_runs_nothing(project, words, parts):
    done = project.run(*words)
    assert done.status == 2 and done.err.startswith("error: ") and done.err.count("\n") == 1
    assert all(part in done.err for part in parts), done.err
    assert done.calls == [] and not (project.recipe / "downloads").exists() and not (project.recipe / "made").exists()


@pytest.mark.parametrize(
    ("words", "ending", "stages"),
    [
        ("--seeds 7", ".safetensors", "12345678"),
        ("--seeds=7 --processes 3", " --processes 3", "12345678"),
        ("--seeds=7 --gpus 2", " --processes 2", "12345678"),
        ("--seeds=7 --gpus 2 --processes 1 --stop-stage=score", ".safetensors", "123456"),
        ("--seeds=7 --tag= --stage 4 --stop_stage 5", ".safetensors", "45"),
        ("--seeds=7 --stage train --stop_stage decode", ".safetensors", "45"),
    ],
)
def test_a_dry_run_prints_the_commands_of_chosen_stages_and_runs_none(project, words, ending, stages):
    done = project.run(*DRY, *words.split())
    assert done.calls == [] and not any((project.recipe / name).exists() for name in ("downloads", "data", "exp"))
    printed = done.out.splitlines()
    assert [line.split()[2] for line in printed if line.startswith("# stage")] == list(stages)
    (train,) = [line for line in printed if "sure.bin.train" in line]
    assert " seed=7 " in train and "lora/seed7 " in train and train.endswith(ending)
    assert sum("--processes" in line for line in printed) == ("--processes" in ending)  # one for each GPU
    assert ("fetch_backbone.py' moonshine_tiny_en" in done.out) == ("1" in stages)  # quoted: the path has a space


def test_a_wrong_configuration_runs_nothing_and_a_correct_one_is_checked_once(project):
    check = project.bin / "check_config.py"
    words = (*LORA, "--stop_stage", "download", "--set")
    check.write_text("import sys\nsys.exit('error: unknown key')\n")
    done = project.run(*words, "train.epochs=3")
    assert done.status == 1 and done.calls == [] and done.err == "error: unknown key\n"
    check.write_text("import os\nprint('checked' + os.environ.get('HF_HUB_OFFLINE', ''))\n")
    assert project.run(*words, "train.epochs=3").out.startswith("checked\n# stage 1")
    assert "checked" not in project.run(*words, "train.epochs=3").out
    assert all("checked1\n" in project.run(*DRY, "--set", "train.epochs=5").out for _ in range(2))  # no mark is left
    assert "checked" in project.run(*words, "train.epochs=4").out
    (project.recipe / "conf" / "asr.yaml").write_text("task: asr\ntrain: {epochs: 2}\n")
    assert "checked" in project.run(*words, "train.epochs=4").out


def test_arguments_of_the_tokenizer_and_of_training_by_rate_and_the_run_ends_with_their_dev_scores(project):
    (project.recipe / "conf" / "rates.yaml").write_text("rates: {}\n")
    given = "train.epochs=3 petl.sites=layer.*.attn.q layer.*.ffn.in tokenizer.kind=bpe"
    words = ("--lang", "fr", "--seeds", "3", "--tag", "wide", "--rates", "3e-4 1e-2", "--set", given)
    done = project.run(*LORA, *words, "--stop_stage", "train")
    *_, tokenize, first, second, rates = done.calls
    exp = "exp/asr_fr_moonshine_lora_wide_rate{}/seed3"
    command = (
        "train --config conf/asr.yaml --config conf/rates.yaml --exp {} text.language=fr data.train=data/asr_fr/train "
        "data.valid=data/asr_fr/dev data.tests=[data/asr_fr/test] tokenizer.folder=data/asr_fr/tokens petl.name=lora "
        "seed=3 backbone.name=moonshine backbone.weights=downloads/moonshine_tiny_en.safetensors train.lr_adapter={}"
    )
    for train, rate in ((first, "3e-4"), (second, "1e-2")):
        assert train[:-3] == command.format(exp.format(rate), rate).split(" ")
        assert train[-3:] == ["train.epochs=3", "petl.sites=layer.*.attn.q layer.*.ffn.in", "tokenizer.kind=bpe"]
    assert tokenize[-1] == "tokenizer.kind=bpe" and "train.epochs=3" not in tokenize
    assert rates == ["rates", exp.format("3e-4"), exp.format("1e-2")] and done.out.rstrip().endswith("rates ran")


def test_paths_are_relative_to_the_callers_folder_and_a_corpus_is_remembered_until_it_is_forgotten(project, tmp_path):
    (tmp_path / "my copy").mkdir()
    (tmp_path / "mine.safetensors").touch()
    words = (*LORA, "--weights", "mine.safetensors", "--stop_stage", "train")
    done = project.run(*words, "--corpus", "my copy", cwd=tmp_path)
    assert done.status == 0 and done.calls[0][-2:] == ["--corpus", str(tmp_path / "my copy")]
    assert f"backbone.weights={tmp_path / 'mine.safetensors'}" in done.calls[3]
    assert project.run(*words, cwd=tmp_path).calls == []
    assert "--corpus" not in project.run(*words, "--corpus=", cwd=tmp_path).calls[0]


def test_another_decoding_needs_no_training_and_keeps_earlier_results(finished, tmp_path):
    exp = finished.recipe / "exp/asr_es_moonshine_lora/seed1"
    before = (exp / "decode_test" / "hyp.txt").read_text()
    (tmp_path / "big.arpa").write_text("one")
    words = (*LORA, "--decode", "greedy beam", "--set", "decode.beam=9 decode.ngram=big.arpa decode.name=big")
    done = finished.run(*words, cwd=tmp_path)
    assert done.status == 0 and done.stages == ["tune_decode", "decode", "score", "report", "pack"], done.err
    given = ["decode.method=beam", "decode.beam=9", f"decode.ngram={tmp_path / 'big.arpa'}", "decode.name=big"]
    assert [call[3:] for call in done.calls[:2]] == [given, given]
    assert (exp / "decode_test" / "hyp.txt").read_text() == before
    assert all((exp / name / "result.json").is_file() for name in ("decode_test", "decode_test_big"))
    assert finished.run(*LORA).calls == finished.run(*words, cwd=tmp_path).calls == []
    (tmp_path / "big.arpa").write_text("two")
    done = finished.run(*words, cwd=tmp_path)
    assert done.stages[:2] == ["tune_decode", "decode"] and "big.arpa changed" in done.out
