"""KerasTuner's Hyperband in one process with all cores, as its documentation shows it.

An iteration with 9 epochs and factor 3 tries 17 configurations in three brackets; there are as many iterations as come
nearest to the trials that are asked for.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras_tuner
import mnist_task as task

CONFIGURATIONS_AN_ITERATION = 17


class Network(keras_tuner.HyperModel):
    def build(self, hp: Any) -> Any:
        learning_rate = hp.Float("learning_rate", *task.LEARNING_RATE, sampling="log")
        schedule = hp.Choice("schedule", task.SCHEDULES)
        with hp.conditional_scope("schedule", ["exponential"]):
            decay_rate = hp.Float("decay_rate", *task.DECAY_RATE) if schedule == "exponential" else None
        return task.compiled(learning_rate, schedule, decay_rate)

    def fit(self, hp: Any, model: Any, *arguments: Any, **options: Any) -> Any:
        return model.fit(*arguments, batch_size=hp.Choice("batch_size", task.BATCH_SIZES), **options)


def main() -> None:
    options = task.options()
    training, validation = task.data(options.mnist)
    tuner = keras_tuner.Hyperband(
        Network(),
        objective=keras_tuner.Objective(task.METRIC, task.MODE),
        max_epochs=options.epochs,
        factor=task.REDUCTION_FACTOR,
        hyperband_iterations=max(1, round(options.trials / CONFIGURATIONS_AN_ITERATION)),
        seed=7,
        directory=options.folder,
        project_name="mnist",
    )
    tuner.search(*training, validation_data=validation, verbose=0)
    told = [json.loads(path.read_text()) for path in Path(options.folder).rglob("trial.json")]
    rounds = [trial["hyperparameters"]["values"] for trial in told]
    fresh = sum(values["tuner/round"] == 0 for values in rounds)
    epochs = sum(values["tuner/epochs"] - values["tuner/initial_epoch"] for values in rounds)
    task.tell(fresh, epochs, max(trial["score"] for trial in told))


if __name__ == "__main__":
    main()
