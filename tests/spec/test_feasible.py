"""Conditions on the parameters: which are refused, and what they make of a space."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulation import make_spec
from tuner.base.errors import SpecError
from tuner.base.text import infeasible_text
from tuner.inspection.preview import preview
from tuner.policy import Policy
from tuner.spec import spec_from_mapping
from tuner.spec.feasible import Feasible, infeasible_figures, infeasible_share, num_feasible

SPACE: dict[str, Any] = {
    "depth": {"low": 1, "high": 4},
    "units": {"low": 32, "high": 512, "step": 32},
    "widths": {"low": 8, "high": 64, "repeat": "depth"},
    "kind": {"choices": ["a", "b"]},
    "rate": {"low": 0.1, "high": 0.9, "when": {"kind": "a"}},
}
SMALL: dict[str, Any] = {"depth": {"low": 1, "high": 4}, "units": {"choices": [64, 128, 256]}}


def made(feasible: Any, space: dict[str, Any] = SPACE, **fields: Any) -> Any:
    return spec_from_mapping({**make_spec(space=space, **fields).resolved(), "feasible": feasible}, is_new=True)


def problems(feasible: Any, space: dict[str, Any] = SPACE, **fields: Any) -> list[str]:
    with pytest.raises(SpecError) as caught:
        made(feasible, space, **fields)
    return caught.value.problems


@pytest.mark.parametrize("algorithm", ["tpe", "random"])
def test_no_infeasible_configuration_is_ever_suggested(algorithm: str) -> None:
    spec = made("units * depth <= 512", num_trials=80, search__algorithm=algorithm)
    policy = Policy(spec.search_settings)
    origins = set()
    while suggestion := policy.ask():
        params = suggestion.params
        origins.add(suggestion.origin)
        assert params["units"] * params["depth"] <= 512  # type: ignore[operator]
        for epoch in (1, 3):
            policy.tell(suggestion.trial, epoch, params["units"] / 512)  # type: ignore[operator]
    assert policy.num_suggested == 80 and ("tpe" in origins) == (algorithm == "tpe")


def test_of_a_small_space_every_feasible_configuration_is_tried_once() -> None:
    for algorithm in ("tpe", "random", "grid"):
        spec = made("units * depth <= 256", SMALL, num_trials=50, search__algorithm=algorithm)
        policy, tried = Policy(spec.search_settings), []
        while suggestion := policy.ask():
            policy.tell(suggestion.trial, 27, 0.5)
            tried.append((suggestion.params["units"], suggestion.params["depth"]))
        assert sorted(tried) == [(64, 1), (64, 2), (64, 3), (64, 4), (128, 1), (128, 2), (256, 1)]
        assert policy.exhausted and num_feasible(spec.feasible, spec.space) == 7


def test_a_condition_on_what_is_inactive_does_not_apply() -> None:
    feasible = Feasible(["rate > 0.5", "widths[0] >= widths[1]", "sum(widths) <= 100 and len(widths) == depth"])
    assert feasible({"kind": "b", "depth": 1, "widths": [64]})
    assert not feasible({"kind": "a", "rate": 0.4, "depth": 1, "widths": [64]})
    assert not feasible({"kind": "b", "depth": 2, "widths": [8, 64]})
    assert not feasible({"kind": "b", "depth": 2, "widths": [64, 64]})
    assert feasible.unmet({"kind": "b", "depth": 2, "widths": [64, 64]}).startswith("sum(widths)")


def test_a_condition_without_a_value_is_not_met() -> None:
    assert not Feasible(["1 / (depth - 1) < 9"])({"depth": 1}) and Feasible(["1 / (depth - 1) < 9"])({"depth": 2})


@pytest.mark.parametrize(
    ("feasible", "line"),
    [
        ("unit * depth <= 512", "feasible: must name parameters of the space, but got 'unit'; did you mean 'units'?"),
        (["depth > 0", "qqq < 3"], "feasible[1]: must name parameters of the space, but got 'qqq'; known: batch_size,"),
        ("units * depth", "feasible: must be a condition such as 'units * depth <= 512', but got 'units * depth'"),
        ("kind < 3", "feasible: must have a value for every configuration, but with kind 'b'"),
        ("units * depth <=", "feasible: must be an expression, but its syntax is wrong at character"),
        ("open('x')", "feasible: must have no functions but"),
        ("units.real > 3", "feasible: must be made of names, numbers"),
        ("units > 9999", "feasible: must hold for any of 10000 draws from the space, but holds for none: units > 9999"),
        (3, "feasible: must be a condition such as 'units * depth <= 512', or a list of at most 50, but got 3"),
        ([3], "feasible: must be a condition such as 'units * depth <= 512', but got 3"),
    ],
)  # fmt: skip
def test_a_wrong_condition_is_refused_with_its_place(feasible: Any, line: str) -> None:
    found = problems(feasible)
    assert len(found) == 1 and found[0].startswith(line)


def test_a_small_space_without_a_feasible_configuration_is_refused() -> None:
    assert problems("units > 9999", SMALL) == [
        "feasible: must hold for any of the space's 12 configurations, but holds for none: units > 9999"
    ]


def test_points_must_be_feasible() -> None:
    points = [{"depth": 4, "units": 256}, {"depth": 1, "units": 64}]
    assert problems("units * depth <= 512", SMALL, search__points=points) == [
        "search.points[0]: must be feasible, but does not meet units * depth <= 512"
    ]


def test_one_condition_is_a_list_of_one_and_a_resume_may_change_it() -> None:
    from tuner.spec.changes import changes_from_overrides

    spec = made("units*depth<=512")
    assert spec.feasible == ["units * depth <= 512"] and spec_from_mapping(spec.resolved()) == spec
    changes = changes_from_overrides(spec.resolved(), ["feasible=units <= 64"], 3)
    assert changes == {"feasible": ["units <= 64"]}


def test_the_share_of_infeasible_draws_is_told() -> None:
    spec = made("units * depth <= 512", SMALL | {"rate": {"low": 0.1, "high": 0.9}})
    share = infeasible_share(spec.feasible, spec.space, spec.search.seed)
    assert 0.1 < share < 0.25 and infeasible_share([], spec.space, 0) == 0
    told = f"feasible: {share:.0%} of the space's draws are infeasible; they are drawn again"
    found = preview(spec, 1000)
    assert told in found.warnings and all(Feasible(spec.feasible)(params) for params in found.samples)
    figures = infeasible_figures(spec.resolved(), 3, 60)
    assert figures == {"trials": 3, "share": 0.05, "draws_share": round(share, 4)}
    assert infeasible_text(figures, 60) == (
        f"3 of 60 suggested configurations (5%); {share:.0%} of the space's draws, which are drawn again"
    )
    assert infeasible_text(infeasible_figures(make_spec().resolved(), 0, 9), 9) == ""
