"""Parameters whose values are lists: choices of lists, and lists as long as another parameter says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.simulation import make_spec
from tuner.base.errors import SpecError
from tuner.spec import dump_yaml, load_spec, spec_from_mapping
from tuner.spec.space import Choice, Float, Int, Repeated, Space, completed, key, point_problems

LAYERS: dict[str, Any] = {
    "kind": {"choices": ["dense", "linear"]},
    "depth": {"low": 1, "high": 3, "when": {"kind": "dense"}},
    "units": {"low": 16, "high": 128, "step": 16, "repeat": "depth"},
    "rates": {"low": 1e-3, "high": 0.1, "scale": "log", "repeat": 2},
    "activations": {"choices": ["relu", None], "repeat": "depth", "when": {"kind": "dense"}},
}
SPACE = Space.model_validate(LAYERS)
HIDDEN: dict[str, Any] = {
    "hidden": {"choices": [[64], [128, 64], None, "auto", 64, []]},
    "dropout": {"low": 0.1, "high": 0.5, "when": {"hidden": [[64], [128, 64]]}},
    "deep": {"choices": [1, 2], "when": {"hidden": [128, 64]}},
    "flat": {"choices": [1, 2], "when": {"hidden": [None, 64]}},
}


def problems(space: dict[str, Any], **fields: Any) -> list[str]:
    with pytest.raises(SpecError) as caught:
        spec_from_mapping({**make_spec().resolved(), "space": space, **fields}, is_new=True)
    return caught.value.problems


@given(st.integers(0, 2**31))
def test_a_draw_of_lists_lies_in_the_space_and_is_as_long_as_it_says(seed: int) -> None:
    params = SPACE.sample(np.random.default_rng(seed))
    assert SPACE.covers(params) and completed(SPACE, params) == params
    assert len(params["rates"]) == 2  # type: ignore[arg-type]
    if params["kind"] == "linear":
        assert params.keys() == {"kind", "rates"}
    else:
        assert len(params["units"]) == len(params["activations"]) == params["depth"]  # type: ignore[arg-type]
        assert all(unit in range(16, 129, 16) for unit in params["units"])  # type: ignore[union-attr]


@given(st.integers(0, 2**31))
def test_each_value_of_a_list_is_a_dimension_of_its_own_and_comes_back(seed: int) -> None:
    params = SPACE.sample(np.random.default_rng(seed))
    flat = SPACE.flat(params)
    units = {name: SPACE.dimensions[name].to_unit(value) for name, value in flat.items()}
    assert completed(SPACE, SPACE.from_units(units)) is not None
    again = SPACE.flat(SPACE.from_units(units))
    assert again == {name: pytest.approx(value) if isinstance(value, float) else value for name, value in flat.items()}


def test_the_dimensions_are_all_that_is_searched() -> None:
    assert list(SPACE.dimensions) == [
        "kind", "depth", "units[0]", "units[1]", "units[2]", "rates[0]", "rates[1]",
        "activations[0]", "activations[1]", "activations[2]",
    ]  # fmt: skip
    assert isinstance(SPACE.dimensions["units[1]"], Int) and isinstance(SPACE.dimensions["rates[0]"], Float)
    assert isinstance(SPACE.dimensions["activations[2]"], Choice) and SPACE.searched == list(LAYERS)


def test_a_spec_with_lists_comes_back_from_yaml(tmp_path: Any) -> None:
    spec = make_spec(space={**LAYERS, **HIDDEN, "always": {"value": [1, [2, 3]]}})
    file = tmp_path / "sweep.yaml"
    file.write_text(dump_yaml(spec.resolved()))
    assert load_spec(file) == spec and load_spec(file).resolved() == spec.resolved()
    assert spec.resolved()["space"]["units"] == LAYERS["units"]
    overridden = load_spec(file, ["space.units.high=64", "space.activations.choices=[[1, 2], null]"]).resolved()[
        "space"
    ]
    assert overridden["units"]["high"] == 64 and overridden["activations"]["choices"] == [[1, 2], None]


def test_the_grid_has_every_list() -> None:
    space = Space.model_validate(
        {"depth": {"choices": [0, 2]}, "units": {"choices": [1, 2], "repeat": "depth"}, "kind": {"choices": ["a"]}}
    )
    assert [params["units"] for params in space.grid()] == [[], [1, 1], [1, 2], [2, 1], [2, 2]]
    assert space.size() == 5 and len({key(params) for params in space.grid()}) == 5


@pytest.mark.parametrize(
    ("hidden", "active"),
    [([64], ["dropout"]), ([128, 64], ["dropout", "deep"]), (None, ["flat"]), (64, ["flat"]), ("auto", []), ([], [])],
)
def test_conditions_know_a_list_from_one_of_several_values(hidden: Any, active: list[str]) -> None:
    space = Space.model_validate(HIDDEN)
    assert [name for name in ("dropout", "deep", "flat") if space.is_active(name, {"hidden": hidden})] == active


def test_values_of_all_kinds_have_places_of_their_own() -> None:
    choice = Space.model_validate({"x": {"choices": [1, True, "1", None, [1], [True], ["1"], [[1]], []]}})["x"]
    assert isinstance(choice, Choice)
    assert [choice.index(value) for value in choice.choices] == list(range(9))
    assert choice.contains([1.0]) and not choice.contains([2])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"units": {"low": 1, "high": 9, "repeat": "dept"}},
            "units.repeat: must name a parameter of the space, or be a number, but got 'dept'; did you mean 'depth'?",
        ),
        (
            {"units": {"low": 1, "high": 9, "repeat": "kind"}},
            "units.repeat: must name a parameter whose values are whole numbers, but 'kind' has others",
        ),
        (
            {"units": {"low": 1, "high": 9, "repeat": "rates"}},
            "units.repeat: must name an earlier parameter, but 'rates' comes after 'units'",
        ),
        (
            {"units": {"low": 1, "high": 9, "repeat": 0}},
            "units.repeat: must name the parameter that says how many values"
            " there are, or be a number from 1 to 100, but got 0",
        ),
        ({"units": {"low": 9, "high": 1, "repeat": "depth"}}, "units.low: must be below high, but got low 9, high 1"),
        ({"units": {"low": 1, "hihg": 9, "repeat": "depth"}}, "units.high: is required, but is missing"),
        (
            {"depth": {"low": -1, "high": 2}, "activations": 1},
            "units.repeat: must name a parameter from 0 to 100, but 'depth' may be -1",
        ),
        (
            {"more": {"choices": [1], "when": {"units": 16}}},
            "more.when.units: a condition must name a parameter with one value, but 'units' is a list",
        ),
        ({"units_1": 5}, "units_1: must have another name, as MLflow shows the values of units as units_0, units_1, …"),
        (
            {"rates": {"low": 0.1, "high": 0.2, "repeat": 100}, "x": {"low": 1, "high": 2, "repeat": 99}},
            "x.repeat: all lists and parameters must have at most 200 values together, but got 207",
        ),
        (
            {"kind": {"choices": [[1], [1.0]]}, "depth": 2, "activations": 1},
            "kind.choices[1]: must not stand in the list twice, but got [1.0]",
        ),
        (
            {"kind": {"choices": [{"a": 1}]}, "depth": 2, "activations": 1},
            "kind.choices[0]: must be a number, text, true, false, null or a list of them, but got {'a': 1}",
        ),
    ],
)
def test_a_wrong_list_is_refused_with_its_rule(changes: dict[str, Any], message: str) -> None:
    assert f"space.{message}" in problems({**LAYERS, **changes})


def test_an_unknown_key_beside_repeat_gets_the_nearest_one() -> None:
    found = problems({**LAYERS, "units": {"low": 1, "high": 9, "stpe": 2, "repeat": "depth"}})
    assert found == ["space.units.stpe: unknown key; did you mean 'step'?"]


@pytest.mark.parametrize("name", ["learning_rate", "batch_size", "epochs"])
def test_what_every_trial_has_once_is_no_list(name: str) -> None:
    rule = "must be one value in each trial, so it cannot have repeat or lists"
    assert problems({name: {"low": 1, "high": 2, "repeat": 2}}) == [f"space.{name}: {rule}"]
    assert problems({name: {"choices": [[1], [2]]}}) == [f"space.{name}: {rule}"]


POINT = {"kind": "dense", "depth": 2, "units": [16, 32], "rates": [0.01, 0.1], "activations": ["relu", None]}


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({}, []),
        ({"units": [16]}, [("[0].units", "must have 2 values, as depth says, but got [16]")]),
        ({"units": 16}, [("[0].units", "must be a list, with a value for each place, but got 16")]),
        ({"units": [16, 33]}, [("[0].units[1]", "must be on its grid of step 16, but got 33; 32 would do")]),
        ({"rates": [0.01]}, [("[0].rates", "must have 2 values, but got [0.01]")]),
        (
            {"activations": ["relu", "rleu"]},
            [("[0].activations[1]", "must be one of its choices, but got 'rleu'; did you mean 'relu'?")],
        ),
        (
            {"kind": "linear"},
            [
                ("[0].depth", "must be left out unless kind is 'dense'"),
                ("[0].units", "must be left out unless depth is active"),
                ("[0].activations", "must be left out unless kind is 'dense'"),
            ],
        ),
    ],
)
def test_points_with_lists_are_checked(changes: dict[str, Any], lines: list[tuple[str, str]]) -> None:
    assert list(point_problems(SPACE, [{**POINT, **changes}])) == lines


def test_a_point_with_a_list_is_completed_as_it_is_drawn() -> None:
    point = {**POINT, "rates": [0.1, 0.01]}
    assert completed(SPACE, point) == point
    assert (
        completed(SPACE, {**point, "units": [16, 32, 48]}) is None and completed(SPACE, {**point, "depth": 3}) is None
    )


def test_a_list_must_say_what_its_values_are() -> None:
    with pytest.raises(ValidationError):
        Repeated.model_validate({"repeat": 2, "value": 3})
