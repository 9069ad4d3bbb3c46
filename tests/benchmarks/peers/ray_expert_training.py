"""What the expert's workers do: a module, so that what it keeps lives as long as its process."""

from __future__ import annotations

from functools import cache
from typing import Any

import mnist_task as task


@cache
def prepared(mnist: str) -> Any:
    """Data as tensors, and a compiled model whose schedule reads variables; once a process."""
    import keras
    import tensorflow as tf

    task.use_threads(1)
    training, validation = task.data(mnist)

    class Schedule(keras.optimizers.schedules.LearningRateSchedule):  # type: ignore[misc]
        """Exponential decay in steps; constant where the decay is 1."""

        def __init__(self) -> None:
            self.rate, self.decay = tf.Variable(0.001), tf.Variable(1.0)

        def __call__(self, step: Any) -> Any:
            return self.rate * self.decay ** tf.floor(tf.cast(step, "float32") / task.DECAY_STEPS)

        def get_config(self) -> dict[str, Any]:
            return {}

    schedule, model = Schedule(), task.network()
    model.compile(
        keras.optimizers.Adam(schedule),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
        steps_per_execution=50,
    )
    model.optimizer.build(model.trainable_variables)
    initializers = [(layer, keras.initializers.GlorotUniform()) for layer in model.layers if layer.weights]
    arrays = [tuple(tf.constant(array) for array in each) for each in (training, validation)]
    return arrays, model, schedule, initializers


def train(config: dict[str, Any]) -> None:
    import keras
    from ray import tune

    (training, validation), model, schedule, initializers = prepared(config["mnist"])
    schedule.rate.assign(config["learning_rate"])
    schedule.decay.assign(config["decay_rate"] if config["schedule"] == "exponential" else 1.0)
    for layer, initializer in initializers:
        layer.kernel.assign(initializer(layer.kernel.shape))
        layer.bias.assign(layer.bias * 0)
    for variable in model.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))
    report = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: tune.report(dict(logs)))
    model.fit(
        *training,
        batch_size=config["batch_size"],
        epochs=config["epochs"],
        validation_data=validation,
        validation_batch_size=1000,
        callbacks=[report],
        verbose=0,
    )
