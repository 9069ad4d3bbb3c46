"""Images by class, from a folder, an `.npz` file or a built-in set, as (height, width, channels)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from trainables import data as data_sets
from trainables import remote
from trainables.built_in import BUILT_IN
from trainables.contract import Data, DataError

HOW = f"{', '.join(BUILT_IN)}, a folder with a folder of images for each class, or an .npz file"
_DIGITS_SIDE = 8


@dataclass(frozen=True)
class Form:
    """What the images of a data set are.

    Attributes:
        shape: (height, width, channels).
        value_range: the least and the largest value that a pixel may have.
    """

    shape: tuple[int, int, int]
    value_range: tuple[float, float]


def is_folder(data: str) -> bool:
    """Whether a spec's `data` is a folder of images, rather than arrays."""
    if data in BUILT_IN or data.endswith(".npz"):
        return False
    return remote.is_url(data) or os.path.isdir(os.path.expanduser(data))


def read(data: str, image_size: int | None, channels: int) -> tuple[Data, Form]:
    """The images, and their form.

    Args:
        image_size: height and width that those of a folder are resized to; None for as they are.
        channels: of those of a folder: 1 or 3.

    Raises:
        DataError: they cannot be had, or are no images.
    """
    if is_folder(data):
        size = None if image_size is None else (image_size, image_size)
        found = Data.from_image_folder(data, image_size=size, color_mode="grayscale" if channels == 1 else "rgb")
        return found, Form(_shape_of(found.train), (0.0, 255.0))
    found = data_sets.load(data)
    parts = [part and (_as_images(part[0], data), *part[1:]) for part in (found.train, found.validation, found.test)]
    found = replace(found, train=parts[0], validation=parts[1], test=parts[2])
    images = found.train[0]
    low, high = float(images.min()), float(images.max())
    value_range = (-1.0, 1.0) if low < 0 else (0.0, 1.0) if images.dtype.kind == "f" and high <= 1 else (0.0, 255.0)
    if low < -1 or high > 255:
        raise DataError(
            f"{data}: images must have values from 0 to 255, 0 to 1 or -1 to 1, but got {low:g} to {high:g}"
        )
    return found, Form(tuple(images.shape[1:]), value_range)


def _shape_of(part: Any) -> tuple[int, int, int]:
    spec = part.element_spec[0] if hasattr(part, "element_spec") else None
    shape: Sequence[Any] = spec.shape if spec is not None else part[0].shape[1:]
    return int(shape[0]), int(shape[1]), int(shape[2])


def _as_images(x: Any, data: str) -> Any:
    """Arrays (n, height, width, channels); flat digits and images without channels become such."""
    if data == "digits":
        return x.reshape(-1, _DIGITS_SIDE, _DIGITS_SIDE, 1)
    if x.ndim == 3:
        return x[..., np.newaxis]
    if x.ndim != 4 or x.shape[3] not in (1, 3):
        raise DataError(
            f"{data}: x must hold images, of shape (n, height, width) or (n, height, width, 1 or 3), but got {x.shape}"
        )
    return x
