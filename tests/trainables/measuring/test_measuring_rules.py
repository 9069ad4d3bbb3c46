"""The rules on made curves and numbers; nothing is trained."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trainables.measuring.classes import balanced_weights, class_counts
from trainables.measuring.epochs import flattens
from trainables.measuring.ladder import Rung, ended, fastest, is_doubtful, largest, sizes
from trainables.measuring.noise_scale import noise_scale
from trainables.measuring.range_test import Range, analysed, growing, has_diverged

RATES = growing()


def curve(noise: float = 0.0, turn: float = 1e-1, explode: float = math.inf, seed: int = 0) -> list[float]:
    """A loss of 2.3 that falls from about 1e-3 on, turns, and is NaN from `explode` on."""
    random = np.random.default_rng(seed)
    made = []
    for rate in RATES:
        fall = 2.0 / (1 + (1e-2 / rate) ** 1.5)
        rise = max(0.0, 1.5 * math.log10(rate / turn)) if rate > turn else 0.0
        made.append(math.nan if rate >= explode else 2.3 - fall + rise + noise * random.normal())
    return made


def assert_holds(found: Range) -> None:
    assert found.low is not None and found.high is not None and found.steepest is not None
    assert 2e-4 < found.low < 6e-3  # the loss has fallen by 1 % at 4e-4, and by 20 % at 4e-3
    assert 5e-2 < found.high < 4e-1
    assert found.low <= found.steepest <= found.high


def test_a_range_is_from_where_the_loss_falls_to_where_it_turns() -> None:
    assert_holds(analysed(RATES, curve()))


@pytest.mark.parametrize("seed", range(20))
def test_a_noisy_loss_gives_nearly_the_same_range(seed: int) -> None:
    assert_holds(analysed(RATES, curve(noise=0.15, seed=seed)))


def test_a_loss_that_is_not_finite_ends_the_range() -> None:
    found = analysed(RATES, curve(explode=0.2, turn=math.inf))
    assert found.diverged_at is not None and found.high is not None
    assert found.diverged_at >= 0.2 > found.high > 0.1


def test_a_loss_that_explodes_has_diverged_before_it_is_infinite() -> None:
    losses = [2.3 if rate < 0.05 else 2.3 * (rate / 0.05) ** 6 for rate in RATES]
    first = next(n for n in range(1, len(losses)) if has_diverged(losses[:n]))
    assert 0.05 < RATES[first - 1] < 0.5
    assert analysed(RATES, losses).diverged_at == pytest.approx(RATES[first - 1])
    assert analysed(RATES[:first], losses[:first]).diverged_at == pytest.approx(RATES[first - 1])


@pytest.mark.parametrize("seed", range(20))
def test_a_loss_that_never_falls_has_no_range(seed: int) -> None:
    random = np.random.default_rng(seed)
    found = analysed(RATES, list(2.3 + 0.2 * random.normal(size=len(RATES))))
    assert (found.low, found.high, found.steepest) == (None, None, None) and "did not fall" in found.reason
    assert analysed(RATES, [2.3 + n / 100 for n in range(len(RATES))]).low is None
    assert "not finite" in analysed(RATES, [math.nan]).reason
    assert {type(loss) for loss in found.smoothed} == {float}  # as JSON takes them


def test_a_loss_that_falls_to_the_end_goes_to_the_highest_rate() -> None:
    found = analysed(RATES, [2.3 - n / 100 for n in range(len(RATES))])
    assert found.high == RATES[-1] and "not turned" in found.reason


def test_losses_may_be_negative() -> None:
    assert_holds(analysed(RATES, [loss - 10 for loss in curve()]))


def test_rates_grow_by_one_factor() -> None:
    assert RATES[0] == pytest.approx(1e-6) and RATES[-1] == pytest.approx(10) and len(RATES) >= 100
    factors = np.divide(RATES[1:], RATES[:-1])
    assert np.allclose(factors, factors[0])


def test_sizes_are_powers_of_two_up_to_the_examples() -> None:
    assert sizes(100) == [8, 16, 32, 64]
    assert sizes(64) == [8, 16, 32, 64]
    assert (sizes(5), sizes(1)) == ([4], [1])


def test_a_ladder_ends_at_memory_examples_or_throughput() -> None:
    growing_fast = [Rung(8, 100.0), Rung(16, 190.0), Rung(32, 350.0)]
    assert ended([], 10**6) == ended(growing_fast, 10**6) == ""
    assert "does not fit" in ended([*growing_fast, Rung(64, None, "no memory")], 10**6)
    assert "60 training examples" in ended(growing_fast, 60)
    flat = [*growing_fast, Rung(64, 360.0)]
    assert ended(flat, 10**6) == ""  # one doubling may be noise
    assert "throughput" in ended([*flat, Rung(128, 370.0)], 10**6)
    assert fastest([*flat, Rung(128, 370.0)]) == 32
    assert largest([*flat, Rung(128, None, "no memory")]) == 64
    assert (fastest([Rung(8, None)]), largest([])) == (None, None)


def test_a_size_that_is_much_slower_than_a_smaller_one_is_doubted() -> None:
    rungs = [Rung(8, 1000.0), Rung(16, None, "of one batch size"), Rung(32, 1900.0)]
    assert [is_doubtful(rungs, speed) for speed in (1200.0, 1400.0, 4000.0)] == [True, False, False]
    assert not is_doubtful([], 1.0)


@pytest.mark.parametrize("mode", ["min", "max"])
def test_a_curve_that_is_flat_within_the_run_ends_there(mode: str) -> None:
    values = [math.exp(-epoch / 2) for epoch in range(20)]
    found = flattens(values if mode == "min" else [1 - value for value in values], mode)  # type: ignore[arg-type]
    assert found is not None and found.improves_until is not None
    assert 7 <= found.improves_until <= 10 and found.suggested_max > found.improves_until


def test_a_curve_that_still_improves_says_so() -> None:
    found = flattens([math.exp(-epoch / 8) for epoch in range(10)], "min")
    assert found is not None and found.improves_until is None and "still improved" in found.reason
    assert 25 <= found.suggested_max <= 36
    line = flattens([float(-epoch) for epoch in range(10)], "min")
    assert line is not None and line.suggested_max == 40 and "no end is in sight" in line.reason


def test_an_overfitting_curve_ends_at_its_best_epoch() -> None:
    found = flattens([1.0, 0.6, 0.5, 0.52, 0.6, 0.7, 0.8], "min")
    assert found is not None and found.improves_until == 3
    worse = flattens([1.0, 1.1, 1.2, 1.3], "min")
    assert worse is not None and worse.improves_until == 1


def test_a_diverged_curve_has_no_end() -> None:
    assert flattens([1.0], "min") is None and flattens([math.nan, math.nan], "max") is None


def test_the_noise_scale_is_that_of_known_gradients() -> None:
    random = np.random.default_rng(0)
    gradient, deviation = np.full(100, 0.3), 2.0  # tr(covariance) / |gradient|^2 = 400 / 9
    squares = {
        size: [
            float(((gradient + deviation / math.sqrt(size) * random.normal(size=100)) ** 2).sum()) for _ in range(200)
        ]
        for size in (8, 64)
    }
    found = noise_scale(8, 64, squares[8], squares[64])
    assert found is not None and found[1] <= found[0] <= found[2]
    assert found[0] == pytest.approx(400 / 9, rel=0.15)
    assert noise_scale(8, 64, [8.0], [0.1]) is None  # the gradient's square comes out negative
    with pytest.raises(ValueError, match="small=64, big=8"):
        noise_scale(64, 8, [1.0], [1.0])


def test_classes_are_counted_where_y_are_classes() -> None:
    assert class_counts([0, 1, 1, 1]) == {"0": 1, "1": 3}
    assert class_counts([[1], [0], [1]], ("no", "yes")) == {"no": 1, "yes": 2}
    assert class_counts([[0.0, 1.0], [1.0, 0.0]]) == {"0": 1, "1": 1}
    assert class_counts([[0.5, 0.5], [1.0, 0.0]]) is None
    assert class_counts([0.5, 1.0]) is None and class_counts([1, 1]) is None and class_counts(["a", "b"]) is None
    assert balanced_weights({"a": 1, "b": 3}) == {"a": 2.0, "b": pytest.approx(2 / 3)}
