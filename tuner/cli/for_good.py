"""The exit code of a sweep's driver in a job that is retried: an end that a retry would only repeat counts as success.

KubeRay retries a RayJob, each time on a new cluster, whenever its driver's exit code is not 0. On a cluster of Ray's
launcher nothing is retried, and exit codes are those of `tuner.base.errors`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from tuner.base.errors import NoUsableTrialError, SweepHeldError, SweepInterrupted, TunerError, UsageError
from tuner.cli.output import people
from tuner.cluster.launched import LAUNCHED


def exit_code(error: TunerError, arguments: Sequence[str]) -> int:
    """The exit code of a command that failed; tells of an end for good that hides it from the operator."""
    if not _is_retried(arguments) or not _is_for_good(error):
        return error.exit_code
    people.print(
        f"{_state(error)} (exit code {error.exit_code}). A retry would end the same way: the job counts as done"
    )
    return 0


def _is_retried(arguments: Sequence[str]) -> bool:
    """Whether this process is the driver of a RayJob."""
    return list(arguments[:1]) == ["run"] and "--shipped" in arguments and LAUNCHED not in os.environ


def _is_for_good(error: TunerError) -> bool:
    if isinstance(error, SweepInterrupted):
        return "SIGINT" in str(error)  # as `tuner stop` sends it; the end of a pod sends SIGTERM
    return isinstance(error, UsageError | NoUsableTrialError) and not isinstance(error, SweepHeldError)


def _state(error: TunerError) -> str:
    if isinstance(error, SweepInterrupted):
        return "the sweep was stopped, and is interrupted: apply it again to go on"
    if isinstance(error, NoUsableTrialError):
        return "the sweep has failed: it ended without a usable trial"
    return "the sweep has failed: its spec or its code must be mended; then apply it again"
