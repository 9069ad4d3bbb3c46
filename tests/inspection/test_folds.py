"""Cross-validation as it is looked at before a sweep."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.inspection.test_inspection import BODY, HEAD
from tests.simulation import make_spec
from tuner.inspection import Inspected
from tuner.inspection.examine import inspect

OWN = """
    def folds(self, data):
        x, y = data.train
        return [Data((x[:20], y[:20]), (x[20:], y[20:])), Data((x[20:], y[20:]), (x[:20], y[:20]))]
"""


def looked_at(folder: Path, text: str, **changes: Any) -> Inspected:
    (folder / "mine.py").write_text(text)
    changes = {"objective__metric": "val_loss", "space": {"learning_rate": 0.1, "batch_size": 8}, **changes}
    return inspect(make_spec(trainable=f"{folder / 'mine.py'}:Mine", **changes))


def test_folds_of_arrays(tmp_path: Path) -> None:
    without_validation = BODY.replace(", validation=(x, x)", "")
    for body, each in ((BODY, 64), (without_validation, 32)):
        found = looked_at(tmp_path, HEAD + body, folds=5, objective__metric="val_loss + val_loss_std")
        assert (found.problems, found.num_folds, found.num_train) == ([], 5, each)
        assert {"val_loss", "val_loss_std", "val_loss_fold_0", "val_loss_fold_4"} <= set(found.metrics)


def test_folds_of_the_trainables_own(tmp_path: Path) -> None:
    found = looked_at(tmp_path, HEAD + BODY + OWN)
    assert (found.problems, found.num_folds, found.num_train) == ([], 2, 20)


@pytest.mark.parametrize(
    ("text", "changes", "problem"),
    [
        (BODY, {"folds": 81}, "folds: must be at most the 80 training and validation examples, but got 81"),
        (BODY + OWN, {"folds": 5}, "folds: must be left out of the spec, as the trainable has a method folds"),
        (BODY + OWN.replace("return [", "return 3, ["), {}, "trainable: its method folds must return a list"),
        (BODY + OWN.replace("x, y =", "x, y, z ="), {}, "trainable: folds must work, but it raised ValueError"),
        (BODY, {"folds": 5, "space": {"learning_rate": 0.1, "batch_size": 70}},
         "space.batch_size: must not be above the training set's 64 examples, but got 70"),
        (BODY.replace(", validation=(x, x)", ""), {}, "trainable: its validation data must be x, a tuple"),
    ],
)  # fmt: skip
def test_what_cannot_be(tmp_path: Path, text: str, changes: dict[str, Any], problem: str) -> None:
    [found] = looked_at(tmp_path, HEAD + text, **changes).problems
    assert found.startswith(problem)


@pytest.mark.slow(8)
def test_what_is_no_array(tmp_path: Path) -> None:
    body = BODY.replace("(x, x), validation", "tf.data.Dataset.from_tensor_slices((x, x)), validation")
    [found] = looked_at(tmp_path, "import tensorflow as tf\n" + HEAD + body, folds=5).problems
    assert found.startswith("folds: needs arrays, but the training data are a ")
    assert found.endswith(
        "give the trainable a method folds(self, data) that returns a list of Data, or leave folds out"
    )


def test_a_script_has_no_folds(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("def main(params, report):\n    report(1, {'val_loss': 1.0})\n")
    spec = make_spec(trainable=f"{tmp_path / 'train.py'}:main", folds=3)
    assert inspect(spec).problems == ["folds: has no effect on a script, which divides its data itself: leave it out"]
