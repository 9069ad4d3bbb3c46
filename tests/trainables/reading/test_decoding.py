"""What TensorFlow decodes: images, words' numbers, TFRecords; and streams of what is larger than memory."""

from __future__ import annotations

import gzip
import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests import folders
from trainables import Data, DataError
from trainables.contract import READER
from trainables.reading import node_cache
from trainables.training.device import DeviceData

pytestmark = pytest.mark.slow(15)


def test_images_are_those_of_keras(tmp_path: Path) -> None:
    root = folders.images(tmp_path / "i", 30, (9, 12))
    data = Data.from_image_folder(root, test=0.1, class_weights="balanced")
    assert data.class_names == ("dark", "light") and data.train[0].shape == (21, 9, 12, 3)
    theirs = keras.utils.image_dataset_from_directory(root, batch_size=None, image_size=(9, 12), verbose=False)
    want = {image.tobytes(): int(label) for image, label in theirs.as_numpy_iterator()}
    got = {
        x.tobytes(): int(y) for part in (data.train, data.validation, data.test) for x, y in zip(*part[:2], strict=True)
    }
    assert got == want
    resized = Data.from_image_folder(root, image_size=(6, 6), crop_to_aspect_ratio=True, color_mode="grayscale")
    assert resized.train[0].shape == (24, 6, 6, 1) and 0 <= resized.train[0].min() <= resized.train[0].max() <= 255
    image = keras.utils.image_dataset_from_directory(
        root, batch_size=None, image_size=(6, 6), crop_to_aspect_ratio=True, color_mode="grayscale", verbose=False
    )
    means = sorted(float(x.mean()) for x, _ in image.as_numpy_iterator())
    assert np.allclose(sorted(resized.train[0].mean((1, 2, 3))), sorted(resized.train[0].mean((1, 2, 3))))
    ours = sorted([*resized.train[0].mean((1, 2, 3)), *resized.validation[0].mean((1, 2, 3))])
    assert np.allclose(ours, means, atol=0.6)


def test_a_corrupt_or_unlike_image_is_named(tmp_path: Path) -> None:
    root = folders.images(tmp_path / "i", 20)
    bad = root / "dark" / "00004.png"
    good = bad.read_bytes()
    for content, told in (
        (good[:50], f"{bad}: must be an image, but cannot be decoded; replace or remove it"),
        (b"", f"{bad}: must be one of the images, but is empty"),
        (
            folders.png(np.zeros((8, 9, 3), np.uint8)),
            f"{bad}: must be as large as the others, 8 x 8 pixels, but is 8 x 9",
        ),
    ):
        bad.write_bytes(content)
        with pytest.raises(DataError, match=f"^{re.escape(told)}"):
            Data.from_image_folder(root)
    bad.write_bytes(b"text")
    (root / "light" / "00005.png").write_bytes(b"text")
    with pytest.raises(DataError, match=r"and neither can 1 more; replace or remove them: .*00004\.png, .*00005\.png$"):
        Data.from_image_folder(root)


def test_streams_hold_the_same_examples_in_an_order_of_the_seed(tmp_path: Path) -> None:
    root = folders.images(tmp_path / "i", 60)
    whole = Data.from_image_folder(root, class_weights={"light": 2.0})
    data = Data.from_image_folder(root, class_weights={"light": 2.0}, in_memory_bytes=1000)
    assert data.description["streamed_bytes"] == 60 * 8 * 8 * 3 * 4
    one_by_one = list(data.train.as_numpy_iterator())
    for index, part in enumerate(whole.train):
        assert (np.stack([example[index] for example in one_by_one]) == part).all()
    split = DeviceData().split(data.train, "training")
    assert split.num_examples == 48
    for batch_size in (7, 48, 100):
        batches = list(split.batches(batch_size, 3).as_numpy_iterator())
        assert [len(y) for _, y, _ in batches] == [
            len(part) for part in np.array_split(np.arange(48), range(batch_size, 48, batch_size))
        ]
        again = list(split.batches(batch_size, 3).as_numpy_iterator())
        x = np.concatenate([batch[0] for batch in batches])
        assert (x == np.concatenate([batch[0] for batch in again])).all() and (x != whole.train[0]).any()
        assert sorted(x.sum((1, 2, 3))) == sorted(whole.train[0].sum((1, 2, 3)))
    in_order = np.concatenate([batch[0] for batch in split.batches(7, None).as_numpy_iterator()])
    assert (in_order == whole.train[0]).all()
    mapped = data.train.map(lambda x, y, w: (x / 255, y))
    assert not hasattr(mapped, READER) and DeviceData().split(mapped, "training").first(3)[0].shape == (3, 8, 8, 3)
    assert getattr(data.train, READER).digest != getattr(data.validation, READER).digest


def test_leaks_of_streams_are_noted(tmp_path: Path) -> None:
    root = folders.images(tmp_path / "i", 40)
    for number in range(0, 20, 2):  # copies of some
        (root / "dark" / f"copy{number}.png").write_bytes((root / "dark" / f"{number:05}.png").read_bytes())
    (note,) = Data.from_image_folder(root, in_memory_bytes=1000).notes
    assert re.search(r"[1-9] of 10 validation examples .* in the training data, too", note)


