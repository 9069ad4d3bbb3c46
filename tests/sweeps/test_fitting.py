"""Batch size and epochs in a real sweep: the rate that follows the batch size, batches in parts, patience."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.sweeps.conftest import MODELS, ONE_SLOT, Cli
from tuner.base.coupling import scaled_rate
from tuner.sweep import events as ev
from tuner.sweep import fold

pytestmark = [pytest.mark.slow(40), pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]


@pytest.mark.parametrize("model", ["Fitting", "FittingByFit"])
def test_a_trial_whose_batch_has_no_room_is_trained_in_parts_and_ends_when_it_no_longer_improves(
    cli: Cli, tiny_spec: Callable[..., str], model: str
) -> None:
    spec = tiny_spec(
        trainable=f"{MODELS / 'hungry.py'}:{model}",
        num_trials=3,
        epochs={"max": 30},
        space={
            "learning_rate": 0.02,
            "batch_size": {"choices": [16, 40], "scale_learning_rate": "linear", "base": 32},
            "examples_max": {"choices": [19, 1000]},
            "epochs": {"choices": [12, 30]},
        },
        search={"algorithm": "random", "points": [
            {"batch_size": 40, "examples_max": 19, "epochs": 30},
            {"batch_size": 16, "examples_max": 1000, "epochs": 12},
            {"batch_size": 40, "examples_max": 1000, "epochs": 30},
        ]},
        early_stopping={"algorithm": "none", "patience": {"patience": 2, "min_delta": 50, "restore_best": False}},
        failures={"max_retries": 0},
        resources=ONE_SLOT,
    )  # fmt: skip
    told = cli("run", spec).stderr
    sweep = fold(cli.events("tiny"))
    hungry, small, large = sweep.trials.values()
    sizes = [event.micro_batch_size for event in cli.events("tiny") if isinstance(event, ev.AttemptFailed)]
    assert sizes == [20, 10] and hungry.attempts == 3 and hungry.failures == 0
    assert "memory ran out with 40 examples at once; its batches are trained in parts of 20 now" in told
    assert {epoch.metrics.get("micro_batch_size") for epoch in hungry.epochs} == {10.0}
    assert [epoch.metrics["samples"] for epoch in hungry.epochs[:2]] == [84.0, 168.0]
    assert small.epochs[0].metrics["steps"] == 6 and large.epochs[1].metrics["steps"] == 6
    for trial in sweep.trials.values():
        rate = scaled_rate(sweep.spec["space"], trial.params)
        assert trial.epochs[0].metrics["learning_rate"] == pytest.approx(rate)
        assert trial.outcome == "plateaued" and trial.best_epoch == trial.epochs_trained < trial.epochs_max
        last = trial.checkpoints[-1]
        assert (last.kind, last.best_epoch) == ("best", trial.epochs_trained)
    assert "holds" in cli("verify", "tiny").stdout
    explained = cli.json("explain", "tiny", "0")
    assert explained["scaled_learning_rate"] == pytest.approx(0.02 * 40 / 32)
    assert [failed["counts"] for failed in explained["failures"]] == [False, False]
