"""What measurements suggest."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.probe.measured import ladder, probe, rates
from tuner.probe.result import ClassBalance, EpochCurve, EpochEstimate, NoiseScale, ProbeResult, RateRange
from tuner.probe.suggestions import BATCH_MAX, CHOICES_MAX, STEPS_MIN, Suggestions


def suggested(**changes: object) -> Suggestions:
    return Suggestions(probe(**changes))  # type: ignore[arg-type]


def test_the_rate_goes_from_where_the_loss_falls_to_where_it_turns_at_any_suggested_batch_size() -> None:
    found = suggested().learning_rate
    assert found is not None and (found.optimizer, found.low, found.high) == ("adam", 2.3e-4, 6e-2)
    assert [line[:32] for line in found.why] == ["range test of adam at batch 32: ", "range test of adam at batch 64: "]
    assert "the loss fell from 0.00023 on, fastest at 0.0031, up to 0.042; it diverged at 0.084" in found.why[0]


def test_of_several_optimizers_the_one_whose_loss_fell_furthest_and_the_others_are_told() -> None:
    both = (rates("adam", 32, 1e-4, 1e-2, 0.5), rates("sgd", 32, 1e-2, 1.0, 0.3), rates("sgd", 64, 2e-2, 2.0, 0.6))
    found = suggested(rates=both).learning_rate
    assert found is not None and (found.optimizer, found.low, found.high) == ("sgd", 0.01, 2.0)
    assert found.why[-1].startswith("not used: range test of adam at batch 32")
    asked = suggested(rates=both).rates_of(["adam", "sgd"])
    assert asked is not None and (asked.low, asked.high) == (1e-4, 2.0)


def test_ranges_of_batch_sizes_that_are_not_suggested_count_only_where_there_are_no_others() -> None:
    far = rates("adam", 1024, 1e-3, 0.9)
    found = suggested(rates=(far, rates("adam", 32, 1e-4, 1e-2))).learning_rate
    assert found is not None and found.high == 0.01
    found = suggested(rates=(far,)).learning_rate
    assert found is not None and found.high == 0.9


def test_without_a_range_nothing_is_suggested() -> None:
    none = RateRange("adam", 32, None, None, None, None, (1e-6, 1.0), (2.3, 2.4), "the loss never fell")
    found = suggested(rates=(none,))
    assert found.learning_rate is None and found.points == ()


@given(st.floats(1e-9, 10), st.floats(1.0, 1e4))
def test_bounds_are_rounded_outwards_to_two_digits(low: float, ratio: float) -> None:
    found = suggested(rates=(rates("adam", 32, low, low * ratio),)).learning_rate
    assert found is not None and found.low <= low * (1 + 1e-9) and low * ratio <= found.high * (1 + 1e-9)
    assert found.low > low * 0.9 and found.high < low * ratio * 1.1
    assert all(len(f"{end:.8e}".split("e")[0].rstrip("0").replace(".", "")) <= 2 for end in (found.low, found.high))


def test_of_small_data_batch_sizes_leave_enough_steps() -> None:
    found = suggested().batch_size
    assert found is not None and found.choices == (16, 32, 64)
    assert "to the largest that leaves 10 steps an epoch" in found.why[0] and "40,000 at 64" in found.why[0]
    assert "32 to 64 for small or imbalanced data, 128 to 256 for large and balanced" in found.why[1]
    assert found.why[1].endswith("these are small data (1,200 examples): 32 to 64")


def test_of_large_data_throughput_decides_and_the_noise_scale_where_it_was_measured() -> None:
    speeds = {2**k: min(2e3 * 2**k, 1e6) for k in range(3, 12)}
    large = {"train_examples": 55_000, "ladder": ladder(55_000, speeds, 512)}
    found = suggested(**large).batch_size
    assert found is not None and found.choices == (64, 128, 256)
    assert "only where --noise-scale speaks for them" in found.why[0] and found.why[1].endswith(": 128 to 256")
    found = suggested(**large, noise_scale=NoiseScale(900, 500, 2000)).batch_size
    assert found is not None and found.choices == (128, 256, 512) and "about 900 (500 to 2,000)" in found.why[2]
    found = suggested(**large, noise_scale=NoiseScale(40, 30, 70)).batch_size
    assert found is not None and found.choices == (16, 32, 64)


def test_one_slow_measurement_leaves_no_gap() -> None:
    found = suggested(ladder=ladder(1200, {8: 1e3, 16: 3e4, 32: 5e3, 64: 4e4})).batch_size
    assert found is not None and found.choices == (16, 32, 64)


def test_what_does_not_fit_is_not_suggested() -> None:
    found = suggested(ladder=ladder(1200, {8: 900.0, 16: 1000.0, 32: 0})).batch_size
    assert found is not None and found.choices == (8, 16)
    assert suggested(ladder=ladder(1200, {8: 0})).batch_size is None


@given(
    st.integers(1, 10**7),
    st.dictionaries(st.integers(3, 16).map(lambda k: 2**k), st.floats(1, 1e7), min_size=1),
    st.one_of(st.none(), st.floats(1, 1e6)),
)
def test_choices_are_of_the_ladder_few_and_in_order(n: int, speeds: dict[int, float], noise: float | None) -> None:
    speeds = dict(sorted(speeds.items()))
    scale = None if noise is None else NoiseScale(noise, noise / 2, noise * 2)
    found = suggested(train_examples=n, ladder=ladder(n, speeds), noise_scale=scale).batch_size
    assert found is not None and 1 <= len(found.choices) <= CHOICES_MAX
    assert list(found.choices) == sorted(set(found.choices)) and set(found.choices) <= set(speeds)
    smallest = next(iter(speeds))
    if len(found.choices) > 1 or found.choices[0] > smallest:
        assert found.choices[-1] <= max(n // STEPS_MIN, 1) and (noise is not None or found.choices[-1] <= BATCH_MAX)


@pytest.mark.parametrize(
    ("longest", "bounds"), [(18, (1, 18)), (27, (1, 27)), (81, (3, 81)), (100, (4, 100)), (1, (1, 1))]
)
def test_epochs_leave_early_stopping_several_rungs(longest: int, bounds: tuple[int, int]) -> None:
    found = suggested(epochs=EpochEstimate((), None, longest, "still improved")).epochs
    assert found is not None and (found.min, found.max) == bounds and found.why[0] == "max: still improved"
    assert suggested(epochs=EpochEstimate()).epochs is None


def test_class_weights_are_offered_where_classes_are_imbalanced() -> None:
    assert suggested(classes=ClassBalance({"0": 100, "1": 90}, {"0": 0.95, "1": 1.06})).class_weights is None
    found = suggested(classes=ClassBalance({"0": 900, "1": 60}, {"0": 0.5333, "1": 8.0}))
    assert found.class_weights is not None and found.class_weights.weights == {"0": 0.5333, "1": 8.0}
    assert "(0: 900, 1: 60); class weights may help: 0: 0.533, 1: 8" in found.class_weights.why[0]
    assert found.batch_size is not None and "small, imbalanced data" in found.batch_size.why[1]


def test_points_are_the_best_short_trainings_then_the_steepest_rate_near_each_other_batch_size() -> None:
    curves = (
        EpochCurve("adam", 64, 1e-2, (0.7, 0.95), (0.1, 0.1)),
        EpochCurve("adam", 32, 1e-3, (0.8, 0.9), (0.1, 0.1)),
    )
    points = suggested(epochs=EpochEstimate(curves, 2, 4)).points
    rest = {"units": 64, "dropout": 0.0, "optimizer": "adam"}
    assert points == (
        {**rest, "learning_rate": 0.01, "batch_size": 64},
        {**rest, "learning_rate": 0.001, "batch_size": 32},
        {**rest, "learning_rate": 0.0031, "batch_size": 16},
    )
    assert [point["learning_rate"] for point in suggested(epochs=EpochEstimate()).points] == [0.0031, 0.0031, 0.0049]
    compiled = suggested(is_compiled=True).points
    assert compiled and "optimizer" not in compiled[0]


def test_everything_is_json() -> None:
    data = json.loads(json.dumps(suggested().as_data()))
    assert data["learning_rate"]["low"] == 2.3e-4 and data["batch_size"]["choices"] == [16, 32, 64]
    empty = Suggestions(ProbeResult("digits", None, "val_loss", "min", 10)).as_data()
    assert empty == {name: [] if name == "points" else None for name in data}


def test_rates_are_those_of_the_base_where_the_sweep_scales_them_with_the_batch_size() -> None:
    both = probe(rates=(rates("adam", 32, 1e-4, 1e-2), rates("adam", 64, 2e-4, 2e-2)))
    found = Suggestions(both, ("linear", 32)).learning_rate
    assert (
        found is not None
        and (found.low, found.high) == (1e-4, 1e-2)
        and "(as rates of batch 32, linear)" in found.why[0]
    )
    found = Suggestions(both, ("sqrt", 16)).learning_rate
    assert found is not None and (found.low, found.high) == (7e-5, 1e-2)
    assert Suggestions(both, ("linear", 16)).points[0] | {"units": 0} == {
        "units": 0, "dropout": 0.0, "optimizer": "adam", "learning_rate": 0.0015, "batch_size": 32,
    }  # fmt: skip
