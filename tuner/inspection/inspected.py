"""What was found of a trainable and its data, and what follows from it for the spec."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from trainables.contract import Data
from trainables.learned import Learned
from tuner.base.errors import SpecError
from tuner.inspection.configurations import effect_lines
from tuner.inspection.fit import metric_problems
from tuner.inspection.objective import with_metric_spelt_out
from tuner.inspection.trying import SKIP_VARIABLE, Tried, is_skipped
from tuner.spec import SweepSpec, spec_from_mapping
from tuner.spec.space import Space


@dataclass(frozen=True)
class Inspected:
    """What is known of a trainable once its class and data were looked at.

    `data` is None where the workers load it themselves (tf.data cannot be handed over).
    """

    defaults: dict[str, Any]
    metrics: list[str]
    num_train: int | None
    problems: list[str] = field(default_factory=list)
    data: Data | None = None
    warnings: list[str] = field(default_factory=list)
    digests: dict[str, Any] = field(default_factory=dict)
    """What is known of the data, for the journal: `source`, `arrays` and `described`."""
    imported: list[str] = field(default_factory=list)
    """Files below that of the trainable that were imported, relative to its folder."""
    learned: Learned = field(default_factory=Learned)
    """What `load_data` left in the trainable, for workers and for the sweep's folder."""
    without_effect: dict[str, str] = field(default_factory=dict)
    """Searched parameters that change nothing, and why."""
    mismatches: list[str] = field(default_factory=list)
    """Parameters that the chosen optimizer lacks, and the like: problems of a new sweep, not of one that goes on."""
    not_looked_at: list[str] = field(default_factory=list)
    """Searched parameters of which nobody had time to see whether they change anything."""
    path: str = ""
    """The training path of its trials, fast or fit; empty if no batch was trained."""
    why: str = ""
    """Why it is that one."""

    opened: list[str] = field(default_factory=list)
    """The user's files and folders that loading and training read, where that was watched."""
    is_script: bool = False
    """Whether trials are processes of a script: a loop of the user's own, or a command."""
    space: Space | None = None
    """The whole space of a KerasTuner model; None where it is the spec's."""
    num_folds: int = 0
    """Of cross-validation; 0 for none."""

    @property
    def effect_warnings(self) -> list[str]:
        """A line for each parameter without effect."""
        return effect_lines(self.without_effect)

    @property
    def all_warnings(self) -> list[str]:
        """Those of the trainable, and those of parameters without effect."""
        return [*self.warnings, *self.effect_warnings]

    def after(self, tried: Tried, spec: SweepSpec) -> Inspected:
        """With what a few batches of training showed."""
        metrics = tried.metrics or self.metrics
        of_metric = metric_problems(spec, metrics) if tried.metrics else []
        return replace(
            self,
            metrics=metrics,
            problems=[*self.problems, *tried.problems, *of_metric],
            warnings=[*self.warnings, *tried.warnings],
            without_effect=tried.without_effect,
            mismatches=tried.mismatches,
            not_looked_at=tried.not_looked_at,
            path=tried.path,
            why=tried.why,
            opened=[*self.opened, *tried.opened],
            defaults={name: value for name, value in self.defaults.items() if name not in tried.idle_defaults},
        )

    def of_new(self) -> Inspected:
        """With what is wrong in a new sweep alone among the problems."""
        return replace(self, problems=[*self.problems, *self.mismatches], mismatches=[])

    def strictly(self, is_strict: bool) -> Inspected:
        """If it is strict, what has no effect is a problem; that nobody looks for it is one, too."""
        if not is_strict:
            return self
        skipped = f"strict: must try a batch of each trainable, but ${SKIP_VARIABLE} says to skip it"
        return replace(self, problems=[*self.problems, *self.effect_warnings, *([skipped] if is_skipped() else [])])

    def elsewhere(self, spec: SweepSpec) -> Inspected:
        """Without what is wrong with the data, which may be at hand where the sweep runs alone, and is judged there."""
        of_data = ("trainable: load_data must work", *(["data:"] if spec.data is not None else []))
        if not any(line.startswith("trainable: must import") for line in self.problems):
            of_data = (*of_data, "requirements:")
        return replace(self, problems=[line for line in self.problems if not line.startswith(of_data)])

    def whole(self, spec: SweepSpec) -> SweepSpec:
        """The spec with the space that building a KerasTuner model has found."""
        return spec if self.space is None else spec.model_copy(update={"space": self.space})

    def resolve(self, spec: SweepSpec, source: str) -> SweepSpec:
        """The spec with the learning rate and the batch size in its space, as constants where it names none.

        Raises:
            SpecError: the spec does not fit the trainable, or one of its points not what the trainable adds.
        """
        if self.problems:
            raise SpecError(source, self.problems)
        spec = with_metric_spelt_out(spec, self.metrics)
        own = spec.space if self.space is None else self.space
        known = (*own, *spec.records)
        missing = {name: value for name, value in self.defaults.items() if name not in known}
        space = {**own.model_dump(exclude_defaults=True), **missing}
        resolved = spec.resolved()
        if self.is_script:  # so that a copy of the resolved spec is no error
            resolved["tracking"]["log_models"] = "none"
        return spec_from_mapping({**resolved, "space": space}, source, is_new=bool(missing))
