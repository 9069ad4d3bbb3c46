"""How a process that trains is set up: a worker, and the probe that trains a batch before there are workers."""

from __future__ import annotations

import importlib
import os

from trainables.framework_imports import without_unused_packages


def import_frameworks() -> None:
    """Imports TensorFlow, Keras and the training paths, and does nothing with them: the process can be forked."""
    _import_tensorflow()
    importlib.import_module("trainables.training")


def set_up_process(threads: int, is_deterministic: bool = False) -> None:
    """Imports TensorFlow and Keras as workers do, and limits TensorFlow to so many threads.

    Args:
        is_deterministic: whether TensorFlow takes only ops that give the same result each time, on GPUs, too.

    Must come before any other import of them, unless they were imported by `import_frameworks`, and before TensorFlow
    runs an op.
    """
    _import_tensorflow()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    if is_deterministic:
        tf.config.experimental.enable_op_determinism()


def _import_tensorflow() -> None:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with without_unused_packages():
        importlib.import_module("tensorflow")
