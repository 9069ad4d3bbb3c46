"""The search space: bounds are inclusive, round trips are exact, conditions hold."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tuner.spec.space import Choice, Constant, Float, Int, Space, completed, key, nearest, number_text, same, shown

units = st.floats(0, 1)


@st.composite
def ints(draw: st.DrawFn) -> Int:
    scale = draw(st.sampled_from(["linear", "log"]))
    low = draw(st.integers(1 if scale == "log" else -1000, 1000))
    if draw(st.booleans()):
        return Int(low=low, high=8 * abs(low) + 5000, num=draw(st.integers(2, 4)), scale=scale)
    step = draw(st.integers(1, 40))
    return Int(low=low, high=low + step * draw(st.integers(1, 200)), step=step, scale=scale)


@st.composite
def floats(draw: st.DrawFn) -> Float:
    scale = draw(st.sampled_from(["linear", "log"]))
    low = draw(st.floats(1e-6 if scale == "log" else -1e3, 1e3))
    if draw(st.booleans()):
        return Float(low=low, high=low + draw(st.floats(1e-3, 1e3)), num=draw(st.integers(2, 40)), scale=scale)
    if draw(st.booleans()):
        step = draw(st.sampled_from([0.05, 0.1, 0.25, 1.0]))
        low = round(max(low, 1.0), 1)
        return Float(low=low, high=low + step * draw(st.integers(1, 50)), step=step, scale=scale)
    return Float(low=low, high=low + draw(st.floats(1e-3, 1e3)), scale=scale)


@given(ints(), units)
def test_an_int_from_the_unit_interval_is_on_the_grid_and_comes_back(parameter: Int, unit: float) -> None:
    value = parameter.from_unit(unit)
    assert parameter.contains(value)
    assert parameter.from_unit(parameter.to_unit(value)) == value


@given(ints())
def test_both_bounds_of_an_int_are_reached(parameter: Int) -> None:
    assert parameter.from_unit(0.0) == parameter.low
    assert parameter.from_unit(1.0) == parameter.high
    values = list(parameter.values())
    assert values[0] == parameter.low and values[-1] == parameter.high and len(values) == parameter.size


@given(floats(), units)
def test_a_float_from_the_unit_interval_is_within_its_bounds_and_comes_back(parameter: Float, unit: float) -> None:
    value = parameter.from_unit(unit)
    assert parameter.contains(value)
    assert parameter.from_unit(parameter.to_unit(value)) == pytest.approx(value, rel=1e-9, abs=1e-9)


@given(floats())
def test_both_bounds_of_a_float_are_reached(parameter: Float) -> None:
    assert parameter.from_unit(0.0) == pytest.approx(parameter.low)
    assert parameter.from_unit(1.0) == pytest.approx(parameter.high)


def test_a_range_of_one_step_has_two_values_however_it_is_rounded() -> None:
    assert list(Float(low=32.0, high=32.05, step=0.05).values()) == [32.0, 32.05]
    assert list(Float(low=32.0, high=32.04, step=0.05).values()) == [32.0]


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_every_value_of_a_stepped_int_comes_back(scale: Any) -> None:
    parameter = Int(low=7, high=67, step=5, scale=scale)
    values = list(range(7, 68, 5))
    assert [parameter.from_unit(parameter.to_unit(value)) for value in values] == values
    assert [value for value in range(100) if parameter.contains(value)] == values
    assert not parameter.contains(True) and not parameter.contains(7.0)


def test_each_value_has_its_share_of_the_scale_those_at_the_bounds_too() -> None:
    units = (np.arange(10_000) + 0.5) / 10_000

    def shares(parameter: Int | Float | Choice) -> list[float]:
        found = [parameter.from_unit(unit) for unit in units]
        return [found.count(value) / len(found) for value in parameter.values()]

    for even in (Int(low=0, high=12, step=4), Float(low=0.1, high=0.4, step=0.1), Choice(choices=["a", 1, None, 0.5])):
        assert shares(even) == [0.25] * 4
    logs = np.log([0.5, 1.5, 2.5, 3.5])
    assert shares(Int(low=1, high=3, scale="log")) == pytest.approx(np.diff(logs) / (logs[-1] - logs[0]), abs=1e-3)


def test_a_choice_has_its_first_and_last_value_at_the_ends() -> None:
    parameter = Choice(choices=[True, 1, "x"])
    assert [parameter.from_unit(unit) for unit in (0.0, 1.0)] == [True, "x"] and parameter.from_unit(0.0) is True
    assert [parameter.from_unit(parameter.to_unit(value)) for value in parameter.values()] == [True, 1, "x"]
    assert parameter.covers(1.0) and not parameter.covers("y")


def test_a_constant_is_its_value_alone_and_is_written_so() -> None:
    parameter = Constant(value=True)
    assert parameter.from_unit(0.9) is True and parameter.values() == [True] and parameter.size == 1
    assert parameter.covers(True) and not parameter.covers(1) and not parameter.contains(1)
    written = {"a": {"choices": [1, 2]}, "b": 3, "c": {"value": 4, "when": {"a": 1}}}
    assert Space.model_validate(written).model_dump(exclude_unset=True) == written


def test_a_stepped_int_never_gives_what_hyperopts_quniform_gives() -> None:
    parameter = Int(low=8, high=264, step=32)
    assert {parameter.from_unit(unit) for unit in np.linspace(0, 1, 999)} == set(range(8, 265, 32))


def test_steps_are_free_of_floating_point_noise() -> None:
    assert list(Float(low=0.1, high=0.7, step=0.1).values()) == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]


def test_a_log_scale_spreads_the_logarithm_evenly() -> None:
    parameter = Float(low=1e-4, high=1e-1, scale="log")
    assert [parameter.from_unit(u) for u in (0, 1 / 3, 2 / 3, 1)] == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1])


@given(ints() | floats(), units)
def test_a_range_with_num_has_so_many_values_and_each_comes_back(parameter: Int | Float, unit: float) -> None:
    if parameter.num is None:
        return
    values = list(parameter.values())
    assert len(set(values)) == parameter.size == parameter.num and values == sorted(values)
    assert (values[0], values[-1]) == (parameter.low, parameter.high)
    assert all(parameter.contains(value) for value in values)
    assert [parameter.from_unit(parameter.to_unit(value)) for value in values] == values
    assert parameter.from_unit(unit) in values
    between = (values[0] + values[1]) / 2
    assert parameter.covers(between) and not parameter.contains(between)
    assert 0 < parameter.to_unit(between) < 1


@pytest.mark.parametrize(
    ("written", "values"),
    [
        ({"low": 1e-4, "high": 1e-1, "scale": "log", "num": 4}, [1e-4, 1e-3, 1e-2, 1e-1]),
        ({"low": 0, "high": 0.5, "num": 6}, [0, 0.1, 0.2, 0.3, 0.4, 0.5]),
        ({"low": 16, "high": 128, "scale": "log", "num": 4}, [16, 32, 64, 128]),
        ({"low": 1, "high": 10, "num": 4}, [1, 4, 7, 10]),
        ({"low": 0, "high": 5, "num": 3, "step": 1}, [0, 3, 5]),
        ({"low": -(2**63), "high": 2**63 - 1, "num": 3}, [-(2**63), 0, 2**63 - 1]),
    ],
)
def test_num_values_are_evenly_apart_on_the_scale(written: dict[str, Any], values: list[float]) -> None:
    parameter = Space.model_validate({"x": written})["x"]
    assert list(parameter.values()) == values
    assert {type(parameter.from_unit(unit)) for unit in (0.0, 0.5, 1.0)} == {type(parameter.values().__next__())}  # type: ignore[union-attr]


def test_a_value_of_num_may_be_written_with_fewer_digits() -> None:
    parameter = Float(low=1e-4, high=1e-1, scale="log", num=7)
    assert parameter.contains(0.000316227766) and not parameter.contains(0.0003162)
    assert parameter.contains(1e-1 - 1e-9) and not parameter.contains(1e-1 - 1e-7)
    whole = Int(low=0, high=100, num=5)
    assert [value for value in range(101) if whole.contains(value)] == [0, 25, 50, 75, 100]


def test_between_two_values_of_num_the_nearest_on_the_scale_counts() -> None:
    parameter = Float(low=1e-4, high=1e-1, scale="log", num=4)
    assert [parameter.from_unit(parameter.to_unit(rate)) for rate in (0.03, 0.05, 0.1)] == [0.01, 0.1, 0.1]


@pytest.mark.parametrize("bounds", [(0, 10**13), (-(2**63), 2**63 - 1), (1, 2**60)])
def test_large_whole_numbers_stay_within_their_bounds(bounds: tuple[int, int]) -> None:
    parameter = Int(low=bounds[0], high=bounds[1])
    assert (parameter.from_unit(0.0), parameter.from_unit(1.0)) == bounds
    assert parameter.size == bounds[1] - bounds[0] + 1


def test_a_step_finer_than_twelve_digits_of_the_bounds_is_kept() -> None:
    assert list(Float(low=1e15, high=1e15 + 3, step=1.0).values()) == [1e15, 1e15 + 1, 1e15 + 2, 1e15 + 3]
    odd = Float(low=0.1234567890123456, high=1.1234567890123456, step=0.5)
    assert all(odd.contains(value) for value in odd.values())


def test_a_range_covers_what_lies_between_its_bounds_on_the_grid_or_not() -> None:
    parameter = Int(low=16, high=64, step=16)
    assert parameter.covers(40) and not parameter.contains(40)
    assert not parameter.covers(65) and not parameter.covers(True) and not parameter.covers("40")
    space = Space.model_validate({"units": {"low": 16, "high": 64, "step": 16}, "activation": {"choices": ["relu"]}})
    assert space.covers({"units": 17}) and space.covers({"units": 64, "activation": "relu"})
    assert not space.covers({"units": 17, "activation": "tanh"})


def test_whole_numbers_that_no_float_tells_apart_are_different_configurations() -> None:
    assert key({"a": 2**60}) != key({"a": 2**60 + 1})


def test_a_message_shows_little_of_any_value() -> None:
    bomb: list[object] = ["x"]
    for _ in range(50):
        bomb = [bomb] * 9
    for value in (bomb, "x" * 10**6, 16**10_000, b"x" * 10**6, {"a": bomb}, [[[[1]]]], {1: {2: {3: {4: 5}}}}):
        assert len(shown(value)) <= 60
    assert [shown(value) for value in (None, True, 3, "a", 0.1)] == ["null", "true", "3", "'a'", "0.1"]
    assert shown({"a": [True, None]}) == "{'a': [true, null]}"
    assert nearest("truth", [True, False, None]) == "; did you mean true?"
    assert nearest(3, [True, False, None, "relu"]) == "; known: false, null, relu, true"
    assert len(nearest("x" * 10**5, ("y" * 50 + str(n) for n in range(1000)))) < 500


def test_the_kind_of_a_parameter_follows_from_what_is_written() -> None:
    space = Space.model_validate(
        {
            "a": {"low": 1, "high": 3},
            "b": {"low": 1, "high": 3.0},
            "c": {"low": 0, "high": 1, "step": 0.5},
            "d": {"choices": [True, 1, "x", None]},
            "e": "relu",
            "f": {"value": 3, "when": {"d": "x"}},
        }
    )
    assert [type(p) for _, p in space.items()] == [Int, Float, Float, Choice, Constant, Constant]
    assert Space.model_validate(space.model_dump(exclude_defaults=True)) == space


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ({"low": 2, "high": 1}, "must be below high, but got low 2, high 1"),
        ({"low": 1, "high": 1}, "must be below high"),
        ({"low": 0, "high": 1, "scale": "log"}, "must be above 0 on a log scale, but got 0"),
        ({"low": 0, "high": 10, "step": 3}, "must divide high - low (10; a high of 9 would do), but got 3"),
        ({"low": 0, "high": 1, "step": -0.5}, "must be above 0, but got -0.5"),
        ({"low": float("nan"), "high": 1}, "finite"),
        ({"low": 0.0, "high": 1, "step": 0.5, "num": 3}, "must not stand beside a step, but got num 3, step 0.5"),
        ({"low": 0.0, "high": 1, "num": 1}, "greater than or equal to 2"),
        ({"low": 0.0, "high": 1, "num": 10_001}, "less than or equal to 10000"),
        (
            {"low": 0, "high": 1, "num": 5},
            "must give as many different whole numbers (with a high of 1.0 they are real ones), but got 5",
        ),
        (
            {"low": 1.0, "high": 1 + 2**-52, "num": 3},
            "must give as many different numbers, but got 3, which gives 2 only",
        ),
        ({"choices": []}, "at least 1 item"),
        ({"choices": [1, 2, 1]}, "must not stand in the list twice, but got 1"),
        (
            [1, 2],
            "must be {choices: [1, 2]}, one of which a trial gets, or {value: [1, 2]} for the same list in every trial,"
            " but got [1, 2]",
        ),
    ],
)
def test_a_wrong_parameter_is_refused_with_its_rule(written: Any, rule: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Space.model_validate({"x": written})
    assert rule in str(caught.value)


NESTED: dict[str, Any] = {
    "optimizer": {"choices": ["sgd", "adam"]},
    "momentum": {"choices": [0.0, 0.9], "when": {"optimizer": "sgd"}},
    "nesterov": {"choices": [True, False], "when": {"momentum": 0.9}},
    "units": {"low": 1, "high": 3},
}


@given(st.integers(0, 2**31))
def test_inactive_parameters_are_absent_through_nested_conditions(seed: int) -> None:
    space = Space.model_validate(NESTED)
    params = space.sample(np.random.default_rng(seed))
    assert ("momentum" in params) == (params["optimizer"] == "sgd")
    assert ("nesterov" in params) == (params.get("momentum") == 0.9)
    assert completed(space, params) == params


def test_a_condition_may_want_one_of_several_values_and_holds_only_where_what_it_looks_at_is_active() -> None:
    wanted = {"optimizer": ["sgd", "adam"], "units": 3}
    space = Space.model_validate(
        {
            "optimizer": {"choices": ["sgd", "adam", "lion"]},
            "units": {"low": 1, "high": 3},
            "x": {"value": 1, "when": wanted},
        }
    )
    active = [params["optimizer"] for params in space.grid() if "x" in params]
    assert active == ["sgd", "adam"] and space.size() == 9


def test_a_configuration_of_the_space_has_its_active_parameters_all_with_values_of_theirs() -> None:
    space = Space.model_validate(NESTED)
    fitting = {"optimizer": "sgd", "momentum": 0.0, "units": 1}
    assert completed(space, fitting) == fitting
    for changes in ({"units": 4}, {"momentum": 0.9}, {"nesterov": True}, {"optimizer": "adam"}):
        assert completed(space, {**fitting, **changes}) is None


def test_a_space_is_counted_up_to_a_limit() -> None:
    space = Space.model_validate({"units": {"low": 1, "high": 10}})
    assert (space.size(at_most=10), space.size(at_most=9)) == (10, None)


def test_the_grid_holds_every_configuration_once() -> None:
    space = Space.model_validate(NESTED)
    grid = list(space.grid())
    assert len(grid) == len({key(params) for params in grid}) == space.size() == 3 * (2 + 1) + 3
    assert all(completed(space, params) == params for params in grid)


def test_a_grid_over_a_continuum_is_refused() -> None:
    space = Space.model_validate({"rate": {"low": 0.1, "high": 1.0}})
    assert space.size() is None
    with pytest.raises(ValueError, match=r"space\.rate: a grid needs a step, num or choices"):
        list(space.grid())


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ({"optimiser": "sgd"}, "x.when.optimiser: a condition must name a parameter of the space, but got 'optimiser'"),
        ({"optimizer": "sdg"}, "must be a value of 'optimizer', but got 'sdg'; did you mean 'sgd'?"),
        ({"number": 4}, "must be a value of 'number', but got 4; it goes from 1 to 3"),
        ({"later": 1}, "a condition must name an earlier parameter, but 'later' comes after 'x'"),
        ({"x": 1}, "a condition must name a parameter of the space"),
        ({"optimizer": []}, "a condition must have at least one value, but got []"),
        ({}, "must name a parameter and its values, or be left out, but got {}"),
    ],
)
def test_a_wrong_condition_is_refused(when: dict[str, Any], message: str) -> None:
    written = {
        "optimizer": {"choices": ["sgd", "adam"]},
        "number": {"low": 1, "high": 3},
        "x": {"low": 1, "high": 2, "when": when},
        "later": 1,
    }
    with pytest.raises(ValidationError) as caught:
        Space.model_validate(written)
    assert message in str(caught.value)


def test_a_parameters_name_is_an_identifier_of_a_hundred_characters_at_most() -> None:
    assert list(Space.model_validate({"x" * 100: 1})) == ["x" * 100]
    for name in ("x" * 101, "learning rate", "1st"):
        with pytest.raises(ValidationError, match="a parameter's name must be letters, digits and underscores"):
            Space.model_validate({name: 1})


def test_a_configurations_key_does_not_depend_on_the_order_of_its_parameters() -> None:
    assert key({"a": 1, "b": "x"}) == key({"b": "x", "a": 1.0}) != key({"a": "x", "b": 1})


def test_true_and_one_are_different_values() -> None:
    assert not same(True, 1) and same(1, 1.0)
    assert key({"a": True}) != key({"a": 1}) and key({"a": 1}) == key({"a": 1.0})


@pytest.mark.parametrize(
    ("number", "text"), [(0.0001, "0.0001"), (32, "32"), (1e-12, "1e-12"), (0.1, "0.1"), (3.0, "3")]
)
def test_numbers_are_written_plainly(number: float, text: str) -> None:
    assert number_text(number) == text
