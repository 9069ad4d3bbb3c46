"""Searches to compare with, run for real: each is told what its own framework tells it, in the simulator's order."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np

from tests.benchmarks.search.frameworks import installed
from tests.benchmarks.search.tables import Table
from tuner.policy import CONTINUE, Policy
from tuner.spec.search_settings import SearchSettings
from tuner.spec.space import Choice, Params, Space

EPOCHS_FIRST, ETA = 1, 3


class Ours:
    """Tuner's policy as the driver uses it."""

    def __init__(self, space: Space, epochs: int, seed: int, algorithm: Any = "tpe", stopping: str = "asha") -> None:
        self.policy = Policy(
            SearchSettings(
                space,
                "min",
                EPOCHS_FIRST,
                epochs,
                stops_early=stopping == "asha",
                reduction_factor=ETA,
                seed=seed,
                algorithm=algorithm,
            )
        )

    def ask(self) -> tuple[int, Params] | None:
        suggestion = self.policy.ask()
        return None if suggestion is None else (suggestion.trial, suggestion.params)

    def tell(self, trial: int, epoch: int, loss: float) -> bool:
        decision = self.policy.tell(trial, epoch, loss)
        if decision.action == CONTINUE:
            return True
        self.policy.close(trial, decision.outcome or "stopped")
        return False


class Foreseeing(Ours):
    """What no search can be: Tuner's policy told, after each epoch of a trial, the best that it will come to.

    How far it is ahead of "tuner" is how much better guesses of the ends could gain; where it stays behind, it is the
    sampler, or the budget.
    """

    table: Table
    """Is given by who runs it."""

    def __init__(self, space: Space, epochs: int, seed: int) -> None:
        super().__init__(space, epochs, seed)
        self.ends: dict[int, float] = {}

    def ask(self) -> tuple[int, Params] | None:
        asked = super().ask()
        if asked is not None:
            trial, params = asked
            self.ends[trial] = float(np.min(self.table.curve(params)))  # NaN if it will diverge
        return asked

    def tell(self, trial: int, epoch: int, loss: float) -> bool:
        return super().tell(trial, epoch, self.ends[trial])


class Random:
    """Independent draws, trained to the end."""

    def __init__(self, space: Space, epochs: int, seed: int) -> None:
        self.space, self.epochs, self.rng, self.count = space, epochs, np.random.default_rng(seed), 0

    def ask(self) -> tuple[int, Params] | None:
        self.count += 1
        return self.count - 1, self.space.sample(self.rng)

    def tell(self, trial: int, epoch: int, loss: float) -> bool:
        return epoch < self.epochs


class OneEpoch(Random):
    """One epoch each; after every `epochs` of them the best that was not yet is trained to its end: half the budget
    screens, half trains."""

    def __init__(self, space: Space, epochs: int, seed: int) -> None:
        super().__init__(space, epochs, seed)
        self.first: list[tuple[float, int]] = []
        self.screened = 0

    def ask(self) -> tuple[int, Params] | None:
        if self.screened >= self.epochs and self.first:
            self.screened -= self.epochs
            self.first.sort()
            return self.first.pop(0)[1], {}
        return super().ask()

    def tell(self, trial: int, epoch: int, loss: float) -> bool:
        if epoch == 1:
            self.screened += 1
            self.first.append((loss if math.isfinite(loss) else math.inf, trial))
            return False
        return epoch < self.epochs and math.isfinite(loss)


class StockRay:
    """HyperOptSearch with AsyncHyperBandScheduler, called as Tune's loop calls them; a space of Hyperopt's own.

    A trial that Tune lets go on after NaN is trained on, as there.
    """

    def __init__(self, space: Space, epochs: int, seed: int) -> None:
        from ray.tune.schedulers import AsyncHyperBandScheduler
        from ray.tune.search.hyperopt import HyperOptSearch

        self.space, self.epochs, self.count = space, epochs, 0
        self.search = HyperOptSearch(hyperopt_space(space), metric="loss", mode="min", random_state_seed=seed)
        self.scheduler = AsyncHyperBandScheduler(
            metric="loss", mode="min", max_t=epochs, grace_period=EPOCHS_FIRST, reduction_factor=ETA
        )
        self.trials: dict[int, Any] = {}

    def ask(self) -> tuple[int, Params] | None:
        trial = self.count
        drawn = self.search.suggest(str(trial))
        if drawn is None:
            return None
        self.count += 1
        self.trials[trial] = SimpleNamespace(trial_id=str(trial))
        self.scheduler.on_trial_add(None, self.trials[trial])
        return trial, from_hyperopt(self.space, drawn)

    def tell(self, trial: int, epoch: int, loss: float) -> bool:
        result = {"loss": loss, "training_iteration": epoch}
        if epoch >= self.epochs:
            self.scheduler.on_trial_complete(None, self.trials[trial], result)
            self.search.on_trial_complete(str(trial), result=result)
            return False
        decision = self.scheduler.on_trial_result(None, self.trials[trial], result)
        self.search.on_trial_result(str(trial), result)
        if decision == "CONTINUE":
            return True
        self.search.on_trial_complete(str(trial), result=result)
        return False


