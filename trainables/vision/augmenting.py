"""Random changes of images, each image's own: flips, rotations, zoom and contrast. Runs in a graph, from one seed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

NAMES = ("flip", "rotation", "zoom", "contrast")


def augmented(images: Any, strengths: Mapping[str, Any], seed: Any, value_range: tuple[float, float]) -> Any:
    """Images (n, height, width, channels) after these changes, in float32.

    Args:
        strengths: as `vision.classifier.ImageParams` has them; those that are left out change nothing.
        seed: two whole numbers.
        value_range: the least and the largest value of a pixel.
    """
    images = tf.cast(images, tf.float32)
    draws = tf.random.stateless_uniform([tf.shape(images)[0], len(NAMES)], seed)
    drawn = dict(zip(NAMES, tf.unstack(draws, axis=1), strict=True))
    if {"flip", "rotation", "zoom"} & set(strengths):
        images = _moved(images, drawn, strengths)
    if "contrast" in strengths:
        factor = 1.0 + (2.0 * drawn["contrast"] - 1.0) * strengths["contrast"]
        mean = tf.reduce_mean(images, axis=(1, 2), keepdims=True)
        images = tf.clip_by_value((images - mean) * factor[:, None, None, None] + mean, *value_range)
    return images


def _moved(images: Any, drawn: Mapping[str, Any], strengths: Mapping[str, Any]) -> Any:
    """Flipped, turned and zoomed about the middle; what comes in at the edges is a reflection."""
    zeros = tf.zeros_like(drawn["flip"])
    sign = tf.where(drawn["flip"] < strengths["flip"], -1.0, 1.0) if "flip" in strengths else zeros + 1.0
    turn = (2.0 * drawn["rotation"] - 1.0) * strengths["rotation"] * 2.0 * math.pi if "rotation" in strengths else zeros
    scale = 1.0 + (2.0 * drawn["zoom"] - 1.0) * strengths["zoom"] if "zoom" in strengths else zeros + 1.0
    size = tf.shape(images)[1:3]
    middle_y, middle_x = tf.unstack((tf.cast(size, tf.float32) - 1.0) / 2.0)
    # From a pixel of the result to its place in the image: x' = a x + b y + c.
    xx, xy = scale * sign * tf.cos(turn), -scale * tf.sin(turn)
    yx, yy = scale * sign * tf.sin(turn), scale * tf.cos(turn)
    rows = [xx, xy, middle_x - xx * middle_x - xy * middle_y, yx, yy, middle_y - yx * middle_x - yy * middle_y]
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=tf.stack([*rows, zeros, zeros], axis=1),
        output_shape=size,
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="REFLECT",
    )
