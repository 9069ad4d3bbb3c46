"""Phases of a training: how fast each layer learns in each of them. Imports no Keras."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Phase:
    """A part of a training, as `Trainable.phases` returns it.

    Attributes:
        epochs: how many it has; 0 leaves it out, None takes all that are left.
        rates: layer of the model -> factor on the learning rate of its weights; 0 freezes the layer. It holds for the
            layers within, unless they have a factor of their own. Layers without one learn as the model says.
    """

    epochs: int | None = None
    rates: Mapping[Any, float] = field(default_factory=dict)
