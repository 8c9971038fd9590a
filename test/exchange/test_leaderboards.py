"""Result files of leaderboards, in the forms that s3prl's submit.py and the Open ASR Leaderboard's scorer read."""

import json

import jiwer
import pytest
import toys

from sure.bin import export
from sure.data.data_dir import Utterance, write_data_dir
from sure.decode.record import write_record
from sure.errors import SureError

WORDS = {"u1": ("good day", "good day"), "u2": ("ach so", "ach sew no")}
SLOTS = {"u1": ("play B-artist adele E-artist", "play B-artist a dell E-artist")}
INTENTS = {"u1": ("action=on object=lights location=none", "action=change_language object=none location=none")}
TRIALS = {"u1": ("anna u2=target u3=nontarget", "1 0"), "u2": ("anna", "0.6 0.8"), "u3": ("ben", "0 1")}
CASES = {  # task, name of the dataset, decoding, lines of ref.txt and hyp.txt; the file and its content
    "asr": ("asr", "asr", "greedy", WORDS, "asr_public/predict.ark", "u1 GOOD DAY\nu2 ACH SEW NO\n"),
    "asr with lm": ("asr", "asr", "beam", WORDS, "asr_lm_public/predict.ark", "u1 GOOD DAY\nu2 ACH SEW NO\n"),
    "slots": ("slots", "slots", "greedy", SLOTS, "sf_public/predict.ark", "u1 PLAY B-artist A DELL E-artist\n"),
    "emotion": ("emotion", "e_fold3", "greedy", {"u1": ("sad", "ang")}, "er_fold3_public/predict.txt", "u1 ang\n"),
    "keyword": ("keyword", "keyword", "greedy", {"u1": ("yes", "no")}, "ks_public/predict.txt", "u1 no\n"),
    "intent": ("intent", "intent", "greedy", INTENTS, "ic_public/predict.csv", "u1,change language,none,none\n"),
    "verification": ("verification", "v", "greedy", TRIALS, "sv_public/predict.txt", "u1_u2 0.6\nu1_u3 0.0\n"),
}  # fmt: skip


def experiment(folder, task, dataset, decoding, lines, seconds=None):
    """A decoded test set in exp/x/seed1 of a folder."""
    data, exp = folder / "data" / dataset / "test", folder / "exp" / "x" / "seed1"
    write_data_dir(data, [Utterance(id, str(folder / "a.wav")) for id in lines])
    (data / "utt2dur").write_text("".join(f"{id} {2 * place}.5\n" for place, id in enumerate(lines)))
    toys.write_config(folder, exp / "config.yaml", task=task, data__tests=[str(data)])
    decoded = exp / ("decode_test" if decoding == "greedy" else f"decode_test_{decoding}")
    write_record(decoded, {"set": "test", "data": str(data), "decoding": decoding, "settings": {}} | (seconds or {}))
    for column, name in enumerate(("ref.txt", "hyp.txt")):
        (decoded / name).write_text("".join(f"{id} {pair[column]}\n" for id, pair in lines.items()))
    return exp


@pytest.mark.parametrize("case", CASES)
def test_predictions_for_superb(case, tmp_path):
    task, dataset, decoding, lines, path, content = CASES[case]
    exp = experiment(tmp_path, task, dataset, decoding, lines)
    call = [str(exp), "--to", "superb", "--out", str(tmp_path / "out")]
    export.main(call)
    found = {str(file.relative_to(tmp_path / "out")): file.read_text() for file in tmp_path.glob("out/**/*.*")}
    assert found == {f"predict/{path}": content}
    with pytest.raises(SureError, match=f"{path} already exists; delete it"):
        export.main(call)


def test_a_manifest_for_the_open_asr_leaderboard(tmp_path, capsys):
    exp = experiment(tmp_path, "asr", "asr_en", "greedy", WORDS, {"decode_seconds": 0.6})
    export.main([str(exp), "--to", "open-asr", "--out", str(tmp_path / "out"), "--name", "me/model", "--json"])
    (name,) = json.loads(capsys.readouterr().out)["files"]
    model, dataset = name.removesuffix(".jsonl").removeprefix("MODEL_").split("_DATASET_")
    assert (model.partition("-")[::2], dataset) == (("me", "model"), "asr_en__test")
    lines = [json.loads(line) for line in (tmp_path / "out" / name).read_text().splitlines()]
    assert all(line.keys() == {"audio_filepath", "duration", "time", "text", "pred_text"} for line in lines)
    assert [line["duration"] for line in lines] == [0.5, 2.5]
    assert sum(line["duration"] for line in lines) / sum(line["time"] for line in lines) == pytest.approx(3 / 0.6)
    assert jiwer.wer([line["text"] for line in lines], [line["pred_text"] for line in lines]) == 0.5


def test_experiments_without_such_files(tmp_path):
    exp = experiment(tmp_path, "emotion", "emotion_4", "greedy", {"u1": ("sad", "ang")})
    for form, place, message in (
        ("superb", exp, "SUPERB scores emotions in five folds; train with --fold 1 to 5"),
        ("open-asr", exp, "has no task emotion, only asr and transcription"),
        ("superb", exp / "bundle", "not an experiment folder .no config.yaml.; pass exp/<name>/seed<k>"),
    ):
        with pytest.raises(SureError, match=message):
            export.main([str(place), "--to", form, "--out", str(tmp_path / "out")])
