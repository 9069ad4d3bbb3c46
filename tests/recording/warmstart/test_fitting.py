"""Which earlier trials say something about a space, and which words say why others do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulation import SPACE
from tuner.recording.values import param_text
from tuner.recording.warmstart.fitting import UnfitError, fitted, from_texts
from tuner.spec.space import Space, key

SPACED = Space.model_validate(
    {
        **SPACE,
        "units": {"low": 16, "high": 128, "step": 16},
        "bias": {"choices": [True, False, None, 1.5]},
        "momentum": 0.9,
        "nesterov": {"choices": [True, False], "when": {"momentum": 0.9}},
    }
)
FITS: dict[str, Any] = {
    "learning_rate": 0.01, "batch_size": 64, "schedule": "constant", "units": 48, "bias": True, "nesterov": False,
}  # fmt: skip


def test_what_the_space_does_not_know_or_does_not_vary_is_left_out() -> None:
    assert fitted(SPACED, {**FITS, "momentum": 0.5, "layers": 3, "epochs": 27}) == FITS


def test_values_off_the_grid_say_something_too() -> None:
    assert fitted(SPACED, {**FITS, "units": 40})["units"] == 40


def test_a_whole_number_in_a_range_of_real_ones_is_one_of_them() -> None:
    space = Space.model_validate({"rate": {"low": 0, "high": 9.5}})
    assert repr(fitted(space, {"rate": 1})) == "{'rate': 1.0}"


def test_a_constant_that_is_inactive_makes_nothing_active() -> None:
    space = Space.model_validate(
        {
            "kind": {"choices": ["a", "b"]},
            "limit": {"value": 5, "when": {"kind": "a"}},
            "x": {"low": 1, "high": 3, "when": {"limit": 5}},
        }
    )
    assert fitted(space, {"kind": "a", "x": 2}) == {"kind": "a", "x": 2} and fitted(space, {"kind": "b"}) == {
        "kind": "b"
    }


@pytest.mark.parametrize(
    ("params", "why"),
    [
        ({name: value for name, value in FITS.items() if name != "units"}, "no units"),
        ({**FITS, "schedule": "exponential"}, "no decay_rate"),
        ({**FITS, "decay_rate": 0.5}, "decay_rate, which is inactive there"),
        ({**FITS, "learning_rate": 1.0}, "another learning_rate than 0.0001 to 0.1"),
        ({**FITS, "learning_rate": "high"}, "another learning_rate than 0.0001 to 0.1"),
        ({**FITS, "batch_size": 48}, "another batch_size than one of its choices"),
    ],
)
def test_what_does_not_fit_is_told(params: dict[str, Any], why: str) -> None:
    with pytest.raises(UnfitError) as caught:
        fitted(SPACED, params)
    assert str(caught.value) == why


@given(st.integers(0, 2**31))
def test_a_draw_comes_back_from_what_mlflow_keeps_of_it(seed: int) -> None:
    params = SPACED.sample(np.random.default_rng(seed))
    texts = {name: param_text(params[name]) if name in params else "inactive" for name in SPACED}
    searched = {name: value for name, value in params.items() if name != "momentum"}
    assert key(fitted(SPACED, from_texts(SPACED, texts))) == key(searched)


def test_others_write_values_otherwise() -> None:
    texts = {"learning_rate": "1e-2", "units": "48.0", "bias": "True", "batch_size": "64", "x": "y", "schedule": ""}
    assert from_texts(SPACED, texts) == {"learning_rate": 0.01, "units": 48, "bias": True, "batch_size": 64}
    assert from_texts(SPACED, {"units": "many"}) == {"units": "many"}


def test_a_choice_is_the_number_that_it_is_however_written() -> None:
    texts = {"batch_size": "64.0", "bias": "15e-1"}
    assert from_texts(SPACED, texts) == {"batch_size": 64, "bias": 1.5}
    assert [type(value) for value in from_texts(SPACED, texts).values()] == [int, float]
    assert from_texts(SPACED, {"batch_size": "64.5", "bias": "1"}) == {"batch_size": "64.5", "bias": "1"}


def test_a_range_without_a_value_is_absent_and_a_choice_of_null_is_not() -> None:
    assert from_texts(SPACED, {"decay_rate": "None", "units": "null", "bias": "None"}) == {"bias": None}


def test_what_a_text_does_not_say_is_not_made_up() -> None:
    assert repr(from_texts(SPACED, {"units": "48", "learning_rate": "1"})) == "{'units': 48, 'learning_rate': 1.0}"
    assert from_texts(SPACED, {"bias": "maybe", "units": "40.5", "layers": "3"}) == {"bias": "maybe", "units": 40.5}


def test_a_whole_number_that_no_float_can_hold_stays_itself() -> None:
    space = Space.model_validate({"salt": {"low": 2**53 + 1, "high": 2**53 + 9}, "units": {"low": 1, "high": 9}})
    texts = {"salt": str(2**53 + 1), "units": "4.0"}
    assert repr(fitted(space, from_texts(space, texts))) == repr({"salt": 2**53 + 1, "units": 4})


def test_lists_come_back_from_their_texts() -> None:
    space = Space.model_validate(
        {
            "depth": {"low": 1, "high": 3},
            "units": {"low": 4, "high": 9, "repeat": "depth"},
            "rates": {"low": 0.0, "high": 1.0, "repeat": "depth"},
            "hidden": {"choices": [[64], ["a", None, 1.5], None]},
        }
    )
    params = {"depth": 2, "units": [5, 9], "rates": [0.00001, 1.0], "hidden": ["a", None, 1.5]}
    texts = {name: param_text(value) for name, value in params.items()}
    assert fitted(space, from_texts(space, texts)) == params
    assert from_texts(space, {"units": "many"}) == {"units": "many"}
    for wrong, why in (
        ({"units": [5]}, "another number of units than depth says"),
        ({"units": [5, 99]}, "another units than a list of values, each 4 to 9"),
        ({"units": "many"}, "another units than a list of values, each 4 to 9"),
    ):
        with pytest.raises(UnfitError) as caught:
            fitted(space, {**params, **wrong})
        assert str(caught.value) == why
