"""Which failures use up a trial's retries, and when so many trials fail that a sweep is hopeless."""

from __future__ import annotations

from collections import Counter

from tuner.base.outcomes import FailureCause

HOPELESS_FAILURES = 10
"""If so many trials failed since the driver's start, and none trained an epoch, the sweep ends."""
LOSSES_FORGIVEN = 10
"""A trial that loses its machine more often than this is suspected to be the reason."""


def fewer_at_once(at_once: int) -> int | None:
    """How many examples of a batch are trained at once after memory ran out with so many; None if not fewer."""
    return at_once // 2 or None


def parts_text(reason: str, at_once: int, size: int) -> str:
    """The reason of an attempt that failed with `at_once` examples and is followed by one with `size` of them."""
    return (
        f"memory ran out with {at_once} examples at once; its batches are trained in parts of {size} now, with the same"
        f" steps (but batch normalization takes the statistics of each part): {reason}"
    )


class Retries:
    """Counts the failures since a driver's start.

    Args:
        max_retries: of each trial.
    """

    def __init__(self, max_retries: int) -> None:
        self.num_failed = 0
        """Trials whose retries were used up."""
        self._max_retries = max_retries
        self._lost_nodes: Counter[int] = Counter()

    def count(self, trial: int, cause: FailureCause) -> bool:
        """Takes a failure; whether it uses up a retry, as the loss of a machine does not."""
        if cause == "node" and self._lost_nodes[trial] < LOSSES_FORGIVEN:
            self._lost_nodes[trial] += 1
            return False
        return True

    def ends_trial(self, failures_before: int) -> bool:
        """Whether a failure that counts is the trial's last one, after so many before it."""
        is_last = failures_before >= self._max_retries
        self.num_failed += is_last
        return is_last

    def hopeless(self, epochs_trained: int, reason: str) -> str | None:
        """Why the sweep should end; None while it should not.

        Args:
            epochs_trained: since the driver's start.
            reason: of the last failure.
        """
        if self.num_failed < HOPELESS_FAILURES or epochs_trained:
            return None
        return f"the first {self.num_failed} trials failed and none trained an epoch; the last one: {reason}"
