"""Phases in the graphs of a model: what is frozen is part of a graph, all other numbers are variables.

A frozen weight has no gradient, so that a phase does not pay for the backward pass below its lowest layer that learns.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from trainables.phases import Phase

Factors = tuple[float | None, ...]
"""Of each layer, in the order of `layers_of`; None where the model says whether it learns."""
_LAYERS_TOLD = 10


class PhasesError(ValueError):
    """What a trainable's `phases` returns cannot be trained; the message says what to do."""


@dataclass(frozen=True)
class Plan:
    """The phases of one trial.

    Attributes:
        ends: the last epoch of each phase; of the last one infinite.
        factors: of each phase.
    """

    ends: tuple[float, ...]
    factors: tuple[Factors, ...]

    def phase_at(self, epoch: int) -> int:
        """The phase that an epoch (1, 2, …) belongs to."""
        return next(phase for phase, end in enumerate(self.ends) if epoch <= end)

    @property
    def structure(self) -> str:
        """Equal for plans whose graphs are equal: what learns in each phase, whatever its rate."""
        marks = {None: "-", True: "1", False: "0"}
        texts = ("".join(marks[None if f is None else f > 0] for f in factors) for factors in self.factors)
        return "/".join(texts)


def plan_of(phases: Sequence[Phase], model: Any) -> Plan | None:
    """The plan of these phases; None where there are none.

    Raises:
        PhasesError: they are no sequence of phases of this model.
    """
    if not phases:
        return None
    layers = layers_of(model)
    ends: list[float] = []
    factors: list[Factors] = []
    for number, phase in enumerate(phases, 1):
        if not isinstance(phase, Phase):
            raise PhasesError(f"phases must return a list of trainables.Phase, but it holds {type(phase).__name__}")
        is_last = number == len(phases)
        if phase.epochs is None and not is_last:
            raise PhasesError(f"phase {number} must have a number of epochs, as others follow it, but got None")
        if phase.epochs is not None and (isinstance(phase.epochs, float) or phase.epochs < 0):
            raise PhasesError(f"phase {number} must have a whole number of epochs, 0 or more, but got {phase.epochs}")
        if phase.epochs == 0:
            continue
        ends.append((ends[-1] if ends else 0) + (math.inf if phase.epochs is None or is_last else phase.epochs))
        factors.append(_factors(phase, number, layers))
    if not ends:
        raise PhasesError("phases must return one phase at least that has epochs, but all have 0")
    ends[-1] = math.inf
    return Plan(tuple(ends), tuple(factors))


def layers_of(model: Any) -> list[Any]:
    """A model's layers, those within others and the model itself among them, each once; outer ones first."""
    found = list({id(layer): layer for layer in model._flatten_layers(include_self=True)}.values())
    return sorted(found, key=lambda layer: -len(list(layer._flatten_layers(include_self=True))))


def _factors(phase: Phase, number: int, layers: list[Any]) -> Factors:
    known = {id(layer) for layer in layers}
    for layer, factor in phase.rates.items():
        if id(layer) not in known:
            name = getattr(layer, "name", repr(layer))
            names = ", ".join(layer.name for layer in layers[1 : _LAYERS_TOLD + 1])
            raise PhasesError(f"phase {number}: rates must name layers of the model ({names}, …), but got {name}")
        if not math.isfinite(factor) or factor < 0:
            raise PhasesError(f"phase {number}: the factor of {layer.name} must be 0 or more, but got {factor}")
    found: dict[int, float] = {}
    for layer in layers:  # outer ones first, so that inner ones overrule them
        if layer in phase.rates:
            found |= {id(part): float(phase.rates[layer]) for part in layer._flatten_layers(include_self=True)}
    return tuple(found.get(id(layer)) for layer in layers)


