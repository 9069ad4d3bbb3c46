"""A worker that trains nothing and may be held, for tests of where and when trials run. Imports little: many start."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import ray
from ray import tune

from tuner.engine.messages import Assignment, Report, TrainedEpoch


class WaitingWorker(tune.Trainable):  # type: ignore[misc]
    """Waits after a trial's first epoch while it is held (see `Run.hold`). Tells its node and its GPUs."""

    def setup(self, config: dict[str, Any], settings: Any = None, data: Any = None) -> None:
        self._gates = Path(settings.data)
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self.take(new_config["assignment"])
        return True

    def take(self, assignment: Assignment) -> None:
        self._assignment, self._epoch = assignment, 0

    def step(self) -> dict[str, Any]:
        if self._epoch > 0:  # the first epoch's report has been read
            (self._gates / f"begun-{self._assignment.trial}").touch()
            while self._is_held():
                time.sleep(0.05)
        self._epoch += 1
        report = Report(
            trial=self._assignment.trial,
            attempt=self._assignment.attempt,
            node=ray.get_runtime_context().get_node_id(),
            pid=os.getpid(),
            gpus=tuple(str(gpu) for gpu in ray.get_gpu_ids()),
            started_at_epoch=0 if self._epoch == 1 else None,
            epochs=(TrainedEpoch(self._epoch, {"loss": 1 / self._epoch}, 0.0),),
        )
        return {"report": report}

    def _is_held(self) -> bool:
        held = json.loads((self._gates / "held.json").read_text())
        return self._assignment.trial >= held["from"] and len(list(self._gates.glob("begun-*"))) < held["until_begun"]
