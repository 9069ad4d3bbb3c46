"""Folders of images."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from trainables.contract import Data, DataError
from trainables.reading import folders, node_cache
from trainables.reading.building import of_rows
from trainables.reading.folders import Found
from trainables.reading.labels import nearest
from trainables.reading.planning import Wanted
from trainables.reading.rows import decoded

Array = np.ndarray[Any, Any]

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp")
_CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}
_INTERPOLATIONS = ("area", "bicubic", "bilinear", "gaussian", "lanczos3", "lanczos5", "mitchellcubic", "nearest")
_BATCH_BYTES = 8 * 2**20


@dataclass(frozen=True)
class Form:
    """What the images become; see `Readers.from_image_folder`."""

    image_size: Any
    color_mode: str
    interpolation: str
    crop_to_aspect_ratio: bool

    def check(self) -> None:
        """Raises DataError for what cannot be."""
        for name, value, known in (
            ("color_mode", self.color_mode, tuple(_CHANNELS)),
            ("interpolation", self.interpolation, _INTERPOLATIONS),
        ):
            if value not in known:
                raise DataError(f"{name} must be one of {', '.join(known)}, but got {value!r}{_hint(value, known)}")
        size = self.image_size
        if size is None:
            if self.crop_to_aspect_ratio or self.interpolation != "bilinear":
                raise DataError("crop_to_aspect_ratio and interpolation have no effect without image_size")
            return
        if not isinstance(size, tuple | list) or len(size) != 2 or not all(isinstance(n, int) and n > 0 for n in size):
            raise DataError(f"image_size must be (height, width) in pixels, but got {size!r}")


def _hint(value: str, known: tuple[str, ...]) -> str:
    hint = nearest(str(value), known)
    return hint if "did you mean" in hint else ""


def read(given: Any, form: Form, wanted: Wanted, in_memory_bytes: int) -> Data:
    """A `Data` of images; see `Readers.from_image_folder`.

    Raises:
        DataError: the folder has another form, or images cannot be decoded or differ in size.
    """
    form.check()
    found = folders.find(given, "images", SUFFIXES, wanted)
    key = node_cache.key_of("images", form, found.stamps())
    rows = decoded(key, lambda: _decoded(found, form), {"x": "float32"})
    description = {"reader": "from_image_folder", "source": found.name, "seed": wanted.seed}
    return of_rows(
        found.plan, rows, lambda own: _images(found, form, own).map(_as_floats), description, in_memory_bytes
    )


def _as_floats(image: Any) -> Any:
    import tensorflow as tf

    return tf.cast(image, tf.float32)


def _images(found: Found, form: Form, numbers: Array | None = None) -> Any:
    """A data set of the images, uint8 of shape (height, width, channels)."""
    import tensorflow as tf

    channels = _CHANNELS[form.color_mode]
    paths = [str(found.paths[number]) for number in (range(len(found.paths)) if numbers is None else numbers)]

    def load(path: Any) -> Any:
        image = tf.io.decode_image(tf.io.read_file(path), channels=channels, expand_animations=False)
        image.set_shape([None, None, channels])
        if form.image_size is None:
            return image
        if form.crop_to_aspect_ratio:
            image = _cropped(image, form.image_size)
        image = tf.image.resize(image, form.image_size, method=form.interpolation)
        return tf.cast(tf.clip_by_value(tf.round(image), 0.0, 255.0), tf.uint8)

    with tf.device("CPU:0"):
        names = tf.data.Dataset.from_tensor_slices(paths)
        return names.map(load, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)


def _cropped(image: Any, size: Any) -> Any:
    """The largest part in the image's middle with the aspect ratio of a size (height, width)."""
    import tensorflow as tf

    height, width = tf.shape(image)[0], tf.shape(image)[1]
    crop_height = tf.minimum(height, tf.maximum(width * size[0] // size[1], 1))
    crop_width = tf.minimum(width, tf.maximum(height * size[1] // size[0], 1))
    top, left = (height - crop_height) // 2, (width - crop_width) // 2
    return image[top : top + crop_height, left : left + crop_width]


def _decoded(found: Found, form: Form) -> Iterator[dict[str, Array]]:
    """All images in batches; those that cannot be decoded are an error together."""
    import tensorflow as tf

    batch: list[Array] = []
    corrupt: list[str] = []
    shape, images = None, iter(_images(found, form))
    for name in found.names:
        try:
            image = next(images).numpy()
        except tf.errors.OpError as error:
            if isinstance(error, tf.errors.NotFoundError | tf.errors.PermissionDeniedError):
                raise DataError(f"{name}: cannot be read: {error.message.splitlines()[0][:200]}") from None
            corrupt.append(name)
            continue
        shape = shape or image.shape
        if image.shape != shape:
            raise DataError(
                f"{name}: must be as large as the others, {shape[0]} x {shape[1]} pixels, but is {image.shape[0]} x"
                f" {image.shape[1]}; image_size=(height, width) resizes them all"
            )
        batch.append(image)
        if len(batch) * image.nbytes >= _BATCH_BYTES and not corrupt:
            yield {"x": np.stack(batch)}
            batch = []
    if corrupt:
        them = "it" if len(corrupt) == 1 else f"them: {folders.listed(corrupt)}"
        count = "" if len(corrupt) == 1 else f", and neither can {len(corrupt) - 1} more"
        raise DataError(f"{corrupt[0]}: must be an image, but cannot be decoded{count}; replace or remove {them}")
    if batch:
        yield {"x": np.stack(batch)}
