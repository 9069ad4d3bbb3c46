"""A probe as `tuner.probe` returns it: what was measured, what it suggests, and the spec of the sweep."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from tuner.base.errors import UsageError
from tuner.base.text import duration_text
from tuner.probe.cost import Cost
from tuner.probe.result import ProbeResult
from tuner.probe.specs import SuggestedSpec, written_fields
from tuner.probe.suggestions import Suggestions
from tuner.spec import SweepSpec
from tuner.spec.writing import new_file, write_new


class Probe:
    """What `tuner.probe` found.

    Args:
        measured: the measurements.
        spec: what was probed.
        trainable: the class, where a program passed it by value.
    """

    def __init__(self, measured: ProbeResult, spec: SweepSpec, trainable: Any = None) -> None:
        self.result = measured
        """All measurements: range tests, batch sizes, short trainings."""
        self.suggestions = Suggestions(measured, _coupling(spec))
        """Bounds, choices and first configurations, each with the reason (`why`)."""
        base = written_fields(spec)
        self._given = trainable
        self._suggested = SuggestedSpec(
            base if trainable is None else {**base, "trainable": trainable}, self.suggestions
        )

    @property
    def spec(self) -> dict[str, Any]:
        """The spec that is suggested, for `tuner.run(probe.spec)`."""
        return dict(self._suggested.fields)

    @cached_property
    def cost(self) -> Cost | None:
        """What the suggested sweep costs in time; None where no epoch was measured."""
        return self._suggested.cost

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Writes the suggested spec to a new YAML file, with a comment at each bound.

        Raises:
            UsageError: the file exists or cannot be written, or the trainable is a class of a notebook.
        """
        target = new_file(os.fspath(path), "choose another name")
        write_new(target, self.text(target, f"tuner.probe({self.result.trainable!r})"))
        return target

    def text(self, target: Path, by: str) -> str:
        """The text of the suggested spec for a file.

        Args:
            by: the command that it is written by.

        Raises:
            UsageError: the trainable is a class of a notebook, which a file cannot name.
        """
        if self._given is not None:
            raise UsageError(
                "trainable: is a class of a notebook or a main script, which a spec in a file cannot name: use"
                " tuner.run(probe.spec), or move the class to a file"
            )
        head = [f"Written by: {by}. Change what you like; `tuner check` shows what it would do."]
        return self._suggested.text(target, head)

    def lines(self) -> list[str]:
        """The suggestions for people, a line each."""
        found = self.suggestions
        lines = []
        if rates := found.learning_rate:
            lines.append(f"learning_rate  {rates.low:g} to {rates.high:g}, with {rates.optimizer}")
        if batches := found.batch_size:
            lines.append(f"batch_size     {', '.join(map(str, batches.choices))}")
            lines += [f"               {line}" for line in batches.why[1:]]
        if epochs := found.epochs:
            lines.append(f"epochs         {epochs.min} to {epochs.max}")
        if weights := found.class_weights:
            lines += [f"class weights  {weights.why[0]}", f"               {weights.why[1]}"]
        if self.cost:
            lines.append(f"a sweep        {self.cost.lines()[0]}")
        return lines or ["nothing: see the notes"]

    def as_data(self) -> dict[str, Any]:
        """As `tuner probe --json` prints it."""
        cost = self.cost
        return {
            **self.result.as_data(),
            "suggestions": self.suggestions.as_data(),
            "cost": cost and cost.as_data(),
            "spec": {**self.spec, "trainable": self.result.trainable},
        }

    def __repr__(self) -> str:
        took = duration_text(sum(self.result.seconds.values()))
        told: Sequence[str] = self.lines()
        return (
            "\n".join([f"<tuner.Probe of {self.result.trainable}, {took}; suggests", *(f"  {t}" for t in told)]) + ">"
        )


def _coupling(spec: SweepSpec) -> tuple[str, int] | None:
    """How the spec couples the learning rate with the batch size."""
    found = getattr(spec.space.root.get("batch_size"), "coupling", None)
    return found if found is None or found[1] is not None else None
