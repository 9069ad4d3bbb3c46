"""Trials in their order of merit: whatever was learned in whatever order, as a full sort has it."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st

from tuner.policy.ends import Ends
from tuner.policy.observations import Observations, Observed

RUNGS = [1, 3, 9]
LEVELS = [*RUNGS, 27]
TRAININGS = {3: [1, 3], 4: [1, 3, 4], 9: [1, 3, 9], 20: [1, 3, 9, 20], 27: LEVELS}
"""Of each length the epochs that trials are known at."""

steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.booleans(), st.sampled_from([27, 27, *TRAININGS])),
        st.tuples(st.just("learn"), st.integers(0, 40), st.sampled_from([0.1, 0.5, 0.5, 2])),
        st.tuples(st.just("spoil"), st.integers(0, 40)),
    ),
    max_size=150,
)


class Reference:
    """What `Observations.ordered` promises, in its plainest form."""

    def __init__(self) -> None:
        self.trials: list[Observed] = []
        self.ends = Ends(len(LEVELS))
        self.bad: list[int] = []

    def merit(self, trial: Observed) -> tuple[float, ...]:
        if trial.bad:
            return (2, self.bad.index(trial.number))
        if not trial.level:
            return (1, trial.number)
        levels = TRAININGS[trial.epochs_max]
        return (0, *self.ends.end(levels.index(trial.level), len(levels) - 1, trial.loss), trial.number)

    def ordered(self, at_most: int) -> list[int]:
        counting = sorted((t for t in self.trials if t.counts), key=self.merit)
        if len(counting) > at_most:
            best, others = counting[: (at_most + 1) // 2], counting[(at_most + 1) // 2 :]
            newest = sorted(others, key=lambda t: t.number)[len(others) - (at_most - len(best)) :]
            counting = best + sorted(newest, key=self.ended_or_not)
        return [t.number for t in counting]

    def ended_or_not(self, trial: Observed) -> tuple[float, ...]:
        """Among the newest, bad ones stand by their number."""
        return (2, trial.number) if trial.bad else self.merit(trial)


@settings(max_examples=200)
@given(steps, st.integers(1, 50))
def test_the_order_is_that_of_a_full_sort_at_every_moment(steps: list[tuple[object, ...]], at_most: int) -> None:
    observations, reference = Observations(RUNGS), Reference()
    for what, *args in steps:
        if what == "add":
            trial = Observed(len(reference.trials), {}, int(args[1]), counts=bool(args[0]))  # type: ignore[call-overload]
            reference.trials.append(trial)
            observations.add(trial)
        elif reference.trials:
            trial = reference.trials[int(args[0]) % len(reference.trials)]  # type: ignore[call-overload]
            levels = TRAININGS[trial.epochs_max]
            if what == "learn" and trial.level < levels[-1] and not trial.bad:
                place = levels.index(trial.level) + 1 if trial.level else 0
                loss = float(args[1])  # type: ignore[arg-type]
                if place and (place < len(levels) - 1 or len(levels) == len(LEVELS)):
                    reference.ends.add(place - 1, trial.loss, loss)
                observations.update(trial, levels[place], loss, bad=False)
            elif what == "spoil" and not trial.bad:
                reference.bad.append(trial.number)
                observations.update(trial, trial.level, trial.loss, bad=True)
        assert observations.ordered(at_most) == reference.ordered(at_most)
        assert observations.num_with_results == sum(t.counts and (t.bad or t.level > 0) for t in reference.trials)
        assert observations.num_usable == sum(t.counts and t.is_usable for t in reference.trials)
    assert len(observations) == len(reference.trials)


def test_too_many_are_cut_to_the_best_half_and_the_newest_others() -> None:
    observations = Observations(RUNGS)
    for number in range(1000):
        trial = Observed(number, {"units": number}, 27)
        observations.add(trial)
        observations.update(trial, 1, -number, bad=False)
    kept = observations.ordered(300)
    assert kept == [*range(999, 849, -1), *range(849, 699, -1)]
    observations.update(observations[999], 1, math.inf, bad=True)
    assert observations.ordered(4) == [998, 997, 996, 999]


def test_of_too_many_the_newest_stand_in_their_order_too_the_bad_ones_last() -> None:
    observations = Observations(RUNGS)
    for number, loss in enumerate((0.1, 0.2, 0.3, 0.4, 0.15, None, 0.9, 0.15)):
        trial = Observed(number, {}, 27)
        observations.add(trial)
        if loss is not None:
            observations.update(trial, 1, loss, bad=False)
    for number in (7, 4):
        observations.update(observations[number], 1, 0.15, bad=True)
    assert observations.ordered(7) == [0, 1, 2, 3, 6, 5, 7]
    assert observations.newest_bad(1) == [4] and observations.newest_bad(9) == [4, 7]


def reach(observations: Observations, number: int, *losses: float, epochs: int = 27) -> None:
    trial = Observed(number, {}, epochs)
    observations.add(trial)
    for epoch, loss in zip(TRAININGS[epochs], losses, strict=False):
        observations.update(trial, epoch, loss, bad=False)


def test_while_few_have_gone_on_whoever_went_further_is_better() -> None:
    observations = Observations(RUNGS)
    reach(observations, 0, 0.9, 0.9)
    reach(observations, 1, 0.1)
    assert observations.ordered(9) == [0, 1]


def test_a_poor_trial_that_went_on_early_falls_behind_good_ones_that_are_still_shallow() -> None:
    """The first trial of a sweep goes on whatever it is worth: nothing was there to compare it with."""
    observations = Observations(RUNGS)
    reach(observations, 0, 0.9, 0.8, 0.7, 0.65)
    for number in (1, 2, 3, 4):
        reach(observations, number, 0.3 + number / 100, 0.25 + number / 100, 0.2 + number / 100, 0.18 + number / 100)
    reach(observations, 5, 0.30)
    assert observations.ordered(9) == [5, 1, 2, 3, 4, 0]


def test_a_shorter_training_stands_where_its_own_end_is_worth() -> None:
    observations = Observations(RUNGS)
    reach(observations, 0, 0.5, 0.4, 0.35, epochs=4)
    reach(observations, 1, 0.5, 0.3, 0.1)
    reach(observations, 2, 0.5, 0.3, 0.28, epochs=9)
    assert observations.ordered(9) == [1, 2, 0]  # all came to the third level, and no line leads on from there
    for number in range(3, 9):
        reach(observations, number, 0.5, 0.4, 0.3, 0.1 + number / 100)
    assert observations.ordered(9)[:2] == [1, 3]
    assert observations.ordered(9)[-2:] == [2, 0]  # by what they came to, not by where a longer one would get


def test_the_end_of_a_shorter_training_is_no_step_to_a_rung() -> None:
    observations = Observations(RUNGS)
    for number in range(5):
        reach(observations, number, 0.5, 0.4, 0.35, epochs=4)
    reach(observations, 5, 0.9, 0.9, 0.9)
    reach(observations, 6, 0.1, 0.1)
    ordered = observations.ordered(9)
    assert ordered.index(5) < ordered.index(6)  # only one has come from epoch 3 to epoch 9
