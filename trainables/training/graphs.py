"""A compiled model and its graphs: a whole epoch is one call into TensorFlow, whatever its batch size or length."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework import ops

from trainables.contract import RATE_NAMES, Params, Trainable
from trainables.exceptions import PartsError
from trainables.training.augmentation import Augmentation
from trainables.training.device import Split
from trainables.training.epoch_graphs import EpochTracer, recording
from trainables.training.fixed_batch import fixed_batch_size, of_size
from trainables.training.fresh import fresh
from trainables.training.hidden_state import (
    HiddenVariable,
    check_ops,
    hidden_variables,
    nodes,
    reachable_values,
    tf_variable,
)
from trainables.training.jit import Choice, by_xla, faster, reason_against, timed, xla_errors
from trainables.training.kept_draws import KeptDraws
from trainables.training.optimizers import TunableOptimizer
from trainables.training.parts import with_gradients
from trainables.training.phases import PhasedModel
from trainables.training.pipeline_draws import begin_epoch
from trainables.training.recipe import Recipe
from trainables.training.replicas import Replicas

_STATEFUL_OPS = ("Random", "TruncatedNormal", "Multinomial", "PyFunc", "EagerPyFunc", "StatefulRandom")


class CompiledModel:
    """A model with its optimizer and its epoch graphs, used by one trial after another.

    Attributes:
        model: the Keras model.
        reusable: whether `reset` brings back all state that its graphs hold.
        jit: whether XLA compiles its steps.
        parts: the most examples of a batch that are trained at once; None for all of them.
    """

    def __init__(
        self,
        model: Any,
        trainable: Trainable,
        params: Params,
        example: Any,
        on_trace: Callable[[], None],
        replicas: Replicas,
        jit: bool = False,
        recipe: Recipe = Recipe(),  # noqa: B008 - it is frozen
    ) -> None:
        self.model = model
        self.jit = jit
        self.parts: int | None = None
        self._compiled_sizes: set[Any] = set()
        self._fixed_batch = fixed_batch_size(model)
        self._replicas = replicas
        self.optimizer = TunableOptimizer(params)
        self.reusable = True
        self._graphs: dict[Any, tuple[Any, list[str]]] = {}
        self._warm: set[int] = set()
        """The ids of those that have run; all are kept in `_graphs`."""
        self._draws = KeptDraws()
        self._seed = 0
        self._hidden: list[Any] = []
        self._initial_hidden: list[Any] = []
        self._values_before = reachable_values(model) if replicas.count == 1 else {}
        loss, metrics = fresh((trainable.loss, trainable.metrics))
        model.compile(optimizer=self.optimizer.keras, loss=loss, metrics=metrics, jit_compile=False)
        if not has_call(model) and type(model).test_step is keras.Model.test_step:
            raise TypeError(
                "a model without call must have a test_step, which validates it; or give it a call(self, inputs)"
            )
        replicas.once(model.test_step, example)  # makes the variables of loss and metrics
        self._phased = PhasedModel(model, recipe.plan) if recipe.plan is not None else None
        model.optimizer.build(model.trainable_variables if self._phased is None else self._phased.learning)
        self.optimizer.place_numbers()
        if self._phased is not None:
            self._phased.take(self.optimizer.keras)
        self._augmentation = Augmentation(trainable, tuple(recipe.strengths)) if recipe.strengths else None
        self._tracer = EpochTracer(model, self.optimizer, self._augmentation, replicas, on_trace)
        self._num_phases = 1 if recipe.plan is None else len(recipe.plan.ends)
        self._phase = 0
        self._is_regularized = any(variable.regularizer is not None for variable in model.variables)
        """Frozen weights have no penalty, which is part of the validation's loss, too."""
        replicas.weigh_gradients(model.optimizer)
        self._initial_optimizer = [_compact(variable.numpy()) for variable in model.optimizer.variables]

    @property
    def variables(self) -> list[Any]:
        """The model's variables, then the optimizer's, then what else its steps touch: the state between two epochs."""
        return [*self.model.variables, *self.model.optimizer.variables, *self._hidden]

    @property
    def _numbers(self) -> list[Any]:
        """What a trial sets before its training: numbers of its parameters, which the graphs read."""
        own = [part.variables for part in (self._phased, self._augmentation) if part is not None]
        return [*self.optimizer.variables, *(variable for variables in own for variable in variables)]

    @property
    def initial_values(self) -> list[Any]:
        """Of the model's variables, before anything was run; of those that its steps made, as they were made."""
        if not self._values_before:
            return [variable.numpy() for variable in self.model.variables]
        handles = ((id(tf_variable(variable).handle), variable) for variable in self.model.variables)
        return [self._values_before[key] if key in self._values_before else known.numpy() for key, known in handles]

    @property
    def graphs(self) -> list[Any]:
        """Those that were traced."""
        return [graph for graph, _ in self._graphs.values()]

    def takes(self, model_values: list[Any]) -> bool:
        """Whether `reset` can give these values to the model."""
        return [tuple(v.shape) for v in self.model.variables] == [value.shape for value in model_values]

    def reset(self, model_values: list[Any], params: Params, steps_per_epoch: int, recipe: Recipe = Recipe()) -> None:  # noqa: B008
        """Puts it into the state of a new model with these values that has not been trained."""
        self.assign([*model_values, *self._initial_optimizer, *self._initial_hidden])
        self.optimizer.begin(params)
        self._set(params, steps_per_epoch, recipe)

    def go_on(
        self,
        values: list[Any],
        params: Params,
        steps_per_epoch: int,
        seed: int,
        recipe: Recipe = Recipe(),  # noqa: B008
    ) -> None:
        """Puts it into the state of a trial that other trials have interrupted."""
        self.assign(values)
        self._set(params, steps_per_epoch, recipe)
        self._seed = seed

    def _set(self, params: Params, steps_per_epoch: int, recipe: Recipe) -> None:
        """Gives all that is a variable the numbers of a trial."""
        self.optimizer.set(params, steps_per_epoch)
        if self._phased is not None and recipe.plan is not None:
            self._phased.set(recipe.plan, steps_per_epoch)
        if self._augmentation is not None:
            self._augmentation.set(recipe.strengths)

    def assign(self, values: list[Any]) -> None:
        """Gives the model's variables these values, and the optimizer's where there are as many."""
        assign(self.variables[: len(values)], values)
        self._replicas.spread_seeds(self.model)

    def prepare(self, train: Split, validation: Split) -> None:
        """Traces and places what is not yet, so that no epoch's time holds it.

        Raises:
            UnkeptStateError: its steps change what no checkpoint can hold.
        """
        is_new = not self._graphs
        for _ in self._each_phase():
            self._graph(train, training=True)
            self._graph(validation, training=False)
        if is_new and self._replicas.count == 1:
            self._find_hidden()
        for _ in self._each_phase():
            self._warm_up(self._graph(train, training=True)[0], train, training=True)
            self._warm_up(self._graph(validation, training=False)[0], validation, training=False)

    def _each_phase(self) -> Iterator[int]:
        """Takes it through the phases of a training, one after another, and back to the first."""
        yield from map(self._enter, range(self._num_phases))
        self._enter(0)

    def _enter(self, phase: int) -> int:
        """Lets the graphs be those of a phase."""
        self._phase = phase
        return phase

    def choose_jit(self, train: Split, validation: Split, batch_size: int) -> Choice:
        """Takes XLA where its steps are faster, and forgets the graphs of the other way; leaves the state changed."""
        why_not = reason_against(self.model, self.graphs, self.reusable and self._replicas.count == 1)
        if why_not:
            return Choice(False, why_not)
        self._enter(self._num_phases - 1)  # as a rule the one in which most learns

        def seconds(jit: bool) -> Callable[[int], float]:
            def run(steps: int) -> float:
                self.jit = jit
                graph, _ = self._graph(train, training=True)
                return timed(lambda: self._run(graph, train, batch_size, steps * batch_size, training=True))

            return run

        found = faster(seconds(False), seconds(True), train.num_examples // batch_size)
        self.jit = found.jit
        self._graphs = {key: graph for key, graph in self._graphs.items() if key[-1] == found.jit}
        self.prepare(train, validation)
        return found

    def compile_ahead(self, train: Split, validation: Split, batch_size: int, evaluation_size_max: int) -> None:
        """Lets XLA compile what a trial's epochs need, so that no epoch's time holds it; leaves the state changed.

        Raises:
            JitError: XLA cannot.
        """
        sizes = [(train, batch_size, True), (validation, self._evaluation_size(validation, evaluation_size_max), False)]
        for split, size, training in sizes:
            for phase in self._each_phase():
                key = (training, split.is_streamed, str(split.spec), size, self.parts, split.num_examples % size, phase)
                if not self.jit or not self.reusable or key in self._compiled_sizes:
                    continue
                with xla_errors():  # a whole batch, and one as small as the last of an epoch
                    self._run(self._graph(split, training)[0], split, size, size + split.num_examples % size, training)
                self._compiled_sizes.add(key)

    def _run(self, graph: Any, split: Split, batch_size: int, count: int, training: bool) -> Any:
        """An epoch over so many examples, or over all where there are fewer."""
        if split.is_streamed:
            batches = split.batches(batch_size, None).take(1).cache().repeat(max(1, count // batch_size))
            return graph(batches, *self._of_parts(training))
        arguments = [tf.constant(batch_size)] + ([tf.constant([0, 0], tf.int64)] if training else [])
        return graph(split.first(min(count, split.num_examples)), *arguments, *self._of_parts(training))

    def _of_parts(self, training: bool) -> list[Any]:
        """The last argument of the graph of an epoch that trains batches in parts."""
        return [tf.constant(self.parts)] if training and self.parts is not None else []

    def _evaluation_size(self, split: Split, at_most: int) -> int:
        return self._fixed_batch or self._replicas.evaluation_batch(split.num_examples, at_most)

    def _find_hidden(self) -> None:
        """Takes up the variables that its steps touch and neither model nor optimizer have."""
        own = [*self.model.variables, *self.model.optimizer.variables, *self._numbers]
        of_metrics = [variable for metric in self.model.metrics for variable in metric.variables]
        for graph in self.graphs:
            check_ops(graph)
        for key, variable in hidden_variables(self.graphs, [*own, *of_metrics]):
            self._hidden.append(variable)
            self._initial_hidden.append(_first_seen(variable, self._values_before.get(key)))

    def metric_names(self, train: Split, validation: Split) -> list[str]:
        """What an epoch's training reports, then what its validation does."""
        return [
            *self._graph(train, training=True)[1],
            *(f"val_{n}" for n in self._graph(validation, training=False)[1]),
        ]

    def train(self, split: Split, batch_size: int, seed: int, epoch: int) -> dict[str, float]:
        """Trains one epoch over `split` in an order that depends on the seed and the epoch alone."""
        self.model.reset_metrics()
        self._seed = seed
        self._begin(seed, epoch)
        graph, names = self._graph(split, training=True)
        if split.is_streamed:
            num_steps = self._replicas.steps(split.num_examples, batch_size)
            arguments = [split.epoch(batch_size, seed, epoch).take(num_steps)]
        else:
            arguments = [split.source, tf.constant(batch_size), tf.constant([seed, epoch], tf.int64)]
        with xla_errors():
            values = graph(*arguments, *self._of_parts(training=True))
        self._replicas.settle(self.model)
        return dict(zip(names, map(float, values.numpy()), strict=True))

    def _begin(self, seed: int, epoch: int) -> None:
        begin_epoch(seed, epoch)
        if self._phased is not None:
            self._phase = self._phased.begin_epoch(epoch)
        if self._augmentation is not None:
            self._augmentation.seed(seed)

    def evaluate(self, split: Split, batch_size_max: int) -> dict[str, float]:
        """The metrics on `split`, in inference mode."""
        self.model.reset_metrics()
        begin_epoch(self._seed, 0)
        batch_size = self._evaluation_size(split, batch_size_max)
        graph, names = self._graph(split, training=False)
        if split.is_streamed:
            values = graph(split.batches(batch_size, None))
        else:
            values = graph(split.source, tf.constant(batch_size))
        return dict(zip(names, map(float, values.numpy()), strict=True))

    def _graph(self, split: Split, training: bool) -> tuple[Any, list[str]]:
        """The traced graph of an epoch and the names of the values that it returns."""
        spec = split.spec
        is_in_parts = training and self.parts is not None
        phase = self._phase if training or self._is_regularized else 0
        key = (training, split.is_streamed, str(spec), phase, is_in_parts, self.jit)
        if key not in self._graphs:
            names: list[str] = []
            step = self.model.train_step if training else self.model.test_step
            if self._phased is not None:
                self._phased.freeze(phase)
            if training and self._augmentation is not None:
                step = self._augmentation.before(step, self.model.optimizer)
            step = step if self._fixed_batch is None else of_size(step, self._fixed_batch)
            run_step = self._replicas.over_all(recording(step, names))
            kept: list[Any] | None = [] if is_in_parts else None
            if kept is not None:
                self._check_parts()
                run_step = with_gradients(run_step, self.model.optimizer, kept)
            run_step = by_xla(run_step) if self.jit else run_step
            with _forgotten_gradients(), self._draws.within() if self._replicas.count == 1 else nullcontext():
                trace = self._tracer.streamed if split.is_streamed else self._tracer.over_arrays
                graph = trace(run_step, spec, training, names, kept)
            self.reusable = self.reusable and not self._has_hidden_state(graph)
            self._graphs[key] = graph, [*names, *RATE_NAMES] if training else names
        return self._graphs[key]

    def _warm_up(self, graph: Any, split: Split, training: bool) -> None:
        """Lets TensorFlow optimize and place a graph, once, by an epoch without examples."""
        if id(graph) in self._warm:
            return
        self._warm.add(id(graph))
        if split.is_streamed:
            graph(split.batches(1, None).take(0), *self._of_parts(training))
        else:
            seed = [tf.constant([0, 0], tf.int64)] if training else []
            graph(split.first(0), tf.constant(1), *seed, *self._of_parts(training))

    def _check_parts(self) -> None:
        if self._replicas.count > 1:
            raise PartsError("a batch cannot be trained in parts of micro_batch_size examples on several GPUs")
        if self._fixed_batch is not None:
            raise PartsError(
                f"a batch cannot be trained in parts of micro_batch_size examples, as the model takes batches of"
                f" {self._fixed_batch} examples only"
            )

    def _has_hidden_state(self, graph: Any) -> bool:
        """Whether the graph holds state that `reset` does not know: other variables, or stateful random ops."""
        known = [*self.variables, *(v for m in self.model.metrics for v in m.variables)]
        known_ids = {id(part) for part in self._replicas.parts([*known, *self._numbers])}
        if any(id(variable) not in known_ids for variable in graph.graph.variables):
            return True
        return any(node.op.startswith(_STATEFUL_OPS) for node in nodes(graph))


def new_model(trainable: Trainable, params: Params, inputs: Callable[[], Any]) -> Any:
    """A model of these parameters, not compiled, with all of its variables; made by `inputs` where it does not say.

    Raises:
        TypeError: the trainable returns no model.
        Exception: whatever the trainable's own code raises.
    """
    model = trainable.build_model(params)
    if not isinstance(model, keras.Model):
        raise TypeError(f"build_model must return a model, but it returned {type(model).__name__}")
    if not model.built and has_call(model):
        model(inputs())
    return model


def whole_model(trainable: Trainable, params: Params, train: Split, validation: Split) -> Any:
    """A new model with all of its variables, those among them that only its steps make; compiled where it needs that.

    Raises:
        Exception: whatever the trainable's own code raises.
    """
    model = new_model(trainable, params, lambda: train.inputs(1))
    if not has_call(model):
        compiled = CompiledModel(model, trainable, params, train.first(1), lambda: None, Replicas())
        compiled.prepare(train, validation)
        assign(model.variables, compiled.initial_values)
    return model


def has_call(model: Any) -> bool:
    """Whether a model can be called; one that is only steps cannot."""
    return type(model).call not in (keras.Model.call, keras.layers.Layer.call)


_outside: dict[int, tuple[Any, Any]] = {}
"""By their handles' ids variables that no model leads to, such as those of a module: a trial begins with their first
values in this process, whatever the trials before made of them."""


def _first_seen(variable: HiddenVariable, before: Any) -> Any:
    if before is not None:
        return before
    return _outside.setdefault(id(variable.handle), (variable.handle, variable.numpy()))[1]


@contextmanager
def _forgotten_gradients() -> Iterator[None]:
    """Lets graphs traced in it be freed: TensorFlow registers a custom gradient, and with it the graph, for good.

    Keras's optimizers make one in every trace. A graph that holds its backward pass needs none of them any more.
    """
    registry = ops.gradient_registry._registry
    before = set(registry)
    try:
        yield
    finally:
        for name in [name for name in registry if name not in before and name.startswith("CustomGradient")]:
            del registry[name]


def assign(variables: list[Any], values: list[Any]) -> None:
    """Gives variables these values, in their order."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _compact(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The same values; where all are equal, as optimizers begin, without the memory."""
    if values.size > 1 and (values == values.flat[0]).all():
        return np.broadcast_to(values.flat[0], values.shape)
    return values
