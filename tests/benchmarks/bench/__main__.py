"""Tuner beside its peers: all lines of the table in one run.

    make bench                                        # all, medians of three rounds; hours on 2 cores
    make bench BENCH="--quick"                        # tiny sizes, one round: whether everything runs
    make bench BENCH="--only first_epoch slots"       # some lines
    make bench BENCH="--against ../before"            # with another checkout of this project beside this one

Writes table.md, table.json and figure.png to a folder of .bench/results. Run it while nothing else computes. Exits with
1 if a line could not be measured; a missed goal is a result.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.benchmarks.bench import lines, table
from tests.benchmarks.bench.measuring import NotMeasurable, Options, Row
from tests.benchmarks.bench.processes import CommandFailed, adopt_orphans
from tests.benchmarks.bench.sweeps import ROOT

_PACKAGES = ("ray", "tensorflow", "keras", "mlflow", "hyperopt", "optuna", "keras-tuner")
_BUSY = 0.5
"""Processes that want to run, over the last minute, from which on the machine is not idle."""


def main() -> int:
    arguments = _arguments()
    options = Options(1 if arguments.quick else arguments.rounds, arguments.quick, arguments.against, arguments.peers)
    adopt_orphans()
    if (load := os.getloadavg()[0]) > _BUSY:
        say(f"warning: something else computes here (load {load:.1f}); the figures will not be true")
    folder = Path(arguments.output or ROOT / ".bench" / "results" / time.strftime("%Y%m%d-%H%M%S"))
    folder.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    rounds: dict[str, Any] = {}
    for name in arguments.only or lines.NAMES:
        say(f"{name}: {lines.about(name)}")
        try:
            found, rounds[name] = lines.measure(name, options, say)
        except (NotMeasurable, CommandFailed, AssertionError) as error:
            found = [Row(name, name, None, note=str(error).splitlines()[0] if str(error) else type(error).__name__)]
            say(f"  {error}")
        rows += found
        _write(folder, rows, rounds, arguments)
    print(table.markdown(rows, _surroundings(arguments)))
    say(f"wrote {folder}")
    return int(any(row.line in lines.NAMES and row.value is None for row in rows))


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _write(folder: Path, rows: list[Row], rounds: dict[str, Any], arguments: argparse.Namespace) -> None:
    """After each line, so that an interrupted run leaves what it measured."""
    surroundings = _surroundings(arguments)
    (folder / "table.md").write_text(table.markdown(rows, surroundings))
    (folder / "table.json").write_text(table.as_json(rows, rounds, surroundings))
    table.draw(rows, folder / "figure.png")


def _surroundings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Where and with what it was measured."""
    found = {
        "machine": f"{_processor()}, {len(os.sched_getaffinity(0))} cores",
        "versions": ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
        "this": _commit(ROOT),
        "rounds": 1 if arguments.quick else arguments.rounds,
    }
    if arguments.against:
        found["before"] = _commit(Path(arguments.against))
    if arguments.quick:
        found["sizes"] = "tiny (--quick): these figures say only that everything runs"
    return found


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit(folder: Path) -> str:
    asked = ["git", "-C", str(folder), "describe", "--always", "--dirty"]
    return subprocess.run(asked, capture_output=True, text=True).stdout.strip() or "unknown"


def _arguments() -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(
        prog="tests.benchmarks.bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3, help="of each side of each line (default: 3)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes and one round")
    parser.add_argument("--only", nargs="+", choices=lines.NAMES, metavar="LINE", help=", ".join(lines.NAMES))
    parser.add_argument("--against", metavar="CHECKOUT", help="the folder of another version, to compare with")
    parser.add_argument("--peers", metavar="PYTHON", help="the Python that has Optuna and KerasTuner")
    parser.add_argument("--output", metavar="FOLDER", help="where to write (default: a new folder of .bench/results)")
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error(f"--rounds: must be at least 1, but got {arguments.rounds}")
    if arguments.against and not (Path(arguments.against) / "tuner" / "cli" / "main.py").is_file():
        parser.error(
            f"--against: must be a checkout of this project, but {arguments.against} holds no tuner/cli/main.py"
        )
    return arguments


if __name__ == "__main__":
    sys.exit(main())
