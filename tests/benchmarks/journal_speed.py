"""How fast a large journal opens, and how many events a second are appended durably, on a disk and on S3.

    python -m tests.benchmarks.journal_speed [--trials 10000] [--epochs 500000] [--folder DIR]

Each figure is taken in a fresh process. S3 is a server of the moto project on this machine, which takes some
milliseconds a request by itself; `--delay-ms` adds what a network would.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tuner.base.words import Params
from tuner.storage import StorageRoot, SweepFolder
from tuner.storage.journal import Journal, create_sweep, read_events
from tuner.sweep import events as ev

SPEC = {
    "name": "large",
    "trainable": "digits",
    "objective": {"metric": "val_accuracy", "mode": "max"},
    "num_trials": 10_000,
    "epochs": {"min": 1, "max": 81},
    "space": {
        "learning_rate": {"low": 1e-4, "high": 1e-1, "scale": "log"},
        "batch_size": {"choices": [32, 64, 128, 256]},
        "units": {"low": 16, "high": 512},
        "dropout": {"low": 0.0, "high": 0.5},
    },
}
SECONDS = 5.0


def events_of(trials: int, epochs: int) -> Iterator[ev.AnyEvent]:
    """The events of a sweep of so many trials and epochs, with five parameters and five metrics."""
    rng = random.Random(1)
    each = epochs // trials
    for trial in range(trials):
        params: Params = {
            "learning_rate": rng.uniform(1e-4, 1e-1),
            "batch_size": rng.choice([32, 64, 128, 256]),
            "units": rng.randrange(16, 512),
            "dropout": rng.uniform(0, 0.5),
            "epochs": 81,
        }
        yield ev.TrialSuggested(trial=trial, params=params, origin="tpe")
        yield ev.TrialStarted(trial=trial, attempt=1, node="10.0.0.17", pid=4711, gpus=[])
        for epoch in range(1, each + 1):
            yield epoch_of(trial, epoch, rng)
        yield ev.TrialEnded(trial=trial, outcome="stopped", reason="place 9 of 20 at epoch 27, the best 6 go on")


def epoch_of(trial: int, epoch: int, rng: random.Random) -> ev.EpochReported:
    names = ("loss", "accuracy", "val_loss", "val_accuracy", "learning_rate")
    metrics: ev.Metrics = {name: rng.random() for name in names}
    reason = "place 3 of 20 at epoch 9, the best 6 go on" if epoch in (1, 3, 9, 27) else ""
    return ev.EpochReported(
        trial=trial, attempt=1, epoch=epoch, metrics=metrics, epoch_s=rng.random(), decision="continue", reason=reason
    )


def write_large(folder: SweepFolder, trials: int, epochs: int) -> None:
    """A large journal, written without waiting for the disk."""
    assert isinstance(folder.path, Path)
    folder.path.mkdir(parents=True)
    first = ev.SweepStarted(spec={**SPEC, "num_trials": trials}, versions={}, seed=0, sweep_id="0" * 32)
    with open(folder.journal, "wb", buffering=1 << 20) as file:
        for seq, event in enumerate([first, *events_of(trials, epochs)]):
            file.write(ev.encode(_stamped(event, seq)))


def _stamped(event: ev.AnyEvent, seq: int) -> ev.AnyEvent:
    import msgspec

    return msgspec.structs.replace(event, at=1.7e9 + seq * 0.01, seq=seq)


def measure_open(url: str) -> dict[str, float]:
    """What opening a sweep means: its events, folded, and the policy as it was."""
    from tuner.engine.replay import replay
    from tuner.spec import spec_from_mapping
    from tuner.sweep import fold

    imported_bytes = _peak_bytes()
    times = [time.perf_counter()]
    events = read_events(SweepFolder.at(url))
    times.append(time.perf_counter())
    sweep = fold(events)
    times.append(time.perf_counter())
    replay(spec_from_mapping(sweep.spec), events)
    times.append(time.perf_counter())
    read_s, fold_s, replay_s = (b - a for a, b in itertools.pairwise(times))
    return {
        "events": len(events),
        "read_s": read_s,
        "fold_s": fold_s,
        "replay_s": replay_s,
        "open_s": times[-1] - times[0],
        "imports_MB": imported_bytes / 1e6,
        "peak_MB": _peak_bytes() / 1e6,
    }


def measure_append(url: str, threads: int, batch: int) -> dict[str, float]:
    """Durably appended events a second, and seconds an append."""
    folder = SweepFolder.at(url)
    journal = Journal(folder) if folder.exists() else _new(folder)
    rng = random.Random(2)
    events = [epoch_of(trial, 1, rng) for trial in range(batch)]
    counts = [0] * threads
    until = time.perf_counter() + SECONDS

    def work(at: int) -> None:
        while time.perf_counter() < until:
            journal.append(*events)
            counts[at] += 1

    started = time.perf_counter()
    workers = [threading.Thread(target=work, args=(at,)) for at in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    took_s = time.perf_counter() - started
    journal.close()
    return {
        "threads": threads,
        "batch": batch,
        "events_per_s": sum(counts) * batch / took_s,
        "append_ms": 1e3 * took_s * threads / max(1, sum(counts)),
    }


def _new(folder: SweepFolder) -> Journal:
    return create_sweep(folder, "", ev.SweepStarted(spec={"name": folder.name}, versions={}, seed=0))


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def in_fresh_process(what: str, url: str, **environ: str) -> None:
    """Runs one measurement in a child process and prints it."""
    command = [sys.executable, "-m", "tests.benchmarks.journal_speed", "--only", what, "--folder", url]
    answer = subprocess.run(command, env={**os.environ, **environ}, capture_output=True, text=True)
    figures = json.loads(answer.stdout) if answer.returncode == 0 else {"error": answer.stderr[-400:]}
    shown = (
        f"{name}={value:,.2f}" if isinstance(value, float) else f"{name}={value}" for name, value in figures.items()
    )
    print(f"{what:12} {url.split('://')[0] if '://' in url else 'disk':6}", "  ".join(shown), flush=True)


MEASUREMENTS: dict[str, Callable[[str], dict[str, float]]] = {
    "open": measure_open,
    "one": lambda url: measure_append(url, threads=1, batch=1),
    "threads": lambda url: measure_append(url, threads=8, batch=1),
    "batches": lambda url: measure_append(url, threads=1, batch=8),
    "both": lambda url: measure_append(url, threads=8, batch=8),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=500_000)
    parser.add_argument("--delay-ms", type=float, default=0.0)
    parser.add_argument("--folder", default="")
    parser.add_argument("--only", choices=MEASUREMENTS)
    options = parser.parse_args()
    if options.only:
        print(json.dumps(MEASUREMENTS[options.only](options.folder)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder or None) as root:
        large = StorageRoot.resolve(root).sweep("large")
        write_large(large, options.trials, options.epochs)
        print(f"a journal of {large.journal.stat().st_size / 1e6:,.0f} MB")
        in_fresh_process("open", large.url)
        for what in ("one", "threads", "batches", "both"):
            in_fresh_process(what, StorageRoot.resolve(root).sweep(what).url)
    from tests.objectstore import S3Server

    server = S3Server()
    server.faults.delay_s = options.delay_ms / 1e3
    for what in ("one", "threads", "batches", "both"):
        in_fresh_process(what, f"{server.new_root()}/{what}", **server.environ)
    server.stop()


if __name__ == "__main__":
    main()
