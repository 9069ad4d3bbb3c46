"""What trials are expected to come to: as the policy has it, of any history."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from tests.simulation import SimulatedCluster, accuracy, coordinator_of, make_spec, new_sweep
from tuner.analysis.ends import expected
from tuner.analysis.importance import weighed
from tuner.analysis.table import table
from tuner.spec import SweepSpec
from tuner.sweep import Sweep


def simulated(folder: Path, spec: SweepSpec, curve: Any = accuracy, steps: int = 1_000_000) -> tuple[Sweep, Any]:
    """A sweep, and the policy that decided on it."""
    journal = new_sweep(folder, spec)
    coordinator = coordinator_of(journal)
    SimulatedCluster(coordinator, curve, seed=1).run(steps)
    journal.close()
    return journal.sweep, coordinator.policy


def wild(params: dict[str, Any], epoch: int) -> float:
    """Diverges, fails and crosses other curves."""
    if params["batch_size"] == 256 and epoch > 2:
        return math.nan
    if params["learning_rate"] > 0.05:
        raise RuntimeError("too high")
    return accuracy(params, epoch) + 0.03 * math.sin(epoch * params["learning_rate"] * 100)


@pytest.mark.parametrize("steps", [15, 60, 1_000_000])
@pytest.mark.parametrize(
    ("changes", "curve"),
    [
        ({}, accuracy),
        ({}, wild),
        ({"epochs__min": 2, "epochs__max": 20, "search__algorithm": "random"}, wild),
        ({"early_stopping": {"algorithm": "none"}}, accuracy),
        ({"early_stopping": {"algorithm": "asha", "patience": {"patience": 2, "min_delta": 0.02}}}, wild),
        ({"space__epochs": {"low": 2, "high": 27}}, wild),
    ],
)
def test_trials_are_ordered_as_the_policy_orders_them(
    tmp_path: Path, changes: dict[str, Any], curve: Any, steps: int
) -> None:
    spec = make_spec(num_trials=60, **changes) if "space__epochs" not in changes else make_spec(
        num_trials=60, space={**make_spec().resolved()["space"], "epochs": {"low": 2, "high": 27}}
    )  # fmt: skip
    sweep, policy = simulated(tmp_path, spec, curve, steps)
    found = expected(sweep)
    observed = [policy.observed(number) for number in sorted(sweep.trials)]
    assert set(found.losses) == {it.number for it in observed if it.is_usable}
    assert found.bad == {it.number for it in observed if it.bad}
    ends = policy._observed._ends
    keys = {it.number: ends.end(*policy._observed._places(it, it.level), it.loss) for it in observed if it.is_usable}
    carried_furthest = {number: loss for number, (missing, loss) in keys.items() if missing == 0}
    if len(carried_furthest) == len(keys):  # there is a line to the end from everywhere
        assert found.losses == pytest.approx(carried_furthest)
    else:
        furthest = max(missing for missing, _ in keys.values())
        at_furthest = {number: loss for number, (missing, loss) in keys.items() if missing == furthest}
        assert {number: found.losses[number] for number in at_furthest} == pytest.approx(at_furthest)


def test_diverged_trials_are_the_worst_and_what_was_taken_back_by_hand_counts_for_nothing(tmp_path: Path) -> None:
    sweep, _ = simulated(tmp_path, make_spec(num_trials=40), wild)
    trials = table(sweep)
    assert len(trials.losses) == 40 and not any(map(math.isnan, trials.losses))
    assert expected(sweep).bad and trials.losses.max() < math.inf
    sweep.trials[3].outcome = "cancelled"
    sweep.trials[4].outcome = "infeasible"
    assert len(table(sweep).losses) == 38


def test_a_sweep_with_early_stopping_tells_what_matters(tmp_path: Path) -> None:
    sweep, _ = simulated(tmp_path, make_spec(num_trials=64))
    found = weighed(sweep)
    assert next(iter(found.parameters)) == "learning_rate"  # type: ignore[union-attr]
    assert found.num_trials == 64
