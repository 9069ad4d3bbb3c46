"""How a process that trains is set up: a worker, and the probe that trains a batch before there are workers."""

from __future__ import annotations

import os

from trainables.framework_imports import without_unused_packages


def set_up_process(threads: int) -> None:
    """Imports TensorFlow and Keras as workers do, and limits TensorFlow to so many threads.

    Must come before any other import of them, and before TensorFlow runs an op.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with without_unused_packages():
        import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
