"""KerasTuner's Hyperband and Syne Tune's BOHB, run for real.

They are no dependencies of ours: `pip install keras-tuner==1.4.8 syne-tune==0.16.0 statsmodels` before comparing with
them (BOHB's densities are statsmodels').
"""

from __future__ import annotations

import importlib.util
import logging
import math
import os
import tempfile
from datetime import datetime
from typing import Any

from tuner.spec.space import Choice, Params, Space

EPOCHS_FIRST, ETA = 1, 3


class KerasTunerHyperband:
    """Its oracle, asked and told as `keras_tuner.Hyperband.run_trial` does: later rounds go on with a trial's weights.

    A trial that diverged is trained to its round's end, as there; a round's score is its best epoch. What the oracle
    would write to disk is not written.
    """

    def __init__(self, space: Space, epochs: int, seed: int) -> None:
        os.environ.setdefault("KERAS_BACKEND", "tensorflow")
        import keras_tuner

        parameters = keras_tuner.HyperParameters()
        for name in space.searched:
            if isinstance(parameter := space[name], Choice):
                parameters.Choice(name, list(range(parameter.size)))
            else:
                parameters.Float(name, 0.0, 1.0)
        self.space = space
        self.oracle = keras_tuner.oracles.HyperbandOracle(
            objective=keras_tuner.Objective("loss", "min"),
            max_epochs=epochs,
            factor=ETA,
            hyperband_iterations=10**6,
            seed=seed,
            hyperparameters=parameters,
            max_consecutive_failed_trials=10**6,
        )
        self.oracle._set_project_dir(tempfile.gettempdir(), "unused")
        self.oracle._save_trial = self.oracle.save = lambda *_: None
        self.oracle.verbose = 0
        self.numbers: dict[str, int] = {}
        """The simulator's trial of each of the oracle's; the rounds of one configuration are one trial."""
        self.rounds: dict[int, tuple[Any, int, float]] = {}
        """What each trial is at: the oracle's trial, its last epoch, the best loss of this round."""

    def ask(self) -> tuple[int, Params] | None:
        drawn = self.oracle.create_trial(f"worker {len(self.oracle.start_order)}")  # each asks for itself
        if drawn.status != "RUNNING":
            return None
        values = drawn.hyperparameters.values
        number = self.numbers.get(values.get("tuner/trial_id"), len(set(self.numbers.values())))
        self.numbers[drawn.trial_id] = number
        self.rounds[number] = (drawn, int(values["tuner/epochs"]), math.nan)
        units = {
            name: (values[name] + 0.5) / parameter.size
            if isinstance(parameter := self.space[name], Choice)
            else values[name]
            for name in self.space.searched
        }
        return number, self.space.from_units(units)

    def tell(self, trial: int, epoch: int, loss: float) -> bool:
        drawn, last, best = self.rounds[trial]
        self.rounds[trial] = (drawn, last, best := loss if math.isnan(best) or loss < best else best)
        if epoch < last:
            return True
        self.oracle.update_trial(drawn.trial_id, {"loss": best}, step=epoch)
        drawn.status = "COMPLETED"
        self.oracle.end_trial(drawn)
        return False


class SyneTune:
    """One of Syne Tune's asynchronous schedulers, called as its Tuner calls them; to it divergence is an error."""

    def __init__(self, space: Space, epochs: int, seed: int, scheduler: str) -> None:
        from syne_tune import config_space
        from syne_tune.optimizer import baselines

        logging.getLogger("syne_tune").setLevel(logging.ERROR)
        self.space, self.epochs = space, epochs
        searched = {
            name: config_space.choice(list(range(parameter.size)))
            if isinstance(parameter := space[name], Choice)
            else config_space.uniform(0.0, 1.0)
            for name in space.searched
        }
        self.scheduler = getattr(baselines, scheduler)(
            searched,
            metric="loss",
            time_attr="epoch",
            max_t=epochs,
            random_seed=seed,
            grace_period=EPOCHS_FIRST,
            reduction_factor=ETA,
        )
        self.trials: list[Any] = []

    def ask(self) -> tuple[int, Params] | None:
        from syne_tune.backend.trial_status import Trial

        suggestion = self.scheduler.suggest()
        if suggestion is None:
            return None
        trial = Trial(len(self.trials), suggestion.config, datetime.now())
        self.trials.append(trial)
        self.scheduler.on_trial_add(trial)
        units = {
            name: (trial.config[name] + 0.5) / parameter.size
            if isinstance(parameter := self.space[name], Choice)
            else trial.config[name]
            for name in self.space.searched
        }
        return trial.trial_id, self.space.from_units(units)

    def tell(self, trial: int, epoch: int, loss: float) -> bool:
        if not math.isfinite(loss):
            self.scheduler.on_trial_error(self.trials[trial])
            return False
        goes_on = self.scheduler.on_trial_result(self.trials[trial], {"loss": loss, "epoch": epoch}) == "CONTINUE"
        if not goes_on:
            self.scheduler.on_trial_remove(self.trials[trial])
        return goes_on


def syne_tune_bohb(space: Space, epochs: int, seed: int) -> SyneTune:
    return SyneTune(space, epochs, seed, "BOHB")


def installed() -> dict[str, Any]:
    """Those that can be run here, by the names of the comparison."""
    known = {
        "keras_tuner": ("KerasTuner Hyperband", KerasTunerHyperband),
        "syne_tune": ("Syne Tune BOHB", syne_tune_bohb),
    }
    return dict(named for package, named in known.items() if importlib.util.find_spec(package) is not None)
