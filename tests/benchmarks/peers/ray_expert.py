"""Ray Tune as well as somebody can make it who knows it, Keras and MLflow.

Warm processes (`reuse_actors`), as many as slots and all of them from the start; TensorFlow, the data and the compiled
model are kept from trial to trial, so that a new learning rate, decay or batch size traces nothing; 50 steps are one
call of a graph; no checkpoints and none of Tune's own log files; metrics go to MLflow by the batch, beside training.
"""

from __future__ import annotations

import os

import mnist_task as task
from ray_expert_mlflow import batched_mlflow
from ray_expert_training import train

os.environ |= {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_MAX_PENDING_TRIALS_PG": "2",
    "TUNE_GLOBAL_CHECKPOINT_S": "60",
}


def main() -> None:
    import ray
    from ray import tune
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
    results = tune.Tuner(
        tune.with_resources(train, {"cpu": 1}),
        param_space=space,
        tune_config=tune.TuneConfig(
            metric=task.METRIC,
            mode=task.MODE,
            num_samples=options.trials,
            max_concurrent_trials=options.slots,
            reuse_actors=True,
            search_alg=HyperOptSearch(random_state_seed=7),
            scheduler=ASHAScheduler(max_t=options.epochs, reduction_factor=task.REDUCTION_FACTOR),
        ),
        run_config=tune.RunConfig(
            storage_path=options.folder,
            verbose=0,
            callbacks=[batched_mlflow(f"sqlite:///{options.folder}/mlflow.db")],
        ),
    ).fit()
    assert not results.errors, results.errors
    metrics = [result.metrics for result in results]
    epochs = sum(each["training_iteration"] for each in metrics)
    task.tell(len(metrics), epochs, max(each[task.METRIC] for each in metrics))


if __name__ == "__main__":
    main()
