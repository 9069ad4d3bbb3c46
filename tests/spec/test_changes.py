"""What may change when a sweep is resumed, and what may not."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit import SPACE, make_spec
from tuner.errors import SpecError
from tuner.spec.changes import changes_between, changes_from_overrides

BEFORE = make_spec(space={**SPACE, "units": 64}).resolved()


@pytest.mark.parametrize(
    ("override", "change"),
    [
        ("num_trials=60", {"num_trials": 60}),
        ("budget.wall_time=2h", {"budget.wall_time": 7200.0}),
        ("budget.epochs=500", {"budget.epochs": 500}),
        ("resources.cpus_per_trial=2", {"resources.cpus_per_trial": 2.0}),
        ("tracking.uri=http://127.0.0.1:5000", {"tracking.uri": "http://127.0.0.1:5000"}),
        ("num_trials=30", {}),
        ("name=other", {}),
    ],
)
def test_how_long_and_on_what_may_change(override: str, change: dict[str, Any]) -> None:
    assert changes_from_overrides(BEFORE, [override], num_suggested=10) == change


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("objective.metric=val_loss", "objective.metric: decides what the sweep's trials are"),
        ("trainable=mlp", "trainable: decides"),
        ("search.seed=4", "search.seed: decides"),
        ("space.units=32", "space.units: decides"),
        ("num_trials=5", "num_trials: 10 trials have begun already, so it cannot be 5"),
        ("num_trials=0", "num_trials: must be at least 1, but got 0"),
        ("budget.epoch=5", "budget.epoch: unknown key; did you mean 'epochs'?"),
    ],
)
def test_what_decides_the_trials_may_not(override: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        changes_from_overrides(BEFORE, [override], num_suggested=10)
    assert message in str(caught.value)


def test_a_spec_without_the_constants_that_were_added_is_the_same_spec() -> None:
    assert changes_between(BEFORE, make_spec(), 10, "sweep.yaml") == {}
    assert changes_between(BEFORE, make_spec(num_trials=99), 10, "sweep.yaml") == {"num_trials": 99}
