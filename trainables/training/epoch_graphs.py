"""Epochs as TensorFlow graphs: over arrays on the device, or over batches that are read; whole batches, or in parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from trainables.training.augmentation import Augmentation
from trainables.training.numbers import numbers
from trainables.training.optimizers import TunableOptimizer
from trainables.training.parts import in_parts, rows_of
from trainables.training.replicas import Replicas
from trainables.training.streaming import over_batches

Step = Callable[[Any], Any]
"""A training or validation step on a batch, which returns its metrics as one vector."""


class EpochTracer:
    """Traces the epochs of one compiled model."""

    def __init__(
        self,
        model: Any,
        optimizer: TunableOptimizer,
        augmentation: Augmentation | None,
        replicas: Replicas,
        on_trace: Callable[[], None],
    ) -> None:
        self._model, self._optimizer, self._augmentation = model, optimizer, augmentation
        self._replicas, self._on_trace = replicas, on_trace

    def over_arrays(self, run_step: Step, spec: Any, training: bool, names: list[str], kept: list[Any] | None) -> Any:
        """The graph of arrays and a batch size; in training also of seed and epoch, and of the most examples of a part.

        Args:
            spec: of the arrays.
            names: those of the values of `run_step`, once it was traced.
            kept: as of `in_parts`; None for whole batches.
        """
        fewest = self._replicas.count if training else 1

        def epoch(source: Any, batch_size: Any, *others: Any) -> Any:
            self._on_trace()
            first_step = tf.identity(self._model.optimizer.iterations)
            seed = others[:1]
            num_examples = tf.shape(tf.nest.flatten(source)[0])[0]
            order: Any = tf.random.experimental.stateless_shuffle(tf.range(num_examples), *seed) if training else None

            def step(start: Any, values: Any) -> Any:
                stop = tf.minimum(start + batch_size, num_examples)
                if kept is not None:

                    def part_of(first: Any, last: Any) -> Any:
                        self._begin_part(first)
                        rows = order[start + first : start + last]
                        return tf.nest.map_structure(lambda array: tf.gather(array, rows), source)

                    optimizer = self._model.optimizer
                    return stop, in_parts(run_step, part_of, stop - start, others[1], optimizer, kept)
                if training:
                    rows = order[start:stop]
                    batch = tf.nest.map_structure(lambda array: tf.gather(array, rows), source)
                else:
                    batch = tf.nest.map_structure(lambda array: array[start:stop], source)
                return stop, run_step(batch)

            _, values = tf.while_loop(
                lambda start, _: start + fewest <= num_examples,
                step,
                (tf.constant(0), tf.zeros([0])),
                shape_invariants=(tf.TensorShape([]), tf.TensorShape([None])),
                parallel_iterations=1,
            )
            values = self._of_all(values, names, training)
            return self._with_rates(values, first_step) if training else values

        arguments = [spec, tf.TensorSpec([], tf.int32)] + ([tf.TensorSpec([2], tf.int64)] if training else [])
        arguments += [] if kept is None else [tf.TensorSpec([], tf.int32)]
        return tf.function(epoch, autograph=False).get_concrete_function(*arguments)

    def streamed(self, run_step: Step, spec: Any, training: bool, names: list[str], kept: list[Any] | None) -> Any:
        """The graph of a data set of batches, and of the most examples of a part; arguments as of `over_arrays`."""

        def epoch(batches: Any, *at_most: Any) -> Any:
            self._on_trace()
            first_step = tf.identity(self._model.optimizer.iterations)
            step = run_step if kept is None else self._batch_in_parts(run_step, at_most[0], kept)
            values = self._of_all(over_batches(step, batches, spec), names, training)
            return self._with_rates(values, first_step) if training else values

        arguments = [tf.data.DatasetSpec(spec)] + ([] if kept is None else [tf.TensorSpec([], tf.int32)])
        return tf.function(epoch, autograph=False).get_concrete_function(*arguments)

    def _batch_in_parts(self, part: Step, at_most: Any, kept: list[Any]) -> Step:
        """The step on a whole batch, trained in parts."""

        def step(batch: Any) -> Any:
            size = tf.shape(tf.nest.flatten(batch)[0])[0]
            rows = rows_of(batch)

            def part_of(first: Any, last: Any) -> Any:
                self._begin_part(first)
                return rows(first, last)

            return in_parts(part, part_of, size, at_most, self._model.optimizer, kept)

        return step

    def _begin_part(self, first: Any) -> None:
        """Tells what draws for each part of a batch which one is traced."""
        if self._augmentation is not None:
            self._augmentation.first = first

    def _of_all(self, values: Any, names: list[str], training: bool) -> Any:
        """The epoch's metrics over the examples of all devices, in the place of the last step's."""
        results = self._replicas.results(self._model, training)
        if results is None:
            return values
        results = numbers(results)
        return tf.stack([tf.cast(results[name], tf.float32) for name in names])

    def _with_rates(self, values: Any, first_step: Any) -> Any:
        """Appends `RATE_NAMES` of the optimizer steps since `first_step`; of the step before where there was none."""
        last_step = tf.maximum(tf.convert_to_tensor(self._model.optimizer.iterations) - 1, 0)
        rates = self._optimizer.schedule(tf.range(tf.minimum(first_step, last_step), last_step + 1))
        return tf.concat([values, [rates[-1], rates[0], rates[-1], tf.reduce_mean(rates)]], axis=0)


def recording(step: Step, names: list[str]) -> Step:
    """The step with its metrics as one vector, their names left in `names` while it is traced."""

    def run(batch: Any) -> Any:
        metrics = numbers(step(batch))
        names[:] = metrics
        return tf.stack([tf.cast(value, tf.float32) for value in metrics.values()])

    return run
