"""What trainers of one node hold of the data for themselves: a sweep on 1 GiB of data, four trials at a time.

    python -m tests.benchmarks.shared_data [--mib 1024] [--slots 4]

Prints the anonymous memory of each process that trains (what no other can have), and how much of the data it maps.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

TRAINABLE = """
import keras
import numpy as np

from trainables import Data, Trainable


class Wide(Trainable):
    loss = "mse"

    def load_data(self):
        x = np.ones(({rows}, 1024), np.float32)
        y = np.ones(({rows}, 1), np.float32)
        return Data(train=(x, y), validation=(x[:1024], y[:1024]))

    def build_model(self, params):
        return keras.Sequential([keras.Input((1024,)), keras.layers.Dense(1)])
"""
SPEC = """
name: wide
trainable: {file}:Wide
objective: {{metric: val_loss, mode: min}}
num_trials: {slots}
epochs: {{max: 27}}
early_stopping: {{algorithm: none}}
space:
  learning_rate: {{low: 1.0e-6, high: 1.0e-5, scale: log}}
  batch_size: 256
resources: {{cpus_per_trial: {cpus}}}
"""


def memory_mib(pid: int) -> tuple[float, float]:
    """What a process holds that no other can have, and what it maps of files, in MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    found = {name: int(value.split()[0]) / 1024 for name, _, value in (line.partition(":") for line in lines)}
    return found["Anonymous"], found["Rss"] - found["Anonymous"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--slots", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "wide.py").write_text(TRAINABLE.format(rows=options.mib * 256))
        cpus = len(os.sched_getaffinity(0)) / options.slots
        (Path(folder) / "wide.yaml").write_text(SPEC.format(file="./wide.py", slots=options.slots, cpus=cpus))
        command = [sys.executable, "-m", "tuner.cli.main", "run", "wide.yaml", "--storage", "sweeps"]
        driver = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)
        most: dict[int, tuple[float, float]] = {}
        while driver.poll() is None:
            for process in psutil.Process(driver.pid).children(recursive=True):
                try:
                    if os.getsid(process.pid) == process.pid and "tuner.processes" in " ".join(process.cmdline()):
                        most[process.pid] = max(most.get(process.pid, (0.0, 0.0)), memory_mib(process.pid))
                except (OSError, psutil.Error):
                    continue
            time.sleep(0.2)
    for pid, (own, mapped) in sorted(most.items()):
        print(f"process {pid}: {own:.0f} MiB of its own, {mapped:.0f} MiB of files and shared memory")


if __name__ == "__main__":
    main()
