"""What an MLflow outage costs the training: an MNIST sweep with a healthy server, and with one that never answers.

    TUNER_DATA_DIR=… python -m tests.benchmarks.tracking_outage [--trials 32] [--mode hang]

The second sweep's server stops answering once the first epoch is journalled, and stays away past the sweep's end. Both
sweeps train the same configurations; what is compared is their utilization, seconds inside training per slot-second.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.servers import MlflowServer, Proxy
from tuner.storage import StorageRoot
from tuner.storage.journal import read_events
from tuner.sweep import fold


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=32)
    parser.add_argument("--mode", choices=("refuse", "hang", "error"), default="hang")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        MlflowServer(f"sqlite:///{folder}/mlflow.db", Path(folder)) as server,
        Proxy(server.port) as proxy,
    ):
        healthy = sweep(folder, "healthy", options.trials, proxy)
        away = sweep(folder, "away", options.trials, proxy, options.mode)
    for name, shown in (("healthy", healthy), (options.mode, away)):
        print(f"{name:8} utilization {shown['utilization']:.3f}, {shown['epochs']} epochs, exit {shown['exit']}")
    print(f"ratio {away['utilization'] / healthy['utilization']:.3f}")


def sweep(folder: str, name: str, trials: int, proxy: Proxy, mode: Any = "pass") -> dict[str, Any]:
    """Runs one sweep, and what `tuner show` says of it."""
    proxy.mode = "pass"
    where = ["--storage", folder, "--json"]
    command = [sys.executable, "-m", "tuner.cli.main", "run", "trainables/mnist_dense.yaml", "--name", name, *where]
    command += ["--set", f"num_trials={trials}", "--set", f"tracking.uri={proxy.url}", "--set", "epochs.max=9"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    sweep_folder = StorageRoot.resolve(folder).sweep(name)
    while process.poll() is None and not (sweep_folder.exists() and fold(read_events(sweep_folder)).num_epochs):
        time.sleep(0.2)
    proxy.mode = mode
    out, _ = process.communicate()
    return {**json.loads(out), "exit": process.returncode}


if __name__ == "__main__":
    main()
