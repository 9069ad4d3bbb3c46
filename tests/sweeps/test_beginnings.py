"""Sweeps that begin with points, with a grid, or with what earlier ones found; on real Ray with real training."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.sweeps.conftest import ONE_SLOT, Cli, check_history
from tests.sweeps.test_faults import verified
from tuner.sweep import events as ev

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]


def test_a_grid_with_points_then_a_sweep_that_learns_of_it_and_of_its_experiment(
    cli: Cli, tiny_spec: Callable[..., str]
) -> None:
    grid = {
        "learning_rate": {"low": 1e-3, "high": 1e-1, "scale": "log", "num": 3},
        "batch_size": {"choices": [16, 32]},
    }
    point = {"learning_rate": 0.1, "batch_size": 32}
    search = {"algorithm": "grid", "points": [point]}
    cli("run", tiny_spec(name="one", space=grid, search=search, num_trials=99, resources=ONE_SLOT))
    one = check_grid(cli, "one", 6)
    assert one[0].params == {**point, "epochs": 9} and one[0].origin == "point"
    rates = sorted(float(trial.params["learning_rate"]) for trial in one if trial.params["batch_size"] == 16)  # type: ignore[arg-type]
    assert rates == [0.001, 0.01, 0.1]

    search = {"warm_start": ["one"]}
    done = cli("run", tiny_spec(name="two", search=search, num_trials=4, resources=ONE_SLOT))
    assert "warm start: 6 of 6 earlier trials of sweep one are used" in done.stderr
    started, learned, *_ = cli.events("two")
    assert isinstance(started, ev.SweepStarted) and isinstance(learned, ev.WarmStarted)
    assert len(learned.trials) == 6 and len(check_history(cli.folder("two")).trials) == 4
    verified(cli, "two")
    found = cli.json("explain", "two", "3")
    assert found["suggestion"]["earlier"] == 6 and found["suggestion"]["observed"] + found["suggestion"]["running"] == 3

    cli.folder("one").path.rename(cli.folder("one").path.with_name(".one"))  # its runs are in MLflow still
    done = cli("run", tiny_spec(name="three", search={"warm_start": ["one", "two"]}, num_trials=1, resources=ONE_SLOT))
    assert "6 of 6 earlier trials of experiment one are used; 4 of 4 earlier trials of sweep two" in done.stderr
    refused = cli("run", tiny_spec(name="four", search={"warm_start": ["oen"]}), exit_code=2)
    assert "did you mean 'one'?" in refused.stderr and not cli.folder("four").path.exists()


def check_grid(cli: Cli, name: str, num_trials: int) -> list[ev.TrialSuggested]:
    """The suggestions of a sweep that went over a whole grid."""
    verified(cli, name)
    suggested = [event for event in cli.events(name) if isinstance(event, ev.TrialSuggested)]
    assert len(suggested) == num_trials
    return suggested
