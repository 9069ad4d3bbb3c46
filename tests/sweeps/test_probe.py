"""A sweep whose first batch fails does not begin: one line, and its name stays free."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sweeps.conftest import Cli

MODEL = """
import numpy as np
from trainables.contract import Data, Params, Trainable

class Fails(Trainable):
    loss = "mse"

    def load_data(self):
        x = np.zeros((64, 3), "float32")
        return Data(train=(x, x), validation=(x, x))

    def build_model(self, params):
        raise ValueError("no weights in this folder")
"""


@pytest.mark.slow
def test_what_fails_in_the_first_batch_leaves_no_sweep(
    cli: Cli, tiny_spec: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TUNER_SKIP_PROBE")
    (tmp_path / "fails.py").write_text(MODEL)
    spec = tiny_spec(trainable=f"{tmp_path / 'fails.py'}:Fails", num_trials=2)
    said = cli("run", spec, exit_code=2).stderr.splitlines()
    place = "building the model of Fails raised ValueError: no weights in this folder (line 13 of fails.py)"
    assert said[-1] == f"{spec}: trainable: {place}"
    assert not cli.folder("tiny").exists() and not list(Path(cli.root).glob("tiny*"))
