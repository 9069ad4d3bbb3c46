"""A worker whose epochs take no time, for measuring everything around them."""

from __future__ import annotations

import os
from typing import Any

from ray import tune

from tests.benchmarks.tune_throughput import value_after
from tuner.engine.messages import Assignment, Report, TrainedEpoch


class NoTrainingWorker(tune.Trainable):  # type: ignore[misc]
    """Stands in for `KerasWorker`: answers each epoch at once, in a report of its own."""

    def setup(self, config: dict[str, Any], settings: Any = None, data: Any = None) -> None:
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.take(new_config["assignment"])
        return True

    def take(self, assignment: Assignment) -> None:
        self._assignment, self._epoch = assignment, 0

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
