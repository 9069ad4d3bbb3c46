"""The learning rate that grows with the batch size."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tuner.base.coupling import as_suggested, coupling_of, coupling_text, scaled_rate, trained_params


def space(how: Any, base: int = 32) -> dict[str, Any]:
    return {"learning_rate": 0.1, "batch_size": {"choices": [16, 128], "scale_learning_rate": how, "base": base}}


@pytest.mark.parametrize(
    ("how", "batch_size", "factor"), [("linear", 128, 4.0), ("linear", 16, 0.5), ("sqrt", 128, 2.0), ("sqrt", 32, 1.0)]
)
def test_the_rate_is_that_of_the_base_times_a_factor(how: str, batch_size: int, factor: float) -> None:
    params = {"learning_rate": 0.01, "batch_size": batch_size, "units": 3}
    assert scaled_rate(space(how), params) == pytest.approx(0.01 * factor)
    assert trained_params(space(how), params) == {**params, "learning_rate": pytest.approx(0.01 * factor)}


@pytest.mark.parametrize("written", [{}, {"batch_size": 32}, {"batch_size": {"choices": [32]}}, space("none")])
def test_without_it_the_parameters_are_those_that_were_suggested(written: dict[str, Any]) -> None:
    params = {"learning_rate": 0.01, "batch_size": 64}
    assert coupling_of(written) is None and scaled_rate(written, params) is None
    assert trained_params(written, params) == params == as_suggested(written, params, 0.01)


@pytest.mark.parametrize("params", [{}, {"learning_rate": None, "batch_size": 64}, {"learning_rate": 0.1}])
def test_without_a_rate_nothing_is_scaled(params: dict[str, Any]) -> None:
    assert scaled_rate(space("linear"), params) is None and trained_params(space("linear"), params) == params


@given(
    rate=st.floats(1e-6, 10),
    size=st.integers(1, 4096),
    base=st.integers(1, 512),
    how=st.sampled_from(["linear", "sqrt"]),
)
def test_what_trained_comes_back_as_what_was_suggested(rate: float, size: int, base: int, how: str) -> None:
    params = {"learning_rate": rate, "batch_size": size}
    trained = trained_params(space(how, base), params)["learning_rate"]
    assert as_suggested(space(how, base), params, trained) == params
    plain = as_suggested({}, params, trained)  # a space without it takes the rate that was trained
    assert math.isclose(plain["learning_rate"], trained, rel_tol=1e-9)
    other = as_suggested(space(how, base), {**params, "learning_rate": trained}, trained)
    assert math.isclose(other["learning_rate"], rate, rel_tol=1e-9)


def test_it_is_said_in_words() -> None:
    found = coupling_of(space("sqrt", 64))
    assert found is not None
    assert coupling_text(found) == "grows with the square root of the batch size, from its value at 64"
