"""A trainable's own augmentation in the steps of a model: its strengths are variables, so that no number retraces."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import tensorflow as tf

from trainables.contract import Params, Trainable, has_augment


class Augmentation:
    """The `augment` of a trainable, for one model.

    Its draws depend on the trial's seed and the optimizer's step alone, so they are the same after a resume.
    """

    def __init__(self, trainable: Trainable, names: tuple[str, ...]) -> None:
        self._trainable, self._names = trainable, names
        self._strengths = tf.Variable(tf.zeros([len(names)]), trainable=False, name="augmentation_strengths")
        self._seed = tf.Variable(0, dtype=tf.int64, trainable=False, name="augmentation_seed")

    @property
    def variables(self) -> list[Any]:
        """What `set` and `seed` assign."""
        return [self._strengths, self._seed]

    def set(self, strengths: Mapping[str, float]) -> None:
        """Takes a trial's strengths."""
        self._strengths.assign([strengths[name] for name in self._names])

    def seed(self, seed: int) -> None:
        """Takes a trial's seed."""
        self._seed.assign(seed)

    def before(self, step: Callable[[Any], Any], optimizer: Any) -> Callable[[Any], Any]:
        """A training step on inputs that are augmented."""

        def augmented(batch: Any) -> Any:
            inputs, *rest = batch if isinstance(batch, tuple) else (batch,)
            strengths = dict(zip(self._names, tf.unstack(tf.convert_to_tensor(self._strengths)), strict=True))
            count = tf.cast(tf.convert_to_tensor(optimizer.iterations), tf.int64)
            context = tf.distribute.get_replica_context()
            replica = tf.cast(0 if context is None else context.replica_id_in_sync_group, tf.int64)
            seed = tf.stack([tf.convert_to_tensor(self._seed), count * 64 + replica])
            inputs = self._trainable.augment(inputs, strengths, seed)
            return step((inputs, *rest) if isinstance(batch, tuple) else inputs)

        return augmented


def strengths_of(trainable: Trainable, params: Params) -> dict[str, float]:
    """The strengths of a trial's augmentation that are not 0, in the order of their names; none without `augment`.

    Raises:
        ValueError: one is no finite number.
    """
    if not has_augment(trainable):
        return {}
    found = {str(name): float(value) for name, value in trainable.augmentation(params).items()}
    for name, value in found.items():
        if not math.isfinite(value):
            raise ValueError(f"augmentation must return finite numbers, but {name} is {value}")
    return {name: found[name] for name in sorted(found) if found[name]}
