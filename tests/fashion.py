"""Fashion-MNIST as Debian's dataset-fashion-mnist has it, and small bases that are pretrained on it."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path("/usr/share/datasets/fashion-mnist")


def fashion(part: str = "train", count: int | None = None) -> tuple[Any, Any]:
    """Images (n, 28, 28, 1) from 0 to 1, and their classes; `part` is train or t10k."""
    images = np.frombuffer(_read(f"{part}-images-idx3-ubyte.gz"), np.uint8, offset=16).reshape(-1, 28, 28, 1)
    labels = np.frombuffer(_read(f"{part}-labels-idx1-ubyte.gz"), np.uint8, offset=8)
    return (images[:count] / 255).astype(np.float32), labels[:count].astype(np.int32)


def _read(name: str) -> bytes:
    return gzip.decompress((FOLDER / name).read_bytes())


def new_base(widths: tuple[int, ...] = (16, 32, 64)) -> Any:
    """A convolutional base of grey images (28, 28) from 0 to 1, not trained."""
    import keras

    layers: list[Any] = [keras.Input((28, 28, 1))]
    for number, width in enumerate(widths, 1):
        layers.append(keras.layers.Conv2D(width, 3, padding="same", use_bias=False, name=f"conv_{number}"))
        layers.append(keras.layers.BatchNormalization(name=f"norm_{number}"))
        layers.append(keras.layers.Activation("relu", name=f"relu_{number}"))
        if number < len(widths):
            layers.append(keras.layers.MaxPooling2D(2, name=f"pool_{number}"))
    return keras.Sequential(layers, name="small")


def pretrained(count: int, epochs: int, widths: tuple[int, ...] = (16, 32, 64), seed: int = 0) -> Any:
    """A base after a training on the first images of Fashion-MNIST."""
    import keras

    keras.utils.set_random_seed(seed)
    base = new_base(widths)
    head = [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(10, activation="softmax")]
    model = keras.Sequential([base, *head])
    model.compile(keras.optimizers.Adam(2e-3), "sparse_categorical_crossentropy")
    model.fit(*fashion(count=count), batch_size=64, epochs=epochs, verbose=0)
    return base
