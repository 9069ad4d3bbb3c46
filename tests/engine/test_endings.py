"""How trials and sweeps end, from what is known of them."""

from __future__ import annotations

import math

import pytest

from tuner.engine.endings import TrialEnd, decided_end, failed_end, finished_text
from tuner.sweep import Sweep, Trial
from tuner.sweep import events as ev

MAX_RETRIES = 2


def end_of(epochs: list[tuple[float, str]], failures: list[str]) -> TrialEnd | None:
    """The decided end of a trial of 3 epochs, of which these were reported, each with its decision."""
    sweep = Sweep()
    sweep.spec = {"objective": {"metric": "loss", "mode": "min"}}
    trial = Trial(0, {"epochs": 3}, "random")
    trial.epochs = [
        ev.EpochReported(
            trial=0, attempt=1, epoch=n, metrics={"loss": loss}, epoch_s=1.0, decision=decision, reason=f"after {n}"
        )
        for n, (loss, decision) in enumerate(epochs, 1)
    ]
    for cause in failures:
        trial.failures += 1
        trial.last_failure = ev.AttemptFailed(trial=0, attempt=1, cause=cause, reason=f"its {cause}")
    return decided_end(sweep, trial, MAX_RETRIES)


@pytest.mark.parametrize(
    ("epochs", "failures", "end"),
    [
        ([], [], None),
        ([(0.1, "continue")], [], None),
        ([(0.1, "continue"), (0.2, "stop")], [], ("stopped", "after 2")),
        ([(0.1, "continue"), (math.nan, "stop")], [], ("diverged", "after 2")),
        ([(0.1, "continue")] * 2 + [(0.2, "stop")], [], ("completed", "after 3")),
        ([(0.1, "continue")], ["error"] * MAX_RETRIES, None),
        ([(0.1, "continue")], ["error"] * (MAX_RETRIES + 1), ("failed", "its error")),
        ([], ["error"] * MAX_RETRIES + ["memory"], ("out_of_memory", "its memory")),
        ([(0.1, "stop")], ["error"] * (MAX_RETRIES + 1), ("stopped", "after 1")),
    ],
)
def test_an_end_that_was_decided_follows_from_the_last_decision_or_the_failures(
    epochs: list[tuple[float, str]], failures: list[str], end: tuple[str, str] | None
) -> None:
    assert end_of(epochs, failures) == end


def test_memory_is_an_outcome_of_its_own() -> None:
    assert failed_end("memory", "why").outcome == "out_of_memory"
    assert {failed_end(cause, "").outcome for cause in ("error", "worker", "timeout", "node")} == {"failed"}


def test_a_finished_sweep_says_whether_its_trials_or_its_space_ran_out() -> None:
    assert finished_text(30, 30, 12) == "all 30 trials ended"
    assert finished_text(30, 12, 12) == "the space has 12 configurations only, and all of them were tried"
    assert finished_text(30, 1, 1) == "the space has 1 configuration only, and it was tried"
    assert finished_text(30, 4, None).startswith("the space has 4 configurations only")
