"""Lists in MLflow: whole and value by value, with the same set of parameters for every trial."""

from __future__ import annotations

from typing import Any

from tests.simulation import make_spec
from tuner.recording.lists import is_flat_name, lengths
from tuner.recording.plan import Planner
from tuner.recording.values import param_text
from tuner.sweep import events as ev

SPACE: dict[str, Any] = {
    "depth": {"choices": [1, 3], "when": {"kind": "a"}},
    "units": {"low": 4, "high": 9, "repeat": "depth"},
    "rates": {"low": 0.0, "high": 1.0, "repeat": 2},
    "hidden": {"choices": [[64], ["a", None, 1.5], None]},
}


def test_every_trial_has_the_same_set_of_parameters() -> None:
    spec = make_spec(space={"kind": {"choices": ["a", "b"]}, **SPACE})
    assert lengths(spec.resolved()["space"]) == {"units": 3, "rates": 2}
    planner = Planner()
    started = ev.SweepStarted(spec=spec.resolved(), versions={}, seed=0, seq=0)
    common = {"learning_rate": 0.1, "batch_size": 8, "epochs": 27}
    configurations: list[dict[str, Any]] = [
        {"kind": "a", "depth": 1, "units": [5], "rates": [0.00001, 1.0], "hidden": ["a", None, 1.5], **common},
        {"kind": "a", "depth": 3, "units": [5, 6, 7], "rates": [0.1, 0.2], "hidden": None, **common},
        {"kind": "b", "rates": [0.1, 0.2], "hidden": [64], **common},
    ]
    suggested = [
        ev.TrialSuggested(trial=number, params=params, origin="random", seq=number + 1)
        for number, params in enumerate(configurations)
    ]
    updates = planner.plan([started, *suggested])
    told = [updates[number].params for number in range(3)]
    assert told[0].keys() == told[1].keys() == told[2].keys()
    assert {key: told[0][key] for key in told[0] if key.startswith(("units", "rates", "hidden"))} == {
        "units": "[5]", "units_0": "5", "units_1": "inactive", "units_2": "inactive",
        "rates": "[0.00001, 1.0]", "rates_0": "0.00001", "rates_1": "1.0", "hidden": '["a", null, 1.5]',
    }  # fmt: skip
    assert (told[1]["units_2"], told[1]["hidden"], told[2]["units"], told[2]["units_0"]) == (
        "7", "null", "inactive", "inactive",
    )  # fmt: skip
    assert is_flat_name("units_7", ["units"]) and not is_flat_name("units_x", ["units"])


def test_a_list_is_one_readable_text() -> None:
    assert param_text([128, 64]) == "[128, 64]" and param_text([[1, "a b"], True, []]) == '[[1, "a b"], true, []]'
