"""Which layers of a base learn, which images are taken, and what is said of bases that are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainables.contract import DataError, ParamError
from trainables.finetune_image import FinetuneImage
from trainables.image import Image
from trainables.vision import bases, unfreezing

LAYERS = ["stem", "block_1", "block_2", "top"]


@pytest.mark.parametrize(
    ("unfreeze_from", "number"),
    [(0, 0), (0.0, 0), (0.01, 1), (0.5, 2), (1, 4), (1.0, 4), (2, 2), (4, 4), ("block_2", 2), ("stem", 4)],
)
def test_how_many_layers_learn(unfreeze_from: Any, number: int) -> None:
    unfreezing.check(unfreeze_from)
    assert unfreezing.num_unfrozen(unfreeze_from, LAYERS) == number


@pytest.mark.parametrize(
    ("unfreeze_from", "rule"),
    [
        (5, "must be at most the base's 4 layers with weights, but got 5"),
        ("blok_2", "must be a layer of the base with weights, such as .*, but got blok_2; did you mean block_2"),
        (1.5, "a whole number of them from 2 on, but got 1.5"),
        (-1, "but got -1"),
    ],
)
def test_what_names_no_layers(unfreeze_from: Any, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        unfreezing.check(unfreeze_from)
        unfreezing.num_unfrozen(unfreeze_from, LAYERS)


def test_parameters_are_checked_with_the_spec() -> None:
    assert FinetuneImage.Params(unfreeze_from=2).unfreeze_from == 2
    for wrong in ({"unfreeze_from": 1.5}, {"input_range": "0..1"}, {"layer_decay": 0}, {"base_learning_rate": 0}):
        with pytest.raises(ValueError):
            FinetuneImage.Params(**wrong)


@pytest.mark.parametrize("name", ["MobileNetV3", "resnet50", "mobile_net_v2", "ResNet 50"])
def test_a_base_that_nobody_knows_gets_the_nearest(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bases.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ParamError, match=r"base must be a .keras file, a model of keras.applications .* did you mean"):
        bases.find(name, "imagenet")
    with pytest.raises(ParamError, match=r"for presets: pip install keras-hub$"):
        bases.find("albert_base", "imagenet")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "base.keras").write_bytes(b"none")
    with pytest.raises(
        ParamError, match=r"base must be a file, but .*bass.keras is not there; did you mean base.keras"
    ):
        bases.find(str(tmp_path / "bass.keras"), None)
    with pytest.raises(ParamError, match=r"weights must be a file, but .*w.h5 is not there"):
        bases.find("MobileNetV2", str(tmp_path / "w.h5"))
    found = bases.find(str(tmp_path / "base.keras"), None)
    assert found.content == {"base": b"none"} and len(found.sha256["base"]) == 64
    assert bases.find("MobileNetV2", "none") == bases.find("MobileNetV2", None) == bases.Base("MobileNetV2")


def test_weights_are_of_models_of_keras_applications_alone(tmp_path: Path) -> None:
    (tmp_path / "base.keras").write_bytes(b"none")
    trainable = FinetuneImage("digits")
    trainable.fixed_params = {"base": str(tmp_path / "base.keras"), "weights": "none"}
    with pytest.raises(ParamError, match=r"^weights has no effect, as .*base\.keras has its own; leave it out$"):
        trainable.load_data()


def test_arrays_become_images(tmp_path: Path) -> None:
    def read(**arrays: Any) -> Any:
        np.savez(tmp_path / "x.npz", **arrays)
        trainable = Image(str(tmp_path / "x.npz"))
        return trainable, trainable.load_data()

    y = np.arange(20) % 4
    trainable, data = read(x_train=np.full((20, 6, 5), 200, np.uint8), y_train=y)
    assert data.train[0].shape == (18, 6, 5, 1) and trainable.form.value_range == (0, 255)
    assert trainable.num_classes == 4 and trainable.loss == "sparse_categorical_crossentropy"
    trainable, _ = read(x_train=np.linspace(0, 1, 20 * 48).reshape(20, 4, 4, 3), y_train=np.eye(4)[y])
    assert trainable.form.value_range == (0, 1) and trainable.loss == "categorical_crossentropy"
    trainable, _ = read(x_train=np.linspace(-1, 1, 20 * 48).reshape(20, 4, 4, 3), y_train=y)
    assert trainable.form.value_range == (-1, 1)
    for x, rule in (
        (np.zeros((20, 7)), r"x must hold images, of shape .* but got \(18, 7\)"),
        (np.full((20, 4, 4), 300.0), "images must have values from 0 to 255, 0 to 1 or -1 to 1, but got 300 to 300"),
    ):
        with pytest.raises(DataError, match=rule):
            read(x_train=x, y_train=y)
    with pytest.raises(DataError, match="y must hold classes"):
        read(x_train=np.zeros((20, 4, 4)), y_train=np.linspace(0, 1, 20))
    with pytest.raises(DataError, match="finetune-image must be given data: digits, mnist, a folder"):
        FinetuneImage(None)
