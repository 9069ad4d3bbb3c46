"""What `load_data` is told of a spec is the same in the process that inspects it and in workers."""

from __future__ import annotations

from pathlib import Path

from tests.simulation import make_spec
from tuner.inspection.examine import inspect
from tuner.inspection.workplace import Place, load_instance, with_data

OWN = """
import numpy as np
from trainables import Data, Trainable, TrainingParams

class Mine(Trainable):
    loss = "mse"

    class Params(TrainingParams):
        rows: int = 10
        units: int = 1

    def load_data(self):
        x = np.arange(float(self.fixed_params["rows"])).reshape(-1, 1)
        return Data(train=(x, x), validation=(x + 0.5, x))

    def build_model(self, params):
        raise RuntimeError("not built here")
"""


def test_constants_are_known_before_the_data_are_loaded(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(OWN)
    space = {"learning_rate": 0.1, "batch_size": 8, "rows": 40, "units": {"low": 1, "high": 8}}
    spec = make_spec(trainable=f"{path}:Mine", objective__metric="val_loss", space=space)
    found = inspect(spec)
    assert found.problems == [] and found.num_train == 40 and found.learned.names == ()
    place = Place(spec.trainable, None, learned=found.learned, fixed_params=spec.space.fixed)
    worker = load_instance(place)
    assert worker.fixed_params == {"learning_rate": 0.1, "batch_size": 8, "rows": 40}
    assert len(with_data(worker, None, found.learned).train[0]) == 40


def test_the_windows_of_a_shipped_default_sweep(tmp_path: Path) -> None:
    space = {"learning_rate": 0.1, "batch_size": 8, "window": {"choices": [12, 48]}, "horizon": 6}
    objective = {"metric": "val_mase", "mode": "min"}
    found = inspect(make_spec(trainable="timeseries", data="seasons", objective=objective, space=space))
    assert found.problems == [] and found.num_train == 3000 - 600 - 12 - 6 + 1
    assert found.digests["described"]["baseline"].startswith("the last value has a val_mae of")
