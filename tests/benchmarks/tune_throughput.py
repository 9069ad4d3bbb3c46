"""How many results a second the driver handles when training costs nothing: stock Ray Tune against Tuner's adapter.

    python -m tests.benchmarks.tune_throughput [--trials 2000] [--epochs 3] [--slots 4] [--algorithm tpe]

Each side runs in a fresh process that starts a Ray of its own on this machine, with the same slots, trials, epochs,
rungs (ASHA, reduction factor 3) and space; a worker answers each epoch at once, one result an epoch. The clock runs
from the first result to the last, so that starting Ray and the first worker does not count.

- stock: `tune.Tuner` with HyperOptSearch (TPE, or independent draws: `--algorithm random`), AsyncHyperBandScheduler,
  as many trials at a time as slots, warm workers (`reuse_actors`), no checkpoints, and the CSV, JSON and TensorBoard
  files that it writes by itself. Nothing survives a crash but its snapshot every ten seconds or so.
- cold: the same with a process a trial, which is Tune's default; of `--cold-trials` only, since they take seconds each.
- tuner: `tune_adapter.fit` with the real coordinator, policy and a journal that is synced before anything acts on it.
  No recorder runs, as stock has no MLflow callback here.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

REDUCTION_FACTOR = 3
SIDES = ("tuner", "stock", "cold")


def value_after(epoch: int, learning_rate: float, units: float, dropout: float) -> float:
    """The loss of a training that takes no time."""
    return abs(learning_rate - 0.01) + units / 1e4 + dropout / 10 + 1 / epoch


def stock(options: argparse.Namespace, folder: Path, trials: int, is_cold: bool) -> dict[str, float]:
    import ray
    from hyperopt import hp
    from ray import tune
    from ray.tune.schedulers import AsyncHyperBandScheduler
    from ray.tune.search.hyperopt import HyperOptSearch

    class NoTraining(tune.Trainable):  # type: ignore[misc]
        def setup(self, config: dict[str, Any]) -> None:
            self.reset_config(config)

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            self._params, self._epoch = new_config, 0
            return True

        def step(self) -> dict[str, Any]:
            self._epoch += 1
            params = self._params
            loss = value_after(self._epoch, params["learning_rate"], params["units"], params["dropout"])
            return {"loss": loss, "learning_rate": params["learning_rate"]}

    class Clock(tune.Callback):  # type: ignore[misc]
        times: list[float] = []  # noqa: RUF012  (Tune pickles callbacks)

        def on_trial_result(self, iteration: int, trials: Any, trial: Any, result: Any, **info: Any) -> None:
            self.times.append(time.perf_counter())

    space = {
        "learning_rate": hp.loguniform("learning_rate", -9.21, -2.3),
        "batch_size": hp.choice("batch_size", [32, 64, 128, 256]),
        "units": hp.quniform("units", 16, 512, 1),
        "dropout": hp.uniform("dropout", 0.0, 0.5),
        "momentum": hp.uniform("momentum", 0.0, 0.99),
    }
    startup = trials if options.algorithm == "random" else 10
    ray.init(address="local", num_cpus=options.slots, include_dashboard=False, log_to_driver=False)
    search = HyperOptSearch(space, metric="loss", mode="min", n_initial_points=startup, random_state_seed=0)
    results = tune.Tuner(
        tune.with_resources(NoTraining, {"cpu": 1}),
        tune_config=tune.TuneConfig(
            num_samples=trials,
            search_alg=search,
            scheduler=AsyncHyperBandScheduler(
                metric="loss",
                mode="min",
                max_t=options.epochs,
                grace_period=1,
                reduction_factor=REDUCTION_FACTOR,
            ),
            max_concurrent_trials=options.slots,
            reuse_actors=not is_cold,
        ),
        run_config=tune.RunConfig(
            storage_path=str(folder),
            verbose=0,
            callbacks=[Clock()],
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    ).fit()
    assert len(results) == trials and not results.errors, results.errors
    files = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert {".csv", ".json"} <= files, files
    return {"trials": trials, "epochs": len(Clock.times), "seconds": Clock.times[-1] - Clock.times[0]}


def tuner(options: argparse.Namespace, folder: Path) -> dict[str, float]:
    from tests.benchmarks.no_training import NoTrainingWorker
    from tuner.backend import session, tune_adapter
    from tuner.backend.worker import Common
    from tuner.engine.coordinator import Coordinator
    from tuner.engine.slots import Slot
    from tuner.policy import preload
    from tuner.spec import spec_from_mapping
    from tuner.storage import StorageRoot
    from tuner.storage.journal import create_sweep, read_events
    from tuner.sweep import events as ev
    from tuner.sweep import fold

    spec = spec_from_mapping(
        {
            "name": "throughput",
            "trainable": "digits",
            "objective": {"metric": "loss", "mode": "min"},
            "num_trials": options.trials,
            "epochs": {"min": 1, "max": options.epochs},
            "space": {
                "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
                "batch_size": {"choices": [32, 64, 128, 256]},
                "units": {"low": 16, "high": 512},
                "dropout": {"low": 0.0, "high": 0.5},
                "momentum": {"low": 0.0, "high": 0.99},
            },
            "search": {"algorithm": options.algorithm},
            "early_stopping": {"reduction_factor": REDUCTION_FACTOR},
        }
    )
    os.environ.update(session.QUIET)
    import ray

    ray.init(address="local", num_cpus=options.slots, include_dashboard=False, log_to_driver=False)
    where = StorageRoot.resolve(str(folder)).sweep("throughput")
    journal = create_sweep(where, "", ev.SweepStarted(spec=spec.resolved(), versions={}, seed=0, sweep_id="0" * 32))
    coordinator = Coordinator(spec, journal, log=print)
    coordinator.set_slots(options.slots)
    policy_s = [0.0]
    preload()  # as a driver does beside Ray's start, and stock with its import of HyperOptSearch
    for name in ("ask", "tell", "close"):
        setattr(coordinator.policy, name, _timed(getattr(coordinator.policy, name), policy_s))
    tune_adapter.fit(coordinator, Common(Slot(1, 0), None, "none", []), worker=NoTrainingWorker)
    coordinator.close()
    journal.close()
    events = read_events(where)
    times = [event.at for event in events if isinstance(event, ev.EpochReported)]
    assert len(list(fold(events).unfinished)) == 0 and coordinator.policy.num_suggested == options.trials
    seconds = times[-1] - times[0]
    return {"trials": options.trials, "epochs": len(times), "seconds": seconds, "policy_s": policy_s[0]}


def _timed(method: Any, seconds: list[float]) -> Any:
    """The method, adding up the seconds inside it."""

    def timed(*args: Any) -> Any:
        started_s = time.perf_counter()
        try:
            return method(*args)
        finally:
            seconds[0] += time.perf_counter() - started_s

    return timed


def in_fresh_process(side: str, arguments: list[str]) -> dict[str, float]:
    command = [sys.executable, "-m", "tests.benchmarks.tune_throughput", "--only", side, *arguments]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([*command, "--folder", folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    rates = "  ".join(f"{figures[name] / figures['seconds']:7.1f} {name}/s" for name in ("epochs", "trials"))
    policy = f"  of which policy {figures['policy_s']:.1f} s" if "policy_s" in figures else ""
    print(
        f"{side:6} {figures['trials']:5.0f} trials {figures['epochs']:6.0f} results {figures['seconds']:7.1f} s"
        f"  {rates}{policy}",
        flush=True,
    )
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--algorithm", choices=("tpe", "random"), default="tpe")
    parser.add_argument("--cold-trials", type=int, default=20, help="0 leaves this side out")
    parser.add_argument("--only", choices=SIDES)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.only:
        folder = options.folder or Path(tempfile.mkdtemp())
        if options.only == "tuner":
            figures = tuner(options, folder)
        else:
            is_cold = options.only == "cold"
            figures = stock(options, folder, options.cold_trials if is_cold else options.trials, is_cold)
        print(json.dumps(figures))
        return
    took = {side: in_fresh_process(side, sys.argv[1:]) for side in SIDES if side != "cold" or options.cold_trials}
    rate = {side: figures["epochs"] / figures["seconds"] for side, figures in took.items()}
    print(f"results a second, tuner / stock: {rate['tuner'] / rate['stock']:.1f}")


if __name__ == "__main__":
    main()
