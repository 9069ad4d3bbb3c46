"""The rule by which a trial has plateaued."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
import pytest

from tuner.base.patience import Patience, Watch, is_plateau
from tuner.sweep import Sweep, fold
from tuner.sweep import events as ev

Mode = Literal["min", "max"]


def watched(rule: Patience, curve: list[float], mode: Mode = "min") -> tuple[int, int, str]:
    """(the epoch after which a curve has plateaued, the best epoch by then, the reason)."""
    watch = Watch(rule, mode)
    for epoch, value in enumerate(curve, 1):
        if why := watch.take(epoch, value):
            return epoch, watch.best_epoch, why
    return 0, watch.best_epoch, ""


def test_it_ends_after_so_many_epochs_without_an_improvement() -> None:
    curve = [0.5, 0.4, 0.45, 0.4, 0.39, 0.5, 0.5, 0.5]
    assert watched(Patience(3), curve) == (8, 5, "no improvement in 3 epochs: the best value was 0.39 after epoch 5")
    assert watched(Patience(2), curve)[:2] == (4, 2)
    assert watched(Patience(2, min_delta=0.2), curve)[:2] == (3, 1)
    assert watched(Patience(4), curve)[0] == 0
    assert watched(Patience(1), [-value for value in curve], "max")[:2] == (3, 2)


def test_an_improvement_below_the_baseline_does_not_restart_the_count() -> None:
    assert watched(Patience(3, baseline=0.3), [0.5, 0.45, 0.4, 0.42])[0] == 4
    assert "the baseline 0.3" in watched(Patience(3, baseline=0.3), [0.5, 0.45, 0.4, 0.42])[2]
    assert watched(Patience(3, baseline=0.41), [0.5, 0.45, 0.4, 0.42])[0] == 0


def test_its_reasons_can_be_told_from_others() -> None:
    for rule in (Patience(0), Patience(1, 0.1), Patience(1, 0.1, 0.2), Patience(1, baseline=2)):
        assert is_plateau(None, watched(rule, [0.5, 0.6])[2])
    assert not is_plateau(None, "place 3 of 9 at epoch 1, the best 3 go on") and not is_plateau(None, "all 9 epochs")
    assert is_plateau("plateaued", "in other words") and not is_plateau("stopped", "no improvement")


@pytest.mark.slow(10)
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_it_is_the_rule_of_keras() -> None:
    import keras

    rng = np.random.default_rng(0)
    stopped = 0
    for case in range(400):
        mode: Mode = "min" if case % 2 else "max"
        rule = Patience(
            int(rng.integers(0, 6) ** 2),
            float(rng.choice([0.0, 0.05])),
            None if rng.random() < 0.6 else float(rng.random()),
        )
        values = np.round(rng.random(30) * np.linspace(1, 0.3, 30), 2)  # with ties
        curve = [float(value if mode == "min" else 1 - value) for value in values]
        callback = keras.callbacks.EarlyStopping(
            "value", rule.min_delta, rule.patience, mode=mode, baseline=rule.baseline
        )
        model: Any = keras.Sequential()
        model.stop_training = False
        callback.set_model(model)
        callback.on_train_begin()
        end = 0
        for epoch, value in enumerate(curve):
            callback.on_epoch_end(epoch, {"value": value})
            if model.stop_training:
                end = epoch + 1
                break
        assert watched(rule, curve, mode)[:2] == (end, callback.best_epoch + 1), (rule, mode, curve)
        stopped += bool(end)
    assert 100 < stopped < 400


def folded(values: list[list[float]], patience: dict[str, Any] | None) -> Sweep:
    """A sweep whose trials reached these losses, an epoch of each in turn."""
    spec = {
        "name": "test",
        "objective": {"metric": "val_loss", "mode": "min"},
        "early_stopping": {"algorithm": "none", "patience": patience},
    }
    events: list[ev.AnyEvent] = [ev.SweepStarted(spec=spec, versions={}, seed=0, seq=0)]
    for trial in range(len(values)):
        events.append(ev.TrialSuggested(trial=trial, params={"epochs": 9}, origin="random"))
    for epoch in range(1, max(map(len, values)) + 1):
        for trial, curve in enumerate(values):
            if epoch <= len(curve):
                reported = {"val_loss": curve[epoch - 1]}
                events.append(
                    ev.EpochReported(
                        trial=trial, attempt=1, epoch=epoch, metrics=reported, epoch_s=1.0, decision="", reason="",
                        seq=len(events),
                    )
                )  # fmt: skip
    return fold(events)


def test_the_last_epoch_is_a_trials_result_where_the_best_one_is_not_restored() -> None:
    curves = [[0.5, 0.1, 0.4], [0.5, 0.3, 0.35], [0.6, math.nan]]
    best = folded(curves, {"patience": 1})
    assert best.best is not None and (best.best.number, best.best.best_epoch, best.best.best_value) == (0, 2, 0.1)
    last = folded(curves, {"patience": 1, "restore_best": False})
    assert last.best is not None and (last.best.number, last.best.best_epoch, last.best.best_value) == (1, 3, 0.35)
    assert last.trials[0].best_epoch == 3 and last.trials[2].best_value == 0.6
    assert folded(curves, None).best is not None
