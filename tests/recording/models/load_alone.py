"""Loads models from a tracking store in a process that cannot import this project, and predicts their examples.

A model that needs its user's code may import what that code does, `trainables`. Arguments: the store's URI, the
experiment's id, and the file for the predictions.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

warnings.filterwarnings("ignore")
uri, experiment, target = sys.argv[1:]
blocked = {"tuner", "trainables"}


class Blocker:
    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        if name.split(".")[0] in blocked:
            raise ImportError(f"{name} is not here")


sys.meta_path.insert(0, Blocker())  # type: ignore[arg-type]

import mlflow  # noqa: E402
import numpy as np  # noqa: E402

mlflow.set_tracking_uri(uri)
found = {}
models = mlflow.MlflowClient().search_logged_models([experiment])
for model in sorted(models, key=lambda model: "tuner.model_needs" in model.tags):
    if "tuner.model_needs" in model.tags:
        blocked.discard("trainables")
    url, trial = f"models:/{model.model_id}", model.tags["tuner.trial"]
    loaded = mlflow.pyfunc.load_model(url)
    example = loaded.input_example
    found[f"pyfunc-{trial}"] = loaded.predict(example)
    found |= {f"{name}-{trial}": values.astype(str) for name, values in example.items()}
    if "trainables" in blocked:
        found["keras"] = mlflow.keras.load_model(url).predict(example, verbose=0)
        by_run = f"runs:/{model.source_run_id}/{model.name}"
        found["by run"] = mlflow.keras.load_model(by_run).predict(example, verbose=0)
assert not {name.split(".")[0] for name in sys.modules} & blocked
np.savez(target, **found)