def test_what_the_disk_may_not_hold_is_decoded_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folders.images(tmp_path / "i", 20)
    whole = Data.from_image_folder(root)
    monkeypatch.setenv(node_cache.LIMIT_VARIABLE, "100")
    (root / "light" / "00001.png").touch()
    data = Data.from_image_folder(root)
    assert "100 bytes by $TUNER_CACHE_BYTES" in data.notes[0] and "each epoch decodes them again" in data.notes[0]
    assert (np.stack([x for x, _ in data.train.as_numpy_iterator()]) == whole.train[0]).all()


def test_words_have_the_numbers_of_the_training_texts(tmp_path: Path) -> None:
    root = folders.texts(tmp_path / "t", 60)
    data = Data.from_text_folder(root, sequence_length=4, max_tokens=30)
    assert data.train[0].shape == (48, 4) and data.train[0].dtype == np.int32 and len(data.vocabulary) == 30
    raw = Data.from_text_folder(root)
    words = [[data.vocabulary[number] for number in row] for row in data.validation[0]]
    assert [text.split()[:4] for text in raw.validation[0]] == words


def write(path: Path, count: int, **changed: Any) -> Path:
    with tf.io.TFRecordWriter(str(path)) as file:
        for number in range(count):
            features = {
                "x": tf.train.Feature(float_list=tf.train.FloatList(value=[number, 1.0, 2.0])),
                "label": tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"ab"[number % 2 : number % 2 + 1]])),
                "image": tf.train.Feature(
                    bytes_list=tf.train.BytesList(value=[folders.png(np.full((2, 2, 3), number, np.uint8))])
                ),
                **changed,
            }
            file.write(tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString())
    return path


def test_records_have_the_features_that_the_first_one_has(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tfrecord", 30)
    data = Data.from_tfrecord(
        path, "label", decode=lambda f: {"x": f["x"], "image": tf.io.decode_png(f["image"])}, test=0.1
    )
    x, y = data.train
    assert x["x"].shape == (21, 3) and x["image"].shape == (21, 2, 2, 3) and data.class_names == ("a", "b")
    assert (x["x"][:, 0] == x["image"][:, 0, 0, 0]).all() and (x["x"][:, 0] % 2 == y).all()
    streamed = Data.from_tfrecord(tmp_path / "*.tfrecord", "label", decode=lambda f: f["x"], in_memory_bytes=1)
    assert [list(x) for x, _ in streamed.validation.as_numpy_iterator()]
    own = Data.from_tfrecord(path, "label", decode=lambda f: f["x"], validation=write(tmp_path / "b.tfrecord", 4))
    assert len(own.train[0]) == 30 and len(own.validation[0]) == 4


def test_a_damaged_or_unlike_record_is_named(tmp_path: Path) -> None:
    def told(target: str = "label", decode: Any = lambda f: f["x"]) -> str:
        with pytest.raises(DataError) as found:
            Data.from_tfrecord(path, target, decode=decode)
        assert str(found.value).startswith(f"{path}: ") and "\n" not in str(found.value)
        return str(found.value)

    path = write(tmp_path / "a.tfrecord", 20)
    whole = path.read_bytes()
    assert "must have a feature lable, but has none; did you mean label?" in told("lable")
    assert "record 1: feature image must be numbers, but holds bytes; decode=" in told(decode=None)
    assert "decode must work on the features, but KeyError: 'y'" in told(decode=lambda f: f["y"])
    assert "must return an array or a dict of arrays, but returned NoneType" in told(decode=lambda f: None)
    assert "record 1 cannot be decoded: " in told("x", decode=lambda f: tf.io.decode_png(f["label"]))
    path.write_bytes(whole[:-5])
    assert "record 20 is damaged" in told()
    path.write_bytes(whole + b"half")
    assert "record 21 is damaged: the file was cut" in told()
    path.write_bytes(gzip.compress(whole))
    assert "but is compressed by gzip: let its name end in .gz" in told()
    path.write_bytes(b"x" * 40)
    assert "must hold records of tf.train.Example, but is damaged" in told()
    path.write_bytes(b"x" * 5)
    assert "must hold records of tf.train.Example, at least one, but holds none" in told()
    write(path, 3, x=tf.train.Feature(float_list=tf.train.FloatList(value=[float("nan")] * 3)))
    assert "record 1: x must hold finite numbers, but got NaN or infinity" in told()
    other = write(tmp_path / "b.tfrecord", 1, x=tf.train.Feature(float_list=tf.train.FloatList(value=[1.0])))
    path.write_bytes(whole + other.read_bytes())
    assert "record 21 must have the features of the first one, but x has another type or length than 3" in told()
    write(other, 1, x=tf.train.Feature())
    path.write_bytes(whole + other.read_bytes())
    assert "record 21 must have the features of the first one, but has no x" in told()


def test_images_of_every_kind_are_read(tmp_path: Path) -> None:
    from PIL import Image

    from trainables.reading.images import SUFFIXES

    for number, label in enumerate(("dark", "light")):
        (tmp_path / label).mkdir()
        for suffix in SUFFIXES:
            Image.fromarray(np.full((8, 8, 3), 200 * number + 20, np.uint8)).save(tmp_path / label / f"a{suffix}")
    data = Data.from_image_folder(tmp_path, validation=0.5, seed=1)
    pixels = np.concatenate([data.train[0], data.validation[0]])
    labels = np.concatenate([data.train[1], data.validation[1]])
    assert len(pixels) == 2 * len(SUFFIXES)
    assert (abs(pixels - (200.0 * labels + 20)[:, None, None, None]) < 4).all()
