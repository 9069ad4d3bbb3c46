"""Random numbers in steps that XLA compiles: the same ones as without XLA.

XLA makes other floats of the same random bits than TensorFlow's own kernels do, so dropout would draw other masks.
While such a step is traced, uniform and normal draws are replaced by the kernels' arithmetic on the bits, which are
equal. (Philox: Salmon et al. 2011; TensorFlow's `random_distributions.h`.)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import tensorflow as tf
from tensorflow.python.ops import gen_stateless_random_ops_v2 as stateless

_MANTISSA_BITS = {tf.float32: 23, tf.bfloat16: 7, tf.float16: 10}
_INTEGERS = {tf.float32: tf.uint32, tf.bfloat16: tf.uint16, tf.float16: tf.uint16}
_SMALLEST = 1e-7
"""What Box and Muller's method takes for a uniform draw of 0."""
_OTHERS = (
    "RandomStandardNormal", "RandomUniform", "TruncatedNormal", "Multinomial", "StatelessMultinomial",
    "StatelessTruncatedNormal", "StatelessParameterizedTruncatedNormal", "StatelessRandomGamma",
    "StatelessRandomPoisson", "StatelessRandomBinomial",
)  # fmt: skip


def draws_other_numbers(op: str) -> bool:
    """Whether an op of a step draws other numbers once XLA compiles it, whatever is done within `same_draws`."""
    return op.startswith(_OTHERS)


@contextmanager
def same_draws() -> Iterator[None]:
    """What is traced within draws, when XLA runs it, what it would draw without."""
    uniform, normal = stateless.stateless_random_uniform_v2, stateless.stateless_random_normal_v2

    def of_bits(shape: Any, key: Any, counter: Any, dtype: Any = tf.float32, alg: Any = None, name: Any = None) -> Any:
        if tf.executing_eagerly() or tf.as_dtype(dtype) not in _MANTISSA_BITS:
            return uniform(shape, key=key, counter=counter, dtype=dtype, alg=alg, name=name)
        return _uniform(_bits(shape, key, counter, alg), dtype)

    def of_pairs(shape: Any, key: Any, counter: Any, dtype: Any = tf.float32, alg: Any = None, name: Any = None) -> Any:
        if tf.executing_eagerly() or tf.as_dtype(dtype) not in _MANTISSA_BITS:
            return normal(shape, key=key, counter=counter, dtype=dtype, alg=alg, name=name)
        count = tf.reduce_prod(tf.cast(shape, tf.int32))
        drawn = _normal(_bits([(count + 1) // 2, 2], key, counter, alg))
        return tf.cast(tf.reshape(tf.reshape(drawn, [-1])[:count], shape), dtype)

    stateless.stateless_random_uniform_v2, stateless.stateless_random_normal_v2 = of_bits, of_pairs
    try:
        yield
    finally:
        stateless.stateless_random_uniform_v2, stateless.stateless_random_normal_v2 = uniform, normal


def _bits(shape: Any, key: Any, counter: Any, alg: Any) -> Any:
    """Random 32-bit numbers, which depend on key and counter alone."""
    return stateless.stateless_random_uniform_full_int_v2(shape, key=key, counter=counter, dtype=tf.uint32, alg=alg)


def _uniform(bits: Any, dtype: Any) -> Any:
    """Floats in [0, 1): the lowest bits are the mantissa of a number in [1, 2), of which 1 is taken."""
    dtype = tf.as_dtype(dtype)
    mantissa, integer = _MANTISSA_BITS[dtype], _INTEGERS[dtype]
    bias = 15 if dtype == tf.float16 else 127
    bits = tf.cast(bits & (2**mantissa - 1), integer) | tf.constant(bias << mantissa, integer)
    return tf.bitcast(bits, dtype) - tf.constant(1, dtype)


def _normal(bits: Any) -> Any:
    """Pairs of normally distributed floats of pairs of random bits (Box and Muller 1958)."""
    radius = tf.sqrt(-2.0 * tf.math.log(tf.maximum(_uniform(bits[:, 0], tf.float32), _SMALLEST)))
    angle = 2.0 * math.pi * _uniform(bits[:, 1], tf.float32)
    return tf.stack([tf.sin(angle) * radius, tf.cos(angle) * radius], axis=1)
