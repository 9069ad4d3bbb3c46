"""What the search policy is built from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.simulation import make_spec


def test_they_say_what_the_spec_says() -> None:
    points = [{"learning_rate": 0.01, "batch_size": 32, "schedule": "constant"}]
    spec = make_spec(
        search={"algorithm": "random", "seed": 5, "points": points},
        early_stopping={"algorithm": "none", "reduction_factor": 4},
        epochs={"min": 2, "max": 32},
        objective__mode="min",
        num_trials=7,
    )
    found = spec.search_settings
    assert found.space is spec.space and found.points == points
    assert (found.algorithm, found.seed, found.mode, found.num_trials) == ("random", 5, "min", 7)
    assert (found.epochs_min, found.epochs_max, found.stops_early, found.reduction_factor) == (2, 32, False, 4)
    assert make_spec().search_settings.stops_early


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"epochs_min": 0}, r"1 <= epochs_min <= epochs_max must hold, but got \(0, 27\)"),
        ({"epochs_min": 28}, r"but got \(28, 27\)"),
        ({"reduction_factor": 1}, "reduction_factor must be at least 2, but got 1"),
    ],
)
def test_settings_that_no_search_can_have_are_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(make_spec().search_settings, **change)
