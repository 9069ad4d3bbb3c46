"""`tuner probe`: what it refuses at once, and one probe of real training."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_commands import tuner


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["digit"], "did you mean digits"),
        (["digits", "--batch-size", "many"], "whole numbers such as 32,128, but got many"),
        (["digits", "--figure", "probe.gif"], "must end in .png, .svg, .pdf"),
        (["digits", "--figure", "nowhere/probe.png"], "its folder must exist"),
        (["digits", "--output", "there.yaml"], "is there already"),
        (["options.py"], "a program of its own is searched by a spec with `command: [python, options.py, …]`"),
    ],
)
def test_wrong_use_is_one_line(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.yaml").write_text("")
    Path("options.py").write_text("import sys\nsys.exit(2)\n")
    errors = tuner("probe", *arguments, exit_code=2).stderr
    assert told in errors and len(errors.strip().splitlines()) == 1


@pytest.mark.slow(20)
def test_a_probe_measures_and_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given = ["--optimizer", "adam,sgd", "--batch-size", "32", "--noise-scale", "--figure", "probe.png"]
    done = tuner("probe", "digits", *given, "--output", "probed.yaml", "--storage", "root", "--json")
    found = json.loads(done.stdout)
    assert [(test["optimizer"], test["batch_size"]) for test in found["rates"]] == [("adam", 32), ("sgd", 32)]
    for test in found["rates"]:
        assert 1e-6 < test["low"] <= test["steepest"] <= test["high"] < 10
        assert len(test["rates"]) == len(test["losses"]) > 60
    steps = found["ladder"]["steps"]
    assert [step["batch_size"] for step in steps[:3]] == [8, 16, 32]
    assert all(step["fits"] and step["peak_memory_bytes"] > 2**20 for step in steps)
    assert found["epochs"]["curves"][0]["values"][-1] > 0.8
    assert sum(found["classes"]["counts"].values()) == found["train_examples"]
    assert found["noise_scale"]["low"] <= found["noise_scale"]["batch_size"] <= found["noise_scale"]["high"]
    assert Path("probe.png").read_bytes().startswith(b"\x89PNG") and Path("probed.yaml").exists()
    assert "learning rates of adam at a batch of 32" in done.stderr
    tuner("check", "probed.yaml")


def test_a_command_is_no_trainable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_text("")
    Path("sweep.yaml").write_text(
        """
name: command
command: [python, train.py, --lr, "{lr}"]
objective: {metric: loss, mode: min}
num_trials: 2
epochs: {max: 2}
space: {lr: {low: 0.001, high: 0.1}}
"""
    )
    errors = tuner("probe", "sweep.yaml", exit_code=2).stderr
    assert errors.splitlines()[-1].endswith(
        "train.py is a program of its own, whose steps cannot be measured; search its rate and batch size over wide"
        " ranges with `tuner run`, or write it as a Trainable"
    )


MODELS = """
import os, signal
import keras
import numpy as np
import tensorflow as tf
from trainables import Data, Trainable, TrainingParams


def dies(rows):
    if len(rows) >= 16:
        os.kill(os.getpid(), signal.SIGKILL)
    return rows


class Greedy(keras.layers.Layer):
    def call(self, x):
        return tf.ensure_shape(tf.py_function(dies, [x], tf.float32), x.shape)

    def compute_output_shape(self, shape):
        return shape


class Big(Trainable):
    loss = "sparse_categorical_crossentropy"
    Params = TrainingParams

    def load_data(self):
        x = np.random.default_rng(0).normal(size=(264, 4)).astype("float32")
        y = (x.sum(axis=1) > 0).astype("int32")
        return Data((x[:256], y[:256]), (x[256:], y[256:]))

    def build_model(self, params):
        inputs = keras.Input((4,))
        return keras.Model(inputs, keras.layers.Dense(2, activation="softmax")(Greedy()(inputs)))


class Wrong(Big):
    def build_model(self, params):
        return keras.Sequential([keras.layers.Dens(2)])
"""


@pytest.mark.slow(20)
def test_a_batch_that_kills_its_process_ends_the_ladder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("models.py").write_text(MODELS)
    given = ["--batch-size", "8,32", "--seconds", "120", "--storage", "root", "--json"]
    found = json.loads(tuner("probe", "models.py:Big", *given).stdout)
    assert {step["batch_size"]: step["reason"] for step in found["ladder"]["steps"]} == {
        8: "", 16: "the process was killed by SIGKILL; most likely memory ran out",
    }  # fmt: skip
    assert found["ladder"]["ended"] == "a batch of 16 does not fit" and found["ladder"]["largest_fitting"] == 8
    assert [test["batch_size"] for test in found["rates"]] == [8] and found["epochs"]["curves"]
    assert found["notes"] == ["no rates at a batch of 32: 16 does not fit"] and found["seconds"]["ladder"] > 0
    assert found["spec"]["space"]["batch_size"]["choices"] == [8]
    errors = tuner("probe", "models.py:Wrong", "--storage", "root", exit_code=2).stderr.splitlines()
    assert "batch size 16" not in "".join(errors) and errors[-1].startswith(
        "trainable: building the model of Wrong raised AttributeError: module 'keras"
    )
    assert "(line 39 of models.py)" in errors[-1]
