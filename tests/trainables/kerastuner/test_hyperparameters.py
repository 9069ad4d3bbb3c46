"""`hp` as KerasTuner has it: conditions, scopes, values, and the space that building finds."""

from __future__ import annotations

from typing import Any

import pytest

from trainables.kerastuner.exploring import explore
from trainables.kerastuner.hyperparameters import HyperParameters
from trainables.kerastuner.names import identifier
from trainables.kerastuner.spaces import FoundSpace
from tuner.spec.space import Space


def space_of(build: Any, **options: Any) -> FoundSpace:
    found = explore(build, **options)
    Space.model_validate(found.parameters)
    return found


def test_an_inactive_hyperparameter_is_none_and_is_registered() -> None:
    hp = HyperParameters()
    assert hp.Choice("kind", ["a", "b"], default="b") == "b"
    with hp.conditional_scope("kind", ["a"]):
        assert hp.Int("x", 1, 9) is None
    with hp.conditional_scope("kind", "b"), hp.name_scope("inner"):
        assert hp.Float("y", 0.5, 2) == 0.5
    assert hp.Int("z", 1, 9, parent_name="kind", parent_values=["a"]) is None
    assert hp.values == {"kind": "b", "inner/y": 0.5} and [one.name for one in hp.space] == [
        "kind",
        "x",
        "inner/y",
        "z",
    ]
    assert "kind" in hp and "x" not in hp and hp.get("inner/y") == hp["inner/y"] == 0.5
    assert hp.is_active("inner/y") and not hp.is_active("x")
    with pytest.raises(ValueError, match="inactive"):
        hp.get("x")
    with pytest.raises(KeyError, match="does not exist"):
        hp.get("none")
    with pytest.raises(ValueError, match="there is no hyperparameter 'other'"), hp.conditional_scope("other", [1]):
        pass


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda hp: hp.Int("x", 9, 1), "min_value must not be above max_value"),
        (lambda hp: hp.Int("x", 1.5, 9), "min_value must be a whole number"),
        (lambda hp: hp.Float("x", 0, 1, sampling="log"), "min_value must be above 0"),
        (lambda hp: hp.Float("x", 1, 2, sampling="exp"), "sampling must be one of"),
        (lambda hp: hp.Float("x", 1, 2, step=1, sampling="log"), "step must be above 1"),
        (lambda hp: hp.Choice("x", []), "values must not be empty"),
        (lambda hp: hp.Choice("x", [1, "a"]), "must be of one type"),
        (lambda hp: hp.Choice("x", [1, 2], default=3), "the default must be one of"),
        (lambda hp: hp.Boolean("x", default="yes"), "True or False"),
        (lambda hp: hp.Fixed("x", None), "must be a number, text or a truth value"),
    ],
)
def test_what_keras_tuner_refuses_is_refused(ask: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        ask(HyperParameters())


def test_repeated_names_and_trial_values_are_looked_up() -> None:
    hp = HyperParameters({"units": 32, "scope_rate": 1, "epochs": 5})
    assert [hp.Int("units", 8, 64, step=8) for _ in range(2)] == [32, 32] and len(hp.space) == 1
    with hp.name_scope("scope"):
        value = hp.Float("rate", 0, 2)
    assert value == 1.0 and type(value) is float
    assert hp.Int("other", 3, 9) == 3 and hp.defaulted == ["other"]


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (lambda hp: hp.Int("x", 6, 13, step=3), {"low": 6, "high": 12, "step": 3}),
        (lambda hp: hp.Int("x", 6, 13), {"low": 6, "high": 13}),
        (lambda hp: hp.Int("x", 6, 6), 6),
        (lambda hp: hp.Int("x", 2, 40, step=2, sampling="log"), {"choices": [2, 4, 8, 16, 32]}),
        (lambda hp: hp.Int("x", 2, 40, sampling="log"), {"low": 2, "high": 40, "scale": "log"}),
        (lambda hp: hp.Float("x", 0, 1), {"low": 0.0, "high": 1.0}),
        (lambda hp: hp.Float("x", 0, 0.5, step=0.2), {"low": 0.0, "high": 0.4, "step": 0.2}),
        (lambda hp: hp.Float("x", 1e-3, 10, step=10, sampling="log"),
         {"low": 1e-3, "high": 10.0, "scale": "log", "num": 5}),
        (lambda hp: hp.Float("x", 1, 4, step=2, sampling="reverse_log"), {"choices": [1.0, 3.0, 4.0]}),
        (lambda hp: hp.Float("x", 1, 4, sampling="reverse_log"), {"low": 1.0, "high": 4.0}),
        (lambda hp: hp.Choice("x", [0.1, 0.2]), {"choices": [0.1, 0.2]}),
        (lambda hp: hp.Choice("x", ["only"]), "only"),
        (lambda hp: hp.Boolean("x"), {"choices": [False, True]}),
        (lambda hp: hp.Fixed("x", 3), 3),
    ],
)  # fmt: skip
def test_each_kind_is_a_parameter(ask: Any, expected: Any) -> None:
    found = space_of(lambda hp: ask(hp) and None)
    assert found.parameters == {"x": expected}
    assert bool(found.notes) == (expected == {"low": 1.0, "high": 4.0})


