"""Trainables by name and from files."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from trainables import registry
from trainables.contract import Trainable, epoch_metrics
from trainables.mlp import Mlp

OWN = """
from helper import UNITS
from trainables.contract import Trainable

class MyModel(Trainable):
    loss = "mse"
    units = UNITS
    def load_data(self): ...
    def build_model(self, params): ...
"""


def test_names_and_their_trainables() -> None:
    known = {registry.load(name).__name__: name for name in registry.names()}
    expected = {"Digits": "digits", "FinetuneText": "finetune-text", "Mlp": "mlp", "MnistDense": "mnist-dense"}
    expected |= {"FinetuneImage": "finetune-image", "Image": "image", "Timeseries": "timeseries"}
    assert known.items() >= expected.items() and list(known.values()) == sorted(known.values())


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(registry.UnknownTrainableError, match=r"but got mnist_dens; did you mean mnist-dense\?"):
        registry.load("mnist_dens")


@pytest.mark.parametrize("name", registry.names())
def test_default_sweeps(name: str) -> None:
    sweep = YAML(typ="safe").load(registry.default_sweep(name))
    assert sweep["trainable"] == name and sweep["objective"] in (
        {"metric": "val_accuracy", "mode": "max"},
        {"metric": "val_loss", "mode": "min"},  # which classes and numbers to predict have in common
        {"metric": "val_mae", "mode": "min"},
    )
    assert sweep["space"]["learning_rate"] == {"low": 1e-4, "high": 1e-1, "scale": "log"}
    batch_sizes = sweep["space"]["batch_size"]["choices"]
    assert min(batch_sizes) >= 16 and max(batch_sizes) <= 256
    assert set(sweep["space"]) <= set(registry.load(name).Params.model_fields)
    assert "storage" not in sweep


def test_a_users_file_may_import_its_siblings(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("UNITS = 3")
    (tmp_path / "own.py").write_text(OWN)
    found = registry.load_file(tmp_path / "own.py", "MyModel")
    assert issubclass(found, Trainable) and found.units == 3  # type: ignore[attr-defined]
    assert sys.modules[found.__module__].__name__.startswith("tuner_user_own_")
    assert registry.load_file(tmp_path / "own.py", "MyModel") is found
    with pytest.raises(registry.UnknownTrainableError, match=r"but has none; did you mean MyModel\?"):
        registry.load_file(tmp_path / "own.py", "MyModle")
    with pytest.raises(registry.UnknownTrainableError, match=r"named Digits, but has none; known: MyModel$"):
        registry.load_file(tmp_path / "own.py", "Digits")
    with pytest.raises(registry.UnknownTrainableError, match=r"no such file; did you mean own.py\?"):
        registry.load_file(tmp_path / "onw.py", "MyModel")


def test_a_file_that_raises_leaves_no_module(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("1 / 0")
    before = set(sys.modules)
    with pytest.raises(ZeroDivisionError):
        registry.load_file(tmp_path / "broken.py", "MyModel")
    assert set(sys.modules) == before


def test_mlp_knows_its_metrics_from_its_data() -> None:
    assert "val_accuracy" in epoch_metrics(Mlp("digits"))  # type: ignore[arg-type]


def test_loading_a_built_in_trainable_imports_no_keras() -> None:
    code = "import sys; from trainables import registry; registry.load('mlp')('digits'); print('keras' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
