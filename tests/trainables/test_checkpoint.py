"""Checkpoints that are not what they should be are refused by their headers, and cost no memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.trainables.bombs import GIB, SMALL, arrays, expanding, npz, peak_bytes

pytestmark = pytest.mark.slow

MIB = 2**20


@dataclass
class Variable:
    """As much of a variable of Keras's as a checkpoint is held against."""

    shape: tuple[int, ...] = (8, 8)
    dtype: str = "float32"
    path: str = "dense/kernel"


def test_what_was_written_is_read_and_is_within_its_bound() -> None:
    from trainables.training.checkpoint import Progress, Snapshot, best_bytes_max, bytes_max, read_best, read_checkpoint

    values = [np.full((8, 8), 2.0, "float32"), np.array(7, "int64"), np.zeros((0, 3), "float32")]
    variables = [Variable(value.shape, str(value.dtype)) for value in values]
    data = Snapshot(values, Progress(3, 2, 0.5, values[:1])).to_bytes()
    assert len(data) <= bytes_max(variables, 1) < best_bytes_max(variables[:1])
    read, progress = read_checkpoint(data, variables, 1)
    assert [array.tolist() for array in read] == [array.tolist() for array in values]
    assert (progress.epoch, progress.best_epoch, progress.best_value) == (3, 2, 0.5)
    assert [array.tolist() for array in read_best(data, variables[:1])] == [values[0].tolist()]
    unset = Snapshot(values, Progress(1)).to_bytes()
    assert math.isnan(read_checkpoint(unset, variables, 1)[1].best_value)


@pytest.mark.parametrize("bomb", SMALL)
def test_a_file_that_lies_is_a_checkpoint_that_is_passed_over(bomb: str) -> None:
    from trainables.training.checkpoint import CheckpointError, read_best, read_checkpoint

    with pytest.raises(CheckpointError):
        read_checkpoint(SMALL[bomb](), [Variable()], 1)
    with pytest.raises(CheckpointError):
        read_best(SMALL[bomb](), [Variable()])


@pytest.mark.parametrize(
    ("others", "rule"),
    [
        ({"state_0": np.ones((8, 9), "float32")}, r"dense/kernel must have the shape \(8, 8\), but got \(8, 9\)"),
        ({"state_0": np.ones((8, 8), "float64")}, "dense/kernel must be of the type float32, but got float64"),
        ({"state_0": np.ones((8, 8), "V9")}, "dense/kernel must have 256 bytes, but got 576"),
        ({"state_1": np.ones(3)}, "must hold 1 variables of this model, but got 2"),
        ({"state_x": np.ones(3)}, "must hold 1 variables of this model, but got 2"),
        ({"best_0": np.ones(3)}, "must hold 0 variables of this model, but got 1"),
        ({f"more_{number}": np.ones(1) for number in range(99)}, "must hold 2 arrays, but got 101"),
    ],
)
def test_arrays_of_another_model_are_refused_by_their_headers(others: dict[str, Any], rule: str) -> None:
    from trainables.training.checkpoint import CheckpointError, read_checkpoint

    with pytest.raises(CheckpointError, match=rule):
        read_checkpoint(npz(arrays(**others)), [Variable()], 1)


def test_neither_what_expands_nor_what_is_large_is_read(tmp_path: Path) -> None:
    """A checkpoint of 3 GiB in 3 MB, and one of another model that is large on disk, too."""
    bomb, large = tmp_path / "bomb.npz", tmp_path / "large.npz"
    bomb.write_bytes(expanding(3 * GIB))
    np.savez(large, **arrays(state_0=np.zeros(20 * MIB), best_0=np.zeros(20 * MIB)))
    peak, said = peak_bytes(
        """
        from pathlib import Path
        from tests.trainables.test_checkpoint import Variable
        from trainables.training.checkpoint import CheckpointError, read_best, read_checkpoint
        def act(*paths):
            for path in paths:
                data = Path(path).read_bytes()
                for read in (lambda: read_checkpoint(data, [Variable()], 1), lambda: read_best(data, [Variable()])):
                    try:
                        read()
                    except CheckpointError as error:
                        print(error)
        """,
        str(bomb),
        str(large),
    )
    assert said.count("must be stored as it is") == 2 and said.count("dense/kernel must have the shape") == 2
    assert peak < large.stat().st_size + 40 * MIB  # which is what `read_bytes` would not have read
