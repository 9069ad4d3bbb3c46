"""What is said of data without their rows: examples, classes, leaks; whoever made them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from tests import folders
from tests.inspection.test_inspection import HEAD
from tests.simulation import make_spec
from trainables import Data
from tuner.inspection.describing import data_text, data_warnings, described
from tuner.inspection.examine import inspect

X = np.random.default_rng(0).normal(size=(60, 5)).astype("float32")
Y = np.arange(60) % 3


def test_any_arrays_have_examples_and_class_counts() -> None:
    data = Data(train=(X[:40], Y[:40]), validation=(X[40:50], np.eye(3)[Y[40:50]]), test=(X[50:], X[50:, 0]))
    assert described(data) == {
        "examples": {"train": 40, "validation": 10, "test": 10},
        "class_counts": {"train": {"0": 14, "1": 13, "2": 13}, "validation": {"0": 3, "1": 4, "2": 3}},
    }
    assert described(Data(train=X[:40], validation=X[40:])) == {"examples": {"train": 40, "validation": 20}}


def test_names_and_what_the_reader_knows_are_kept_but_no_rows() -> None:
    texts = np.array([f"secret-{number}" for number in range(60)], object)
    found = described(Data.from_arrays(texts, np.array(["ant", "bee", "cow"])[Y], seed=7))
    assert found["class_names"] == ["ant", "bee", "cow"] and found["seed"] == 7
    assert found["class_counts"]["train"] == {"ant": 16, "bee": 16, "cow": 16}
    assert "secret" not in json.dumps(found)


def test_the_line_says_parts_and_classes() -> None:
    data = Data.from_arrays(X, np.array(["ant", "bee", "cow"])[Y], test=6)
    assert data_text(described(data)) == "train 42, validation 12, test 6; classes of train: ant 14, bee 14, cow 14"
    assert data_text({}) == ""


def test_rows_of_the_test_data_in_training_are_told() -> None:
    data = Data(train=({"a": X, "b": X[:, 0]}, Y), validation=({"a": X[:3] + 9, "b": X[:3, 0]}, Y[:3]))
    assert data_warnings(data) == []
    (line,) = data_warnings(Data(train=(X[:40], Y[:40]), validation=(X[40:], Y[40:]), test=(X[38:42], Y[38:42])))
    assert line.startswith("data: 2 of 4 test examples are in the training data, too (equal x)")


LOADS = (
    HEAD
    + """
class Mine(Trainable):
    loss = "mse"
    def load_data(self):
        return Data.from_text_folder(self.data)
    def build_model(self, params):
        raise RuntimeError("not built here")
"""
)


def test_mistakes_and_notes_of_data_stand_beside_the_others(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(LOADS)
    root = folders.texts(tmp_path / "t", 20)

    def looked() -> object:
        space = {"learning_rate": 0.1, "batch_size": 8}
        changes = {"objective__metric": "val_loss", "space": space, "data": str(root)}
        return inspect(make_spec(trainable=f"{tmp_path}/mine.py:Mine", **changes))

    (root / "sad" / "other.md").touch()
    found = looked()
    assert found.problems == [] and found.digests["described"]["class_names"] == ["glad", "sad"]  # type: ignore[attr-defined]
    assert any("left out are files that are no texts" in line for line in found.warnings)  # type: ignore[attr-defined]
    (root / "sad" / "00001.txt").write_bytes(b"")
    told = f"data: {root}/sad/00001.txt: must be one of the texts, but is empty"
    assert looked().problems == [told]  # type: ignore[attr-defined]
