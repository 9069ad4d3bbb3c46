"""Keras's import without what it brings along for people at a notebook, and TensorFlow's without what it says."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

NEVER_NEEDED = ("sklearn", "matplotlib", "googleapiclient")
"""Keras and TensorFlow import them if they can: for scikit-learn wrappers, galleries of images, and TPUs in Google's
cloud, none of which has a place in a training. They are a quarter of what the import costs."""


@contextmanager
def without_unused_packages() -> Iterator[None]:
    """Keras and TensorFlow, imported herein, do without those packages; a later import of them is as ever."""
    hidden = [name for name in NEVER_NEEDED if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None: importing it raises ImportError
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def import_tensorflow_quietly() -> None:
    """Imports TensorFlow; what its C++ tells meanwhile of the machine, whatever it is told, goes nowhere."""
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    errors, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        importlib.import_module("tensorflow")
    finally:
        os.dup2(errors, 2)
        os.close(errors)
        os.close(nowhere)
