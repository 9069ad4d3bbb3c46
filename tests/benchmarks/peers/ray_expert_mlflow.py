"""The expert's logging: metrics go to MLflow by the batch, in a thread beside the driver."""

from __future__ import annotations

import queue
import threading
import time
from typing import Any

NAMES = ("loss", "accuracy", "val_loss", "val_accuracy")


def batched_mlflow(uri: str) -> Any:
    """A callback of Tune that logs a trial's metrics in one request a second at most, in a thread."""
    from ray import tune

    class BatchedMlflow(tune.Callback):  # type: ignore[misc]
        def setup(self, **info: Any) -> None:
            self._queue: queue.Queue[Any] = queue.Queue()
            self._thread = threading.Thread(target=self._log, daemon=True)
            self._thread.start()

        def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
            self._queue.put((trial.trial_id, dict(trial.config), dict(result), False))

        def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            self._queue.put((trial.trial_id, dict(trial.config), {}, True))

        def on_experiment_end(self, trials: Any, **info: Any) -> None:
            self._queue.put(None)
            self._thread.join()

        def _log(self) -> None:
            from mlflow.entities import Metric, Param
            from mlflow.tracking import MlflowClient

            client, runs = MlflowClient(uri), {}
            experiment = client.create_experiment("expert")
            while (items := self._taken()) is not None:
                batches: dict[str, list[Any]] = {}
                ended = []
                for trial, config, result, is_end in items:
                    if trial not in runs:
                        runs[trial] = client.create_run(experiment).info.run_id
                        params = [Param(name, str(value)) for name, value in config.items() if name != "mnist"]
                        client.log_batch(runs[trial], params=params)
                    now, step = int(time.time() * 1000), result.get("training_iteration", 0)
                    numbers = {name: value for name, value in result.items() if name in NAMES}
                    batches.setdefault(trial, []).extend(Metric(n, v, now, step) for n, v in numbers.items())
                    ended += [trial] if is_end else []
                for trial, metrics in batches.items():
                    if metrics:
                        client.log_batch(runs[trial], metrics=metrics)
                for trial in ended:
                    client.set_terminated(runs[trial])

        def _taken(self) -> list[Any] | None:
            """What has come since; None at the end."""
            if self._is_over:
                return None
            items = [self._queue.get()]
            time.sleep(0 if items[0] is None else 1)
            while not self._queue.empty():
                items.append(self._queue.get())
            if None in items:
                self._is_over = True
            return [item for item in items if item is not None]

        _is_over = False

    return BatchedMlflow()
