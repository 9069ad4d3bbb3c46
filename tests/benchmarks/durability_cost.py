"""What durability costs: journal appends and checkpoints of the 64-trial MNIST sweep, as shares of its training time.

    TUNER_DATA_DIR=… python -m tests.benchmarks.durability_cost [--trials 64]

Seconds inside `Journal.append` are added up in the driver, those of writing checkpoints in the workers (the journal has
them). Both run beside training on other threads or processes, so the shares are upper bounds of what training loses.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from tuner.backend.driver import start_sweep
from tuner.cli.display import Display
from tuner.inspection import load_checked
from tuner.storage import StorageRoot
from tuner.storage.journal import Journal, read_events
from tuner.sweep import events as ev


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=64)
    trials = parser.parse_args().trials
    append, appended_s = Journal.append, [0.0, 0]

    def timed(self: Journal, *events: ev.AnyEvent) -> Any:
        started_s = time.perf_counter()
        try:
            return append(self, *events)
        finally:
            appended_s[0] += time.perf_counter() - started_s
            appended_s[1] += 1

    Journal.append = timed  # type: ignore[method-assign]
    spec = load_checked(Path("trainables/mnist_dense.yaml"), [f"num_trials={trials}"], "cost")
    with tempfile.TemporaryDirectory() as folder:
        root = StorageRoot.resolve(folder)
        with Display(root.sweep("cost")) as display:
            sweep = start_sweep(spec, root, "mnist-dense", None, display).sweep
        events = read_events(root.sweep("cost"))
    saved = [event for event in events if isinstance(event, ev.CheckpointSaved)]
    written_s = sum(event.write_s for event in saved)
    print(f"{sweep.num_epochs} epochs, {sweep.training_s:.1f} s of training on {sweep.slots} slots")
    print(f"journal: {appended_s[1]} appends of {len(events)} events in {appended_s[0]:.3f} s")
    print(f"checkpoints: {len(saved)} in {written_s:.3f} s")
    share = (appended_s[0] + written_s) / sweep.training_s
    print(f"together {share:.2%} of the training time")


if __name__ == "__main__":
    main()
