"""Data sets as people make them: examples of any length, and augmentation that draws at random."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from trainables.contract import Data, DataError, Params, Trainable
from trainables.training import WarmTrainer
from trainables.training.batching import batched
from trainables.training.device import DeviceData
from trainables.training.pipeline_draws import reproducible_draws
from trainables.training.shuffling import buffer_size, is_movable, shuffle_warning, shuffled

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

LENGTHS = [3, 1, 5, 2, 4, 6, 2, 3]


def sentences(_: Any = None) -> Any:
    for number, length in enumerate(LENGTHS):
        yield np.arange(1, length + 1, dtype="int32"), np.float32(number % 2)


KINDS = (tf.TensorSpec([None], tf.int32), tf.TensorSpec([], tf.float32))


def data_set() -> tf.data.Dataset:
    return tf.data.Dataset.from_generator(sentences, output_signature=KINDS)


def ragged() -> tf.data.Dataset:
    words = tf.ragged.constant([list(range(1, length + 1)) for length in LENGTHS], dtype=tf.int32)
    labels = tf.constant([float(number % 2) for number in range(len(LENGTHS))])
    return tf.data.Dataset.from_tensor_slices((words, labels))


def named() -> tf.data.Dataset:
    return data_set().map(lambda x, y: ({"words": x, "length": tf.size(x)}, y))


def own_batches(examples: tf.data.Dataset, size: int) -> tf.data.Dataset:
    return examples.padded_batch(size, padded_shapes=([8], []), padding_values=(-1, 0.0))


@pytest.mark.parametrize(
    "examples",
    [data_set(), ragged(), data_set().padded_batch(4).unbatch(), data_set().ragged_batch(4).unbatch()],
    ids=["generator", "ragged", "unbatched", "unbatched ragged"],
)
def test_each_batch_is_padded_to_its_longest_example(examples: tf.data.Dataset) -> None:
    first, second = list(batched(examples, 4))
    assert second[0].shape == (4, 6) and first[0].shape == (4, 5)
    assert first[0].numpy()[1].tolist() == [1, 0, 0, 0, 0]


def test_padding_and_batch_of_ones_own() -> None:
    data = Data(data_set(), data_set(), padding=(-7, 0.0))
    assert next(iter(batched(data.train, 4)))[0].numpy()[1].tolist() == [1, -7, -7, -7, -7]
    data = Data(data_set(), data_set(), batch=own_batches)
    assert next(iter(batched(data.validation, 4)))[0].shape == (4, 8)
    assert set(next(iter(batched(named(), 4)))[0]) == {"words", "length"}
    with pytest.raises(DataError, match="for a tf"):
        Data((np.zeros(2), np.zeros(2)), (np.zeros(2), np.zeros(2)), batch=own_batches)
    unknown = tf.data.Dataset.from_generator(sentences, output_types=(tf.int32, tf.float32))
    with pytest.raises(DataError, match="number of dimensions must be known"):
        batched(unknown, 2)


class Sentences(Trainable):
    loss = "binary_crossentropy"
    metrics = ("accuracy",)

    def __init__(self, data: Data) -> None:
        super().__init__()
        self.given = data

    def load_data(self) -> Data:
        return self.given

    def build_model(self, params: Any) -> Any:
        words = keras.Input((None,), dtype="int32")
        read = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(9, 4, mask_zero=True)(words))
        return keras.Model(words, keras.layers.Dense(1, activation="sigmoid")(read))


def trained(trainable: Trainable, epochs: int, seed: int = 1, **params: Any) -> list[dict[str, float]]:
    trainer = WarmTrainer(trainable, trainable.load_data(), "val_loss", "min")
    trainer.start(params, seed)
    return [{**trainer.train_epoch().metrics, "epoch_s": 0.0} for _ in range(epochs)]


def test_masked_training_does_not_depend_on_the_padding() -> None:
    found = [
        trained(Sentences(data), 2, batch_size=8)[-1]["val_loss"]
        for data in (
            Data(data_set(), ragged()),
            Data(data_set(), data_set(), batch=lambda e, n: e.padded_batch(n, ([9], []))),
        )
    ]
    assert found[0] == pytest.approx(found[1], rel=1e-5)


class Seen(keras.Model):
    """Reports what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = keras.layers.Dense(1)
        self.total = keras.metrics.Sum(name="total")

    def call(self, x: Any) -> Any:
        return self.dense(x)

    def train_step(self, x: Any) -> dict[str, Any]:
        self.total.update_state(x)
        return {"total": self.total.result()}

    def test_step(self, x: Any) -> dict[str, Any]:
        self.total.update_state(x)
        return {"total": self.total.result()}


