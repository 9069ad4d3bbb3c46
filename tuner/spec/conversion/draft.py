"""A spec in the making: its fields, its parameters, and what is to be said about them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from tuner.spec.conversion.values import Note, count_of, tidy
from tuner.spec.fields import MAX_COUNT
from tuner.spec.foreign import ours_of
from tuner.spec.foreign_parameters import flow
from tuner.spec.messages import line
from tuner.spec.models import SweepSpec
from tuner.spec.space import Choice, Constant, Float, Int, Parameter

_DEFAULT_EPOCHS = 10
_DEFAULT_TRIALS = 64


@dataclass
class Draft:
    """What a file of another tool says, in our words.

    Attributes:
        tool: whose words they were.
        runs: `trainable` or `command`, as far as the file says it.
        notes: a line each: what has no counterpart, what is different here, what was assumed.
    """

    tool: str
    name: str
    runs: dict[str, Any] = field(default_factory=dict)
    metric: str | None = None
    mode: str | None = None
    num_trials: int | None = None
    epochs_min: int | None = None
    epochs_max: int | None = None
    algorithm: str = "tpe"
    seed: int | None = None
    stops_early: bool = False
    reduction_factor: int | None = None
    wall_time_s: float | None = None
    more: dict[str, Any] = field(default_factory=dict)
    """Other fields of the spec."""
    space: dict[str, Any] = field(default_factory=dict)
    originals: dict[str, str] = field(default_factory=dict)
    """Our names of parameters -> theirs."""
    notes: list[str] = field(default_factory=list)

    def note(self, place: str, text: str) -> None:
        said = f"{place}: {text}"
        if said not in self.notes:
            self.notes.append(said)

    def nothing_like(self, place: str) -> None:
        self.note(place, "there is nothing like it here; left out")

    def add(self, place: str, name: str, parameter: Any, notes: list[Note], when: dict[str, Any] | None = None) -> None:
        """Adds a parameter if it is a valid one; else says why it is left out.

        Args:
            place: where the other tool's file has it.
        """
        for part, text in notes:
            self.note(f"{place}.{part}" if part else place, text)
        is_bare = not isinstance(parameter, dict)
        written = {"value": parameter} if is_bare and (when or isinstance(parameter, list)) else parameter
        if when:
            written = {**written, "when": when}
        theirs, name = name, self._name_of(place, name)
        if name in self.space:
            self.note(place, f"there is a parameter {name} already; left out")
            return
        try:
            _adapter().validate_python(written)
        except ValidationError as error:
            rule = line(error.errors(include_url=False)[0]).partition(": ")[2]
            self.note(place, f"left out: {flow(parameter)} {rule}")
            return
        self.space[name] = written
        self.originals[name] = theirs

    def _name_of(self, place: str, name: str) -> str:
        """A name that a parameter may have."""
        ours = re.sub(r"\W", "_", name)[:100] or "_"
        ours = ours if ours.isidentifier() else f"p_{ours}"[:100]
        if ours != name:
            self.note(place, f"is called {ours} here: names are letters, digits and underscores")
        return ours

    def set_algorithm(self, place: str, theirs: str) -> None:
        ours = ours_of("search.algorithm", theirs)
        if ours is None:
            self.note(place, f"there is no {theirs} here; the search is tpe")
        self.algorithm = ours or "tpe"

    def set_mode(self, place: str, theirs: Any) -> None:
        self.mode = ours_of("objective.mode", theirs)
        if self.mode is None:
            self.note(place, f"must be minimize or maximize, but is {flow(theirs)}")

    def fields(self) -> dict[str, Any]:
        """The spec's fields in order; says what was assumed of those that the file does not have."""
        epochs = self._epochs()
        found: dict[str, Any] = {"name": sweep_name(self.name), **self._runs(), "objective": self._objective()}
        found |= {"num_trials": self._num_trials(), "epochs": epochs, "space": self.space}
        found["search"] = {"algorithm": self._algorithm()} | ({} if self.seed is None else {"seed": self.seed})
        found["early_stopping"] = {"algorithm": "asha" if self.stops_early else "none"}
        if self.stops_early and self.reduction_factor is not None:
            found["early_stopping"]["reduction_factor"] = self.reduction_factor
        if self.wall_time_s is not None:
            found["budget"] = {"wall_time": tidy(self.wall_time_s)}
        return found | self.more

    def _runs(self) -> dict[str, Any]:
        if not self.runs:
            self.note(
                "trainable",
                "name yours: ./file.py:ClassName, or ./file.py:main, a loop that calls report(epoch, metrics)",
            )
        return self.runs or {"trainable": "./my_model.py:MyModel"}

    def _objective(self) -> dict[str, Any]:
        mode = self.mode or ("min" if self.metric is None or "loss" in self.metric or "err" in self.metric else "max")
        metric = self.metric or ("val_loss" if mode == "min" else "val_accuracy")
        if self.metric is None:
            self.note("objective.metric", f"is not in the file; {metric} is assumed")
        if self.mode is None:
            self.note("objective.mode", f"is not in the file; {mode} is assumed")
        return {"metric": metric, "mode": mode}

    def _num_trials(self) -> int:
        if self.num_trials is not None:
            return self.num_trials
        count = self._grid_size() if self.algorithm == "grid" else None
        if count is None:
            self.note("num_trials", f"is not in the file; {_DEFAULT_TRIALS} is assumed")
        return min(count or _DEFAULT_TRIALS, MAX_COUNT)

    def _grid_size(self) -> int | None:
        """The configurations of a grid without conditions."""
        count = 1
        for written in self.space.values():
            size = _adapter().validate_python(written).size
            if size is None or (isinstance(written, dict) and {"when", "repeat"} & {*written}):
                return None
            count *= size
        return count

    def _algorithm(self) -> str:
        if self.algorithm == "grid":
            endless = [name for name, each in self.space.items() if _adapter().validate_python(each).size is None]
            if endless:
                self.note("search.algorithm", f"a grid needs values, but {endless[0]} is a range; the search is tpe")
                return "tpe"
        return self.algorithm

    def _epochs(self) -> dict[str, int]:
        """How long a training is: as the file says it, or the parameter `epochs` does."""
        least = self.epochs_min if self.stops_early else None
        most = self.epochs_max
        if (written := self.space.get("epochs")) is not None:
            values = _adapter().validate_python(written)
            ends: list[Any] = [None]
            if isinstance(values, Float | Int):
                ends = [values.high]
            elif isinstance(values, Choice | Constant):
                ends = values.values()
            numbers = [end for end in ends if isinstance(end, int) and count_of(end)]
            if len(numbers) != len(ends):
                self.note("space.epochs", f"must be whole numbers of at least 1, but got {flow(written)}; left out")
                del self.space["epochs"]
            elif most is None:
                most = max(numbers)
                if values.size == 1 and not values.when:
                    del self.space["epochs"]
        if most is None:
            most = min(MAX_COUNT, max(_DEFAULT_EPOCHS, (least or 0) * (self.reduction_factor or 3) ** 2))
            self.note("epochs.max", f"the epochs of a whole training are not in the file; {most} is assumed")
        return {"max": most} if least in (None, 1) else {"min": min(least or 1, most), "max": most}


def sweep_name(text: str) -> str:
    """A name that a sweep may have."""
    name = re.sub(r"[^A-Za-z0-9._-]", "-", text)[:100]
    return name if re.fullmatch(SweepSpec.model_fields["name"].metadata[0].pattern, name) else f"sweep-{name}"[:100]


@cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(Parameter)
