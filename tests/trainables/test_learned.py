"""What load_data leaves in a trainable, in another process and for another trial."""

from __future__ import annotations

import pickle
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trainables import registry
from trainables.contract import Data
from trainables.learned import LEARNED_BYTES_MAX, IncompleteError, load_and_learn, teach

FILE = """
    import numpy as np
    from sklearn.preprocessing import StandardScaler

    from trainables.contract import Data, Trainable

    SCALER = StandardScaler()
    WORDS = {}
    COUNT = 0


    class Vocabulary:
        def __init__(self, words):
            self.words = words


    class Model(Trainable):
        loss = "mse"
        plans = []

        def __init__(self, data=None):
            super().__init__(data)
            self.cache = {}
            self.name = "fixed"

        def load_data(self):
            global COUNT
            COUNT = 7
            x = np.arange(12.0).reshape(6, 2)
            SCALER.fit(x)
            WORDS["a"] = 1
            Model.plans.append("gold")
            Model.bias = 0.5
            self.x, self.mean, self.vocabulary = x, x.mean(axis=0), Vocabulary(["a", "b"])
            self.scale = lambda value: value / self.mean
            self.cache["rows"] = len(x)
            return Data((x, x[:, 0]), (x, x[:, 0]))

        def build_model(self, params):
            known = self.mean.tolist(), self.vocabulary.words, self.scale(self.mean).tolist(), self.cache, self.x.shape
            is_own = type(self.vocabulary) is Vocabulary
            return known, SCALER.mean_.tolist(), WORDS, COUNT, self.plans, self.bias, is_own
"""
EXPECTED = (*(([5.0, 6.0], ["a", "b"], [1.0, 1.0], {"rows": 6}, (6, 2)), [5.0, 6.0], {"a": 1}, 7, ["gold"], 0.5, True),)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "churn.py"
    path.write_text(textwrap.dedent(FILE))
    return path


def elsewhere(script: str, *arguments: str, given: bytes = b"") -> bytes:
    """What a process of its own writes."""
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script), *arguments], input=given, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


LOADING = """
    import pickle, sys
    from pathlib import Path
    from trainables import registry
    from trainables.learned import load_and_learn
    trainable = registry.load_file(Path(sys.argv[1]), "Model")()
    sys.stdout.buffer.write(pickle.dumps(load_and_learn(trainable)))
"""


@pytest.mark.slow
def test_a_process_that_did_not_load_the_data_has_all_of_it(file: Path) -> None:
    data, learned = pickle.loads(elsewhere(LOADING, str(file)))
    assert not learned.left_out and {"mean", "x", "vocabulary", "Model.bias"} <= set(learned.names)
    file.write_text(file.read_text() + "\n")  # so that its module is called otherwise here
    trainable = registry.load_file(file, "Model")()
    assert type(trainable).__module__ != learned.module
    teach(trainable, learned, data)
    found: Any = trainable.build_model(None)
    assert found == EXPECTED
    assert trainable.x is data.train[0]  # type: ignore[attr-defined]
    with pytest.raises(IncompleteError):
        teach(registry.load_file(file, "Model")(), learned)


def test_what_cannot_be_pickled_is_told_by_name(file: Path) -> None:
    trainable = registry.load_file(file, "Model")()
    load = trainable.load_data

    def load_more() -> Data:
        data = load()
        trainable.lock, trainable.rows = threading.Lock(), (row for row in data.train[0])  # type: ignore[attr-defined]
        trainable.hub_token = "abc"  # type: ignore[attr-defined]
        return data

    trainable.load_data = load_more  # type: ignore[method-assign]
    _, learned = load_and_learn(trainable)
    assert {"lock", "rows", "hub_token"} <= set(learned.left_out) and "cannot pickle" in learned.left_out["lock"]
    assert "mean" in learned.names


def test_too_much_is_told_and_not_kept(file: Path) -> None:
    trainable = registry.load_file(file, "Model")()
    trainable.load_data = lambda: vars(trainable).update(  # type: ignore[method-assign]
        table=np.zeros(LEARNED_BYTES_MAX // 8 + 1)
    )
    _, learned = load_and_learn(trainable)
    assert not learned.pickled and "64" in learned.left_out["table"]


def test_nothing_is_learned_of_what_was_there(file: Path) -> None:
    trainable = registry.load_file(file, "Model")("data.csv")
    trainable.load_data = lambda: Data((np.zeros(1), np.zeros(1)), None)  # type: ignore[method-assign]
    before = dict(vars(trainable))
    _, learned = load_and_learn(trainable)
    assert set(learned.names) <= set(before) and not learned.left_out and "name" not in learned.names
