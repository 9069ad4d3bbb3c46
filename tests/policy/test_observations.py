"""Trials in their order of merit: whatever was learned in whatever order, as a full sort has it."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.policy.observations import Observations, Observed

steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.booleans()),
        st.tuples(
            st.just("learn"), st.integers(0, 40), st.sampled_from([1, 3, 9]), st.sampled_from([0.1, 0.5, 0.5, 2])
        ),
        st.tuples(st.just("spoil"), st.integers(0, 40)),
    ),
    max_size=120,
)


def by_full_sort(trials: list[Observed], at_most: int) -> list[int]:
    """What `Observations.ordered` promises, in its plainest form."""
    ordered = sorted((t for t in trials if t.counts), key=lambda t: (t.bad, -t.level, t.loss, t.number))
    if len(ordered) <= at_most:
        return [t.number for t in ordered]
    half = (at_most + 1) // 2
    best, others = ordered[:half], ordered[half:]
    newest = sorted((t.number for t in others), reverse=True)[: at_most - len(best)]
    return [t.number for t in [*best, *(t for t in others if t.number in newest)]]


@settings(deadline=None, max_examples=300)
@given(steps, st.integers(1, 50))
def test_the_order_is_that_of_a_full_sort_at_every_moment(steps: list[tuple[object, ...]], at_most: int) -> None:
    observations, trials = Observations(), []
    for what, *args in steps:
        if what == "add":
            trial = Observed(len(trials), {}, 27, counts=bool(args[0]))
            trials.append(trial)
            observations.add(trial)
        elif trials:
            trial = trials[int(args[0]) % len(trials)]  # type: ignore[call-overload]
            if what == "learn":
                _, level, loss = args
                observations.update(trial, level, loss, trial.bad)  # type: ignore[arg-type]
            else:
                observations.update(trial, trial.level, trial.loss, bad=True)
        assert [number for number, _ in observations.ordered(at_most)] == by_full_sort(trials, at_most)
        assert observations.num_with_results == sum(t.counts and (t.bad or t.level > 0) for t in trials)
    assert len(observations) == len(trials)


def test_too_many_are_cut_to_the_best_half_and_the_newest_others() -> None:
    observations = Observations()
    for number in range(1000):
        trial = Observed(number, {"units": number}, 27)
        observations.add(trial)
        observations.update(trial, 1, -number, bad=False)
    kept = [number for number, _ in observations.ordered(300)]
    assert kept == [*range(999, 849, -1), *range(849, 699, -1)]
    observations.update(observations[999], 1, math.inf, bad=True)
    assert [number for number, _ in observations.ordered(4)] == [998, 997, 996, 999]
