"""How a process that trains is set up."""

from __future__ import annotations

import subprocess
import sys

import pytest

DETERMINISTIC = """
from trainables.process import set_up_process
set_up_process(1, True)
from tensorflow.python.framework import config
assert config.is_op_determinism_enabled()
from tests.trainables.phased import TwoPhases
from trainables.training import WarmTrainer
trainable = TwoPhases()
trainer = WarmTrainer(trainable, trainable.load_data(), "val_accuracy", "max")
for _ in range(2):
    trainer.start({"noise": 0.1, "batch_size": 16, "head_epochs": 1, "epochs": 2}, 3)
    trainer.train_epoch()
    print(trainer.train_epoch().metrics["loss"])
"""


@pytest.mark.slow(8)
def test_a_deterministic_process_trains_draws_and_freezes_as_others_do() -> None:
    """TensorFlow refuses draws without a seed there, and ops that have no deterministic kernel."""
    done = subprocess.run([sys.executable, "-c", DETERMINISTIC], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    first, second = done.stdout.split()
    assert first == second
