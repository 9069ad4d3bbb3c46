"""What importing TensorFlow costs a worker: as it is, and without what Keras brings along
(`trainables/framework_imports.py`).

A process each, the sides alternating; prints the median seconds and MiB of each and the median of the rounds' ratios.
"""

from __future__ import annotations

import statistics
import subprocess
import sys

ROUNDS = 5
SIDES = {"plain": "import tensorflow", "lean": "with without_unused_packages():\n    import tensorflow"}
MEASURED = """
import resource, time
from trainables.framework_imports import without_unused_packages
begun = time.perf_counter()
{import_}
print(time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def measure(side: str) -> tuple[float, float]:
    """Seconds, and the process's peak in KiB (bytes on macOS)."""
    run = [sys.executable, "-c", MEASURED.format(import_=SIDES[side])]
    seconds, peak = subprocess.run(run, check=True, capture_output=True, text=True).stdout.split()
    return float(seconds), float(peak)


def main() -> None:
    for side in SIDES:  # bytecode and file cache
        measure(side)
    rounds = [{side: measure(side) for side in SIDES} for _ in range(ROUNDS)]
    unit = 2**20 if sys.platform == "darwin" else 2**10
    for side in SIDES:
        seconds, peaks = zip(*(each[side] for each in rounds), strict=True)
        print(f"{side:6} {statistics.median(seconds):6.2f} s  {statistics.median(peaks) / unit:6.0f} MiB")
    for place, what in enumerate(("time", "memory")):
        ratio = statistics.median(each["lean"][place] / each["plain"][place] for each in rounds)
        print(f"lean / plain, {what}: {ratio:.2f}")


if __name__ == "__main__":
    main()
