"""The share of independent draws follows what has paid."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tuner.policy.mixture import LEAST, MOST, Mixture


def mixture(model_passes: int, draws_pass: int, of: int = 30) -> Mixture:
    made = Mixture()
    for number in range(of):
        for is_modelled, passes in ((True, model_passes), (False, draws_pass)):
            made.tried(is_modelled)
            if number < passes:
                made.passed(is_modelled, 1)
    return made


def test_a_model_that_pays_is_asked_more_often() -> None:
    assert mixture(25, 3).share_of_draws < mixture(10, 10).share_of_draws < mixture(3, 25).share_of_draws


def test_the_share_of_draws_is_their_mean_earning_over_the_sum_of_both() -> None:
    """The model earns 4.5 in 5 trials, beside the 2 with 3 that are believed to have been before; draws have theirs."""
    model, draws = (3 + 4.5) / (2 + 5), 3 / 2
    made = Mixture()
    assert made.share_of_draws == 0.5
    for _ in range(5):
        made.tried(True)
    made.passed(True, 4.5)
    assert made.share_of_draws == draws / (draws + model)


def test_getting_far_counts_for_more_than_starting_well() -> None:
    made = mixture(20, 10)
    before = made.share_of_draws
    for _ in range(3):
        made.passed(False, 9)
    assert made.share_of_draws > before


def test_what_ends_badly_at_once_pays_less() -> None:
    made = mixture(10, 10)
    before = made.share_of_draws
    for _ in range(30):
        made.tried(False)
    assert made.share_of_draws < before


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([0, 1, 3, 9]))))
def test_the_share_stays_within_its_bounds(ended: list[tuple[bool, int]]) -> None:
    made = Mixture()
    for is_modelled, units in ended:
        made.tried(is_modelled)
        made.passed(is_modelled, units)
    assert LEAST <= made.share_of_draws <= MOST
