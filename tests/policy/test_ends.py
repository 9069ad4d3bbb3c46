"""Expected ends: lines between levels that keep the order within a level and cannot be bent by a few odd values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.policy.ends import MAX_PAIRS, MIN_PAIRS, OUTLOOK_PAIRS, Ends

losses = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(losses, losses), max_size=30), losses, losses)
def test_within_a_level_the_order_stays(pairs: list[tuple[float, float]], one: float, other: float) -> None:
    ends = Ends(3)
    for loss, next_loss in pairs:
        ends.add(0, loss, next_loss)
    better, worse = sorted([one, other])
    assert ends.end(0, 2, better) <= ends.end(0, 2, worse)
    assert ends.end(2, 2, better) == (0, better)
    assert ends.outlook(2, 2, better) == (better, 0.0)
    assert len(pairs) < OUTLOOK_PAIRS or ends.outlook(0, 1, better) is not None


def test_without_pairs_whoever_went_further_is_better() -> None:
    ends = Ends(3)
    assert ends.end(2, 2, 9.0) < ends.end(1, 2, 0.5) < ends.end(0, 2, 0.1)


def test_an_end_is_read_off_the_trials_that_went_on() -> None:
    ends = Ends(3)
    for loss in (0.2, 0.3, 0.4, 0.5, 0.6):
        ends.add(0, loss, loss / 2)
        ends.add(1, loss / 2, loss / 2 - 0.05)
    levels, end = ends.end(0, 2, 0.4)
    assert levels == 0 and end == pytest.approx(0.15)
    assert ends.end(0, 2, 0.3)[1] < ends.end(0, 2, 0.4)[1]


def test_a_shorter_training_ends_at_its_own_last_level() -> None:
    ends = Ends(3)
    for loss in (0.2, 0.3, 0.4, 0.5, 0.6):
        ends.add(0, loss, loss / 2)
    assert ends.end(1, 1, 0.4) == (1, 0.4) == ends.end(1, 2, 0.4)  # while nothing leads on, by the value
    for loss in (0.1, 0.15, 0.2, 0.25, 0.3):
        ends.add(1, loss, loss - 0.05)
    assert ends.end(0, 0, 0.4) == (0, 0.4)
    assert ends.end(0, 1, 0.4) == (0, pytest.approx(0.2))
    assert ends.end(0, 2, 0.4) == (0, pytest.approx(0.15))
    assert ends.outlook(0, 1, 0.4) == (pytest.approx(0.2), pytest.approx(0.0))


def test_many_pairs_cost_no_more_and_the_best_are_kept() -> None:
    ends = Ends(2)
    for number in range(1000):
        ends.add(0, number / 1000, number / 2000 if number < MAX_PAIRS else 1e9)
    assert ends.end(0, 1, 0.1)[1] == pytest.approx(0.05)


def test_fewer_pairs_than_needed_lead_nowhere() -> None:
    ends = Ends(2)
    for _ in range(MIN_PAIRS - 1):
        ends.add(0, 0.5, 0.25)
    assert ends.end(0, 1, 0.5) == (1, 0.5)
    ends.add(0, 0.5, 0.25)
    assert ends.end(0, 1, 0.5) == (0, 0.25)


def test_an_outlook_is_as_wide_as_the_pairs_scatter_around_their_lines() -> None:
    ends, rng = Ends(3), np.random.default_rng(0)
    for loss in rng.uniform(0.2, 0.8, 100):
        middle = 0.8 * loss + 0.03 * rng.standard_normal()
        ends.add(0, loss, middle)
        ends.add(1, middle, 0.5 * middle + 0.04 * rng.standard_normal())
    outlook = ends.outlook(0, 2, 0.5)
    assert outlook is not None
    assert outlook == (pytest.approx(0.2, abs=0.02), pytest.approx(math.hypot(0.5 * 0.03, 0.04), rel=0.2))
    assert ends.outlook(2, 2, 0.5) == (0.5, 0.0)


def test_a_line_is_ridged_towards_the_ratio_of_the_deviations_and_its_scatter_has_two_degrees_of_freedom_less() -> None:
    ends, pairs = Ends(2), [(0.1, 0.2), (0.2, 0.1), (0.3, 0.35), (0.4, 0.2), (0.5, 0.5)]
    for pair in pairs:
        ends.add(0, *pair)
    losses, following = np.array(pairs).T
    (variance, covariance), (_, next_variance) = np.cov(losses, following, ddof=0)
    slope = (5 * covariance + 3 * variance * min(1, math.sqrt(next_variance / variance))) / (8 * variance)
    assert ends.outlook(0, 1, 0.9) == (
        pytest.approx(following.mean() + slope * (0.9 - losses.mean())),
        pytest.approx(math.sqrt(((following - following.mean() - slope * (losses - losses.mean())) ** 2).sum() / 3)),
    )


def test_where_all_losses_were_the_same_another_one_keeps_its_distance_and_what_came_of_them_is_the_scatter() -> None:
    ends = Ends(2)
    for next_loss in (0.1, 0.2, 0.3, 0.4, 0.5):
        ends.add(0, 0.7, next_loss)
    assert ends.outlook(0, 1, 0.8) == (pytest.approx(0.4), pytest.approx(math.sqrt(0.1 / 3)))


def test_where_losses_are_too_large_to_be_squared_each_stays_what_it_is() -> None:
    ends = Ends(2)
    for number in range(OUTLOOK_PAIRS):
        ends.add(0, number * 1e300, number * 1e299)
    assert ends.outlook(0, 1, 0.25) == (0.25, math.inf)


def test_there_is_no_outlook_while_few_have_gone_all_the_way() -> None:
    ends = Ends(3)
    for number in range(OUTLOOK_PAIRS):
        ends.add(0, 0.5 + number, 0.25 + number)
        assert ends.outlook(0, 2, 0.5) is None
        assert (ends.outlook(1, 2, 0.5) is None) == (number < OUTLOOK_PAIRS)
        ends.add(1, 0.25 + number, 0.2 + number)
    assert ends.outlook(0, 2, 0.5) is not None
