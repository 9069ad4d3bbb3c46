"""Warnings of Keras and TensorFlow in what is printed."""

from __future__ import annotations

import pytest

from tuner.worker.warned import warnings_in


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (
            "/v/site-packages/keras/src/layers/core/dense.py:93: UserWarning: Do not pass `input_shape`",
            "UserWarning: Do not pass `input_shape`",
        ),
        ("WARNING:tensorflow:5 out of the last 5 calls", "tensorflow:5 out of the last 5 calls"),
        ("WARNING:absl:You are saving your model as an HDF5 file", "absl:You are saving your model as an HDF5 file"),
        (
            "2026-11-30 03:36:24.123456: W tensorflow/core/framework/op_kernel.cc:1857] OP_REQUIRES failed",
            "OP_REQUIRES failed",
        ),
        ("W0000 00:00:1796010307.007519    4242 gpu_device.cc:2341] Cannot dlopen", "Cannot dlopen"),
    ],
)
def test_a_warning_is_known_without_its_place_and_time(line: str, text: str) -> None:
    assert warnings_in(f"epoch 1\n{line}\n  warnings.warn(\n{line}\n".encode()) == [text]


@pytest.mark.parametrize(
    "line", ["loss: 0.5", "train.py:3: UserWarning: mine", "I0000 00:00:1.2 4 a.cc:1] x", "the keras: Warning"]
)
def test_other_lines_are_none(line: str) -> None:
    assert warnings_in(line.encode()) == []


def test_that_each_trial_s_model_is_traced_is_no_warning() -> None:
    line = (
        "WARNING:tensorflow:5 out of the last 15 calls to <function TensorFlowTrainer._make_function.<locals>"
        ".multi_step_on_iterator at 0x7f> triggered tf.function retracing. Tracing is expensive and …"
    )
    assert warnings_in(line.encode()) == []
    assert warnings_in(line.replace("TensorFlowTrainer._make_function", "mine").encode()) != []
