"""The first spec of a class."""

from __future__ import annotations

from trainables.digits import Digits
from trainables.tabular import Tabular
from tuner.inspection.initial import class_objective


def test_the_accuracy_is_the_objective_where_the_class_alone_says_that_there_is_one() -> None:
    assert class_objective(Digits) == ("val_accuracy", "max")
    assert class_objective(Tabular) == ("val_loss", "min"), "its metrics depend on the data"