def hyperopt_space(space: Space) -> dict[str, Any]:
    """The space in Hyperopt's words: ranges as uniform on their own scale, children of a choice inside of it."""
    from hyperopt import hp

    children: dict[tuple[str, Any], list[str]] = {}
    for name in space.searched:
        for parent, wanted in (space[name].when or {}).items():
            for value in wanted if isinstance(wanted, list) else [wanted]:
                children.setdefault((parent, value), []).append(name)

    def node(name: str) -> Any:
        parameter = space[name]
        if not isinstance(parameter, Choice):
            return hp.uniform(name, 0, 1)
        options = [
            {"value": index, **{child: node(child) for child in children.get((name, value), [])}}
            for index, value in enumerate(parameter.choices)
        ]
        return hp.choice(name, options)

    return {name: node(name) for name in space.searched if not space[name].when}


def from_hyperopt(space: Space, drawn: dict[str, Any]) -> Params:
    units: dict[str, float] = {}

    def take(values: dict[str, Any]) -> None:
        for name, value in values.items():
            if isinstance(value, dict):
                units[name] = (value["value"] + 0.5) / space[name].size
                take({child: found for child, found in value.items() if child != "value"})
            else:
                units[name] = float(value)

    take(drawn)
    return space.from_units(units)


class Optuna:
    """Optuna's TPE with one of its pruners; `multivariate=None` is its default."""

    def __init__(
        self, space: Space, epochs: int, seed: int, pruner: Literal["halving", "hyperband"], multivariate: bool | None
    ) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        options = {} if multivariate is None else {"multivariate": multivariate}
        sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True, **options)
        if pruner == "halving":
            rule = optuna.pruners.SuccessiveHalvingPruner(min_resource=EPOCHS_FIRST, reduction_factor=ETA)
        else:
            rule = optuna.pruners.HyperbandPruner(EPOCHS_FIRST, epochs, ETA)
        self.optuna, self.space, self.epochs = optuna, space, epochs
        self.study = optuna.create_study(sampler=sampler, pruner=rule, study_name=f"study-{seed}")
        self.trials: dict[int, Any] = {}

    def ask(self) -> tuple[int, Params] | None:
        trial = self.study.ask()
        self.trials[trial.number] = trial
        params: Params = {}
        for name, parameter in self.space.items():
            if not self.space.is_active(name, params):
                continue
            if name not in self.space.searched:
                params[name] = parameter.from_unit(0.5)
            elif isinstance(parameter, Choice):
                params[name] = parameter.choices[trial.suggest_categorical(name, list(range(parameter.size)))]
            else:
                params[name] = parameter.from_unit(trial.suggest_float(name, 0.0, 1.0))
        return trial.number, params

    def tell(self, trial: int, epoch: int, loss: float) -> bool:
        states, asked = self.optuna.trial.TrialState, self.trials[trial]
        asked.report(loss, epoch)
        if epoch >= self.epochs:
            state = states.FAIL if math.isnan(loss) else states.COMPLETE
            self.study.tell(asked, None if math.isnan(loss) else loss, state=state)
            return False
        if not asked.should_prune():
            return True
        self.study.tell(asked, state=states.PRUNED)
        return False


def random_asha(space: Space, epochs: int, seed: int) -> Ours:
    """Independent draws under Tuner's ASHA."""
    return Ours(space, epochs, seed, algorithm="random")


def _optuna(pruner: Literal["halving", "hyperband"], multivariate: bool | None) -> Any:
    return lambda space, epochs, seed: Optuna(space, epochs, seed, pruner, multivariate)


POLICIES: dict[str, Any] = {
    "tuner": Ours,
    "random": Random,
    "random + ASHA": random_asha,
    "one epoch, then the best": OneEpoch,
    "stock Ray: HyperOptSearch + ASHA": StockRay,
    "Optuna TPE + halving": _optuna("halving", None),
    "Optuna TPE + Hyperband": _optuna("hyperband", None),
    "Optuna TPE univariate + halving": _optuna("halving", False),
    **installed(),
}
BOUNDS: dict[str, Any] = {"tuner, told the ends": Foreseeing}
"""To compare with only when named: no policies, as they look into the table."""
