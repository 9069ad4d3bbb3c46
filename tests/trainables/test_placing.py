"""Where data lie: one copy in host memory at most, and results that do not depend on whether they fit on the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytestmark = [pytest.mark.slow(15), pytest.mark.filterwarnings("ignore::DeprecationWarning")]

MakeTrainer = Callable[..., Any]


def aligned(shape: tuple[int, ...], dtype: Any = np.float32, off: int = 0) -> Any:
    """An array whose first byte has an address as shared memory has it, or one beside it."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    space = np.empty(size + 128, np.uint8)
    first = -space.ctypes.data % 64 + off
    return space[first : first + size].view(dtype).reshape(shape)


def address(tensor: Any) -> int:
    return int(np.from_dlpack(tensor).ctypes.data)


def test_a_tensor_of_shared_data_is_the_array_itself() -> None:
    from trainables.training.placing import to_device

    rows = aligned((100, 8))
    rows[...] = 1
    rows.flags.writeable = False
    assert address(to_device(rows, is_shared=True)) == rows.ctypes.data
    own = to_device(rows)
    assert address(own) != rows.ctypes.data and (own.numpy() == 1).all()


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "uint8", "bool", "float16"])
@pytest.mark.parametrize("off", [0, 8])
def test_values_and_types(dtype: str, off: int) -> None:
    import tensorflow as tf

    from trainables.training.placing import tensor_bytes, to_device, to_host

    rows = aligned((6, 4), dtype, off)
    rows[...] = np.arange(24).reshape(6, 4) % 2
    for given in (rows, rows[::2], rows.T, rows[:0]):
        for make in (to_device, to_host):
            tensor = make(given, is_shared=True)
            floats = np.dtype(dtype).kind == "f"
            assert tensor.dtype == (tf.float32 if floats else tf.as_dtype(dtype))
            assert (tensor.numpy() == given).all() and tensor.shape == given.shape
            assert tensor_bytes(given) == tensor.numpy().nbytes
    assert to_device(np.array(["a", "b"])).numpy().tolist() == [b"a", b"b"]


def test_the_room_on_a_card(monkeypatch: pytest.MonkeyPatch) -> None:
    import tensorflow as tf

    from trainables.cards import CardError
    from trainables.training import placing

    assert placing.room_bytes() == float("inf")  # the device is the host

    class Limit:
        memory_limit: int | None = 1000

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["card"])
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: ["card"])
    monkeypatch.setattr(tf.config, "get_logical_device_configuration", lambda card: [Limit()])
    assert placing.room_bytes() == 500 * 2**20
    Limit.memory_limit = None
    monkeypatch.setattr(placing, "card_mb", lambda card: 4000)
    assert placing.room_bytes() == 2000 * 2**20

    def fails(card: str) -> int:
        raise CardError("no nvidia-smi")

    monkeypatch.setattr(placing, "card_mb", fails)
    assert placing.room_bytes() == float("inf")


@pytest.mark.parametrize("name", ["Small", "Named"])
def test_data_without_room_train_the_same(
    make_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    from trainables.training import device

    def trained(room: float) -> tuple[Any, list[dict[str, float]]]:
        monkeypatch.setattr(device, "room_bytes", lambda: room)
        trainer = make_trainer(name)
        trainer.start({"learning_rate": 0.01, "batch_size": 48}, 5)
        epochs = [{**trainer.train_epoch().metrics, "epoch_s": 0} for _ in range(3)]
        return trainer, [*epochs, trainer.test_metrics()]

    everything, expected = trained(float("inf"))
    assert everything.data_notes == []
    part, found = trained(60_000)  # the validation and test data have room
    assert found == expected
    [note] = part.data_notes
    assert note.startswith("the training data (0 MiB) stay in host memory, and their batches are sent to the device")
    trial = part._trial
    assert trial.train.is_on_host and not trial.validation.is_on_host
    nothing, found = trained(0)
    assert found == expected and len(nothing.data_notes) == 3
    traces = nothing.traces
    nothing.start({"learning_rate": 0.1, "batch_size": 7}, 6)
    nothing.train_epoch()
    assert nothing.traces == traces == 2


def test_rows_that_a_trial_selects_stay_where_the_data_are(
    make_trainer: MakeTrainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trainables.training.device import DeviceData

    x, y = aligned((100, 64)), aligned((100,), np.int64)
    x[...], y[...] = 1, 1
    device = DeviceData(room=0)
    device.keep((x, y), "training")
    assert device.split((x[10:50], y[10:50]), "training").is_on_host
    assert device.split((x[:50] * 2, y[:50]), "training").is_on_host  # of its own, and there is no room for it
    roomy = DeviceData(room=2**20)
    roomy.keep((x, y), "training")
    assert not roomy.split((x[10:50] * 2, y[10:50]), "training").is_on_host


def test_batches_of_ragged_examples_are_trained_one_by_one() -> None:
    import tensorflow as tf

    from trainables.training.streaming import over_batches

    ragged = tf.data.Dataset.from_tensor_slices(tf.ragged.constant([[1.0], [2.0, 3.0], [4.0]])).batch(2)

    def epoch(batches: Any) -> Any:
        return over_batches(lambda batch: tf.reshape(tf.reduce_sum(batch), [1]), batches, ragged.element_spec)

    run = tf.function(epoch, autograph=False).get_concrete_function(tf.data.DatasetSpec(ragged.element_spec))
    assert run(ragged).numpy().tolist() == [4.0] and run(ragged.take(0)).numpy().tolist() == []