def test_building_finds_what_if_and_for_hide_with_its_condition() -> None:
    def build(hp: Any) -> None:
        for i in range(hp.Int("layers", 1, 3, default=2)):
            hp.Int(f"units_{i}", 16, 512, step=16)
        if hp.Boolean("dropout"):
            hp.Float("rate", 0.1, 0.5)
            if hp.Choice("spatial", ["no", "yes"]) == "yes":
                hp.Int("size", 2, 3)
        if hp.Choice("optimizer", ["adam", "sgd"]) == "adam":
            hp.Float("beta_1", 0.8, 0.99)

    found = space_of(build)
    when = {name: p.get("when") for name, p in found.parameters.items() if isinstance(p, dict)}
    assert when == {
        "layers": None,
        "units_0": None,
        "units_1": {"layers": [2, 3]},
        "units_2": {"layers": 3},
        "dropout": None,
        "rate": {"dropout": True},
        "spatial": {"dropout": True},
        "size": {"spatial": "yes"},
        "optimizer": None,
        "beta_1": {"optimizer": "adam"},
    }
    assert found.notes == [] and found.num_builds < 32


def test_what_two_hyperparameters_decide_has_no_condition() -> None:
    def build(hp: Any) -> None:
        if hp.Boolean("a") or hp.Boolean("b"):
            hp.Int("x", 1, 9)

    assert "when" not in space_of(build).parameters["x"]


def test_conditional_scopes_are_conditions_and_one_name_may_stand_in_several() -> None:
    def build(hp: Any) -> None:
        kind = hp.Choice("kind", ["a", "b", "c"])
        for name in ("a", "b"):
            with hp.conditional_scope("kind", [name]):
                hp.Int("same", 1, 9)
                hp.Int("own", 1, 9 if name == "a" else 5)
        assert kind in "abc"

    found = space_of(build)
    assert found.parameters["same"] == {"low": 1, "high": 9, "when": {"kind": ["a", "b"]}}
    assert found.parameters["own"] == {"low": 1, "high": 9, "when": {"kind": "a"}}
    assert found.parameters["own__kind_b"] == {"low": 1, "high": 5, "when": {"kind": "b"}}
    hp = HyperParameters({"kind": "b", "same": 4, "own__kind_b": 3})
    build(hp)
    assert hp.values == {"kind": "b", "same": 4, "own": 3}


def test_a_build_that_fails_for_some_values_is_told_and_its_end_is_bounded() -> None:
    def build(hp: Any) -> None:
        if hp.Int("pools", 1, 3) == 3:
            raise ValueError("too small an image")

    assert space_of(build).notes == ["with pools = 3 build raises ValueError: too small an image"]

    def endless(hp: Any) -> None:
        name = "x"
        while hp.Boolean(name):
            name += "x"

    found = space_of(endless, max_builds=10)
    assert found.num_builds == 10 and "10 builds were not enough" in found.notes[-1]


def test_any_name_has_an_identifier() -> None:
    assert identifier("conv-1/units") == "conv_1_units" and identifier("2nd") == "p_2nd"
    for name in ("", "a b", "é", "x" * 300, "x" * 301, "\u0661", "/"):
        assert identifier(name).isidentifier() and len(identifier(name)) <= 100
    assert identifier("x" * 300) != identifier("x" * 301)
