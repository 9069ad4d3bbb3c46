"""XLA: the same results with and without it, a choice that lasts, nothing traced again, models it cannot compile."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from trainables.contract import Data, Params, Trainable

pytestmark = [pytest.mark.slow(45), pytest.mark.filterwarnings("ignore::DeprecationWarning")]

BATCHES = {"batch_size": 50, "learning_rate": 0.01}
"""Which divide the numbers of examples: each shape of a batch costs XLA a second."""


class Kinds(Trainable):
    """Models of several kinds on a part of the digits."""

    loss = "sparse_categorical_crossentropy"
    metrics = ("accuracy",)

    class Params(Params):
        kind: str = "dense"

    def load_data(self) -> Data:
        from trainables import data

        digits = data.digits()
        return Data(
            *(tuple(rows[:length] for rows in part) for part, length in ((digits.train, 300), (digits.test, 200)))
        )

    def build_model(self, params: Any) -> Any:
        import keras

        layers = keras.layers
        hidden: Sequence[Any] = {
            "dense": lambda: [layers.Dense(16, "relu"), layers.BatchNormalization(), layers.Dropout(0.3)],
            "conv": lambda: [
                layers.Reshape((8, 8, 1)), layers.Conv2D(6, 3, activation="relu"), layers.MaxPooling2D(),
                layers.GaussianNoise(0.1), layers.Flatten(), layers.Dropout(0.2),
            ],
            "text": lambda: [own_layer(as_text)],
            "python": lambda: [own_layer(in_python)],
            "gamma": lambda: [own_layer(lambda x: x * keras.random.gamma((1,), 2.0, seed=1))],
        }[params.kind]()  # fmt: skip
        return keras.Sequential([keras.Input((64,)), *hidden, layers.Dense(10, "softmax", dtype="float32")])


def own_layer(call: Callable[[Any], Any]) -> Any:
    import keras

    class Own(keras.layers.Layer):
        def call(self, inputs: Any) -> Any:
            return call(inputs)

    return Own()


def as_text(x: Any) -> Any:
    import tensorflow as tf

    return x + tf.strings.to_number(tf.strings.as_string(tf.stop_gradient(x)))


def in_python(x: Any) -> Any:
    import tensorflow as tf

    y = tf.numpy_function(lambda array: array * np.float32(2), [tf.stop_gradient(x)], tf.float32)
    return x + tf.ensure_shape(y, x.shape)


def trainer_of(jit: Any, precision: str = "float32") -> Any:
    from trainables.training import make_trainer

    return make_trainer(Kinds(), Kinds().load_data(), "val_accuracy", "max", precision, jit_compile=jit)


def trained(trainer: Any, epochs: int = 3, checkpoint: bytes | None = None, **params: Any) -> list[dict[str, float]]:
    trainer.start({**BATCHES, **params}, 5, checkpoint)
    return [{**trainer.train_epoch().metrics, "epoch_s": 0} for _ in range(epochs)]


@pytest.fixture
def wins(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], list[int]]:
    """Lets one of both ways win the timing; returns the list of the steps that are timed."""

    def win(jit: bool) -> list[int]:
        from trainables.training import graphs

        runs: list[int] = []
        before = graphs.timed

        def timed(run: Callable[[], Any]) -> float:
            before(run)
            runs.append(1)
            return float(1 + len(runs) % 2 if jit else 2 - len(runs) % 2)  # they are timed in turn, without XLA first

        monkeypatch.setattr(graphs, "timed", timed)
        return runs

    return win


@pytest.mark.parametrize(("kind", "precision"), [("dense", "float32"), ("conv", "float32"), ("dense", "mixed_float16")])
def test_results_are_the_same(kind: str, precision: str) -> None:
    import keras

    try:
        found = [trained(trainer_of(jit, precision), kind=kind) for jit in (False, True)]
    finally:
        keras.config.set_dtype_policy("float32")
    exact = 0.02 if precision == "mixed_float16" else 1e-3
    for without, with_xla in zip(*found, strict=True):
        assert with_xla == pytest.approx(without, rel=exact, abs=exact)


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
def test_draws_are_the_same(dtype: str) -> None:
    import tensorflow as tf

    from trainables.training.xla_draws import same_draws

    for draw in (tf.random.stateless_uniform, tf.random.stateless_normal):
        for shape in ([7], [300, 3], [2, 3, 5]):

            def drawn(draw: Any = draw, shape: Any = shape) -> Any:
                with same_draws():
                    return draw(shape, tf.constant([3, 4]), dtype=dtype)

            by_xla = tf.function(drawn, jit_compile=True, autograph=False)()
            expected = draw(shape, tf.constant([3, 4]), dtype=dtype)
            np.testing.assert_allclose(np.float32(by_xla), np.float32(expected), atol=1e-5, rtol=1e-2)


@pytest.mark.parametrize("jit", [False, True, "auto"])
def test_nothing_is_traced_again(jit: Any) -> None:
    trainer = trainer_of(jit)
    trained(trainer, 1)
    traces = trainer.traces
    assert traces == (3 if jit == "auto" and not trainer.jit_compile else 4 if jit == "auto" else 2)
    for params in (
        {"learning_rate": 0.1},
        {"schedule": "cosine", "warmup_epochs": 0.5},
        {"schedule": "exponential", "staircase": True, "decay_rate": 0.3},
        {"batch_size": 100},
    ):
        trained(trainer, 1, **params)
    assert trainer.traces == traces
    assert trainer.jit_compile is (None if jit is False else trainer.jit_compile)


@pytest.mark.parametrize("jit", [False, True])
def test_auto_takes_the_faster_way_and_keeps_to_it(wins: Callable[[bool], list[int]], jit: bool) -> None:
    runs = wins(jit)
    trainer = trainer_of("auto")
    expected = trained(trainer_of(jit))
    assert trained(trainer) == expected  # the timed steps have left nothing behind
    [note] = trainer.take_notes()
    assert note.startswith(f"XLA {'compiles' if jit else 'does not compile'} its steps: a step takes ")
    assert trainer.jit_compile is jit and len(trainer.graphs) == 2
    checkpoint, timed = trainer.snapshot().to_bytes(), len(runs)
    trained(trainer, learning_rate=0.1)
    assert len(runs) == timed and trainer.take_notes() == []

    wins(not jit)  # on another node, a trial goes on as it began
    elsewhere = trainer_of("auto")
    assert trained(elsewhere, 2, checkpoint) == trained(trainer_of(jit), 5)[3:]
    assert elsewhere.jit_compile is jit and len(runs) == timed


def test_what_a_sweep_says_counts_more_than_a_checkpoint() -> None:
    trainer = trainer_of(True)
    trained(trainer, 1)
    checkpoint = trainer.snapshot().to_bytes()
    without = trainer_of(False)
    trained(without, 1, checkpoint)
    assert not without._fast.jit


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("text", "XLA cannot compile its steps"),
        ("python", "its steps keep state"),
        ("gamma", "XLA draws other random numbers (StatelessRandomGamma"),
    ],
)
def test_auto_leaves_models_that_xla_cannot_train(kind: str, why: str) -> None:
    trainer = trainer_of("auto")
    trained(trainer, 1, kind=kind)
    [note] = trainer.take_notes()
    assert why in note and trainer.jit_compile is False


@pytest.mark.parametrize("kind", ["text", "python"])
def test_a_model_that_xla_cannot_compile_but_must(kind: str) -> None:
    from trainables.training.jit import JitError

    with pytest.raises(JitError, match=r"jit_compile must be auto or false, as XLA cannot compile the model: .*\w"):
        trained(trainer_of(True), kind=kind)


def test_losses_are_scaled_in_half_precision() -> None:
    import keras

    try:
        trainer = trainer_of(False, "mixed_float16")
        trained(trainer)
        optimizer = trainer._fast._trial.compiled.model.optimizer
        assert isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        scale, steps = float(optimizer.dynamic_scale), int(optimizer.inner_optimizer.iterations)
        trainer._fast._trial.compiled.model.layers[0].kernel.assign(np.full((64, 16), np.inf))
        trainer.train_epoch()  # gradients that are not finite: its steps are left out, the scale is halved
        assert float(optimizer.dynamic_scale) < scale and int(optimizer.inner_optimizer.iterations) == steps
    finally:
        keras.config.set_dtype_policy("float32")


def test_several_gpus_are_refused() -> None:
    from trainables.training.jit import JitChoices

    with pytest.raises(ValueError, match="must be auto or false for a trial on several GPUs"):
        JitChoices(True, 2)
    assert JitChoices("auto", 2).known("any") is False
