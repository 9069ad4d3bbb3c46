"""Trainings in phases: what is frozen stays, what learns does so at its own rate, and a break changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainables import registry

pytestmark = [pytest.mark.slow(25), pytest.mark.filterwarnings("ignore::DeprecationWarning")]

HERE = Path(__file__).parent
TRIAL = {"learning_rate": 0.01, "batch_size": 16, "epochs": 5, "optimizer": "adamw", "weight_decay": 0.01}


@pytest.fixture
def make() -> Callable[..., Any]:
    def make_one(name: str = "TwoPhases") -> Any:
        from trainables.training import WarmTrainer

        trainable = registry.load_file(HERE / "phased.py", name)()
        return WarmTrainer(trainable, trainable.load_data(), "val_accuracy", "max")

    return make_one


def weights(trainer: Any) -> dict[str, Any]:
    return {"/".join(v.path.split("/")[-2:]): v.numpy() for v in trainer.model.variables}


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {name for name, value in before.items() if not np.array_equal(value, after[name])} - {"dropout/seed"}


def after(trainer: Any, epochs: int) -> dict[str, Any]:
    for _ in range(epochs):
        trainer.train_epoch()
    return weights(trainer)


def test_frozen_layers_stay_and_others_learn(make: Callable[..., Any]) -> None:
    trainer = make()
    trainer.start(TRIAL, 3)
    built = weights(trainer)
    head = {"head/kernel", "head/bias"}
    first = after(trainer, 2)
    assert {name for name in changed(built, first) if "seed" not in name} == head, "weight decay and statistics too"
    second = after(trainer, 1)
    assert {n for n in changed(first, second) if "seed" not in n} == head | {"upper/kernel", "upper/bias"}
    assert all(layer.trainable for layer in trainer.best_model().layers), "a best model is as it was built"


def test_factors_are_factors_and_counts_begin_with_the_phase(make: Callable[..., Any]) -> None:
    trainer = make()
    one_step = {**TRIAL, "batch_size": 80, "head_epochs": 1, "weight_decay": 0.0}
    trainer.start({**one_step, "upper": 0.25}, 3)
    before, then = after(trainer, 1), after(trainer, 1)
    step = np.abs(then["upper/kernel"] - before["upper/kernel"])
    assert step.max() == pytest.approx(0.25 * 0.01, rel=1e-2), "Adam's first step is as long as its rate"


def test_no_number_retraces_and_a_break_changes_nothing(make: Callable[..., Any]) -> None:
    trainer, params = make(), {**TRIAL, "noise": 0.1}
    trainer.start(params, 3)
    whole = after(trainer, 4)
    snapshots = []
    traces = trainer.traces
    for other in ({"head_epochs": 1}, {"upper": 0.5}, {"noise": 0.7}, {"learning_rate": 0.1}):
        trainer.start({**params, **other}, 4)
        after(trainer, 2)
    assert trainer.traces == traces
    trainer.start(params, 3)
    for epoch in range(3):
        trainer.train_epoch()
        snapshots.append(trainer.snapshot().to_bytes())
        assert epoch + 1 == trainer.epoch
    assert trainer.traces == traces
    assert not changed(whole, after(trainer, 1)), "after other trials"
    for epochs, snapshot in enumerate(snapshots, 1):
        trainer.start(params, 3, snapshot)
        assert not changed(whole, after(trainer, 4 - epochs)), f"from epoch {epochs}"
    trainer.start({**params, "lower": 0.5}, 3)
    assert trainer.traces > traces, "another structure has graphs of its own"
    fresh = make()
    fresh.start(params, 3, snapshots[0])
    assert not changed(whole, after(fresh, 3)), "in another trainer"


def test_a_probe_tests_rates_in_the_first_phase_and_speed_in_the_last() -> None:
    from trainables.measuring.stepping import Stepping

    trainable = registry.load_file(HERE / "phased.py", "TwoPhases")()
    stepping = Stepping(trainable, trainable.load_data())
    found = stepping.run(TRIAL, [0.001] * 12, lambda steps: False)
    assert len(found.losses) == 12 and np.isfinite(found.losses).all()
    before = weights(stepping.trainer)
    assert stepping.seconds_per_step(TRIAL, 0.0) > 0
    stepping.trainer.start(TRIAL, 0)
    assert np.array_equal(weights(stepping.trainer)["upper/kernel"], before["upper/kernel"]), "frozen in the first one"
    stepping.seconds_per_step(TRIAL, 0.0)
    assert not np.array_equal(weights(stepping.trainer)["upper/kernel"], before["upper/kernel"])


def test_what_phases_cannot_be(make: Callable[..., Any]) -> None:
    import keras

    from trainables import Phase
    from trainables.training.phases import PhasesError, plan_of

    model = make("TwoPhases")._trainable.build_model(None)
    base = model.get_layer("base")
    for phases, rule in (
        ([Phase(None, {}), Phase()], "phase 1 must have a number of epochs, as others follow it"),
        ([Phase(1.5)], "phase 1 must have a whole number of epochs"),  # type: ignore[arg-type]
        ([Phase(rates={base: -1.0})], "phase 1: the factor of base must be 0 or more, but got -1"),
        ([Phase(rates={keras.layers.Dense(1, name="other"): 1.0})], "but got other"),
        ([base], "must return a list of trainables.Phase"),
    ):
        with pytest.raises(PhasesError, match=rule):
            plan_of(phases, model)
    assert plan_of([], model) is None
    plan = plan_of([Phase(0), Phase(2), Phase()], model)
    assert plan is not None and [plan.phase_at(epoch) for epoch in (1, 2, 3, 99)] == [0, 0, 1, 1]
