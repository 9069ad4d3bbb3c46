"""The search space: parameters with inclusive bounds, and conditions between them."""

from tuner.base.words import (
    Params,
    Scalar,
    Value,
    cut,
    key,
    nearest,
    number_text,
    same,
    shown,
    unquoted,
    value_key,
)
from tuner.spec.space.choice import Choice
from tuner.spec.space.conditions import conditions_text
from tuner.spec.space.parameters import KINDS, AnyParameter, Constant, Parameter
from tuner.spec.space.points import completed, point_problems
from tuner.spec.space.ranges import Float, Int
from tuner.spec.space.repeated import Repeated
from tuner.spec.space.space import Space, condition_problems, has_lists
from tuner.spec.space.written import Written, WrittenChoice, WrittenFloat, WrittenInt

__all__ = [
    "KINDS",
    "AnyParameter",
    "Choice",
    "Constant",
    "Float",
    "Int",
    "Parameter",
    "Params",
    "Repeated",
    "Scalar",
    "Space",
    "Value",
    "Written",
    "WrittenChoice",
    "WrittenFloat",
    "WrittenInt",
    "completed",
    "condition_problems",
    "conditions_text",
    "cut",
    "has_lists",
    "key",
    "nearest",
    "number_text",
    "point_problems",
    "same",
    "shown",
    "unquoted",
    "value_key",
]
