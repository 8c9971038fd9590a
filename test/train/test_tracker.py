"""A training is one run of a tracker, with the lines of metrics.jsonl, also after a stop and after an error."""

import json
import struct

import pytest
import toys

from sure.errors import SureError
from sure.train import tracker

PARTS = (["--part", "1/3"], [])


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file://{tmp_path}/store")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")


def read_wandb(exp):
    """Ids of the runs in the files of offline runs, keys of their configs, and (step, dev loss) of each line."""
    from wandb.proto.wandb_internal_pb2 import Record

    ids, keys, lines = set(), set(), []
    for file in sorted(exp.glob("wandb/offline-run-*/*.wandb")):
        content, place = file.read_bytes(), 7  # after its header: checksum, length and type of each record
        while place < len(content):
            (length,) = struct.unpack_from("<H", content, place + 4)
            record = Record.FromString(content[place + 7 : place + 7 + length])
            ids |= {record.run.run_id} - {""}
            keys |= {item.key or ".".join(item.nested_key) for item in record.run.config.update}
            values = {item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
            lines += [(values["_step"], values["dev_loss"])] if values else []
            place += 7 + length
    return ids, keys, sorted(lines)


def read_mlflow(exp):
    """As `read_wandb`, of the runs in the store."""
    from mlflow import MlflowClient

    client = MlflowClient()
    runs = client.search_runs([client.get_experiment_by_name("sure").experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"]
    history = client.get_metric_history(runs[0].info.run_id, "dev_loss")
    return {run.info.run_id for run in runs}, set(runs[0].data.params), [(one.step, one.value) for one in history]


@pytest.mark.parametrize(("name", "read"), [("wandb", read_wandb), ("mlflow", read_mlflow)])
def test_a_training_in_two_calls_is_one_run_with_every_epoch(name, read, corpus, tmp_path):
    exp = tmp_path / "asr_lora" / "seed1"
    for part in PARTS:
        toys.train_here(corpus, exp, *part, train__track=name)
    ids, keys, lines = read(exp)
    assert ids == {json.loads((exp / "track.json").read_text())[name]["run"]}
    assert {"method", "train.epochs", "petl.rank"} <= keys
    written = [json.loads(line) for line in (exp / "metrics.jsonl").read_text().splitlines()]
    assert len(written) == 3 and lines == [(line["step"], line["dev_loss"]) for line in written]


def test_errors_of_a_tracker_stop_a_training_only_at_its_start(corpus, tmp_path, monkeypatch, caplog):
    log, failing = tracker.MLflow.log, [True]

    def fail_once(*given):
        if failing and failing.pop():
            raise ConnectionError("no route")
        log(*given)

    monkeypatch.setattr(tracker.MLflow, "log", fail_once)
    toys.train_here(corpus, tmp_path / "exp", train__track="mlflow")
    assert "mlflow: no route; the scores are sent after the next epoch" in caplog.text
    assert len(read_mlflow(tmp_path / "exp")[2]) == 3
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://")
    with pytest.raises(SureError, match="train.track=mlflow: .*correct its settings, leave out --track"):
        toys.train_here(corpus, tmp_path / "other", train__track="mlflow")
    assert not list((tmp_path / "other").glob("checkpoints/*"))