class Augmented(Trainable):
    loss = None

    class Params(Params):
        selects: bool = False

    def load_data(self) -> Data:
        flip, x = keras.layers.RandomTranslation(0.3, 0.3), np.arange(96, dtype="float32").reshape(6, 4, 4, 1)

        def augment(image: Any) -> Any:
            image = tf.image.random_flip_left_right(image) * tf.random.uniform([], 0.5, 1.5)
            image += keras.random.normal((4, 4, 1))
            return flip(image, training=True)

        with reproducible_draws():
            plain = tf.data.Dataset.from_tensor_slices(x)
            return Data(plain.map(augment, num_parallel_calls=3), plain)

    def select_data(self, data: Data, params: Any) -> Data:
        if not params.selects:
            return data
        return Data(data.validation.map(lambda x: x + tf.random.normal([4, 4, 1])), data.validation)

    def build_model(self, params: Any) -> Any:
        return Seen()


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("selects", [False, True])
def test_augmentation_is_new_in_each_epoch_and_the_same_for_a_seed_and_an_epoch(selects: bool) -> None:
    params = {"batch_size": 2, "selects": selects}
    totals = [epoch["total"] for epoch in trained(Augmented(), 3, **params)]
    assert len(set(totals)) == 3
    assert [epoch["total"] for epoch in trained(Augmented(), 3, **params)] == pytest.approx(totals)
    assert trained(Augmented(), 1, seed=2, **params)[0]["total"] not in totals
    trainer = WarmTrainer(Augmented(), Augmented().load_data(), "val_total", "min")
    trainer.start({"selects": not selects, "batch_size": 3}, 9)
    trainer.train_epoch()
    trainer.start(params, 1)
    trainer.train_epoch()
    checkpoint = trainer.snapshot().to_bytes()
    trainer.start(params, 1, checkpoint)
    assert [trainer.train_epoch().metrics["total"] for _ in range(2)] == pytest.approx(totals[1:])


def indexed(number: Any) -> Any:
    return tf.fill([600], tf.cast(number, tf.float32)), number


PIPELINES = {
    "arrays": lambda: tf.data.Dataset.from_tensor_slices((np.zeros((20, 600), "float32"), np.arange(20))),
    "indices": lambda: tf.data.Dataset.range(20).map(indexed, num_parallel_calls=2).prefetch(1),
    "names": lambda: tf.data.Dataset.from_tensor_slices([str(n) for n in range(20)]).map(
        lambda name: indexed(tf.strings.to_number(name, tf.int64))
    ),
    "zipped": lambda: (
        tf.data.Dataset.zip((tf.data.Dataset.range(20), tf.data.Dataset.range(20)))
        .shuffle(8, seed=1)
        .prefetch(2)
        .map(lambda number, _: indexed(number), num_parallel_calls=2)
    ),
    "a filter": lambda: tf.data.Dataset.range(20).map(indexed).filter(lambda _, y: y >= 0),
}


@pytest.mark.parametrize("kind", PIPELINES)
def test_the_source_is_shuffled_where_it_can_be(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    examples = PIPELINES[kind]()
    orders = [[int(y) for _, y in shuffled(examples, 20, seed)] for seed in (1, 2, 1)]
    assert orders[0] == orders[2] != orders[1] and sorted(orders[0]) == list(range(20))
    monkeypatch.setattr("trainables.training.shuffling.BUFFER_BYTES_MAX", 5 * 2400)
    found = [int(y) for _, y in shuffled(examples, 20, 1)]
    if kind == "a filter":
        assert buffer_size(examples, 20) == 4 and max(found[:5]) < 10
        assert "looks at 4 of 20 examples" in shuffle_warning(examples, 20)
    else:
        assert found == orders[0] and shuffle_warning(examples, 20) == ""


@pytest.mark.parametrize("kind", ["zipped", "generated"])
def test_a_shuffle_of_the_users_own_does_not_count_how_often_it_was_read(kind: str) -> None:
    def numbers() -> Any:
        yield from range(20)

    generated = tf.data.Dataset.from_generator(numbers, output_signature=tf.TensorSpec([], tf.int64))
    examples = PIPELINES[kind]() if kind == "zipped" else generated.shuffle(8, seed=1).map(indexed).prefetch(1)
    orders = [[int(y) for _, y in shuffled(examples, 20, seed)] for seed in (1, 2, 1)]
    assert orders[0] == orders[2] != orders[1] and sorted(orders[0]) == list(range(20))
    for _ in range(2):
        validated = [int(y[0]) for _, y in DeviceData().split(examples, "validation").batches(1, None)]
        assert validated == list(range(20))
    split = DeviceData().split(examples, "training")
    own = [int(y[0]) for _, y in split.batches(1, None, keeps_order=True)]
    assert own != list(range(20)) == sorted(own)


def test_a_shuffle_that_others_count_on_stays() -> None:
    split = tf.data.Dataset.range(20).shuffle(20, seed=1, reshuffle_each_iteration=False).take(5).map(indexed)
    chosen = sorted(int(y) for _, y in split)
    assert sorted(int(y) for _, y in shuffled(split, 5, 3)) == chosen != list(range(5))


def test_parts_that_were_taken_or_skipped_are_shuffled_at_the_source_too() -> None:
    whole = tf.data.Dataset.from_tensor_slices(np.arange(20)).shuffle(20, seed=3).map(indexed)
    assert is_movable(whole) and not is_movable(whole.take(3))
    whole = tf.data.Dataset.from_tensor_slices(np.arange(20)).map(indexed)
    for part, expected in ((whole.skip(5), range(5, 20)), (whole.take(15).skip(12), range(12, 15))):
        order = [int(y) for _, y in shuffled(part, len(expected), 1)]
        assert is_movable(part) and sorted(order) == list(expected) != order
