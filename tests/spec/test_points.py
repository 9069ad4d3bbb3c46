"""Points: configurations in a spec that run first are ones of its space, or each mistake in them has its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.simulation import SPACE
from tuner.base.errors import SpecError
from tuner.inspection import inspect, load_checked
from tuner.inspection.preview import preview
from tuner.spec import SweepSpec, dump_yaml
from tuner.spec.space import Space, completed, point_problems

WIDER: dict[str, Any] = {
    **SPACE,
    "units": {"low": 16, "high": 128, "step": 16},
    "dropout": {"low": 0.0, "high": 0.5, "num": 3},
    "momentum": 0.9,
}
GOOD: dict[str, Any] = {
    "learning_rate": 0.01, "batch_size": 64, "schedule": "constant", "units": 48, "dropout": 0.25,
}  # fmt: skip


def load(folder: Path, points: Any, **changes: Any) -> SweepSpec:
    written = {
        "name": "test",
        "trainable": "digits",
        "objective": {"metric": "val_accuracy", "mode": "max"},
        "num_trials": 30,
        "epochs": {"min": 1, "max": 27},
        "space": WIDER,
        "search": {"points": points},
        **changes,
    }
    (folder / "sweep.yaml").write_text(dump_yaml(written))
    return load_checked(folder / "sweep.yaml")


def problems(folder: Path, points: Any, **changes: Any) -> list[str]:
    with pytest.raises(SpecError) as caught:
        load(folder, points, **changes)
    return caught.value.problems


def test_a_point_may_leave_out_constants_or_repeat_them(tmp_path: Path) -> None:
    exponential = {**GOOD, "schedule": "exponential", "decay_rate": 0.5, "momentum": 0.9}
    spec = load(tmp_path, [GOOD, exponential])
    assert spec.search.points == [GOOD, exponential]
    assert completed(spec.space, GOOD) == {**GOOD, "momentum": 0.9}
    assert completed(spec.space, exponential) == exponential


def test_a_value_of_a_point_is_taken_as_a_draw_gives_it() -> None:
    rate, dropout, units = {"low": 0, "high": 1.0}, {"low": 0.0, "high": 0.5, "step": 0.1}, {"choices": [16, 32]}
    space = Space.model_validate({"rate": rate, "dropout": dropout, "units": units})
    params = completed(space, {"rate": 1, "dropout": 0.1 + 0.2, "units": 32.0})
    assert params == {"rate": 1.0, "dropout": 0.3, "units": 32} and repr(params) == str(
        {"rate": 1.0, "dropout": 0.3, "units": 32}
    )


def test_what_looks_at_a_missing_parameter_is_not_told_beside_it() -> None:
    space = Space.model_validate(WIDER)
    point = {name: value for name, value in GOOD.items() if name != "schedule"}
    (problem,) = point_problems(space, [{**point, "decay_rate": 0.5}])
    assert problem[0] == "[0]" and "has no schedule" in problem[1]


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({"learning_rat": 0.1}, [".learning_rat: the space has no such parameter; did you mean 'learning_rate'?"]),
        ({"learning_rate": 3}, [".learning_rate: must lie between 0.0001 and 0.1, but got 3"]),
        ({"learning_rate": "x"}, [".learning_rate: must be a number, but got 'x'"]),
        ({"learning_rate": True}, [".learning_rate: must be a number, but got true"]),
        ({"units": 40}, [".units: must be on its grid of step 16, but got 40; 32 would do"]),
        ({"units": 48.0}, [".units: must be a whole number, but got 48.0"]),
        ({"dropout": 0.3}, [".dropout: must be one of its 3 values, but got 0.3; 0.25 would do"]),
        ({"batch_size": 65}, [".batch_size: must be one of its choices, but got 65; did you mean 64?"]),
        ({"momentum": 0.5}, [".momentum: must be 0.9, as in every trial, but got 0.5"]),
        ({"decay_rate": 0.5}, [".decay_rate: must be left out unless schedule is 'exponential'"]),
        ({"schedule": "exponential"}, [": must name every parameter that is searched, but has no decay_rate"]),
        ({"epochs": 9}, [".epochs: must be left out where the space has no epochs: each trial has epochs.max of them"]),
        ({"units": [16]}, [".units: must be a number, but got [16]"]),
        (
            {"units": 1000, "unit": 1, "schedule": "cosine"},
            [
                ".schedule: must be one of its choices, but got 'cosine'; known: constant, exponential",
                ".units: must lie between 16 and 128, but got 1000",
                ".unit: the space has no such parameter; did you mean 'units'?",
            ],
        ),
    ],
)
def test_a_wrong_point_is_refused_with_its_place_and_its_rule(
    tmp_path: Path, changes: dict[str, Any], lines: list[str]
) -> None:
    found = problems(tmp_path, [GOOD, {**GOOD, "units": 64, **changes}])
    assert found == [f"search.points[1]{line}" for line in lines]


def test_points_are_mappings_in_a_list_and_each_another_one(tmp_path: Path) -> None:
    assert problems(tmp_path, GOOD)[0].startswith("search.points: must be a list, but got {")
    assert problems(tmp_path, [3]) == ["search.points[0]: must be a mapping, but got 3"]
    again = {**GOOD, "dropout": 0.25, "momentum": 0.9}
    assert problems(tmp_path, [GOOD, {**GOOD, "units": 64}, again]) == [
        "search.points[2]: must not be the same configuration as points[0]"
    ]
    assert problems(tmp_path, [{}])[0].endswith("but has no learning_rate, batch_size, schedule, units, dropout")


def test_problems_of_points_come_with_all_others(tmp_path: Path) -> None:
    space = {**WIDER, "units": {"low": 128, "high": 16}, "dropuot": 0.5}
    points = [{**GOOD, "learning_rate": 1}, {"batch_sise": 1}]
    assert problems(tmp_path, points, space=space, num_trials=0) == [
        "num_trials: must be at least 1, but got 0",
        "space.units.low: must be below high, but got low 128, high 16",
        "search.points[0].learning_rate: must lie between 0.0001 and 0.1, but got 1",
        "search.points[1].batch_sise: the space has no such parameter; did you mean 'batch_size'?",
        "space.dropuot: the trainable has no such parameter; did you mean 'dropout'?",
    ]


def test_a_constant_that_the_trainable_adds_may_be_repeated(tmp_path: Path) -> None:
    space = {"units": {"low": 16, "high": 128}}
    spec = load(tmp_path, [{"units": 20, "batch_size": 32}, {"units": 21, "batch_size": 64}], space=space)
    with pytest.raises(SpecError) as caught:
        inspect(spec).resolve(spec, "sweep.yaml")
    assert caught.value.problems == ["search.points[1].batch_size: must be 32, as in every trial, but got 64"]


def test_check_samples_the_points_first_and_says_when_they_are_too_many(tmp_path: Path) -> None:
    points = [{**GOOD, "units": units} for units in (64, 16, 32)]
    found = preview(load(tmp_path, points, num_trials=2), 1000)
    assert [sample["units"] for sample in found.samples[:3]] == [64, 16, 32] and len(found.samples) == 10
    assert "search.points: of 3 points the first 2 run only, as num_trials says" in found.warnings


@given(st.integers(0, 2**31))
def test_what_a_space_draws_is_a_point_of_it(seed: int) -> None:
    space = Space.model_validate({**WIDER, "warmup": {"low": 0.5, "high": 9, "scale": "log", "num": 5}})
    params = space.sample(np.random.default_rng(seed))
    assert list(point_problems(space, [params])) == [] and completed(space, params) == params
    for name in space.searched:
        less = {key: value for key, value in params.items() if key != name}
        if name in params:
            assert completed(space, less) is None and [*point_problems(space, [less])]


@given(st.lists(st.dictionaries(st.sampled_from([*WIDER, "x"]), st.integers() | st.floats() | st.text() | st.none())))
def test_whatever_is_a_point_is_refused_or_completed(points: list[dict[str, Any]]) -> None:
    space = Space.model_validate(WIDER)
    for point in points:
        wrong = list(point_problems(space, [point]))
        params = completed(space, point)
        assert wrong or (params is not None and completed(space, params) == params)
