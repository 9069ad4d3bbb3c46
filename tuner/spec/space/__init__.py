"""The search space: parameters with inclusive bounds, and conditions between them."""

from tuner.base.words import Params, Scalar, cut, either, key, nearest, number_text, same, shown, unquoted
from tuner.spec.space.parameters import (
    KINDS,
    Choice,
    Constant,
    Parameter,
    Written,
    WrittenChoice,
    WrittenFloat,
    WrittenInt,
)
from tuner.spec.space.points import completed, point_problems
from tuner.spec.space.ranges import Float, Int
from tuner.spec.space.space import Space, condition_problems

__all__ = [
    "KINDS",
    "Choice",
    "Constant",
    "Float",
    "Int",
    "Parameter",
    "Params",
    "Scalar",
    "Space",
    "Written",
    "WrittenChoice",
    "WrittenFloat",
    "WrittenInt",
    "completed",
    "condition_problems",
    "cut",
    "either",
    "key",
    "nearest",
    "number_text",
    "point_problems",
    "same",
    "shown",
    "unquoted",
]
