"""The moving averages of a model's weights, which an optimizer with `use_ema` keeps: they validate and are exported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from trainables.training.graphs import assign
from trainables.training.values import value_of


def averages_of(model: Any) -> list[tuple[Any, Any]]:
    """Each trainable weight with its average; none without `use_ema`, or before the first step."""
    optimizer = inner_optimizer(model)
    if not getattr(optimizer, "use_ema", False) or not int(optimizer.iterations):
        return []
    pairs = zip(optimizer._trainable_variables, optimizer._model_variables_moving_average, strict=True)
    return [(variable, average) for variable, average in pairs if average is not None]


def inner_optimizer(model: Any) -> Any:
    """A model's optimizer, without what scales its loss in mixed precision; None without one."""
    optimizer = getattr(model, "optimizer", None)
    return getattr(optimizer, "inner_optimizer", optimizer)


@contextmanager
def averaged(model: Any) -> Iterator[None]:
    """Puts the averages in the place of the weights for a while."""
    pairs = averages_of(model)
    weights = [variable for variable, _ in pairs]
    kept = [value_of(variable) for variable in weights]
    assign(weights, [value_of(average) for _, average in pairs])
    try:
        yield
    finally:
        assign(weights, kept)


def best_values(model: Any) -> list[Any]:
    """The values of the model's variables to keep of a best epoch: the averages, where there are any."""
    average_of = {id(variable): average for variable, average in averages_of(model)}
    return [average_of.get(id(variable), variable).numpy() for variable in model.variables]
