"""Optuna with a process a slot: TPE, SuccessiveHalvingPruner (ASHA), journal storage, `model.fit`."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import mnist_task as task
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

ENDED = (TrialState.COMPLETE, TrialState.PRUNED)


def study(folder: str, worker: int = 0) -> optuna.Study:
    return optuna.create_study(
        study_name="mnist",
        direction="maximize",
        storage=JournalStorage(JournalFileBackend(f"{folder}/journal.log")),
        sampler=optuna.samplers.TPESampler(seed=7 + worker, constant_liar=True),
        pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=task.REDUCTION_FACTOR),
        load_if_exists=True,
    )


def work(options: Any) -> None:
    """One process: trials until all processes together have done enough."""
    import keras

    task.use_threads(1)
    training, validation = task.data(options.mnist)

    def objective(trial: optuna.Trial) -> float:
        learning_rate = trial.suggest_float("learning_rate", *task.LEARNING_RATE, log=True)
        batch_size = trial.suggest_categorical("batch_size", task.BATCH_SIZES)
        schedule = trial.suggest_categorical("schedule", task.SCHEDULES)
        decay_rate = trial.suggest_float("decay_rate", *task.DECAY_RATE) if schedule == "exponential" else None
        keras.backend.clear_session()
        model = task.compiled(learning_rate, schedule, decay_rate)

        def report(epoch: int, logs: dict[str, float]) -> None:
            trial.report(logs[task.METRIC], epoch + 1)
            if trial.should_prune():
                raise optuna.TrialPruned

        history = model.fit(
            *training,
            batch_size=batch_size,
            epochs=options.epochs,
            validation_data=validation,
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=report)],
            verbose=0,
        )
        return max(history.history[task.METRIC])

    enough = optuna.study.MaxTrialsCallback(options.trials, states=(*ENDED, TrialState.RUNNING))
    study(options.folder, options.worker).optimize(objective, callbacks=[enough])


def main() -> None:
    options = task.options()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if options.worker is not None:
        work(options)
        return
    study(options.folder)
    commands = [[sys.executable, *sys.argv, "--worker", str(worker)] for worker in range(options.slots)]
    workers = [subprocess.Popen(command) for command in commands]
    assert [worker.wait() for worker in workers] == [0] * options.slots
    trials = [trial for trial in study(options.folder).trials if trial.state in ENDED]
    reported = [value for trial in trials for value in trial.intermediate_values.values()]
    task.tell(len(trials), len(reported), max(reported))


if __name__ == "__main__":
    main()
