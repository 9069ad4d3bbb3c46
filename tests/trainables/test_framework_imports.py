"""What a worker's import of TensorFlow leaves out, and that it is there for a trainable that imports it."""

from __future__ import annotations

import importlib
import subprocess
import sys

import pytest

from trainables.framework_imports import NEVER_NEEDED, without_unused_packages


def test_what_is_loaded_already_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", sys)
    monkeypatch.delitem(sys.modules, "matplotlib", raising=False)
    with without_unused_packages():
        assert sys.modules["sklearn"] is sys
        with pytest.raises(ImportError):
            importlib.import_module("matplotlib")
    assert sys.modules["sklearn"] is sys and "matplotlib" not in sys.modules


WORKER = f"""
import sys
from tuner.engine.settings import WorkerSettings
from tuner.engine.slots import Slot
from tuner.worker.training import _make_keras_trainer
settings = WorkerSettings("digits", None, "val_loss", "min", "float32", "", Slot(cpus=1, gpus=0))
_make_keras_trainer(settings, None, [])
assert "tensorflow" in sys.modules and not set({NEVER_NEEDED}) & set(sys.modules), "Keras found them"
import keras, matplotlib, sklearn.base, tensorflow
assert keras.Sequential([keras.layers.Dense(1)])(tensorflow.zeros((2, 3))).shape == (2, 1)
"""


@pytest.mark.slow
def test_a_worker_does_without_and_a_trainable_may_still_import_them() -> None:
    subprocess.run([sys.executable, "-c", WORKER], check=True)


QUIETLY = """
import os
from trainables.framework_imports import import_tensorflow_quietly
import_tensorflow_quietly()
import tensorflow as tf
tf.zeros(1) + 1
os.write(2, b"heard")
"""


@pytest.mark.slow
def test_tensorflow_says_nothing_of_the_machine_and_is_heard_later() -> None:
    done = subprocess.run([sys.executable, "-c", QUIETLY], check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "heard")
