"""Where arrays lie: on the device where they have room there, else in host memory, and never twice in host memory.

On a CPU a tensor is the array itself wherever TensorFlow can read it as it is: so data that processes share are not
copied.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.eager import context
from tensorflow.python.framework import ops

from trainables.cards import CardError, card_mb, first_card

DATA_SHARE = 0.5
"""Of a device's memory that data may take; the rest is for models, what they compute, and the batches."""
_ALIGNED_BYTES = 64
"""TensorFlow reads arrays in place whose first byte has such an address."""
_HOST = "/job:localhost/replica:0/task:0/device:CPU:0"


def room_bytes() -> float:
    """What data may take on the device that trains; infinite where that is the host, or cannot be told."""
    cards = tf.config.list_physical_devices("GPU")
    if not tf.config.list_logical_devices("GPU"):
        return math.inf
    limits = tf.config.get_logical_device_configuration(cards[0])
    limit_mb = limits[0].memory_limit if limits else None
    try:
        return DATA_SHARE * 2**20 * (limit_mb or card_mb(first_card()))
    except CardError:
        return math.inf


def tensor_bytes(rows: np.ndarray[Any, Any]) -> int:
    """The size of an array's tensor."""
    return int(rows.size) * int(np.dtype(_dtype(rows)).itemsize)


def to_device(rows: np.ndarray[Any, Any], is_shared: bool = False) -> Any:
    """A tensor where TensorFlow computes: floats as Keras's float type, all else as it is.

    Args:
        is_shared: whether nobody changes the array, so that the tensor may be the array itself.
    """
    return tf.identity(to_host(rows, is_shared))


def to_host(rows: np.ndarray[Any, Any], is_shared: bool = False) -> Any:
    """The same in host memory."""
    dtype = _dtype(rows)
    if rows.dtype.kind not in "biuf" or rows.size == 0:  # text, or a type that NumPy does not know
        with tf.device(_HOST):
            return tf.convert_to_tensor(rows.astype(dtype, copy=False))
    if not is_shared or rows.dtype != dtype or not rows.flags.c_contiguous or rows.ctypes.data % _ALIGNED_BYTES:
        rows = _aligned(rows, dtype)
    context.ensure_initialized()
    return ops.EagerTensor(rows, _HOST, None)  # tf.convert_to_tensor would copy it, and keep the copy for a while


def _dtype(rows: np.ndarray[Any, Any]) -> np.dtype[Any]:
    dtype: np.dtype[Any] = np.dtype(keras.config.floatx()) if rows.dtype.kind == "f" else rows.dtype
    return dtype


def _aligned(rows: np.ndarray[Any, Any], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """A copy that TensorFlow reads in place."""
    space = np.empty(rows.size * dtype.itemsize + _ALIGNED_BYTES, np.uint8)
    first = -space.ctypes.data % _ALIGNED_BYTES
    copy = space[first : first + rows.size * dtype.itemsize].view(dtype).reshape(rows.shape)
    copy[...] = rows
    return copy
