"""A worker whose epochs take no time, for measuring everything around them."""

from __future__ import annotations

import os
from typing import Any

from tests.benchmarks.tune_throughput import value_after
from tuner.engine.messages import Assignment, Report, TrainedEpoch


class NoTrainingWorker:
    """Stands in for `Worker`: answers each epoch at once, in a report of its own."""

    def __init__(self, config: dict[str, Any], common: Any) -> None:
        self._num_reports = 0
        self.take(config["assignment"])

    def reset(self, new_config: dict[str, Any], storage: Any = None) -> bool:
        self.take(new_config["assignment"])
        return True

    def stop(self) -> None:
        """There is nothing to end."""

    def get_auto_filled_metrics(self, debug_metrics_only: bool = True) -> dict[str, Any]:
        return {}

    def train(self) -> dict[str, Any]:
        self._num_reports += 1
        return {**self.step(), "done": False, "training_iteration": self._num_reports}

    def take(self, assignment: Assignment, ahead: Assignment | None = None) -> None:
        self._assignment, self._epoch = assignment, 0

    def look_ahead(self, assignment: Assignment) -> None:
        """It begins nothing by itself."""

    def step(self) -> dict[str, Any]:
        self._epoch += 1
        assignment, params = self._assignment, self._assignment.params
        loss = value_after(self._epoch, params["learning_rate"], params["units"], params["dropout"])  # type: ignore
        return {
            "report": Report(
                trial=assignment.trial,
                attempt=assignment.attempt,
                node="127.0.0.1",
                pid=os.getpid(),
                gpus=(),
                started_at_epoch=0 if self._epoch == 1 else None,
                epochs=(TrainedEpoch(self._epoch, {"loss": loss, "learning_rate": params["learning_rate"]}, 0.0),),  # type: ignore
            )
        }
