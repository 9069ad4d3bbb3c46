"""The search space: parameters with inclusive bounds, and conditions between them."""

from tuner.space.parameters import KINDS, Choice, Constant, Parameter
from tuner.space.ranges import Float, Int
from tuner.space.space import Space, condition_problems
from tuner.space.words import Params, Scalar, cut, key, nearest, plain, same, shown

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
    "condition_problems",
    "cut",
    "key",
    "nearest",
    "plain",
    "same",
    "shown",
]
