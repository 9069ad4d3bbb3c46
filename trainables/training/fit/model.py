"""A model for the fit path: compiled as the trainable says, with all of the state that its training changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from trainables.contract import TrainingParams
from trainables.schedules import VariableSchedule
from trainables.training.averages import averaged, inner_optimizer
from trainables.training.fresh import fresh
from trainables.training.optimizers import keras_optimizer


def compiled_model(model: Any, trainable: Any, params: Any, steps: int | None, epochs: int, jit: bool = False) -> None:
    """Compiles a model that `build_model` did not, with the training parameters and the trainable's loss and metrics.

    Raises:
        TypeError: there are no training parameters, or no loss.
    """
    if model.compiled:
        return
    if not isinstance(params, TrainingParams):
        raise TypeError(
            "build_model must return a compiled model, as the trainable's Params have no optimizer; or derive them from"
            " trainables.contract.Params"
        )
    if not hasattr(trainable, "loss"):
        raise TypeError('the trainable must have a loss, such as loss = "mse", or build_model must compile the model')
    loss, metrics = fresh((trainable.loss, trainable.metrics))
    optimizer = _optimizer(params, steps, epochs)
    model.compile(optimizer=optimizer, loss=loss, metrics=metrics, jit_compile=jit)


def _optimizer(params: TrainingParams, steps: int | None, epochs: int) -> Any:
    """Keras's own, whose rate callbacks may set where the schedule is constant."""
    rate: Any = params.learning_rate
    if params.schedule != "constant" or params.warmup_epochs:
        if steps is None and (params.schedule != "plateau" or params.warmup_epochs):
            raise TypeError("a schedule or a warm-up needs the number of steps: give steps_per_epoch in fit_options")
        rate = VariableSchedule()
        rate.set(params.model_copy(update={"epochs": epochs}), steps or 1)
    return keras_optimizer(params, rate)


def schedule_of(model: Any) -> VariableSchedule | None:
    """The schedule that the training parameters have given a model; None where its rate is a constant or its own."""
    schedule = getattr(inner_optimizer(model), "_learning_rate", None)
    return schedule if isinstance(schedule, VariableSchedule) else None


def state_variables(model: Any, example: Callable[[], Any], strategy: Any) -> list[Any]:
    """The model's variables, then those of its optimizers and all others that its training step changes.

    A step of the model's own is traced, not run, so that what it makes when it is first called is there.
    """
    optimizers = list(optimizers_of(model))
    if isinstance(model.optimizer, keras.Optimizer) and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    touched: list[Any] = []
    if type(model).train_step is not keras.Model.train_step and not model.run_eagerly:
        touched = _touched(model, example, strategy)
    elif any(not optimizer.built for optimizer in optimizers):
        for optimizer in optimizers:
            if not optimizer.built:
                optimizer.build(model.trainable_variables)
    found = list(model.variables)
    for optimizer in optimizers:
        found += optimizer.variables
    known = {id(_value(variable)) for variable in found}
    of_metrics = {id(_value(variable)) for metric in model.metrics for variable in metric.variables}
    for variable in touched:
        if id(variable) not in known | of_metrics:
            known.add(id(variable))
            found.append(variable)
    return list({id(_value(variable)): variable for variable in found}.values())


def _touched(model: Any, example: Callable[[], Any], strategy: Any) -> list[Any]:
    """TensorFlow's variables that a training step reads or writes."""
    batch = tf.nest.map_structure(tf.convert_to_tensor, example())
    specs = tf.nest.map_structure(lambda part: tf.TensorSpec([None, *part.shape[1:]], part.dtype), batch)

    def step(data: Any) -> None:
        (strategy or tf.distribute.get_strategy()).run(model.train_step, args=(data,))

    graph = tf.function(step, autograph=False).get_concrete_function(specs)
    return list(graph.graph.variables)


def optimizers_of(model: Any) -> Iterator[Any]:
    """The optimizers among the attributes of a model and its layers, each once."""
    seen: set[int] = set()
    for layer in (model, *model._flatten_layers(include_self=False)):
        for value in vars(layer).values():
            parts = (
                value if isinstance(value, list | tuple) else [*value.values()] if isinstance(value, dict) else [value]
            )
            for part in parts:
                if isinstance(part, keras.Optimizer) and id(part) not in seen:
                    seen.add(id(part))
                    yield part


def without_final_average(model: Any) -> None:
    """Keeps `fit` from putting moving averages in the place of the weights after each of its calls: the training
    goes on from the weights."""
    for optimizer in optimizers_of(model):
        if getattr(optimizer, "use_ema", False):
            optimizer.finalize_variable_values = lambda var_list: None


def validate_averages(model: Any) -> None:
    """Lets `fit` validate the moving averages of the weights, where the optimizer keeps them."""
    evaluate = model.evaluate

    def evaluate_averages(*arguments: Any, **options: Any) -> Any:
        with averaged(model):
            return evaluate(*arguments, **options)

    if getattr(inner_optimizer(model), "use_ema", False):
        model.evaluate = evaluate_averages


def _value(variable: Any) -> Any:
    return variable.value if isinstance(variable, keras.Variable) else variable
