"""What a trainable says of how its model is trained, besides the training parameters: phases and augmentation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trainables.contract import Params, Trainable
from trainables.training.augmentation import strengths_of
from trainables.training.phases import Plan, plan_of


@dataclass(frozen=True)
class Recipe:
    """The phases of one trial, None for one of all that learns; and the strengths of its augmentation."""

    plan: Plan | None = None
    strengths: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, trainable: Trainable, params: Params, model: Any) -> Recipe:
        """That of a trial.

        Raises:
            PhasesError: its phases are not those of this model.
            Exception: whatever the trainable's own code raises.
        """
        return cls(plan_of(trainable.phases(params, model), model), strengths_of(trainable, params))

    @property
    def structure(self) -> str:
        """Equal where one model with its graphs serves both; empty where there is nothing of it."""
        of_plan = f" phases {self.plan.structure}" if self.plan is not None else ""
        return of_plan + (f" augmentation {', '.join(self.strengths)}" if self.strengths else "")
