"""Ray Tune as its documentation shows it: a process a trial, HyperOptSearch, ASHA, MLflow callback, `model.fit`."""

from __future__ import annotations

from typing import Any

import mnist_task as task


def train(config: dict[str, Any]) -> None:
    import keras
    from ray import tune

    task.use_threads(1)
    training, validation = task.data(config["mnist"])
    model = task.compiled(config["learning_rate"], config["schedule"], config["decay_rate"])
    report = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: tune.report(dict(logs)))
    model.fit(
        *training,
        batch_size=config["batch_size"],
        epochs=config["epochs"],
        validation_data=validation,
        callbacks=[report],
        verbose=0,
    )


def main() -> None:
    import ray
    from ray import tune
    from ray.air.integrations.mlflow import MLflowLoggerCallback
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search.hyperopt import HyperOptSearch

    options = task.options()
    ray.init(address="local", num_cpus=options.slots, include_dashboard=False, log_to_driver=False)
    space = {
        "learning_rate": tune.loguniform(*task.LEARNING_RATE),
        "batch_size": tune.choice(task.BATCH_SIZES),
        "schedule": tune.choice(task.SCHEDULES),
        "decay_rate": tune.uniform(*task.DECAY_RATE),
        "epochs": options.epochs,
        "mnist": options.mnist,
    }
    mlflow = MLflowLoggerCallback(tracking_uri=f"sqlite:///{options.folder}/mlflow.db", experiment_name="stock")
    results = tune.Tuner(
        tune.with_resources(train, {"cpu": 1}),
        param_space=space,
        tune_config=tune.TuneConfig(
            metric=task.METRIC,
            mode=task.MODE,
            num_samples=options.trials,
            search_alg=HyperOptSearch(random_state_seed=7),
            scheduler=ASHAScheduler(max_t=options.epochs, reduction_factor=task.REDUCTION_FACTOR),
        ),
        run_config=tune.RunConfig(storage_path=options.folder, verbose=0, callbacks=[mlflow]),
    ).fit()
    assert not results.errors, results.errors
    metrics = [result.metrics for result in results]
    epochs = sum(each["training_iteration"] for each in metrics)
    task.tell(len(metrics), epochs, max(each[task.METRIC] for each in metrics))


if __name__ == "__main__":
    main()
