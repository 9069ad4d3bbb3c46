"""Which configuration is measured, with which batch sizes and optimizers: rules of the spec alone."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any, get_args

import numpy as np

from trainables.contract import TrainingParams
from tuner.base.errors import UsageError
from tuner.spec import SweepSpec
from tuner.spec.feasible import Feasible
from tuner.spec.space import AnyParameter, Choice, Constant, Float, Int, Repeated

OPTIMIZERS: tuple[str, ...] = get_args(TrainingParams.model_fields["optimizer"].annotation)
BATCH_SIZES = (32, 128)
"""Where the spec says none."""
DRAWS_MAX = 1000
MEASURED = ("learning_rate", "batch_size", "optimizer", "epochs")
"""What a probe sets itself."""


def configuration(spec: SweepSpec, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The space's configuration that is nearest to the defaults; else the middle of a range, the first of choices.

    Args:
        defaults: of the trainable's parameters.

    Raises:
        UsageError: nothing in the space is feasible.
    """
    units = {
        name: _unit(parameter, defaults.get(name))
        for name, parameter in spec.space.items()
        if not isinstance(parameter, Repeated | Constant)
    }
    drawn = (spec.space.sample(np.random.default_rng([spec.search.seed, n])) for n in range(DRAWS_MAX))
    is_feasible = Feasible(spec.feasible)
    found = next(filter(is_feasible, chain([spec.space.from_units(units)], drawn)), None)
    if found is None:
        raise UsageError(f"probe: feasible: none of {DRAWS_MAX} configurations of the space is feasible; widen it")
    return dict(found)


def batch_sizes(spec: SweepSpec, asked: Sequence[int], default: Any, num_examples: int | None) -> list[int]:
    """Those asked for; else the smallest and the largest of the spec that the training data hold.

    Raises:
        UsageError: one asked for is not a number of training examples.
    """
    for size in asked:
        if size < 1:
            raise UsageError(f"--batch-size: must be at least 1, but got {size}")
        if num_examples is not None and size > num_examples:
            raise UsageError(f"--batch-size: must be at most the {num_examples} training examples, but got {size}")
    if asked:
        return sorted(set(asked))
    parameter = spec.space.root.get("batch_size")
    sizes = _sizes(parameter) or ([default] if isinstance(default, int) and parameter is None else [])
    if parameter is None and default == TrainingParams.model_fields["batch_size"].default:
        sizes = list(BATCH_SIZES)
    held = [size for size in sizes if num_examples is None or size <= num_examples]
    if not held:
        held = [min(BATCH_SIZES[0], num_examples or BATCH_SIZES[0])]
    return sorted({min(held), max(held)})


def optimizers(spec: SweepSpec, asked: Sequence[str], default: Any) -> list[str]:
    """Those asked for; else those of the spec, or the trainable's default.

    Raises:
        UsageError: there is no such optimizer.
    """
    for name in asked:
        if name not in OPTIMIZERS:
            near = difflib.get_close_matches(name, OPTIMIZERS, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UsageError(f"--optimizer: must be one of {', '.join(OPTIMIZERS)}, but got {name!r}{hint}")
    if asked:
        return list(dict.fromkeys(asked))
    parameter = spec.space.root.get("optimizer")
    if isinstance(parameter, Constant):
        return [str(parameter.value)]
    if isinstance(parameter, Choice):
        return [str(choice) for choice in parameter.choices]
    return [str(default or TrainingParams.model_fields["optimizer"].default)]


def _sizes(parameter: AnyParameter | None) -> list[int]:
    values: Sequence[Any] = ()
    if isinstance(parameter, Choice):
        values = parameter.choices
    elif isinstance(parameter, Constant):
        values = [parameter.value]
    elif isinstance(parameter, Int | Float):
        values = [parameter.low, parameter.high]
    return [int(value) for value in values if isinstance(value, int | float) and value >= 1]


def _unit(parameter: Any, default: Any) -> float:
    if default is not None and parameter.contains(default):
        return float(parameter.to_unit(default))
    return float(parameter.to_unit(parameter.choices[0])) if isinstance(parameter, Choice) else 0.5
