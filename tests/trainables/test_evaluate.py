"""A trainable's own `evaluate`: after each epoch, on both paths, and gone from the training. One process for all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainables import registry
from trainables.contract import EvaluateError

pytestmark = [pytest.mark.slow(20), pytest.mark.filterwarnings("ignore::DeprecationWarning")]

HERE = Path(__file__).parent
OBJECTIVE = "val_loss + 0.5 * error"


def of_fast(**members: Any) -> Any:
    return trainer_of("models.py", "Plain", {"batch_size": 64}, members)


def of_fit(**members: Any) -> Any:
    return trainer_of("fit_models.py", "Compiled", {"lr": 0.01, "width": 8, "epochs": 5}, members)


def trainer_of(file: str, name: str, params: dict[str, Any], members: dict[str, Any]) -> Any:
    from trainables.training import make_trainer

    known = registry.load_file(HERE / file, name)
    trainable = type(name, (known,), members)()
    trainer = make_trainer(trainable, trainable.load_data(), OBJECTIVE, "min")
    trainer.start(params, 3)
    trainer.params = params
    return trainer


def error(self: Any, model: Any, data: Any) -> dict[str, Any]:
    """The share of wrong labels, a random number, and weights that nobody should train on."""
    x, y = data
    wrong = np.argmax(model.predict(x, verbose=0), axis=1) != np.ravel(y)
    for variable in model.variables:
        variable.assign(np.zeros(variable.shape))
    return {"error": wrong.mean(), "val_draw": np.random.uniform(), "by_half": [wrong[:50].mean(), wrong[50:].mean()]}


def epochs(trainer: Any, count: int) -> list[dict[str, float]]:
    return [{**trainer.train_epoch().metrics, "epoch_s": 0.0} for _ in range(count)]


@pytest.mark.parametrize("make", [of_fast, of_fit])
def test_metrics_of_an_epoch(make: Callable[..., Any]) -> None:
    trainer, plain = make(evaluate=error), make()
    found, without = epochs(trainer, 4), epochs(plain, 4)
    for metrics, others in zip(found, without, strict=True):
        assert others.items() <= metrics.items()  # what it does to the weights is undone
        assert metrics["error"] == pytest.approx(1 - metrics["val_accuracy"])
        assert metrics[OBJECTIVE] == pytest.approx(metrics["val_loss"] + 0.5 * metrics["error"])
        assert metrics["error"] == pytest.approx((metrics["by_half_0"] + metrics["by_half_1"]) / 2, abs=0.5)
    values = [metrics[OBJECTIVE] for metrics in found]
    assert (trainer.best_epoch, trainer.best_value) == (1 + int(np.argmin(values)), min(values))
    assert len({metrics["val_draw"] for metrics in found}) == 4
    assert trainer.traces == plain.traces
    snapshot = trainer.snapshot().to_bytes()
    test = trainer.test_metrics()
    assert test["test_error"] == pytest.approx(1 - test["test_accuracy"]) and "test_draw" in test
    after = epochs(trainer, 1)
    trainer.start(trainer.params, 3, snapshot)
    assert epochs(trainer, 1) == after  # random numbers of its own, too


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ({"val_accuracy": 1.0}, "names of their own, but 'val_accuracy' is one that training reports"),
        ({"accuracy": 1.0}, "'accuracy' is one that training reports"),
        ({"epoch_s": 1.0}, "'epoch_s' is one"),
        ({}, "must return a dict of metrics, but it returned an empty dict"),
        (0.5, "must return a dict of metrics, but it returned float"),
        ({"auc": None}, "must return numbers, but auc is None"),
        ({"auc": "high"}, "must return numbers, but auc is a value of type str"),
        ({"auc": np.zeros((2, 2))}, "must return numbers, but auc has the shape (2, 2)"),
        ({3: 1.0}, "names of metrics, but got 3"),
    ],
)
def test_what_it_returns_is_checked(returned: Any, message: str) -> None:
    trainer = of_fast(evaluate=lambda self, model, data: returned)
    with pytest.raises(EvaluateError) as caught:
        trainer.train_epoch()
    assert message in str(caught.value)


def test_it_is_given_what_the_trial_selects_and_may_change_it() -> None:
    seen: list[Any] = []

    def evaluate(self: Any, model: Any, data: Any) -> dict[str, float]:
        x, _ = data
        x -= 1.0
        seen.append(len(x))
        return {"error": float(x[0, 0])}

    def select_data(self: Any, data: Any, params: Any) -> Any:
        from dataclasses import replace

        return replace(data, validation=tuple(rows[:30] for rows in data.validation))

    first, second = epochs(of_fast(evaluate=evaluate, select_data=select_data), 2)
    assert seen == [30, 30] and first["error"] == second["error"]


def test_data_sets_come_as_they_are() -> None:
    def evaluate(self: Any, model: Any, data: Any) -> dict[str, float]:
        return {"examples": sum(len(x) for x, _ in data.batch(64))}

    trainer = trainer_of("models.py", "PlainStreamed", {"batch_size": 64}, {"evaluate": evaluate})
    assert trainer.train_epoch().metrics["examples"] == 100.0


def test_its_names_are_known_without_a_trial() -> None:
    from trainables.training import reported_metric_names

    known = registry.load_file(HERE / "models.py", "Plain")
    trainable = type("Plain", (known,), {"evaluate": error})()
    names = reported_metric_names(trainable, trainable.load_data(), trainable.Params())
    assert {"val_loss", "error", "val_draw", "by_half_0", "by_half_1"} <= set(names)
