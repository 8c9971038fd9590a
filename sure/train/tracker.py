"""Trackers, which show trainings in a browser: Weights & Biases (wandb) or MLflow, next to tensorboard/.

Each package reads its own settings of address, login and project, such as WANDB_MODE and MLFLOW_TRACKING_URI. A
training is one run of the tracker; `track.json` in the experiment folder has its id, with which a resume continues it.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sure.config import Config
from sure.errors import SureError
from sure.files import replace_file
from sure.models.experiment import Experiment, flat_values
from sure.parsing import read_json

log = logging.getLogger(__name__)

PROJECT = "sure"  # of new runs, unless the tracker's own settings name another one
REMEDY = "delete it to begin a new run"
MOST_PARAMETERS = 100  # in one call of MLflow


def check_tracker(name: str) -> None:
    """Raises SureError where the package of a tracker is missing."""
    if name and importlib.util.find_spec(name) is None:
        raise SureError(f"train.track={name} needs the package {name}: tools/install.sh --extras track-{name}")


@contextmanager
def tracked(config: Config, experiment: Experiment) -> Iterator[Tracker | None]:
    """The tracker that `train.track` names, or None; its run ends with the context.

    Raises SureError where the run cannot begin. Later errors of a tracker are warnings: they never stop a training.
    """
    check_tracker(config.train.track)
    tracker = TRACKERS[config.train.track](config, experiment) if config.train.track else None
    finished = False
    try:
        yield tracker
        finished = True
    finally:
        if tracker:
            tracker.end(finished)


class Tracker:
    """One run of a tracker. `send` is called after each epoch with all lines of metrics.jsonl."""

    name: str

    def __init__(self, config: Config, experiment: Experiment):
        self.file = experiment.track
        self.known = read_json(self.file, REMEDY) if self.file.is_file() else {}
        state = self.known.get(self.name) or {"run": "", "step": -1}
        self.run, self.step = state["run"], state["step"]
        self.folder = experiment.folder.resolve()
        try:
            self.begin({"method": config.method, **flat_values(config.model_dump(mode="json"))})
        except Exception as error:  # the packages have many types of errors, and MLflow those of its databases
            remedy = f"correct its settings, leave out --track, or if the run was deleted, delete {self.file}"
            raise SureError(f"train.track={self.name}: {first_line(error)}; {remedy}") from None
        self._save()

    def send(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Send the lines that the run does not have yet; after an error, the next call sends them."""
        try:
            for line in lines:
                if line["step"] > self.step:
                    self.log({key: value for key, value in line.items() if key != "step"}, line["step"])
                    self.step = line["step"]
        except Exception as error:
            log.warning("%s: %s; the scores are sent after the next epoch", self.name, first_line(error))
        self._save()

    def end(self, finished: bool) -> None:
        try:
            self.close(finished)
        except Exception as error:
            log.warning("%s: %s; its run is not closed", self.name, first_line(error))

    def begin(self, config: Mapping[str, Any]) -> None:
        """Continue the run `self.run`, or begin one and set its id."""
        raise NotImplementedError

    def log(self, values: Mapping[str, float], step: int) -> None:
        raise NotImplementedError

    def close(self, finished: bool) -> None:
        """finished: the training was not stopped by a signal or an error."""
        raise NotImplementedError

    @property
    def title(self) -> str:
        """Such as asr_es_moonshine_lora/seed1; its first part is the group of all seeds."""
        return "/".join(self.folder.parts[-2:])

    def _save(self) -> None:
        state = {"run": self.run, "step": self.step}
        replace_file(self.file, json.dumps({**self.known, self.name: state}) + "\n")


class Wandb(Tracker):
    name = "wandb"

    def begin(self, config: Mapping[str, Any]) -> None:
        import wandb

        self.run = self.run or uuid.uuid4().hex[:8]
        self.session = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT), id=self.run, resume="allow", name=self.title,
            group=self.folder.parent.name, config=dict(config), dir=os.environ.get("WANDB_DIR", self.folder),
            settings=wandb.Settings(console="off"),
        )  # fmt: skip

    def log(self, values: Mapping[str, float], step: int) -> None:
        self.session.log(dict(values), step=step)

    def close(self, finished: bool) -> None:
        import wandb

        self.session.finish(exit_code=0 if finished else 1)
        wandb.teardown()  # without it, a run that begins at once in this process can lose its values


class MLflow(Tracker):
    name = "mlflow"

    def begin(self, config: Mapping[str, Any]) -> None:
        from mlflow import MlflowClient
        from mlflow.entities import Param

        # a file among the experiments: MLflow's default is in the current folder, whose files are inputs of stage 2
        default = f"sqlite:///{self.folder.parents[1]}/mlflow.db"
        self.client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI") or default)
        if self.run:
            self.client.update_run(self.run, status="RUNNING")
            return
        project = os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT)
        known = self.client.get_experiment_by_name(project)
        experiment = known.experiment_id if known else self.client.create_experiment(project)
        self.run = self.client.create_run(experiment, run_name=self.title).info.run_id
        parameters = [Param(key, str(value)) for key, value in config.items()]
        for start in range(0, len(parameters), MOST_PARAMETERS):
            self.client.log_batch(self.run, params=parameters[start : start + MOST_PARAMETERS])

    def log(self, values: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        self.client.log_batch(self.run, metrics=[Metric(key, value, now, step) for key, value in values.items()])

    def close(self, finished: bool) -> None:
        self.client.set_terminated(self.run, "FINISHED" if finished else "KILLED")


TRACKERS = {tracker.name: tracker for tracker in (Wandb, MLflow)}


def first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
