"""The learning rate that grows with the batch size: a trial's own rate is that of a batch of `base` examples.

Linear as in Goyal et al. 2017 ("Accurate, Large Minibatch SGD"); by the square root as in Krizhevsky 2014 ("One weird
trick for parallelizing convolutional neural networks"), section 5.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

SCALED = "scaled_learning_rate"
"""The name by which the rate that a trial trained with is recorded."""


class Coupling(NamedTuple):
    """How the rate follows the batch size."""

    how: str
    """linear or sqrt."""
    base: int
    """The batch size for which the rate holds as it is."""

    def factor(self, batch_size: float) -> float:
        """What the rate is multiplied by."""
        ratio = batch_size / self.base
        return math.sqrt(ratio) if self.how == "sqrt" else ratio


def coupling_of(space: Mapping[str, Any]) -> Coupling | None:
    """The coupling of a resolved spec's space; None for none."""
    written = space.get("batch_size")
    if not isinstance(written, Mapping) or written.get("scale_learning_rate") in (None, "none"):
        return None
    return Coupling(written["scale_learning_rate"], written["base"])


def scaled_rate(space: Mapping[str, Any], params: Mapping[str, Any]) -> float | None:
    """The rate that a trial with these parameters trains with; None where the batch size does not scale it."""
    coupling = coupling_of(space)
    rate: Any = params.get("learning_rate")
    batch_size: Any = params.get("batch_size")
    if coupling is None or not _is_positive(rate) or not _is_positive(batch_size):
        return None
    return float(rate * coupling.factor(batch_size))


def trained_params(space: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """A trial's parameters as its training gets them."""
    rate = scaled_rate(space, params)
    return dict(params) if rate is None else {**params, "learning_rate": rate}


def as_suggested(space: Mapping[str, Any], params: Mapping[str, Any], trained_rate: Any) -> dict[str, Any]:
    """The parameters of another sweep's trial as this space would have suggested them.

    Args:
        trained_rate: the rate that it trained with.
    """
    coupling, batch_size = coupling_of(space), params.get("batch_size")
    if not _is_positive(trained_rate) or (coupling is not None and not _is_positive(batch_size)):
        return dict(params)
    rate = trained_rate if coupling is None else trained_rate / coupling.factor(float(batch_size or 1))
    before = params.get("learning_rate")
    if _is_positive(before) and math.isclose(rate, float(before or 0), rel_tol=1e-9):
        return dict(params)  # as it was recorded, to the last digit
    return {**params, "learning_rate": rate}


def _is_positive(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def coupling_text(coupling: Coupling) -> str:
    """In words, for people."""
    by = "the square root of the batch size" if coupling.how == "sqrt" else "the batch size"
    return f"grows with {by}, from its value at {coupling.base}"
