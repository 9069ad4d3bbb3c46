"""What a search does over many trials, in the simulator of a cluster: on a made-up landscape, so without training."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.search.baselines import Ours
from tests.benchmarks.search.scale import SPACE, made_table
from tests.benchmarks.search.simulator import Cluster, at_budget, simulate
from tests.benchmarks.search.tables import coordinates
from tests.simulation import make_spec
from tuner.policy import Policy
from tuner.policy.earlier import EARLIER_MAX, EarlierTrial
from tuner.policy.policy import STARTUP_OBSERVATIONS
from tuner.spec.space import Params, Space, key

BUDGET = 1080


@pytest.mark.slow
@pytest.mark.parametrize("best_rate, at_most", [(0.4, 0.02), (0.75, 0.03), (0.85, 0.035)])
def test_a_diverging_region_costs_few_epochs_also_right_beside_the_best_learning_rate(
    best_rate: float, at_most: float
) -> None:
    """The rates above 0.9 of their range diverge. Blind to what came to a bad end it is 0.01, 0.045, 0.06."""
    table = made_table(best_rate=best_rate).with_divergence(0.1)
    shares = [(run := simulate(Ours(SPACE, 27, s), table, BUDGET, s)).nan_epochs / len(run.losses) for s in range(4)]
    assert np.mean(shares) <= at_most


@pytest.mark.slow
def test_the_search_beats_independent_draws_under_the_same_rule() -> None:
    table = made_table()

    def losses(algorithm: str) -> list[float]:
        return [
            at_budget(simulate(Ours(SPACE, 27, seed, algorithm), table, BUDGET, seed).losses, BUDGET)
            for seed in range(6)
        ]

    assert np.mean(losses("tpe")) < np.mean(losses("random"))


@pytest.mark.parametrize("workers", [8, 64, pytest.param(512, marks=pytest.mark.slow)])
def test_parallel_workers_do_not_get_near_duplicates(workers: int) -> None:
    run = simulate(Ours(SPACE, 27, 0), made_table(), 6 * workers, 0, Cluster(workers))
    assert len(set(map(key, run.params))) == len(run.params)
    assert _spread(SPACE, run.params) > 0.6


def test_many_workers_that_ask_before_any_of_them_answers_are_kept_apart() -> None:
    """What is running stands as mediocre: unseen, it would be suggested again and again (0.4 in place of 0.8)."""
    policy = Policy(
        make_spec(num_trials=300, space={f"x{n}": {"low": 0.0, "high": 1.0} for n in range(3)}).search_settings
    )
    suggestions = [policy.ask() for _ in range(40)]
    for suggestion in suggestions:
        assert suggestion is not None
        policy.tell(suggestion.trial, 1, -float(((coordinates(policy.space, suggestion.params) - 0.4) ** 2).sum()))
    params = [suggestion.params for _ in range(256) if (suggestion := policy.ask()) is not None]
    assert _spread(policy.space, params) > 0.6


def _spread(space: Space, found: list[Params]) -> float:
    """How far configurations lie from their nearest others, where that of as many independent draws is 1: medians."""
    rng = np.random.default_rng(0)
    points, drawn = (
        np.array([coordinates(space, params) for params in some])
        for some in (found, [space.sample(rng) for _ in found])
    )
    return float(np.median(_nearest(points)) / np.median(_nearest(drawn)))


def _nearest(points: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """The distance of each point to its nearest other."""
    distances = np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1))
    np.fill_diagonal(distances, np.inf)
    nearest: np.ndarray = distances.min(1)  # type: ignore[type-arg]
    return nearest


def earlier(count: int) -> list[EarlierTrial]:
    """Trials of another sweep, in which a learning rate near 0.01 was by far the best."""
    rng, trials = np.random.default_rng(5), []
    for number in range(count):
        params = make_spec().space.sample(rng)
        distance = abs(np.log10(float(params["learning_rate"])) + 2)  # type: ignore[arg-type]
        trials.append(EarlierTrial("before", str(number), params, 27, 27, 1 - distance / 3, bad=False))
    return trials


def test_earlier_trials_guide_the_first_suggestions() -> None:
    def median_distance(known: list[EarlierTrial]) -> float:
        distances = []
        for seed in range(5):
            policy = Policy(make_spec(search__seed=seed).search_settings)
            policy.learn(known)
            for _ in range(8):
                suggestion = policy.ask()
                assert suggestion is not None
                rate = float(suggestion.params["learning_rate"])  # type: ignore[arg-type]
                distances.append(abs(np.log10(rate) + 2))
        return float(np.median(distances))

    assert median_distance(earlier(40)) < 0.6 * median_distance([])


def test_each_result_of_the_sweeps_own_takes_an_earlier_ones_place() -> None:
    policy = Policy(make_spec(num_trials=200).search_settings)
    policy.learn(earlier(100))
    assert len(policy._earlier.counting(0)) == EARLIER_MAX
    for count in range(EARLIER_MAX):
        suggestion = policy.ask()
        assert suggestion is not None
        policy.tell(suggestion.trial, 1, 0.5)
        assert sum(number < 0 for number in policy._split().numbers) == EARLIER_MAX - count - 1
    assert policy.num_earlier == 100 and policy.num_suggested == EARLIER_MAX
    assert all(number >= 0 for number in policy._split().numbers)


def test_of_many_earlier_trials_the_deepest_best_half_and_an_even_selection_of_the_rest_count() -> None:
    trials = [
        EarlierTrial("before", str(n), {"learning_rate": 0.0004 * (n + 1)}, epoch, 27, 1 - n / 1000, bad=False)
        for n, epoch in enumerate([1] * 100 + [27] * 100)
    ]
    policy = Policy(make_spec().search_settings)
    policy.learn(trials)
    kept = [-1 - number for number in policy._earlier.counting(0)]
    assert kept[: EARLIER_MAX // 2] == list(range(100, 130))  # whatever the shallow ones came to
    rest = [*range(130, 200), *range(100)]
    assert kept[EARLIER_MAX // 2 :] == [rest[n * len(rest) // 30] for n in range(30)]


def test_of_earlier_trials_those_count_first_that_came_furthest_of_their_trainings_and_bad_ones_last() -> None:
    rows = [(2, 4, 0.6, False), (9, 27, 0.9, False), (1, 1, 0.1, False), (27, 27, 0.95, True), (9, 27, 0.8, False)]
    policy = Policy(make_spec().search_settings)
    policy.learn(
        [
            EarlierTrial("before", str(n), {"learning_rate": 0.01}, epoch, epochs_max, value, bad)
            for n, (epoch, epochs_max, value, bad) in enumerate(rows)
        ]
    )
    assert [-1 - number for number in policy._earlier.counting(0)] == [2, 0, 1, 4, 3]


def test_before_a_sweep_has_results_of_its_own_earlier_ones_alone_are_held_as_good() -> None:
    policy = Policy(make_spec().search_settings)
    policy.learn(earlier(100))
    for _ in range(STARTUP_OBSERVATIONS):
        good = policy._split().good
        assert good and all(number < 0 for number in good)
        suggestion = policy.ask()
        assert suggestion is not None
        policy.tell(suggestion.trial, 1, 0.5)
    assert any(number >= 0 for number in policy._split().good)


def test_earlier_trials_that_were_bad_are_kept_away_from() -> None:
    bad = [
        EarlierTrial("before", str(n), params, 0, 27, float("nan"), bad=True)
        for n in range(30)
        if (params := make_spec().space.sample(np.random.default_rng(n)))["learning_rate"] > 0.02  # type: ignore[operator]
    ]
    policy = Policy(make_spec().search_settings)
    policy.learn([*earlier(10), *bad])
    split = policy._split()
    assert split.good and all(not policy._earlier[number].bad for number in split.good)
    assert len(split.numbers) == 10 + len(bad) and len(split.bad) == len(bad)
