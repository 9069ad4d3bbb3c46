"""A sweep whose trials end themselves, killed in the middle: the same ends and values as without a kill."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.sweeps.conftest import MODELS, ONE_SLOT, Cli, kill_group
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]


def told(sweep: Sweep) -> list[Any]:
    """What must not depend on a kill."""
    epochs = {number: [{**epoch.metrics, "epoch_s": 0.0} for epoch in t.epochs] for number, t in sweep.trials.items()}
    ends = [(t.params, t.outcome, t.reason, t.best_epoch, t.test_metrics) for t in sweep.trials.values()]
    return [epochs, *ends]


def test_killed_and_resumed_it_is_as_if_nothing_had_been(cli: Cli, tiny_spec: Callable[..., str]) -> None:
    spec = tiny_spec(
        trainable=f"{MODELS / 'stops_itself.py'}:StopsItself",
        num_trials=2,
        epochs={"max": 40},
        space={"lr": {"low": 0.003, "high": 0.1, "scale": "log"}, "width": {"choices": [4, 8]}},
        search={"algorithm": "random"},
        early_stopping={"algorithm": "none"},
        resources=ONE_SLOT,
    )
    driver = cli.start("run", spec)
    cli.wait_for("tiny", lambda sweep: bool(sweep.trials) and any(t.checkpoints for t in sweep.trials.values()))
    kill_group(driver)
    cli("resume", "tiny")
    cli("run", spec, "--name", "whole")
    sweep, whole = fold(cli.events("tiny")), fold(cli.events("whole"))
    again = [event for event in cli.events("tiny") if isinstance(event, ev.TrialStarted) and event.attempt == 2]
    assert [event.epoch > 0 for event in again] == [True], "the trial did not go on from its checkpoint"
    assert told(sweep) == told(whole)
    assert sweep.outcomes()["plateaued"] == 2
    for trial in sweep.trials.values():
        last = trial.epochs[-1]
        assert 12 < last.epoch < 40 and trial.reason == f"EarlyStopping ended it after epoch {last.epoch}"
        assert last.metrics["count"] == last.epoch and trial.used["batch_size"] == 32
        rows = (cli.root / "tiny" / "callbacks" / f"{trial.number:06d}" / "log.csv").read_text().splitlines()
        assert [row.partition(",")[0] for row in rows[1:]] == [str(epoch) for epoch in range(last.epoch)]
    assert "params" in cli.json("show", "tiny")["best"]
    assert "holds" in cli("verify", "tiny").stdout + cli("verify", "whole").stderr
