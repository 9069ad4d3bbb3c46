"""A saved model is made with the arguments of the trained one, or a sentence says why it cannot be saved."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from trainables.training.arguments import give_configurations, kept_arguments
from trainables.training.saving import NotSavedError, save_model

pytestmark = pytest.mark.slow(10)


class Defaults(keras.Model):
    def __init__(self, units: int = 4, activation: str = "relu", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dense = keras.layers.Dense(units, activation=activation)

    def call(self, x: Any) -> Any:
        return self.dense(x)


class Required(keras.Model):
    def __init__(self, units: int, *, activation: str = "relu") -> None:
        super().__init__()
        self.first, self.second = Defaults(units, activation), keras.layers.Dense(2)

    def call(self, x: Any) -> Any:
        return self.second(self.first(x))


class AsFunctional(keras.Model):
    def __init__(self, units: int = 4, activation: str = "relu") -> None:
        x = keras.Input((3,))
        super().__init__(x, keras.layers.Dense(units, activation=activation)(x))


class OfAnObject(Defaults):
    def __init__(self, settings: object) -> None:
        super().__init__()


class Described(Defaults):
    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": 4, "activation": "tanh"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("kind", [Defaults, Required, AsFunctional, Described])
def test_a_saved_model_has_the_arguments_of_the_trained_one(kind: Any, tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
    with kept_arguments():
        models = [kind(4, activation="tanh") for _ in range(2)]  # Keras changes some classes with their first model
    for model in models:
        predicted = model.predict(x, verbose=0)
        give_configurations(model)
        save_model(model, __name__, tmp_path)
        loaded = keras.saving.load_model(
            tmp_path / "model.keras", {name: one for name, one in vars(sys.modules[__name__]).items()}
        )
        assert np.array_equal(loaded.predict(x, verbose=0), predicted)


def test_the_reason_is_a_whole_sentence(tmp_path: Path) -> None:
    with kept_arguments():
        model = OfAnObject(object())
    model(np.zeros((1, 3), np.float32))
    give_configurations(model)
    with pytest.raises(NotSavedError, match=r"^Object OfAnObject .*Please implement `get_config\(\)`\.$"):
        save_model(model, __name__, tmp_path)


def test_keras_is_as_it_was_afterwards() -> None:
    before = keras.Model.__dict__["__new__"]
    with kept_arguments():
        assert keras.Sequential([keras.layers.Dense(2)]).layers
    assert keras.Model.__dict__["__new__"] is before


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_class_of_a_notebook_is_named_and_loads_there(tmp_path: Path) -> None:
    """A model's process has such a class by value; its `__main__` is another."""
    given: Any = type("GivenByValue", (Defaults,), {"__module__": "__main__"})
    x = np.ones((2, 3), np.float32)
    with kept_arguments():
        model = given(4, activation="tanh")
    predicted = model.predict(x, verbose=0)
    give_configurations(model)
    save_model(model, __name__, tmp_path)
    assert json.loads((tmp_path / "model.json").read_text())["objects"] == {
        "GivenByValue": ["__main__", "GivenByValue"]
    }
    loaded = keras.saving.load_model(tmp_path / "model.keras", {"GivenByValue": given})
    assert np.array_equal(loaded.predict(x, verbose=0), predicted)
