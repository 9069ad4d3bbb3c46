"""What recording in MLflow costs: Tuner's recorder beside Ray's `MLflowLoggerCallback`, on the same kind of store.

    python -m tests.benchmarks.recording_cost [--trials 100] [--epochs 2 27] [--rounds 3] [--stores sqlite postgresql]

Both record the same trials with the same parameters and metrics, each in a process of its own on a new store. Seconds
are of the processor, user and system, so that other work on the machine hardly matters; without MLflow's import, which
is told apart. With PostgreSQL the server's seconds count too.

The share is of the time that slots train, with epochs of a second each.

- callback: `log_trial_start`, `log_trial_result` and `log_trial_end` as Tune calls them, with nothing else of Ray.
- drained: Tuner's recorder reads a journal that is complete.
- followed: it is given what four slots with epochs of one second write, as often as it looks at a running sweep.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import psutil

from tests.servers import Postgres
from tests.simulation import make_spec, new_sweep
from tuner.base.words import Params
from tuner.sweep import events as ev

SLOTS = 4
SIDES = ("callback", "drained", "followed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--epochs", type=int, nargs="+", default=[2, 27])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--stores", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite", "postgresql"])
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--uri", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(measured(options.side, options.trials, options.epochs[0], options.uri)))
        return
    with tempfile.TemporaryDirectory() as folder:
        empty = Path(folder) / "empty.db"
        make_database(f"sqlite:///{empty}")
        for store in options.stores:
            if store == "postgresql" and (why := Postgres.is_missing()):
                print(f"PostgreSQL: not measured, {why}")
                continue
            for epochs in options.epochs:
                _compare(options, store, epochs, empty)


def _compare(options: argparse.Namespace, store: str, epochs: int, empty: Path) -> None:
    found: dict[str, list[dict[str, float]]] = {side: [] for side in options.sides}
    for _ in range(options.rounds):
        for side in options.sides:
            found[side].append(_in_process(side, options.trials, epochs, store, empty))
    print(f"{store}, {options.trials} trials of {epochs} epochs")
    figures = {
        side: {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
        for side, rounds in found.items()
    }
    for side, one in figures.items():
        per_trial, per_row = 1e3 * one["cpu_s"] / options.trials, 1e6 * one["cpu_s"] / one["rows"]
        text = f"  {side:9} {per_trial:7.1f} ms a trial, {per_row:7.0f} us a row ({one['rows']:.0f} rows)"
        if "callback" in figures and side != "callback":
            other = figures["callback"]
            trial = other["cpu_s"] / one["cpu_s"]
            row = (other["cpu_s"] / other["rows"]) / (one["cpu_s"] / one["rows"])
            text += f"; the callback's: {trial:.1f} times a trial, {row:.1f} times a row"
        share = one["cpu_s"] / (options.trials * epochs)
        print(f"{text}; {share:.2%} of the slots' time; import {one['import_s']:.1f} s")


def _in_process(side: str, trials: int, epochs: int, store: str, empty: Path) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder, Postgres() if store == "postgresql" else nullcontext() as server:
        if server is None:
            shutil.copy(empty, Path(folder) / "mlflow.db")
            uri = f"sqlite:///{folder}/mlflow.db"
        else:
            uri = server.uri
            make_database(uri)
        before_s = server_cpu_s(server)
        asked = [*("--side", side), *("--uri", uri), *("--trials", str(trials)), *("--epochs", str(epochs))]
        command = [sys.executable, "-m", "tests.benchmarks.recording_cost", *asked]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
        found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return {**found, "cpu_s": found["cpu_s"] + server_cpu_s(server) - before_s}


def server_cpu_s(server: Postgres | None) -> float:
    """Of a PostgreSQL server and its processes, ended ones included."""
    if server is None:
        return 0.0
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if any("postgres" in word for word in words[:1]) and str(server.port) in words:
            family = [process, *process.children(recursive=True)]
            return sum(sum(one.cpu_times()[:2]) for one in family) + sum(process.cpu_times()[2:4])
    raise RuntimeError("there is no process of the PostgreSQL server")


def make_database(uri: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from mlflow import MlflowClient

        MlflowClient(uri).search_experiments(max_results=1)


def measured(side: str, trials: int, epochs: int, uri: str) -> dict[str, float]:
    """Records in this process."""
    import logging

    logging.disable(logging.WARNING)
    began_s = time.process_time()
    from tuner.recording.recorder import import_store

    import_store()
    if side == "callback":
        import ray.air.integrations.mlflow  # noqa: F401
    import_s = time.process_time() - began_s
    with tempfile.TemporaryDirectory() as folder:
        began_s = time.process_time()
        if side == "callback":
            _call_back(uri, trials, epochs)
        else:
            began_s = record_sweep(Path(folder), uri, trials, epochs, is_followed=side == "followed")
        cpu_s = time.process_time() - began_s
    return {"cpu_s": cpu_s, "import_s": import_s, "rows": _num_rows(uri)}


def _num_rows(uri: str) -> int:
    import sqlalchemy

    with sqlalchemy.create_engine(uri).connect() as connection:
        return int(connection.exec_driver_sql("select count(*) from metrics").scalar_one())


def params_of(trial: int) -> Params:
    rate = 10 ** -(1 + trial % 30 / 10)
    return {"learning_rate": rate, "batch_size": 32, "units": 64 + trial, "dropout": 0.1, "schedule": "constant"}


def metrics_of(trial: int, epoch: int) -> dict[str, float | None]:
    loss = 1 / (epoch + trial % 7)
    return {
        "loss": loss,
        "accuracy": 1 - loss,
        "val_loss": 1.1 * loss,
        "val_accuracy": 0.9 - loss,
        "learning_rate": 0.01,
        "epoch_s": 1.0,
    }


class _Trial:
    """What the callback asks of a Tune trial."""

    def __init__(self, number: int) -> None:
        self.config = params_of(number)
        self.trial_id = self.trial_name = f"trial_{number}"
        self.path = self.local_path = None

    def __str__(self) -> str:
        return self.trial_name


def _call_back(uri: str, trials: int, epochs: int) -> None:
    from ray.air.integrations.mlflow import MLflowLoggerCallback

    callback: Any = MLflowLoggerCallback(tracking_uri=uri, experiment_name="callback")
    callback.setup()
    for number in range(trials):
        trial = _Trial(number)
        callback.log_trial_start(trial)
        for epoch in range(1, epochs + 1):
            result = {**metrics_of(number, epoch), "training_iteration": epoch, "timestamp": int(time.time())}
            callback.log_trial_result(epoch, trial, result)
        callback.log_trial_end(trial)


def seconds_of(trials: int, epochs: int) -> Iterator[list[ev.AnyEvent]]:
    """What a sweep writes, second by second: its slots begin one after another, and an epoch takes a second."""
    running: dict[int, int] = {}
    waiting = iter(range(trials))
    while True:
        events: list[ev.AnyEvent] = []
        for trial in list(running):
            running[trial] += 1
            epoch = running[trial]
            events.append(_epoch(trial, epoch))
            if epoch == epochs:
                del running[trial]
                events.append(ev.CheckpointSaved(trial=trial, epoch=epoch, path="p", best_epoch=epoch, kind="best"))
                events.append(ev.TrialEnded(trial=trial, outcome="completed", reason=f"all {epochs} epochs"))
        for trial in waiting:
            running[trial] = 0
            events.append(ev.TrialSuggested(trial=trial, params={**params_of(trial), "epochs": epochs}, origin="tpe"))
            events.append(ev.TrialStarted(trial=trial, attempt=1, node="10.0.0.1", pid=1, gpus=[], examples=1000))
            if len(running) >= SLOTS:
                break
        if not events:
            return
        yield events


def _epoch(trial: int, epoch: int) -> ev.EpochReported:
    metrics = metrics_of(trial, epoch)
    return ev.EpochReported(
        trial=trial, attempt=1, epoch=epoch, metrics=metrics, epoch_s=1.0, decision="continue", reason=""
    )


def record_sweep(folder: Path, uri: str, trials: int, epochs: int, is_followed: bool = False) -> float:
    """Records a sweep; the processor's time at which that began."""
    from tuner.recording.recorder import Recorder
    from tuner.recording.service import POLL_S, pause_s

    space = {
        "learning_rate": {"low": 1e-5, "high": 1.0, "scale": "log"},
        "batch_size": 32,
        "units": {"low": 1, "high": 100_000},
        "dropout": 0.1,
        "schedule": "constant",
    }
    spec = make_spec(name="s", num_trials=trials, tracking__uri=uri, space=space)
    journal = new_sweep(folder, spec)
    spent_s = 0.0
    recorder = Recorder(journal.folder)

    def catch_up() -> float:
        began_s = time.process_time()
        recorder.read()
        while recorder.step():
            pass
        return time.process_time() - began_s

    due_at = 0.0
    for second, events in enumerate(seconds_of(trials, epochs)):
        journal.append(*events)
        if is_followed and second >= due_at:
            took_s = catch_up()
            spent_s += took_s
            due_at = second + pause_s(POLL_S, took_s)
    journal.append(ev.SweepEnded(reason="all trials ended"))
    spent_s += catch_up()
    return time.process_time() - spent_s


if __name__ == "__main__":
    main()
