"""Why a worker died, from what Ray says about it."""

from __future__ import annotations

import re
from pathlib import Path

from tuner.base.outcomes import LossCause
from tuner.base.secrets import redacted

LOADING_S = 600.0
"""What importing TensorFlow and loading data may take beyond an epoch's time, where that is limited."""

_MEMORY = re.compile(r"OutOfMemoryError|running low on memory")
_NODE = re.compile(
    r"node (?:has )?died|node was (?:terminated|preempted|drained)|node is (?:dead|terminated)|NodeDiedError", re.I
)
_CUT_OFF = re.compile(r"ActorUnavailableError|may or may not have been executed")
"""A machine that vanishes with all its processes: the connection breaks before Ray notices that the node is gone."""
_SAYS_MUCH = re.compile(r"Error|killed|died|exit", re.I)
_CGROUP = Path("/sys/fs/cgroup/memory.events")
_KERNEL = Path("/proc/vmstat")


def cause_of_death(
    details: str,
    silent_s: float,
    timeout_s: float | None,
    *,
    loading_s: float = 0.0,
    kernel_was_out_of_memory: bool = False,
) -> tuple[LossCause, str]:
    """The cause (worker, memory, timeout or node) and a reason in one line.

    Args:
        details: Ray's text, often many lines.
        silent_s: how long the worker had not been heard of.
        timeout_s: what an epoch may take.
        loading_s: the time that the process had beyond that, if it was not ready yet.
        kernel_was_out_of_memory: whether this machine's kernel ran out of memory and killed a process at that time.
    """
    if _MEMORY.search(details):
        return "memory", "the worker was killed because its node ran out of memory"
    if _NODE.search(details):
        return "node", "the worker's node was lost"
    if _CUT_OFF.search(details):
        return "node", "the connection to the worker's node was lost"
    if timeout_s is not None and silent_s >= timeout_s + loading_s:
        more = f" and {loading_s:g} s for TensorFlow and the data" if loading_s else ""
        return "timeout", f"it took longer than failures.trial_timeout ({timeout_s:g} s){more} and was ended"
    if kernel_was_out_of_memory:
        return "memory", "the kernel killed the worker because its machine ran out of memory"
    return "worker", f"the worker process died{_gist(details)}"


def kernel_memory_kills() -> int:
    """How many processes this machine's kernel has killed because memory ran out; 0 if it does not say."""
    for path in (_CGROUP, _KERNEL):
        try:
            counts = dict(line.split() for line in path.read_text().splitlines())
            return int(counts["oom_kill"])
        except (OSError, ValueError, KeyError):
            continue
    return 0


def _gist(details: str) -> str:
    """The most informative line, after a colon; empty if there is none."""
    if "Worker unexpectedly exits with a connection error" in details:  # the driver's, not the worker's
        return ": it crashed or was killed"
    if detail := re.search(r"Worker exit detail: ([^.]*)", details):
        return f": {' '.join(detail[1].split())}"
    lines = [line.strip() for line in details.splitlines() if _SAYS_MUCH.search(line)]
    return f": {redacted(lines[-1])[:300]}" if lines else ""
