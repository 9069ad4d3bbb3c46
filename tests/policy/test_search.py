"""What a search does over many trials, in the simulator of a cluster: on a made-up landscape, so without training."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.search.baselines import Ours
from tests.benchmarks.search.scale import SPACE, made_table
from tests.benchmarks.search.simulator import Cluster, at_budget, simulate
from tests.benchmarks.search.tables import coordinates
from tests.kit import make_spec
from tuner.policy import Policy
from tuner.policy.earlier import EarlierTrial
from tuner.policy.policy import EARLIER_MAX
from tuner.space import key

BUDGET = 1080


@pytest.mark.slow
def test_a_diverging_region_costs_at_most_two_hundredths_of_the_epochs() -> None:
    table = made_table().with_divergence(0.1)
    shares = [(run := simulate(Ours(SPACE, 27, s), table, BUDGET, s)).nan_epochs / len(run.losses) for s in range(4)]
    assert np.mean(shares) <= 0.02


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
    points = np.array([coordinates(SPACE, params) for params in run.params])
    rng = np.random.default_rng(0)
    drawn = np.array([coordinates(SPACE, SPACE.sample(rng)) for _ in run.params])
    assert np.median(_nearest(points)) > 0.25 * np.median(_nearest(drawn))


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
            policy = Policy.from_spec(make_spec(search__seed=seed))
            policy.learn(known)
            for _ in range(8):
                suggestion = policy.ask()
                assert suggestion is not None
                rate = float(suggestion.params["learning_rate"])  # type: ignore[arg-type]
                distances.append(abs(np.log10(rate) + 2))
        return float(np.median(distances))

    assert median_distance(earlier(40)) < 0.6 * median_distance([])


def test_each_result_of_the_sweeps_own_takes_an_earlier_ones_place() -> None:
    policy = Policy.from_spec(make_spec(num_trials=200))
    policy.learn(earlier(100))
    assert len(policy._earlier_counting()) == EARLIER_MAX
    for count in range(EARLIER_MAX):
        suggestion = policy.ask()
        assert suggestion is not None
        policy.tell(suggestion.trial, 1, 0.5)
        assert len(policy._earlier_counting()) == EARLIER_MAX - count - 1
    assert policy.num_earlier == 100 and policy.num_suggested == EARLIER_MAX
    assert all(number >= 0 for number in [*policy._split()[0], *policy._split()[1]])


def test_earlier_trials_that_were_bad_are_kept_away_from() -> None:
    bad = [
        EarlierTrial("before", str(n), params, 0, 27, float("nan"), bad=True)
        for n in range(30)
        if (params := make_spec().space.sample(np.random.default_rng(n)))["learning_rate"] > 0.02  # type: ignore[operator]
    ]
    policy = Policy.from_spec(make_spec())
    policy.learn([*earlier(10), *bad])
    good, others = policy._split()
    assert all(not policy._earlier[-1 - number].bad for number in good if number < 0)
    assert len(good) + len(others) == 10 + len(bad)
