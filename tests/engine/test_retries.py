"""Which failures use up retries, and when they are hopeless."""

from __future__ import annotations

from tuner.engine.retries import HOPELESS_FAILURES, LOSSES_FORGIVEN, Retries


def test_a_lost_machine_is_not_the_trials_fault_until_it_happens_too_often() -> None:
    retries = Retries(2)
    assert not any(retries.count(0, "node") for _ in range(LOSSES_FORGIVEN))
    assert retries.count(0, "node") and not retries.count(1, "node")
    assert all(retries.count(1, cause) for cause in ("error", "memory", "timeout", "worker"))


def test_a_trial_ends_with_the_failure_after_its_last_retry() -> None:
    retries = Retries(2)
    assert [retries.ends_trial(before) for before in range(4)] == [False, False, True, True]
    assert retries.num_failed == 2
    assert Retries(0).ends_trial(0)


def test_failures_are_hopeless_once_many_trials_failed_and_none_trained() -> None:
    retries = Retries(0)
    for _ in range(HOPELESS_FAILURES - 1):
        retries.ends_trial(0)
    assert retries.hopeless(0, "no") is None
    retries.ends_trial(0)
    assert retries.hopeless(1, "no") is None
    told = retries.hopeless(0, "no such model")
    assert told == f"the first {HOPELESS_FAILURES} trials failed and none trained an epoch; the last one: no such model"
