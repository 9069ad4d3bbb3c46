"""The share of independent draws follows what has paid."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tuner.policy.mixture import LEAST, MOST, Mixture


def mixture(model_passes: int, draws_pass: int, of: int = 30) -> Mixture:
    made = Mixture()
    for number in range(of):
        made.judged(True, 1, passed=number < model_passes)
        made.judged(False, 1, passed=number < draws_pass)
    return made


def test_a_model_that_pays_is_asked_more_often() -> None:
    assert mixture(25, 3).share_of_draws < mixture(10, 10).share_of_draws < mixture(3, 25).share_of_draws


def test_getting_far_counts_for_more_than_starting_well() -> None:
    made = mixture(20, 10)
    before = made.share_of_draws
    for _ in range(3):
        made.judged(False, 9, passed=True)
    assert made.share_of_draws > before


@given(st.lists(st.tuples(st.booleans(), st.sampled_from([1, 3, 9]), st.booleans())))
def test_the_share_stays_within_its_bounds(judged: list[tuple[bool, int, bool]]) -> None:
    made = Mixture()
    for is_modelled, units, passed in judged:
        made.judged(is_modelled, units, passed)
    assert LEAST <= made.share_of_draws <= MOST
