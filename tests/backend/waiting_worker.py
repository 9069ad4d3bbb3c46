"""A worker that trains nothing and may be held, for tests of where and when trials run. Imports little: many start."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import ray

from tests.benchmarks.no_training import NoTrainingWorker
from tuner.engine.messages import Report, TrainedEpoch


class WaitingWorker(NoTrainingWorker):
    """Waits after a trial's first epoch while it is held (see `Run.hold`). Tells its node and its GPUs."""

    def __init__(self, config: dict[str, Any], common: Any) -> None:
        super().__init__(config, common)
        self._gates = Path(common.path)

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
