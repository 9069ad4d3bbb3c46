"""A sweep over lists, with infeasible trials, and one that begins with it: what they try, and what is recorded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.sweeps.conftest import MODELS, ONE_SLOT, Cli
from tuner.spec.space import key

pytestmark = [pytest.mark.slow(40), pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]


def test_lists_infeasible_trials_and_a_warm_start(cli: Cli, tiny_spec: Callable[..., str]) -> None:
    fields: dict[str, Any] = {
        "trainable": f"{MODELS / 'lists.py'}:Lists",
        "objective": {"metric": "val_loss", "mode": "min"},
        "num_trials": 5,
        "epochs": {"max": 2},
        "space": {
            "depth": {"low": 1, "high": 3},
            "units": {"low": 2, "high": 16, "repeat": "depth"},
            "hidden": {"choices": [[4], [8, 4], None]},
        },
        "feasible": "units[0] <= 12",
        "resources": ONE_SLOT,
    }
    cli("run", tiny_spec(**fields))
    cli("run", tiny_spec(**fields, search={"warm_start": ["tiny"]}), "--name", "warm", "--set", "num_trials=3")
    shown, trials, later = cli.json("show", "tiny"), cli.json("trials", "tiny"), cli.json("trials", "warm")
    infeasible = [trial for trial in trials if trial["outcome"] == "infeasible"]
    assert shown["outcomes"]["infeasible"] == len(infeasible) == len(trials) - 5
    for trial in trials:
        params = trial["params"]
        assert len(params["units"]) == params["depth"] and params["units"][0] <= 12
        assert (trial in infeasible) == (sum(params["units"]) > 20)
        assert not (trial in infeasible and (trial["epochs"] or "too many" not in trial["reason"]))
    assert not {key(trial["params"]) for trial in trials} & {key(trial["params"]) for trial in later}
    for name in ("tiny", "warm"):
        assert "all that was looked at holds" in cli("verify", name).stderr
