"""The devices of a trial: a model on each, fed with its share of every batch and kept equal by the sum of gradients.

A trial on several GPUs trains as on one: `batch_size` is that of the whole step. A batch of b rows is cut into runs of
b/n, some of them one row longer where that is no whole number, and each device's gradient counts by its rows. Two
things differ: batch normalization looks at its device's rows alone, and dropout draws other masks on each device. A
model with a `train_step` of its own is told to Keras's rules: what it returns is averaged over the devices.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras
import tensorflow as tf
from keras.src.backend.common import global_state
from keras.src.random import seed_generator

from trainables.contract import DataError

_SEED_STRIDE = 0x9E3779B9


class Replicas:
    """One device, or several with a `tf.distribute.MirroredStrategy` over them.

    Args:
        devices: TensorFlow's names of them; none or one for its own choice.
    """

    def __init__(self, devices: Sequence[str] = ()) -> None:
        self._devices = list(devices)
        self._strategy = tf.distribute.MirroredStrategy(self._devices) if len(devices) > 1 else None
        self._generator: Any = None
        self._replica = threading.local()  # each is traced in a thread of its own

    @property
    def count(self) -> int:
        return len(self._devices) if self._strategy is not None else 1

    def scope(self) -> AbstractContextManager[Any]:
        """Where variables are made."""
        return nullcontext() if self._strategy is None else self._strategy.scope()

    def steps(self, num_examples: int, batch_size: int) -> int:
        """Optimizer steps of an epoch: a last one with fewer examples than devices is left out."""
        whole, rest = divmod(num_examples, batch_size)
        return whole + (rest >= self.count)

    def evaluation_batch(self, num_examples: int, at_most: int) -> int:
        """The batch size, `at_most` where it can be, that leaves no device without examples in any step.

        Raises:
            DataError: there are fewer examples than devices.
        """
        if num_examples < self.count:
            raise DataError(f"the data must hold an example for each of {self.count} GPUs, but got {num_examples}")
        largest = max(at_most, self.count)
        sizes = itertools.chain(range(largest, self.count - 1, -1), range(largest + 1, num_examples + 1))
        return next(size for size in sizes if num_examples % size == 0 or num_examples % size >= self.count)

    def over_all(self, step: Callable[[Any], Any]) -> Callable[[Any], Any]:
        """The step of one device as one of all devices, which returns the mean of what they return."""
        strategy = self._strategy
        if strategy is None:
            return step

        def on_one(batch: Any, num_rows: Any, generator: Any, policy: Any) -> Any:
            # Keras's global state is a thread's own.
            global_state.set_global_attribute(seed_generator.GLOBAL_SEED_GENERATOR, generator)
            keras.config.set_dtype_policy(policy)
            index = tf.distribute.get_replica_context().replica_id_in_sync_group
            first, last = index * num_rows // self.count, (index + 1) * num_rows // self.count
            with tf.device(self._devices[0]):  # the data are there: only a device's own rows go to it
                rows = tf.nest.map_structure(lambda part: part[first:last], batch)
            self._replica.weight = self.count * (last - first) / num_rows
            return step(rows)

        def on_all(batch: Any) -> Any:
            num_rows = tf.shape(tf.nest.flatten(batch)[0])[0]
            on_each = functools.partial(on_one, generator=self._generator, policy=keras.config.dtype_policy())
            return strategy.reduce("MEAN", strategy.run(on_each, args=(batch, num_rows)), axis=None)

        return on_all

    def weigh_gradients(self, optimizer: Any) -> None:
        """Lets each device's gradients count by its rows; Keras counts all devices the same."""
        if self._strategy is None:
            return
        apply = optimizer.apply

        def weighted(gradients: Any, trainable_variables: Any = None) -> Any:
            weight = self._replica.weight
            return apply([_times(gradient, weight) for gradient in gradients], trainable_variables)

        optimizer.apply = weighted

    def once(self, step: Callable[[Any], Any], batch: Any) -> None:
        """Runs a step on each device with the same batch."""
        if self._strategy is None:
            step(batch)
        else:
            self._generator = (
                seed_generator.global_seed_generator()
            )  # one made in a graph could not be lifted out of it
            self._strategy.run(step, args=(batch,))

    def results(self, model: Any, training: bool) -> dict[str, Any] | None:
        """The metrics of all devices' examples so far, inside of an epoch's graph.

        None where what a step returns holds already: on one device, and for a model that has a step of its own.
        """
        steps = ("train_step" if training else "test_step", "compute_metrics")
        is_own = any(getattr(type(model), name) is not getattr(keras.Model, name) for name in steps)
        return None if is_own or self._strategy is None else model.get_metrics_result()

    def settle(self, model: Any) -> None:
        """Makes what devices keep for themselves (moving averages of their rows) the same on all: their mean."""
        if self._strategy is None:
            return
        for variable in model.non_trainable_variables:
            parts = self._strategy.experimental_local_results(variable.value)
            if variable.value.dtype.is_floating:
                variable.assign(tf.add_n([tf.identity(part) for part in parts]) / len(parts))

    def spread_seeds(self, model: Any) -> None:
        """Draws other dropout masks on each device; the first one's are those of a single device."""
        if self._strategy is None:
            return
        for variable in model.non_trainable_variables:
            if variable.name.startswith("seed_generator_state"):
                seed, count = variable.numpy()
                for index, part in enumerate(self._strategy.experimental_local_results(variable.value)):
                    part.assign([(int(seed) + index * _SEED_STRIDE) % 2**32, int(count)])

    def parts(self, variables: Sequence[Any]) -> list[Any]:
        """TensorFlow's own variables, one for each device, of these."""
        values = [variable.value if isinstance(variable, keras.Variable) else variable for variable in variables]
        if self._strategy is None:
            return values
        return [part for value in values for part in self._strategy.experimental_local_results(value)]


def _times(gradient: Any, weight: Any) -> Any:
    if gradient is None:
        return None
    if isinstance(gradient, tf.IndexedSlices):
        return tf.IndexedSlices(_times(gradient.values, weight), gradient.indices, gradient.dense_shape)
    return gradient * tf.cast(weight, gradient.dtype)