class PhasedModel:
    """A model whose layers learn as a plan says, and its optimizer.

    `freeze` comes before a graph is traced, `begin_epoch` before it runs.
    """

    def __init__(self, model: Any, plan: Plan) -> None:
        self._plan = plan
        self._layers = layers_of(model)
        self._as_built = [
            (layer.trainable, [v.trainable for v in layer._trainable_variables]) for layer in self._layers
        ]
        self._model = model
        self.learning: list[Any] = []
        """The weights that learn in any phase: what the optimizer is built for."""
        self._learns_in: list[set[int]] = []
        for phase in range(len(plan.ends)):
            self.freeze(phase)
            learning = self._model.trainable_variables
            if not learning:
                raise PhasesError(f"phase {phase + 1} must leave a layer that learns, but freezes all")
            self._learns_in.append({id(variable) for variable in learning})
        learns = set().union(*self._learns_in)
        self.learning = [variable for variable in model.variables if id(variable) in learns]
        self._factors = tf.Variable(tf.ones([len(self.learning)]), trainable=False, name="rate_factors")
        self._begun = tf.Variable(tf.zeros([len(self.learning)], tf.int64), trainable=False, name="first_steps")
        self._phase = -1

    @property
    def variables(self) -> list[Any]:
        """What `set` and `begin_epoch` assign."""
        return [self._factors, self._begun]

    def set(self, plan: Plan, steps_per_epoch: int) -> None:
        """Takes the numbers of a trial's plan, which has the same structure."""
        self._plan, self._phase = plan, -1
        starts = [0, *(int(end) * steps_per_epoch for end in plan.ends[:-1])]
        first = [next(p for p, ids in enumerate(self._learns_in) if id(v) in ids) for v in self.learning]
        self._begun.assign([starts[phase] for phase in first])

    def freeze(self, phase: int) -> None:
        """Makes the layers of the model that learn in a phase trainable, and no others."""
        is_learning: set[int] = set()
        for layer, factor, (own, of_variables) in zip(
            self._layers, self._plan.factors[phase], self._as_built, strict=True
        ):
            for variable, as_built in zip(layer._trainable_variables, of_variables, strict=True):
                is_kept = factor is None or (factor > 0 and getattr(layer, "lora_enabled", False))
                variable.trainable = as_built if is_kept else bool(factor)  # LoRA's own matrices learn alone
            layer._trainable = own if factor is None else factor > 0
            if layer._trainable:
                is_learning.add(id(layer))
        for layer in self._layers:  # a layer that learns is seen only if those around it learn, too
            if any(id(part) in is_learning for part in layer._flatten_layers(include_self=True)):
                layer._trainable = True

    def begin_epoch(self, epoch: int) -> int:
        """Sets the rates of an epoch (1, 2, …); the phase that it belongs to."""
        phase = self._plan.phase_at(epoch)
        if phase != self._phase:
            self._phase = phase
            found: dict[int, float] = {}
            for layer, factor in zip(self._layers, self._plan.factors[phase], strict=True):
                found |= {id(variable): 1.0 if factor is None else factor for variable in layer._trainable_variables}
            self._factors.assign([found.get(id(variable), 1.0) for variable in self.learning])
        return phase

    def take(self, optimizer: Any) -> None:
        """Lets an optimizer that is built for `learning` use the factors.

        A weight that begins to learn in a later phase does so as with a new optimizer: its steps are counted from then.
        """
        inner_step, inner_decay = optimizer.update_step, optimizer._apply_weight_decay

        def update_step(gradient: Any, variable: Any, learning_rate: Any) -> None:
            index = optimizer._get_variable_index(variable)
            count = optimizer._iterations
            begun = tf.cast(tf.convert_to_tensor(self._begun)[index], count.dtype)
            optimizer.__dict__["_iterations"] = tf.convert_to_tensor(count) - begun
            try:
                rate = tf.cast(learning_rate, tf.float32) * tf.convert_to_tensor(self._factors)[index]
                inner_step(gradient, variable, rate)
            finally:
                optimizer.__dict__["_iterations"] = count

        def apply_weight_decay(variables: Any) -> None:
            decay = optimizer.weight_decay
            if decay is None:
                return
            for variable in variables:
                factor = tf.convert_to_tensor(self._factors)[optimizer._get_variable_index(variable)]
                optimizer.__dict__["weight_decay"] = tf.cast(decay, tf.float32) * factor
                try:
                    inner_decay([variable])
                finally:
                    optimizer.__dict__["weight_decay"] = decay

        optimizer.__dict__["update_step"] = update_step
        optimizer.__dict__["_apply_weight_decay"] = apply_weight_decay
