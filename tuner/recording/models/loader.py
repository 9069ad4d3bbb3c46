"""The module with which `mlflow.pyfunc` loads a model of the user's own classes, or of several outputs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence


def loader_text(objects: Mapping[str, tuple[str, str]], outputs: Sequence[str], files: Iterable[str]) -> str:
    """The module's text; it lies beside the user's files.

    Args:
        objects: registered name -> module, name.
        outputs: names of the outputs; empty for one output.
        files: the names of the user's files.
    """
    own = sorted({name.partition("/")[0].removesuffix(".py") for name in files})
    return _TEXT.format(objects=json.dumps(objects, indent=4), outputs=json.dumps(list(outputs)), own=json.dumps(own))


_TEXT = '''"""Loads the model beside this folder with the classes and functions that it is made of."""

import importlib
import os
import sys

import keras
import mlflow.keras.load
import pandas as pd

OBJECTS = {objects}
"""Registered name -> module and name."""
OUTPUTS = {outputs}
"""The names of several outputs."""
OWN = {own}
"""Modules in this folder."""


def _load_pyfunc(path):
    _forget_others()
    found = {{}}
    for registered, (module, name) in OBJECTS.items():
        value = importlib.import_module(module)
        for part in name.split("."):
            value = getattr(value, part)
        found[registered] = value
    with keras.saving.custom_object_scope(found):
        loaded = mlflow.keras.load._load_pyfunc(path)
    return _OfSeveral(loaded) if OUTPUTS else loaded


def _forget_others():
    """Lets this folder's files be imported where files of the same names, another model's, were imported before."""
    folder = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [folder, *(place for place in sys.path if place != folder)]
    for name, module in list(sys.modules.items()):
        top, file = name.partition(".")[0], os.path.abspath(getattr(module, "__file__", None) or "")
        if top in OWN and top not in sys.stdlib_module_names and not file.startswith(folder + os.sep):
            del sys.modules[name]


class _OfSeveral:
    """Predicts arrays by the names of the outputs."""

    def __init__(self, loaded):
        self._model = loaded.get_raw_model()

    def get_raw_model(self):
        return self._model

    def predict(self, data, params=None):
        outputs = self._model.predict(data.values if isinstance(data, pd.DataFrame) else data, verbose=0)
        return outputs if isinstance(outputs, dict) else dict(zip(OUTPUTS, outputs))
'''
