"""`tuner check`: what a spec would do, and what looks like a mistake."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulation import make_spec
from tuner.inspection.preview import expected_epochs, preview
from tuner.spec.space import completed


def warnings(num_train: int | None = 1000, **changes: Any) -> list[str]:
    return preview(make_spec(**changes), num_train).warnings


def test_a_sound_spec_has_no_warnings_and_ten_samples() -> None:
    found = preview(make_spec(), 1000)
    assert found.warnings == [] and len(found.samples) == 10
    assert all(completed(make_spec().space, params) == params for params in found.samples)


def test_a_choice_that_is_never_sampled_is_named() -> None:
    [warning] = warnings(num_trials=2, space={"units": {"choices": [1, 2, 3, 4]}})
    assert warning in [f"space.units: never {a} or {b} in a sample of 2 configurations" for a in "123" for b in "234"]


def test_a_point_or_the_start_of_a_grid_is_no_independent_draw() -> None:
    space = {"learning_rate": {"choices": [0.1, 0.01]}}
    for search in ({"points": [{"learning_rate": 0.1}]}, {"algorithm": "grid"}):
        [warning] = warnings(num_trials=1, space=space, search=search)
        assert warning == "space.learning_rate: never 0.01 in a sample of 1 configuration"


def test_a_parameter_that_is_never_active_is_named() -> None:
    schedules = ["constant", *(f"cosine-{number}" for number in range(20))]
    space = {"schedule": {"choices": schedules}, "rate": {"value": 0.5, "when": {"schedule": "constant"}}}
    assert "space.rate: never active in a sample of 1 configuration" in warnings(num_trials=1, space=space)


def test_bounds_narrower_than_a_step_are_named() -> None:
    [warning] = warnings(
        space={"units": {"low": 10, "high": 15, "step": 8}, "learning_rate": {"low": 0.1, "high": 0.2}}
    )
    assert warning == "space.units: narrower than its step 8, so it is always 10"


def test_a_batch_that_leaves_one_step_an_epoch_is_named() -> None:
    [warning] = warnings(num_train=256)
    assert warning == "space.batch_size: a batch of 256 leaves one step an epoch (256 training examples)"
    assert warnings(num_train=None) == []


def test_a_space_smaller_than_num_trials_is_named() -> None:
    found = preview(make_spec(space={"units": {"choices": [1, 2, 3]}}), 1000)
    assert found.num_trials == 3
    assert "num_trials: the space has 3 configurations only, so 3 of 30 trials run" in found.warnings


def test_a_warm_start_of_what_learns_nothing_is_named() -> None:
    search = {"warm_start": ["first"], "algorithm": "random"}
    assert warnings(search=search) == ["search.warm_start: random only leaves out what earlier trials tried"]
    assert warnings(search={"warm_start": ["first"]}) == []


@pytest.mark.parametrize(("algorithm", "epochs"), [("none", 27 * 81), ("asha", 81 + 27 * 2 + 9 * 6 + 3 * 18)])
def test_epochs_with_and_without_early_stopping(algorithm: str, epochs: int) -> None:
    assert expected_epochs(make_spec(early_stopping={"algorithm": algorithm}), 81) == epochs
